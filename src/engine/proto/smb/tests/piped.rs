//! DCE/RPC through pipes: writes, reads and transceives of \[MS-SMB2\] 2.2.21, 2.2.20, 2.2.31.

use super::messages::*;
use super::{CREATE, Dir, RESPONSE, Smb, feed};
use crate::proto::testing::{endures, views};

const READ: u16 = 8;
const WRITE: u16 = 9;
const IOCTL: u16 = 11;
/// STATUS_BUFFER_OVERFLOW
const MORE: u32 = 0x8000_0005;

/// A bind of svcctl, C706 12.6.4.3.
const BIND: [u8; 72] = [
    5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, // header, frag_length 72
    0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, // one context
    0, 0, 1, 0, // its id, one transfer syntax
    0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03,
    2, 0, 0, 0, // version
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    2, 0, 0, 0,
];

/// A request of operation 12 with 40 bytes of arguments, C706 12.6.4.9.
pub(super) fn call() -> Vec<u8> {
    let mut out = vec![5, 0, 0, 3, 0x10, 0, 0, 0, 64, 0, 0, 0, 7, 0, 0, 0]; // frag_length 64, call 7
    out.extend([40, 0, 0, 0, 0, 0, 12, 0]); // alloc_hint, context, opnum
    out.extend([0xaa; 40]);
    out
}

/// Its answer, C706 12.6.4.10.
pub(super) fn answered() -> Vec<u8> {
    let mut out = vec![5, 0, 2, 3, 0x10, 0, 0, 0, 48, 0, 0, 0, 7, 0, 0, 0];
    out.resize(48, 0);
    out
}

pub(super) fn bind() -> Vec<u8> {
    BIND.to_vec()
}

fn written_to(file: u8, data: &[u8]) -> Vec<u8> {
    read_or_write(file, u32::try_from(data.len()).unwrap(), data)
}

fn have(data: &[u8]) -> Vec<u8> {
    let mut body = vec![17, 0, 80, 0];
    body.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    body.extend([0; 8]);
    body.extend(data);
    body
}

/// FSCTL_PIPE_TRANSCEIVE asked, and answered; the buffer stands 56 and 48 bytes into the body.
fn transceive(file: u8, data: &[u8], response: bool) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap().to_le_bytes();
    let at = if response { 112_u32 } else { 120 }.to_le_bytes();
    let mut body = vec![57, 0, 0, 0]; // StructureSize, Reserved
    body.extend(0x0011_c017_u32.to_le_bytes()); // CtlCode
    body.extend([file; 16]);
    if response {
        body.extend([0; 8]); // InputOffset, InputCount
        body.extend([&at[..], &len, &[0; 8]].concat()); // OutputOffset, OutputCount, Flags, Reserved2
    } else {
        body.extend([&at[..], &len, &[0; 24]].concat()); // InputOffset, InputCount … Reserved2
    }
    body.extend(data);
    body
}

fn opened() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::Orig, ask(3, 1, &tree_connect(r"\\dc\IPC$"))),
        (Dir::Resp, answer(3, 1, &tree_connected(2))),
        (Dir::Orig, ask(CREATE, 2, &create("svcctl", 0))),
        (Dir::Resp, answer(CREATE, 2, &created(8, 0))),
        (Dir::Orig, ask(WRITE, 3, &written_to(8, &bind()))),
        (Dir::Resp, answer(WRITE, 3, &written(72))),
    ]
}

fn calls(rows: &[String]) -> Vec<&String> {
    rows.iter()
        .filter(|row| row.starts_with("dce_rpc"))
        .collect()
}

