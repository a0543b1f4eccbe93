//! Records and clues: what they say of devices, names and counts.

use std::any::{Any, TypeId};
use std::net::IpAddr;

use super::flow::Ends;
use super::{Analysis, Effect};
use crate::baseline::Feature;
use crate::proto::{
    Credential, Weird, dns::DnsRecord, http::HttpRecord, smb::SmbFile, tls::SslRecord,
};
use crate::types::{Clue, ClueKind, FlowRef, Record, RecordBody, Timestamp, ip_bits};

impl Analysis {
    /// Takes in evidence about a device or the name of an address outside.
    pub(super) fn clue(&mut self, ts: Timestamp, clue: &Clue) {
        if let (ClueKind::DnsName, Some(ip)) = (clue.kind, clue.ip) {
            self.name(ip, &clue.value);
        }
        if let (ClueKind::Lease, Some(ip)) = (clue.kind, clue.ip) {
            self.sign(ts, ip);
        }
        self.devices.clue(ts, clue);
        self.introduce(ts);
    }

    /// Notes that `ip`, if outside, goes by `name`.
    fn name(&mut self, ip: IpAddr, name: &str) {
        // An IPv4 address that an answer dresses up as IPv6 is no address that anybody sends to.
        let plain = ip.to_canonical() == ip;
        if plain && !name.is_empty() && !self.devices.home().holds_bits(ip_bits(ip)) {
            self.names.note(ip_bits(ip), name);
        }
    }

    /// Takes in a record.
    pub(super) fn record(&mut self, ts: Timestamp, flow: &FlowRef, record: Box<Record>) {
        let ends = self.ends(flow);
        self.told(ts, flow, record, &ends, 0);
    }

    /// Takes in a record: stamps it, counts it, lets the models see it, passes it on. `content` are the
    /// bytes of a flow that is over.
    pub(super) fn told(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        mut record: Box<Record>,
        ends: &Ends,
        content: u64,
    ) {
        (record.orig_device, record.resp_device) = self.ids(ends);
        record.local = Some((ends.orig_home, ends.resp_home));
        let body: &mut dyn Any = &mut record.body;
        if let Some(credential) = body.downcast_mut::<Credential>() {
            self.secrets.number(&mut credential.secret);
        }
        if self.is_armed()
            && let Some(last) = record.ends
        {
            self.watch.lives(flow, last);
        }
        if !self.is_own(flow) {
            self.learn_from(ts, &record.body, flow, ends, content);
            self.judge_record(ts, &record, ends.orig, ends.resp);
        }
        if self.is_news(&record.body, flow) {
            self.effects.push_back(Effect::Record(record));
        }
    }

    /// Whether a record is no oddity that was told often enough.
    fn is_news(&mut self, body: &dyn RecordBody, flow: &FlowRef) -> bool {
        let any: &dyn Any = body;
        any.downcast_ref::<Weird>()
            .is_none_or(|weird| self.oddities.is_news(flow.orig.bits(), weird.name))
    }

    /// What a record teaches the site.
    fn learn_from(
        &mut self,
        ts: Timestamp,
        body: &dyn RecordBody,
        flow: &FlowRef,
        ends: &Ends,
        content: u64,
    ) {
        let any: &dyn Any = body;
        let kind = any.type_id();
        if kind == TypeId::of::<crate::flow::Conn>() {
            self.flow_over(flow, ends, content);
        } else if kind == TypeId::of::<DnsRecord>() {
            let Some(device) = ends.orig else { return };
            self.site.count(ts, device, Feature::DnsQueries, 1);
            let dns = any.downcast_ref::<DnsRecord>();
            if dns.is_some_and(|dns| dns.rcode_name == Some("NXDOMAIN")) {
                self.site.count(ts, device, Feature::DnsNxdomain, 1);
            }
        } else if kind == TypeId::of::<SmbFile>() {
            if let Some(device) = ends.orig {
                self.site.count(ts, device, Feature::SmbFiles, 1);
            }
        } else if let Some(ssl) = any.downcast_ref::<SslRecord>() {
            self.name(
                flow.resp.ip(),
                ssl.server_name.as_deref().unwrap_or_default(),
            );
        } else if let Some(http) = any.downcast_ref::<HttpRecord>() {
            let host = http.host.as_deref().unwrap_or_default();
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            self.name(flow.resp.ip(), name);
        }
    }
}
