//! What a model sees: a row's own fields, and whom and when it is about.

use std::net::IpAddr;

use jiff::tz::TimeZone;

use crate::device::Home;
use crate::model::{Common, Row};
use crate::types::{FlowRef, RecordBody, Timestamp, Value};

/// A row with its surroundings.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) body: &'a dyn RecordBody,
    pub(super) ts: Timestamp,
    pub(super) device: &'a str,
    pub(super) device_ip: Option<IpAddr>,
    pub(super) peer: Option<&'a str>,
    pub(super) flow: Option<FlowRef>,
    pub(super) home: &'a Home,
    pub(super) time_zone: &'a TimeZone,
}

impl Subject<'_> {
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
            Common::Device => Some(Value::Str(self.device)),
            Common::DeviceIp => self.device_ip.map(Value::Addr),
            Common::Peer => self.peer.map(Value::Str),
            Common::OrigH => self.flow.map(|f| Value::Addr(f.orig.ip())),
            Common::OrigP => self.flow.map(|f| Value::Int(f.orig.port.into())),
            Common::OrigHome => self.flow.map(|f| Value::Bool(self.home.holds(f.orig.ip()))),
            Common::RespH => self.flow.map(|f| Value::Addr(f.resp.ip())),
            Common::RespP => self.flow.map(|f| Value::Int(f.resp.port.into())),
            Common::RespHome => self.flow.map(|f| Value::Bool(self.home.holds(f.resp.ip()))),
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
