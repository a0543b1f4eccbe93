//! A record as one line of Zeek JSON.

use tapir_engine::flow::{Conn, community_id};
use tapir_engine::types::{Fields as _, FlowRef, Json, Record, Value};

/// Writes the record's line, without the newline, at the end of `out`.
pub(crate) fn write(record: &Record, sensor_id: &str, out: &mut Vec<u8>) {
    let flow = &record.flow;
    let nobody = FlowRef::default();
    let named = (flow.orig, flow.resp, flow.proto) != (nobody.orig, nobody.resp, nobody.proto);
    let mut json = Json::open(out);
    json.field(",\"ts\":", Value::Time(record.ts));
    if named {
        flow.uid(sensor_id).write(",\"uid\":", &mut json);
        json.field(",\"id.orig_h\":", Value::Addr(flow.orig.ip()));
        json.field(",\"id.orig_p\":", Value::Int(flow.orig.port.into()));
        json.field(",\"id.resp_h\":", Value::Addr(flow.resp.ip()));
        json.field(",\"id.resp_p\":", Value::Int(flow.resp.port.into()));
    }
    record.body.write(&mut json);
    if let Some((orig, resp)) = record.local.filter(|_| record.body.kind() == Conn::KIND) {
        json.field(",\"local_orig\":", Value::Bool(orig));
        json.field(",\"local_resp\":", Value::Bool(resp));
    }
    if named {
        community_id(flow, 0).write(",\"community_id\":", &mut json);
    }
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
