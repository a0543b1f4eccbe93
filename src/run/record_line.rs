//! A record as one line of Zeek JSON.
//!
//! What a line says of its flow is kept for the flow's next record: four in ten have one among the last
//! few flows, and the ids are two hashes.
//! Bounds: [`FLOWS_KEPT`] flows, none of which takes more than the longest ids and addresses.

use tapir_engine::flow::{Conn, community_id};
use tapir_engine::types::{Fields as _, FlowRef, Json, Record, Value};

/// Flows whose members are kept, a power of two: what is near when the next record comes.
const FLOWS_KEPT: usize = 128;
/// The longest members of a flow: ids, two IPv6 addresses, ports and a tag, with their keys.
const MEMBERS_LEN_MAX: usize = 256;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct RecordLine {
    sensor_id: String,
    flows: Vec<Kept>,
}

/// A flow's members as they are written: those before the record's own, and those behind.
#[derive(Debug, Default)]
struct Kept {
    flow: FlowRef,
    members: Vec<u8>,
    before: usize,
}

impl RecordLine {
    /// Lines of the sensor whose part of every id is `sensor_id`.
    pub(crate) fn new(sensor_id: &str) -> Self {
        let flows = (0..FLOWS_KEPT).map(|_| Kept::default()).collect();
        Self {
            sensor_id: sensor_id.to_owned(),
            flows,
        }
    }

    /// Writes the record's line, without the newline, at the end of `out`.
    pub(crate) fn write(&mut self, record: &Record, out: &mut Vec<u8>) {
        let flow = &record.flow;
        let nobody = FlowRef::default();
        let named = (flow.orig, flow.resp, flow.proto) != (nobody.orig, nobody.resp, nobody.proto);
        let (before, behind) = match self.flows.get_mut(place(flow)) {
            Some(kept) if named => kept.members(flow, &self.sensor_id),
            _ => Default::default(),
        };
        let mut json = Json::open(out);
        json.field(",\"ts\":", Value::Time(record.ts));
        json.members(before);
        record.body.write(&mut json);
        if let Some((orig, resp)) = record.local.filter(|_| record.body.kind() == Conn::KIND) {
            json.field(",\"local_orig\":", Value::Bool(orig));
            json.field(",\"local_resp\":", Value::Bool(resp));
        }
        json.members(behind);
        if flow.vlan != 0 {
            json.field(",\"vlan\":", Value::Int(flow.vlan.into()));
        }
        if let Some(device) = &record.orig_device {
            device.write(",\"orig_device\":", &mut json);
        }
        if let Some(device) = &record.resp_device {
            device.write(",\"resp_device\":", &mut json);
        }
        json.close();
    }
}

/// Where a flow is kept. Flows that fall together cost each other time and nothing else.
fn place(flow: &FlowRef) -> usize {
    let ports = u64::from(flow.orig.port) << 16 | u64::from(flow.resp.port);
    let mixed = flow.first_ts.nanos().cast_unsigned() ^ ports.rotate_left(32);
    let top = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from(top).unwrap_or(0) % FLOWS_KEPT
}

impl Kept {
    /// The members of `flow`, made anew if they are another's.
    fn members(&mut self, flow: &FlowRef, sensor_id: &str) -> (&[u8], &[u8]) {
        if self.flow != *flow || self.members.is_empty() {
            self.make(flow, sensor_id);
        }
        self.members
            .split_at_checked(self.before)
            .unwrap_or_default()
    }

    fn make(&mut self, flow: &FlowRef, sensor_id: &str) {
        self.flow = *flow;
        self.members.clear();
        self.members.reserve(MEMBERS_LEN_MAX);
        let mut json = Json::open(&mut self.members);
        flow.uid(sensor_id).write(",\"uid\":", &mut json);
        json.field(",\"id.orig_h\":", Value::Addr(flow.orig.ip()));
        json.field(",\"id.orig_p\":", Value::Int(flow.orig.port.into()));
        json.field(",\"id.resp_h\":", Value::Addr(flow.resp.ip()));
        json.field(",\"id.resp_p\":", Value::Int(flow.resp.port.into()));
        self.before = self.members.len();
        let mut json = Json::open(&mut self.members);
        community_id(flow, 0).write(",\"community_id\":", &mut json);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tapir_engine::types::{Endpoint, Timestamp};

    use super::*;

    /// More flows than are kept, each of them twice in a row and all of them twice; every other without a name.
    #[test]
    fn a_line_is_the_same_whatever_was_written_before() {
        let flows = 4 * u16::try_from(FLOWS_KEPT).unwrap();
        let flow = |number: u16| {
            let ip = IpAddr::from([10, 0, 0, 1]);
            FlowRef {
                orig: Endpoint::new(ip, number),
                resp: Endpoint::new(ip, 80),
                proto: 6,
                // Some differ in nothing but this.
                ordinal: number % 3,
                first_ts: Timestamp::from_secs(i64::from(number / 3)),
                ..FlowRef::default()
            }
        };
        let mut written = RecordLine::new("tapir");
        for number in (0..flows).chain(0..flows) {
            for flow in [
                flow(number),
                flow(number),
                flow(number / 3 * 3),
                FlowRef::default(),
            ] {
                let record: Box<Record> = Record::new(flow.first_ts, flow, None, Conn::default());
                let (mut out, mut expected) = (Vec::new(), Vec::new());
                written.write(&record, &mut out);
                RecordLine::new("tapir").write(&record, &mut expected);
                assert_eq!(out, expected);
                let line = String::from_utf8(out).unwrap();
                let uid = flow.uid("tapir").to_string();
                assert_eq!(line.contains(&uid), flow.proto == 6, "{line}");
                let id = community_id(&flow, 0).to_string();
                assert_eq!(line.contains(&id), flow.proto == 6, "{line}");
            }
        }
    }
}
