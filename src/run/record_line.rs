//! A record as one line of Zeek JSON.

use tapir_engine::flow::community_id;
use tapir_engine::types::{FlowRef, Json, Record, Value};

/// Writes the record's line, without the newline, at the end of `out`.
pub(crate) fn write(record: &Record, sensor_id: &str, out: &mut String) {
    let flow = &record.flow;
    let named = *flow
        != FlowRef {
            first_ts: flow.first_ts,
            ..FlowRef::default()
        };
    let mut json = Json::open(out);
    json.member("ts", Value::Time(record.ts));
    if named {
        json.member("uid", Value::Str(flow.uid(sensor_id).as_str()));
        json.member("id.orig_h", Value::Addr(flow.orig.ip()));
        json.member("id.orig_p", Value::Int(flow.orig.port.into()));
        json.member("id.resp_h", Value::Addr(flow.resp.ip()));
        json.member("id.resp_p", Value::Int(flow.resp.port.into()));
    }
    for (index, field) in record.body.fields().iter().enumerate() {
        json.member(field.name, record.body.value(index));
    }
    if let Some((orig, resp)) = record.local.filter(|_| record.body.kind() == "conn") {
        json.member("local_orig", Value::Bool(orig));
        json.member("local_resp", Value::Bool(resp));
    }
    if named {
        json.member("community_id", Value::Str(&community_id(flow, 0)));
    }
    if flow.vlan != 0 {
        json.member("vlan", Value::Int(flow.vlan.into()));
    }
    for (name, device) in [
        ("orig_device", &record.orig_device),
        ("resp_device", &record.resp_device),
    ] {
        if let Some(device) = device {
            json.member(name, Value::Str(device));
        }
    }
    json.close();
}
