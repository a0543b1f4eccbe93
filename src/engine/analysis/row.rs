//! What a model sees: a row's own fields, and whom and when it is about.

use std::borrow::Cow;
use std::cell::OnceCell;

use jiff::tz::TimeZone;

use super::names::{Names, endpoint};
use crate::device::{DeviceIx, Entry, Inventory};
use crate::model::{Common, Row};
use crate::types::{FlowRef, RecordBody, Timestamp, Value, ip_text};

/// A row with its surroundings. Most rows are no model's concern: names and addresses are looked up
/// when one asks for them.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) body: &'a dyn RecordBody,
    pub(super) ts: Timestamp,
    pub(super) device: Option<DeviceIx>,
    pub(super) flow: Option<FlowRef>,
    pub(super) devices: &'a Inventory,
    pub(super) names: &'a Names,
    pub(super) time_zone: &'a TimeZone,
    pub(super) unknown: OnceCell<String>,
    pub(super) met: OnceCell<Option<Cow<'a, str>>>,
}

impl Subject<'_> {
    /// The device's entry.
    pub(super) fn entry(&self) -> Option<&Entry> {
        self.devices.entry(self.device?)
    }

    /// What the device is called; the originator's address if it is nobody's.
    pub(super) fn name(&self) -> &str {
        let text = |flow: FlowRef| ip_text(flow.orig.ip());
        self.entry().map_or_else(
            || {
                self.unknown
                    .get_or_init(|| self.flow.map(text).unwrap_or_default())
            },
            |entry| &entry.device.name,
        )
    }

    /// What the other end of the flow is called.
    pub(super) fn peer(&self) -> Option<&str> {
        let find = || {
            let flow = self.flow?;
            let answered =
                self.device.is_some() && self.devices.by_ip(flow.resp.ip()) == self.device;
            let other = if answered { flow.orig } else { flow.resp };
            Some(endpoint(self.devices, self.names, other.ip()))
        };
        self.met.get_or_init(find).as_deref()
    }

    /// Local date and time.
    fn local(&self) -> Option<jiff::Zoned> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(self.ts.nanos())).ok()?;
        Some(at.to_zoned(self.time_zone.clone()))
    }
}

impl Row for Subject<'_> {
    fn field(&self, index: usize) -> Value<'_> {
        self.body.value(index)
    }

    fn common(&self, common: Common) -> Value<'_> {
        let value = match common {
            Common::Device => Some(Value::Str(self.name())),
            Common::DeviceIp => self
                .device
                .and_then(|ix| self.devices.main_address(ix))
                .map(Value::Addr),
            Common::Peer => self.peer().map(Value::Str),
            Common::OrigH => self.flow.map(|f| Value::Addr(f.orig.ip())),
            Common::OrigP => self.flow.map(|f| Value::Int(f.orig.port.into())),
            Common::OrigHome => self
                .flow
                .map(|f| Value::Bool(self.devices.home().holds(f.orig.ip()))),
            Common::RespH => self.flow.map(|f| Value::Addr(f.resp.ip())),
            Common::RespP => self.flow.map(|f| Value::Int(f.resp.port.into())),
            Common::RespHome => self
                .flow
                .map(|f| Value::Bool(self.devices.home().holds(f.resp.ip()))),
            Common::Vlan => self
                .flow
                .filter(|f| f.vlan != 0)
                .map(|f| Value::Int(f.vlan.into())),
            Common::Hour => self.local().map(|at| Value::Int(at.hour().into())),
            Common::Workday => self.local().map(|at| {
                let rest = [jiff::civil::Weekday::Saturday, jiff::civil::Weekday::Sunday];
                Value::Bool(!rest.contains(&at.weekday()))
            }),
        };
        value.unwrap_or(Value::None)
    }
}
