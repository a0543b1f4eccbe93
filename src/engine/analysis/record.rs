//! Records and clues: what they say of devices, names and counts.

use std::any::Any;
use std::net::IpAddr;

use super::flow::Ends;
use super::look::Look;
use super::names::Names;
use super::{Analysis, Effect};
use crate::baseline::Feature;
use crate::device::Home;
use crate::proto::Credential;
use crate::proto::files::FileRecord;
use crate::service::{Evidence, ServiceIx};
use crate::types::{Clue, ClueKind, FlowRef, Record, Timestamp, ip_bits};

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
        if clue.kind == ClueKind::Announced {
            return self.announced.media(ts, clue);
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
        let look = Look::at(&record.body);
        self.shows(ts, (look, &record.body), flow, ends);
        if !self.is_own(flow) {
            self.learn_from(ts, look, flow, ends, content);
            self.judge_record(ts, &record, ends.orig, ends.resp);
        }
        // An oddity that was told often enough is not told any more.
        let is_news = match look {
            Look::Weird(weird) => self.oddities.is_news(flow.orig.bits(), weird.name),
            _ => true,
        };
        if is_news {
            self.effects.push_back(Effect::Record(record));
        }
    }

    /// What a record teaches the site.
    fn learn_from(
        &mut self,
        ts: Timestamp,
        look: Look<'_>,
        flow: &FlowRef,
        ends: &Ends,
        content: u64,
    ) {
        match look {
            Look::Conn(_) => self.flow_over(flow, ends, content),
            Look::Dns(dns) => {
                let Some(device) = ends.orig else { return };
                self.site.count(ts, device, Feature::DnsQueries, 1);
                if dns.rcode_name == Some("NXDOMAIN") {
                    self.site.count(ts, device, Feature::DnsNxdomain, 1);
                }
            }
            Look::SmbFile(_) => {
                if let Some(device) = ends.orig {
                    self.site.count(ts, device, Feature::SmbFiles, 1);
                }
            }
            Look::Ssl(ssl) => {
                let name = ssl.server_name.as_deref().unwrap_or_default();
                self.own_name(ts, flow, ends, Evidence::Sni, name);
            }
            Look::Http(http) => {
                let host = http.host.as_deref().unwrap_or_default();
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
                self.own_name(ts, flow, ends, Evidence::HttpHost, name);
            }
            Look::X509(x509) => self.by_certificate(ts, flow, ends, x509),
            Look::Ftp(ftp) => self.announced.ftp(ts, flow, ftp),
            _ => {}
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
