//! Names that flows give away meet the catalogue: which service a flow went to, and who used it.

use std::collections::BTreeMap;

use tapir_message::ServiceUse;

use super::Analysis;
use super::flow::Ends;
use crate::device::DeviceIx;
use crate::flow::Conn;
use crate::proto::tls::X509Record;
use crate::service::{Evidence, ServiceIx, Use};
use crate::types::{FlowRef, Text, Timestamp};

/// Alternative names of a certificate that are looked at: one that is for many customers names none.
const ALTERNATIVE_NAMES_MAX: usize = 4;

impl Analysis {
    /// A flow has just been answered: what its address outside goes by is all that is known.
    pub(super) fn by_address(&mut self, ts: Timestamp, flow: &FlowRef, ends: &Ends) {
        if !ends.inside(flow)
            && let Some(service) = self.names.service(flow.resp.bits())
        {
            self.by_name(ts, flow, ends, Evidence::Dns, Some(service));
        }
    }

    /// A name that a flow gives away. Only what our own devices use is told.
    pub(super) fn by_name(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        ends: &Ends,
        evidence: Evidence,
        service: Option<ServiceIx>,
    ) {
        if let Some(device) = ends.orig {
            self.uses.named(ts, flow, device, evidence, service);
        }
    }

    /// A server's certificate, where the client did not say whom it wanted.
    pub(super) fn by_certificate(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        ends: &Ends,
        x509: &X509Record,
    ) {
        if !x509.host_cert || x509.client_cert {
            return;
        }
        let subject = x509.subject.as_deref().unwrap_or_default();
        let common = subject.split(',').find_map(|part| part.strip_prefix("CN="));
        let others = x509.san_dns.iter().flatten().map(Text::as_str);
        let mut names = common.into_iter().chain(others.take(ALTERNATIVE_NAMES_MAX));
        let found =
            names.find_map(|name| self.services.find(name.strip_prefix("*.").unwrap_or(name)));
        if found.is_some() {
            self.by_name(ts, flow, ends, Evidence::Certificate, found);
        }
    }

    /// A flow is over: its record says which service it went to.
    pub(super) fn served(&mut self, ts: Timestamp, flow: &FlowRef, conn: &mut Conn) {
        let bytes = (conn.orig_bytes.unwrap_or(0), conn.resp_bytes.unwrap_or(0));
        let service = self.uses.over(ts, flow, bytes);
        if let Some(service) = service.and_then(|ix| self.services.get(ix)) {
            conn.cloud_service = Some(service.id.clone());
            conn.cloud_category = Some(service.category);
            conn.cloud_sanctioned = service.sanctioned;
        }
    }

    /// Who used which service, by service and device. What was merged into a device is its own.
    #[must_use]
    pub fn service_uses(&self) -> Vec<ServiceUse> {
        let mut by_device: BTreeMap<(ServiceIx, DeviceIx), Use> = BTreeMap::new();
        for (service, device, one) in self.uses.all() {
            let key = (service, self.devices.main(device));
            by_device
                .entry(key)
                .and_modify(|all| all.add(one))
                .or_insert(*one);
        }
        let told = |((service, device), one): (_, Use)| self.told_use(service, device, &one);
        let mut all: Vec<_> = by_device.into_iter().filter_map(told).collect();
        all.sort_by(|a, b| (&a.service, &a.device).cmp(&(&b.service, &b.device)));
        all
    }

    /// A use with its names.
    fn told_use(&self, service: ServiceIx, device: DeviceIx, one: &Use) -> Option<ServiceUse> {
        let service = self.services.get(service)?;
        let device = &self.devices.entry(device)?.device;
        Some(ServiceUse {
            service: service.id.to_string(),
            name: service.name.clone(),
            owner: service.owner.clone(),
            category: service.category.to_owned(),
            sanctioned: service.sanctioned,
            device: device.id.clone(),
            device_name: device.name.clone(),
            first_ts: one.first_ts,
            last_ts: one.last_ts,
            flows: one.flows,
            bytes_up: one.up,
            bytes_down: one.down,
            evidence: one.evidence().map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
