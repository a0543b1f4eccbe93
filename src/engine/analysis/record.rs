//! Records and clues: what they say of devices, names and counts.

use std::any::{Any, TypeId};
use std::net::IpAddr;

use super::flow::Ends;
use super::names::Names;
use super::{Analysis, Effect};
use crate::baseline::Feature;
use crate::device::Home;
use crate::flow::Conn;
use crate::proto::tls::{SslRecord, X509Record};
use crate::proto::{
    Credential, Weird, dns::DnsRecord, files::FileRecord, ftp::FtpRecord, http::HttpRecord,
    smb::SmbFile,
};
use crate::service::{Evidence, ServiceIx};
use crate::types::{Clue, ClueKind, FlowRef, Record, RecordBody, Timestamp, ip_bits};

impl Analysis {
    /// Takes in evidence about a device or the name of an address outside.
    pub(super) fn clue(&mut self, ts: Timestamp, clue: &Clue) {
        if let (ClueKind::DnsName, Some(ip)) = (clue.kind, clue.ip) {
            let find = || self.services.find(&clue.value);
            note(&mut self.names, self.devices.home(), ip, &clue.value, find);
        }
        if let (ClueKind::Lease, Some(ip)) = (clue.kind, clue.ip) {
            self.sign(ts, ip);
        }
        self.devices.clue(ts, clue);
        // Whether two entries are one machine may have to be decided soon.
        if let Some(due) = self.devices.next_deadline() {
            self.quiet_until = self.quiet_until.min(due);
        }
        self.introduce(ts);
    }

    /// A name that a flow itself gives away, of its responder's.
    fn own_name(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        ends: &Ends,
        evidence: Evidence,
        name: &str,
    ) {
        if name.is_empty() {
            return;
        }
        let service = self.services.find(name);
        let home = self.devices.home();
        note(&mut self.names, home, flow.resp.ip(), name, || service);
        self.by_name(ts, flow, ends, evidence, service);
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
        if let Some(file) = body.downcast_mut::<FileRecord>() {
            self.announced.file(flow, file);
        }
        if self.is_armed()
            && let Some(last) = record.ends
        {
            self.watch.lives(flow, last);
        }
        self.shows(ts, &record.body, flow, ends);
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
        if kind == TypeId::of::<Conn>() {
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
            let name = ssl.server_name.as_deref().unwrap_or_default();
            self.own_name(ts, flow, ends, Evidence::Sni, name);
        } else if let Some(http) = any.downcast_ref::<HttpRecord>() {
            let host = http.host.as_deref().unwrap_or_default();
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            self.own_name(ts, flow, ends, Evidence::HttpHost, name);
        } else if let Some(x509) = any.downcast_ref::<X509Record>() {
            self.by_certificate(ts, flow, ends, x509);
        } else if let Some(ftp) = any.downcast_ref::<FtpRecord>() {
            self.announced.ftp(ts, flow, ftp);
        }
    }
}

/// Notes that `ip`, if outside, goes by `name`, which belongs to the service that `service` finds.
fn note(
    names: &mut Names,
    home: &Home,
    ip: IpAddr,
    name: &str,
    service: impl FnOnce() -> Option<ServiceIx>,
) {
    // An IPv4 address that an answer dresses up as IPv6 is no address that anybody sends to.
    let plain = ip.to_canonical() == ip;
    if plain && !name.is_empty() && !home.holds_bits(ip_bits(ip)) {
        names.note(ip_bits(ip), name, service);
    }
}
