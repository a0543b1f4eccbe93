//! Frames that the client and the server of snap7, the library, exchanged: published as hexadecimal text by
//! another implementation's tests, decoded alike by tshark 4.0.17. Comments say what they are.

use super::super::testing::{endures, grows, stream};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;
/// Connection request and confirm, setup and its answer.
const BEGIN: [(Dir, &[u8]); 4] = [
    (
        C,
        b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x01",
    ),
    (
        S,
        b"\x03\0\0\x16\x11\xd0\0\x01\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x01",
    ),
    (
        C,
        b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0",
    ),
    (
        S,
        b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0\0\0\0\x08\0\0\0\0\xf0\0\0\x01\0\x01\x01\xe0",
    ),
];
/// Four bytes written at offset 20 of data block 1; the answer. Stop. Warm start.
const WORK: [(Dir, &[u8]); 4] = [
    (C, b"\x03\0\0\x27\x02\xf0\x80\x32\x01\0\0\x01\0\0\x0e\0\x08\x05\x01\x12\x0a\x10\x02\0\x04\0\x01\x84\0\0\xa0\0\x04\0\x20\x12\x34\x56\x78"),
    (S, b"\x03\0\0\x16\x02\xf0\x80\x32\x03\0\0\x01\0\0\x02\0\x01\0\0\x05\x01\xff"),
    (C, b"\x03\0\0\x21\x02\xf0\x80\x32\x01\0\0\x14\0\0\x10\0\0\x29\0\0\0\0\0\x09P_PROGRAM"),
    (C, b"\x03\0\0\x25\x02\xf0\x80\x32\x01\0\0\x15\0\0\x14\0\0\x28\0\0\0\0\0\0\xfd\0\0\x09P_PROGRAM"),
];
/// System status list 0x11 asked for; its answer with the order number of the module.
const STATUS: [(Dir, &[u8]); 2] = [
    (C, b"\x03\0\0\x21\x02\xf0\x80\x32\x07\0\0\x0f\0\0\x08\0\x08\0\x01\x12\x04\x11\x44\x01\0\xff\x09\0\x04\0\x11\0\0"),
    (
        S,
        b"\x03\0\0\x99\x02\xf0\x80\x32\x07\0\0\x0f\0\0\x0c\0\x7c\0\x01\x12\x08\x12\x84\x01\x01\0\0\0\0\
          \xff\x09\0\x78\0\x11\0\0\0\x1c\0\x04\
          \0\x016ES7 315-2EH14-0AB0 \0\xc0\0\x04\0\x01\
          \0\x066ES7 315-2EH14-0AB0 \0\xc0\0\x04\0\x01\
          \0\x07                    \0\xc0V\x03\x02\x06\
          \0\x81Boot Loader         \0\0A \x09\x09",
    ),
];

fn record(kind: &str, reference: u16, rest: &str) -> String {
    format!(r#"s7comm {{"rosctr_code":{kind},"pdu_reference":{reference},{rest}}}"#)
}

#[test]
fn jobs_answers_and_program_services() {
    let told = stream::<S7comm>(&[&BEGIN[..], &WORK].concat());
    let (job, ack) = (
        r#"1,"rosctr_name":"Job-Request""#,
        r#"3,"rosctr_name":"ACK-Data""#,
    );
    let setup = r#""function_code":"0xf0","function_name":"Setup Communication""#;
    let write = r#""function_code":"0x05","function_name":"Write Variable""#;
    let good = r#""error_class":"No error","error_code":"0x00""#;
    let service =
        r#""subfunction_code":"P_PROGRAM","subfunction_name":"PLC Start / Stop","class":"control""#;
    assert_eq!(
        told.records,
        [
            record(job, 0, &format!(r#"{setup},"class":"read""#)),
            record(ack, 0, &format!(r#"{setup},{good},"class":"read""#)),
            record(job, 256, &format!(r#"{write},"class":"write""#)),
            record(ack, 256, &format!(r#"{write},{good},"class":"write""#)),
            record(
                job,
                5120,
                &format!(r#""function_code":"0x29","function_name":"PLC Stop",{service}"#)
            ),
            record(
                job,
                5376,
                &format!(r#""function_code":"0x28","function_name":"PLC Control",{service}"#)
            ),
        ]
    );
    assert_eq!(told.clues.len(), 1);
    assert_eq!(
        (told.clues[0].kind, &*told.clues[0].value),
        (ClueKind::Serves, "s7comm")
    );
    endures::<S7comm>(&[&BEGIN[..], &WORK].concat(), false);
}

#[test]
fn a_status_list_names_the_module() {
    let told = stream::<S7comm>(&STATUS);
    let szl = r#""subfunction_code":"0x01","subfunction_name":"Read SZL""#;
    let user = r#"7,"rosctr_name":"User-Data""#;
    let asks = format!(
        r#""function_code":"0x44","function_name":"Request: CPU Functions",{szl},"class":"read""#
    );
    let good = r#""error_class":"No error","error_code":"0x00""#;
    let tells = format!(
        r#""function_code":"0x84","function_name":"Response: CPU Functions",{szl},{good},"class":"read""#
    );
    assert_eq!(
        told.records,
        [record(user, 3840, &asks), record(user, 3840, &tells)]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.evidence, &*clue.value))
        .collect();
    assert_eq!(clues, [("s7comm order number", "6ES7 315-2EH14-0AB0")]);
    endures::<S7comm>(&STATUS, false);
    // Rows said to be shorter than their number, and more than there are.
    let mut lies = STATUS[1].1.to_vec();
    lies[37..39].copy_from_slice(&[0, 0]);
    assert_eq!(stream::<S7comm>(&[(S, &lies)]).clues.len(), 0);
}

#[test]
fn the_first_message_decides() {
    let both = |first: &[u8], second: &[u8]| S7comm::probe(&[first, second].concat(), C);
    assert_eq!(S7comm::probe(BEGIN[0].1, C), Probe::Unsure);
    for (dir, piece) in BEGIN.iter().chain(&WORK) {
        grows::<S7comm>(piece, *dir);
    }
    grows::<S7comm>(&[BEGIN[0].1, BEGIN[2].1].concat(), C);
    assert_eq!(both(BEGIN[0].1, BEGIN[2].1), Probe::Certain);
    assert_eq!(both(BEGIN[1].1, BEGIN[3].1), Probe::Certain);
    assert_eq!(S7comm::probe(WORK[0].1, C), Probe::Certain);
    // A session's beginning of MMS behind the same request; an RDP client's; two requests.
    let mms = b"\x03\0\0\xbb\x02\xf0\x80\x0d\xb2\x05\x06\x13\x01\0\x16\x01\x02";
    assert_eq!(both(BEGIN[0].1, mms), Probe::NotMine);
    assert_eq!(
        S7comm::probe(b"\x03\0\x01\xa0\x02\xf0\x80\x7f\x65\x82", C),
        Probe::NotMine
    );
    assert_eq!(both(BEGIN[0].1, BEGIN[0].1), Probe::NotMine);
    assert_eq!(S7comm::probe(b"\x03 text", C), Probe::NotMine);
    // The rest of a message in two units is not a message of its own.
    let first = [b"\x03\0\0\x19\x02\xf0\0", &BEGIN[2].1[7..]].concat();
    let told = stream::<S7comm>(&[(C, &first), (C, BEGIN[2].1), (C, BEGIN[2].1)]);
    assert_eq!(told.records.len(), 2);
}