/// The call, answered after `rtt` seconds.
fn service_created(rtt: u32) -> String {
    let of = r#""endpoint":"svcctl","operation":"RCreateServiceW","interface":"367abb81-9844-35f1-ad32-98f038001003""#;
    format!(r#"dce_rpc {{"rtt":{rtt}.000000,"named_pipe":"svcctl",{of},"opnum":12}}"#)
}

#[test]
fn calls_written_to_and_read_from_a_pipe_are_told() {
    let mut pieces = opened();
    pieces.push((Dir::Orig, ask(WRITE, 4, &written_to(8, &call()))));
    pieces.push((Dir::Orig, ask(READ, 5, &read_or_write(8, 4096, &[0]))));
    pieces.push((Dir::Resp, answer(READ, 5, &have(&answered()))));
    let rows = feed(&pieces);
    assert_eq!(calls(&rows), [&service_created(2)]);
    assert!(rows[0].contains("PIPE") && rows[1].contains("SMB::PIPE_OPEN"));
}

#[test]
fn transceives_carry_calls_and_answers_may_come_in_parts() {
    let whole = answered();
    let (first, second) = whole.split_at(20);
    let mut pieces = opened();
    pieces.push((Dir::Orig, ask(IOCTL, 4, &transceive(8, &call(), false))));
    let part = command(IOCTL, RESPONSE, MORE, 4, &transceive(8, first, true));
    pieces.push((Dir::Resp, framed(&part)));
    pieces.push((Dir::Orig, ask(READ, 5, &read_or_write(8, 4096, &[0]))));
    pieces.push((Dir::Resp, answer(READ, 5, &have(second))));
    assert_eq!(calls(&feed(&pieces)), [&service_created(1)]);
}

#[test]
fn a_call_in_many_writes_within_a_compound_is_put_together() {
    let mut pieces = opened();
    let whole = call();
    let parts: Vec<Vec<u8>> = whole
        .chunks(10)
        .zip(10..)
        .map(|(part, message)| command(WRITE, 0, 0, message, &written_to(8, part)))
        .collect();
    pieces.push((Dir::Orig, compound(&parts)));
    pieces.push((Dir::Orig, ask(6, 20, &close(8))));
    pieces.push((Dir::Resp, answer(6, 20, &[60, 0])));
    let rows = feed(&pieces);
    assert_eq!(calls(&rows).len(), 1);
    assert!(calls(&rows)[0].contains("RCreateServiceW") && !calls(&rows)[0].contains("rtt"));
}

#[test]
fn what_was_opened_before_is_known_by_what_is_written() {
    let rows = feed(&[
        (Dir::Orig, ask(WRITE, 3, &written_to(9, &bind()))),
        (Dir::Orig, ask(WRITE, 4, &written_to(9, &call()))),
        (
            Dir::Orig,
            ask(WRITE, 5, &written_to(7, b"the text of some file, or other")),
        ),
    ]);
    assert_eq!(calls(&rows).len(), 1);
}

#[test]
fn a_file_is_no_pipe_whatever_is_written_to_it() {
    let mut pieces = opened();
    pieces[1].1 = answer(3, 1, &tree_connected(1));
    pieces.push((Dir::Orig, ask(WRITE, 4, &written_to(8, &call()))));
    assert!(calls(&feed(&pieces)).is_empty());
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    let mut whole = opened();
    whole.push((Dir::Orig, ask(IOCTL, 4, &transceive(8, &call(), false))));
    whole.push((
        Dir::Resp,
        answer(IOCTL, 4, &transceive(8, &answered(), true)),
    ));
    let expected = feed(&whole);
    assert_eq!(calls(&expected), [&service_created(1)]);
    endures::<Smb>(&views(&whole), false);
}

#[test]
fn pipes_hold_their_bounds() {
    let mut pieces = vec![
        (Dir::Orig, ask(3, 1, &tree_connect(r"\\dc\IPC$"))),
        (Dir::Resp, answer(3, 1, &tree_connected(2))),
    ];
    for file in 0..200_u8 {
        let message = u64::from(file) * 2 + 10;
        pieces.push((Dir::Orig, ask(CREATE, message, &create("svcctl", 0))));
        pieces.push((Dir::Resp, answer(CREATE, message, &created(file, 0))));
        pieces.push((
            Dir::Orig,
            ask(WRITE, message + 1, &written_to(file, &bind())),
        ));
    }
    let rows = feed(&pieces);
    assert_eq!(calls(&rows).len(), 200);
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("smb_table_full"))
            .count(),
        1
    );
}

#[test]
fn questions_for_referrals_are_told() {
    let mut input = vec![4, 0]; // MaxReferralLevel
    input.extend(wide("\\ad.example\\sysvol\0"));
    let mut body = transceive(0xff, &input, false);
    body[4..8].copy_from_slice(&0x0006_0194_u32.to_le_bytes()); // FSCTL_DFS_GET_REFERRALS
    let rows = feed(&[
        (Dir::Orig, ask(IOCTL, 4, &body)),
        (Dir::Resp, refuse(IOCTL, 4, 0xc000_0225)),
    ]);
    assert_eq!(
        rows,
        [
            r#"smb_files {"action":"SMB::DFS_REFERRAL","name":"\\ad.example\\sysvol","status":"STATUS_NOT_FOUND"}"#
        ]
    );
}
