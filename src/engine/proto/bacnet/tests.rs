//! Datagrams of the shared captures `icsnpp-bacnet_bacnet_example` and `malcolm_BACnet_device_control`, as tshark
//! 4.0.17 reads them; comments say what they are.

use super::super::testing::{Told, datagrams, endures};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

fn talk(pieces: &[(Dir, &[u8])]) -> Told {
    datagrams::<Bacnet>(47_808, pieces)
}

#[test]
fn an_output_is_written_behind_a_router() {
    let told = talk(&[
        // WriteProperty analog-output 1 present-value, from network 703; the answer from network 8601.
        (C, b"\x81\x0a\0\x28\x01\x2c\x21\x99\x01\x3f\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\xfe\x02\x55\x74\x0f\x0c\0\x40\0\x01\x19\x55\x3e\x44\x42\x30\0\0\x3f\x49\x08"),
        (S, b"\x81\x0a\0\x17\x01\x28\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\x21\x99\x01\x3f\xfe\x20\x74\x0f"),
        // ReinitializeDevice with a password, and the error that answers it; a rejection.
        (C, b"\x81\x0a\0\x21\x01\x2c\x21\x99\x01\x3f\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\xfe\x02\x55\x29\x14\x09\x02\x1d\x05\0HIGH"),
        (S, b"\x81\x0a\0\x1b\x01\x28\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\x21\x99\x01\x3f\xfe\x50\x29\x14\x91\x05\x91\x1d"),
        (S, b"\x81\x0a\0\x17\x01\x28\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\x21\x99\x01\x3f\xfe\x60\x2d\x09"),
        // ReadPropertyMultiple of a device.
        (C, b"\x81\x0a\0\x23\x01\x2c\x21\x99\x01\x3f\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\xfe\x02\x55\x06\x0e\x0c\x02\x01\x4f\xf1\x1e\x09\x69\x09\x50\x1f"),
        // SubscribeCOV.
        (C, b"\x81\x0a\0\x25\x01\x2c\x21\x99\x01\x3f\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\xfe\x02\x55\x53\x05\x0a\x02\x58\x1c\0\x40\0\x01\x29\0\x3a\x02\x58"),
    ]);
    let is = |rest: &str| {
        format!(r#"bacnet {{"bvlc_function":"Original_Unicast_NPDU","pdu_type":{rest}}}"#)
    };
    let output = r#""object_type":"analog-output","instance_number":1"#;
    assert_eq!(
        told.records,
        [
            is(&format!(
                r#""CONFIRMED_REQUEST","pdu_service":"write_property","invoke_id":116,{output},"property":"present-value","class":"write""#
            )),
            is(r#""SIMPLE_ACK","pdu_service":"write_property","invoke_id":116,"class":"write""#),
            is(
                r#""CONFIRMED_REQUEST","pdu_service":"reinitialize_device","invoke_id":41,"class":"control""#
            ),
            is(
                r#""ERROR_PDU","pdu_service":"reinitialize_device","invoke_id":41,"result_code":"service-request-denied","class":"control""#
            ),
            is(
                r#""REJECT_PDU","invoke_id":45,"result_code":"unrecognized-service","class":"read""#
            ),
            is(
                r#""CONFIRMED_REQUEST","pdu_service":"read_property_multiple","invoke_id":6,"object_type":"device","instance_number":86001,"property":"required","class":"read""#
            ),
            is(&format!(
                r#""CONFIRMED_REQUEST","pdu_service":"subscribe_cov","invoke_id":83,{output},"class":"read""#
            )),
        ]
    );
    // Who answers stands behind the router: what it says is not the router's.
    assert_eq!(told.clues.len(), 0);
}

#[test]
fn a_device_says_who_it_is() {
    let told = talk(&[
        // I-Am of device 721, maker 15; the model and the object's name, read.
        (C, b"\x81\x0a\0\x14\x01\0\x10\0\xc4\x02\0\x02\xd1\x22\x04\0\x91\x03\x21\x0f"),
        (S, b"\x81\x0a\0\x22\x01\0\x30\x01\x0c\x0c\x02\0\x05\x39\x19\x46\x3e\x75\x0e\0BACnet Server?"),
        (S, b"\x81\x0a\0\x21\x01\0\x30\x01\x0c\x0c\0\0\0\x01\x19\x4d\x3e\x75\x0d\0Sensor_45312?"),
        // An I-Am passed on by a broadcast manager; its table asked for; a foreign device registers.
        (C, b"\x81\x04\0\x1f\x0a\xc8\x01\x0f\xba\xc0\x01\x20\xff\xff\0\xff\x10\0\xc4\x02\0\x05\x39\x22\x05\xc4\x91\x03\x22\x01\x04"),
        (C, b"\x81\x05\0\x06\0\x64"),
        (S, b"\x81\0\0\x06\0\x30"),
        (S, b"\x81\x0a\0\x09\x01\0\x70\x01\x02"),
    ]);
    let who = r#""object_type":"device","instance_number""#;
    assert_eq!(
        told.records,
        [
            format!(r#"bacnet {{"bvlc_function":"Original_Unicast_NPDU","pdu_type":"UNCONFIRMED_REQUEST","pdu_service":"i_am",{who}:721,"vendor_id":15,"class":"read"}}"#),
            format!(r#"bacnet {{"bvlc_function":"Original_Unicast_NPDU","pdu_type":"COMPLEX_ACK","pdu_service":"read_property","invoke_id":1,{who}:1337,"property":"model-name","class":"read"}}"#),
            r#"bacnet {"bvlc_function":"Original_Unicast_NPDU","pdu_type":"COMPLEX_ACK","pdu_service":"read_property","invoke_id":1,"object_type":"analog-input","instance_number":1,"property":"object-name","class":"read"}"#.to_owned(),
            format!(r#"bacnet {{"bvlc_function":"Forwarded_NPDU","pdu_type":"UNCONFIRMED_REQUEST","pdu_service":"i_am",{who}:1337,"vendor_id":260,"class":"read"}}"#),
            r#"bacnet {"bvlc_function":"Register_Foreign_Device","class":"control"}"#.to_owned(),
            r#"bacnet {"bvlc_function":"BVLC_Result","result_code":"register-foreign-device-nak","class":"read"}"#.to_owned(),
            r#"bacnet {"bvlc_function":"Original_Unicast_NPDU","pdu_type":"ABORT_PDU","invoke_id":1,"result_code":"invalid-apdu-in-this-state","class":"read"}"#.to_owned(),
        ]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.kind, &*clue.value))
        .collect();
    let serves = (ClueKind::Serves, "bacnet");
    assert_eq!(
        clues,
        [serves, serves, (ClueKind::Software, "BACnet Server")]
    );
}

#[test]
fn what_is_broken_is_endured() {
    let read: &[u8] =
        b"\x81\x0a\0\x22\x01\0\x30\x01\x0c\x0c\x02\0\x05\x39\x19\x46\x3e\x75\x0e\0BACnet Server?";
    let written: &[u8] = b"\x81\x0a\0\x28\x01\x2c\x21\x99\x01\x3f\x02\xbf\x06\xac\x10\x07\xc9\xba\xc0\xfe\x02\x55\x74\x0f\x0c\0\x40\0\x01\x19\x55\x3e\x44\x42\x30\0\0\x3f\x49\x08";
    endures::<Bacnet>(&[(C, written), (S, read)], true);
    assert_eq!(Bacnet::probe(read, S), Probe::Certain);
    assert_eq!(Bacnet::probe(&read[..33], S), Probe::Unsure);
    assert_eq!(Bacnet::probe(b"\x81\x0a\0\x06\x02\0", S), Probe::NotMine);
    assert_eq!(
        Bacnet::probe(b"\x81\x01\x01\x03\x01\x03\0", C),
        Probe::NotMine
    );
    // The second segment of an answer is not told again. A length beyond the datagram, as in the first capture,
    // does no harm; another form of header does.
    let segment = b"\x81\x0a\0\x0c\x01\0\x38\x01\x01\x04\x0e\x44";
    assert_eq!(talk(&[(S, segment)]).records.len(), 0);
    let lie = talk(&[(S, b"\x81\x0a\0\x11\x01\x04\x50\x77\x14\x91\x05\x91\x1a")]).records;
    assert!(lie[0].contains("password-failure"), "{lie:?}");
    let other = talk(&[(S, b"\x81\x0a\0\x08\x02\0\x10\x08")]).records;
    assert_eq!(
        other,
        [r#"weird {"name":"bacnet_bad_header","notice":false,"source":"bacnet"}"#]
    );
}

#[test]
fn what_is_read_again_is_told_once_and_what_is_written_always() {
    let read = b"\x81\x0a\0\x11\x01\x04\0\x05\x01\x0c\x0c\x02\0\x05\x39\x19\x4c";
    let mut again = *read;
    again[8] = 2;
    let restart = b"\x81\x0a\0\x0c\x01\x04\0\x05\x03\x14\x09\x00";
    let told = talk(&[
        (C, read),
        (C, &again),
        (C, restart),
        (C, restart),
        (C, read),
    ]);
    let of = |service: &str| {
        told.records
            .iter()
            .filter(|record| record.contains(service))
            .count()
    };
    assert_eq!(of("read_property"), 1, "{:?}", told.records);
    assert_eq!(of("reinitialize_device"), 2, "{:?}", told.records);
}
