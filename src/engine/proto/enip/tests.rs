//! Messages of the shared captures `iti_cip-eth-set-2`, `iti_cip_start_plc` and `iti_cip-multiple-2` as tshark
//! 4.0.17 reads them, and requests built by the forms of the standard; comments say which.
use super::super::testing::{endures, grows, stream, unhex};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

/// A session registered and a variable read: the messages of cpppo, the simulator, which another implementation's
/// tests publish. The request's envelope is made here after the response's.
fn session() -> [(Dir, Vec<u8>); 4] {
    [
        (C, unhex("65000400 00000000 00000000 5245474953544552 00000000 01000000")),
        (S, unhex("65000400 dfab99c6 00000000 5245474953544552 00000000 01000000")),
        (
            C,
            unhex(
                "6f002400 dfab99c6 00000000 524541445441475f 00000000 00000000 0000 0200 00000000 b2001400
                 4c 08 91 0d 50524f445543545f434f554e54 00 0100",
            ),
        ),
        (
            S,
            unhex(
                "6f001600 dfab99c6 00000000 524541445441475f 00000000 00000000 0000 0200 00000000 b2000600
                 cc 00 05 01 0000",
            ),
        ),
    ]
}

fn talk(pieces: &[(Dir, Vec<u8>)]) -> super::super::testing::Told {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    stream::<Enip>(&pieces)
}

#[test]
fn a_session_and_a_variable() {
    let told = talk(&session());
    assert_eq!(
        told.records,
        [
            r#"enip {"enip_command_code":"0x65","enip_command":"Register Session","length":4,"session_handle":"0x00","enip_status":"Success"}"#,
            r#"enip {"enip_command_code":"0x65","enip_command":"Register Session","length":4,"session_handle":"0xc699abdf","enip_status":"Success"}"#,
            r#"cip {"direction":"request","cip_service_code":"0x4c","cip_service":"Read Tag","symbol":"PRODUCT_COUNT","class":"read"}"#,
            r#"cip {"direction":"response","cip_service_code":"0x4c","cip_service":"Read Tag","cip_status_code":"0x05","cip_status":"Path destination unknown","class":"read"}"#,
        ]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.kind, &*clue.value))
        .collect();
    assert_eq!(clues, [(ClueKind::Serves, "enip")]);
    let session = session();
    let pieces: Vec<_> = session
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    endures::<Enip>(&pieces, false);
    for (dir, piece) in pieces {
        assert_eq!(Enip::probe(piece, dir), Probe::Certain);
        grows::<Enip>(piece, dir);
    }
    assert_eq!(
        Enip::probe(b"e\0\x04\0text that is longer than a header", C),
        Probe::NotMine
    );
}

#[test]
fn controllers_are_started_and_set() {
    // `iti_cip_start_plc`; `iti_cip-eth-set-2`, the response alone.
    let start = "70001c00 01002a00 00000000 0000000000000000 00000000 00000000 0100 0200
                 a1000400 224095ff b1000800 e700 06 02 208e 2401";
    let set = "6f001400 00010212 00000000 ec6d8601701ee100 00000000 00000000 0500 0200
               00000000 b2000400 90 00 00 00";
    assert_eq!(
        talk(&[(C, unhex(start)), (S, unhex(set))]).records,
        [
            r#"cip {"cip_sequence_count":231,"direction":"request","cip_service_code":"0x06","cip_service":"Start","class_id":"0x8e","instance_id":"0x01","class":"control"}"#,
            r#"cip {"direction":"response","cip_service_code":"0x10","cip_service":"Set Attribute Single","cip_status_code":"0x00","cip_status":"Success","class":"write"}"#,
        ]
    );
}

#[test]
fn messages_in_messages() {
    // The first two of eleven responses of `iti_cip-multiple-2`, in a packet of two.
    let packet = "70003200 00010211 00000000 0000000000000000 00000000 00000000 0000 0200
                  a1000400 2800fe80 b1001e00 8907 8a 00 00 00 0200 0600 1000
                  83 00 00 00 0100 0500 0000 83 00 00 00 0100 0b00";
    // Unconnected send (volume 1, 3-5.5.2): a reset of the identity object, by way of the backplane.
    let sent = "6f002200 dfab99c6 00000000 0000000000000000 00000000 00000000 0000 0200
                00000000 b2001200 52 02 2006 2401 0a 0e 0400 05 01 2001 01 00 0100";
    let told = talk(&[
        (S, unhex(packet)),
        (C, unhex(sent)),
        (
            S,
            unhex(
                "6f001400 dfab99c6 00000000 0000000000000000 00000000 00000000 0000 0200 00000000 b2000400 85 00 0f 00",
            ),
        ),
    ]);
    let names: Vec<_> = told
        .records
        .iter()
        .map(|line| {
            let word = |key: &str| {
                line.split(key)
                    .nth(1)
                    .map(|rest| rest.split('"').next().unwrap().to_owned())
            };
            (
                word("\"cip_service\":\""),
                word("\"class_name\":\""),
                word("\"cip_status\":\""),
            )
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        names,
        [
            (some("Multiple Service Packet"), None, some("Success")),
            (some("Get Attribute List"), None, some("Success")),
            (some("Get Attribute List"), None, some("Success")),
            (some("Unconnected Send"), some("Connection Manager"), None),
            (some("Reset"), some("Identity"), None),
            (some("Reset"), some("Identity"), some("Privilege violation")),
        ]
    );
    // Offsets that run backwards, a count of 65535.
    let lies = packet.replace("0200 0600 1000", "ffff 1000 0600");
    assert_eq!(talk(&[(S, unhex(&lies))]).records.len(), 1);
}

#[test]
fn a_device_lists_its_identity() {
    // cpppo's answer, as above.
    let identity = "63003c00 00000000 00000000 4c4953544944454e 00000000 0100 0c003600
                    0100 0002af12 00000000 0000000000000000 0100 0e00 3600 140b 6031 1a066c00
                    14 313735362d4c36312f42204c4f47495835353631 ff";
    let told = talk(&[(S, unhex(identity))]);
    assert_eq!(
        told.records,
        [
            r#"cip_identity {"socket_address":"0.0.0.0","socket_port":44818,"vendor_id":1,"device_type_id":14,"product_code":54,"revision":"20.11","device_status":"0x3160","serial_number":"0x6c061a","product_name":"1756-L61/B LOGIX5561","device_state":"0xff"}"#
        ]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.kind, &*clue.value))
        .collect();
    let software = (ClueKind::Software, "1756-L61/B LOGIX5561 20.11");
    assert_eq!(clues, [(ClueKind::Serves, "enip"), software]);
    endures::<Enip>(&[(S, &unhex(identity))], true);
    // Modbus, as a client may begin it.
    let modbus = b"\0\0\0\0\0\x06\x01\x1d\0\0\0\0";
    assert_eq!(Enip::probe(modbus, C), Probe::NotMine);
    // The question, on its port; a session refused.
    let ask = unhex("63000000 00000000 00000000 4c4953544944454e 00000000");
    assert_eq!(Enip::probe(&ask, C), Probe::Unsure);
    let refused = talk(&[(
        S,
        unhex("65000000 00000000 69000000 0000000000000000 00000000"),
    )]);
    assert!(
        refused.records[0].contains("Unsupported Protocol Revision"),
        "{refused:?}"
    );
}
