//! Conversations laid out by hand after \[MS-SMB2\] 2.2; the helpers write one field a line.

mod followed;
mod messages;
mod old;
mod piped;

use proptest::prelude::*;

use self::messages::*;
use super::*;
use crate::proto::testing::{endures, lines, stream, views};
use crate::types::{FlowRef, Observations, Timestamp};

const CREATE: u16 = 5;
const RESPONSE: u32 = 1;
const ASYNC: u32 = 2;
const RELATED: u32 = 4;
/// STATUS_ACCESS_DENIED.
const DENIED: u32 = 0xc000_0022;
const SHARE: &str = r"\\dc\c$";

/// A whole use of a share: connect, open, write, read, rename, delete, close.
fn conversation() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::Orig, ask(3, 1, &tree_connect(SHARE))),
        (Dir::Resp, answer(3, 1, &tree_connected(1))),
        (Dir::Orig, ask(CREATE, 2, &create("a.txt", 0))),
        (Dir::Resp, answer(CREATE, 2, &created(8, 5))),
        (Dir::Orig, ask(9, 3, &read_or_write(8, 300, &[b'w'; 300]))),
        (Dir::Resp, answer(9, 3, &written(300))),
        (Dir::Orig, ask(8, 4, &read_or_write(8, 200, &[0]))),
        (Dir::Resp, answer(8, 4, &have_read(200))),
        (Dir::Orig, ask(17, 5, &set_info(8, 10, &rename("b.locked")))),
        (Dir::Resp, answer(17, 5, &[2, 0])),
        (Dir::Orig, ask(17, 6, &set_info(8, 13, &[1]))),
        (Dir::Resp, answer(17, 6, &[2, 0])),
        (Dir::Orig, ask(6, 7, &close(8))),
        (Dir::Resp, answer(6, 7, &[60, 0])),
    ]
}

fn feed(pieces: &[(Dir, Vec<u8>)]) -> Vec<String> {
    stream::<Smb>(&views(pieces)).lines
}

#[test]
fn a_file_is_opened_written_read_renamed_deleted() {
    let path = r#""path":"\\\\dc\\c$""#;
    let expected = [
        format!(r#"smb_mapping {{{path},"share_type":"DISK"}}"#),
        format!(
            r#"smb_files {{"action":"SMB::FILE_OPEN",{path},"name":"a.txt","size":5,"times.created":946684800.000000,"create_action":"created"}}"#
        ),
        format!(
            r#"smb_files {{"action":"SMB::FILE_RENAME",{path},"name":"b.locked","size":5,"prev_name":"a.txt"}}"#
        ),
        format!(r#"smb_files {{"action":"SMB::FILE_DELETE",{path},"name":"b.locked","size":5}}"#),
        format!(
            r#"smb_files {{"action":"SMB::FILE_READ",{path},"name":"b.locked","size":5,"bytes_read":200}}"#
        ),
        format!(
            r#"smb_files {{"action":"SMB::FILE_WRITE",{path},"name":"b.locked","size":5,"bytes_written":300}}"#
        ),
    ];
    assert_eq!(feed(&conversation()), expected);
}

#[test]
fn a_compound_goes_on_with_the_file_it_opened() {
    let related = |number, message, body: &[u8]| command(number, RELATED, 0, message, body);
    let asked = compound(&[
        command(CREATE, 0, 0, 10, &create("x", 0)),
        related(9, 11, &read_or_write(0xff, 4, b"data")),
        related(17, 12, &set_info(0xff, 64, &[1, 0, 0, 0])),
        related(6, 13, &close(0xff)),
    ]);
    let told = compound(&[
        command(CREATE, RESPONSE, 0, 10, &created(1, 0)),
        command(9, RESPONSE, 0, 11, &written(4)),
        command(17, RESPONSE, 0, 12, &[2, 0]),
        command(6, RESPONSE, 0, 13, &[60, 0]),
    ]);
    let rows = feed(&[(Dir::Orig, asked), (Dir::Resp, told)]);
    assert_eq!(rows.len(), 3);
    assert!(rows[0].contains("FILE_OPEN") && rows[1].contains("FILE_DELETE"));
    assert!(rows[2].contains(r#""bytes_written":4"#));
}

#[test]
fn refusals_carry_their_status_and_deletes_on_close_are_told() {
    let rows = feed(&[
        (Dir::Orig, ask(3, 1, &tree_connect(SHARE))),
        (Dir::Resp, refuse(3, 1, DENIED)),
        (Dir::Orig, ask(CREATE, 2, &create("secret", 0))),
        (
            Dir::Resp,
            framed(&command(CREATE, RESPONSE | ASYNC, 0x103, 2, &[9, 0])),
        ),
        (Dir::Resp, refuse(CREATE, 2, DENIED)),
        (Dir::Orig, ask(CREATE, 3, &create("", 0x1000))),
        (
            Dir::Resp,
            framed(&command(CREATE, RESPONSE | ASYNC, 0, 3, &created(1, 9))),
        ),
        (Dir::Orig, ask(CREATE, 4, &create("never answered", 0))),
    ]);
    let denied = r#""status":"STATUS_ACCESS_DENIED"}"#;
    assert_eq!(
        rows[0],
        format!(r#"smb_mapping {{"path":"\\\\dc\\c$",{denied}"#)
    );
    assert_eq!(
        rows[1],
        format!(r#"smb_files {{"action":"SMB::FILE_OPEN","name":"secret",{denied}"#)
    );
    assert!(rows[2].contains("FILE_OPEN") && rows[2].contains("<share_root>"));
    assert!(rows[3].contains("FILE_DELETE") && rows[3].contains("<share_root>"));
    assert_eq!(
        rows[4],
        r#"smb_files {"action":"SMB::FILE_OPEN","name":"never answered"}"#
    );
    assert_eq!(rows.len(), 5);
}

/// An AUTHENTICATE (\[MS-NLMP\] 2.2.1.3): domain at 72, user at 76, workstation at 82.
fn authenticate() -> Vec<u8> {
    let mut blob = b"NTLMSSP\0\x03\0\0\0".to_vec();
    blob.extend([0; 16]); // responses
    blob.extend([4, 0, 4, 0, 72, 0, 0, 0]);
    blob.extend([6, 0, 6, 0, 76, 0, 0, 0]);
    blob.extend([4, 0, 4, 0, 82, 0, 0, 0]);
    blob.extend([0; 8]); // session key
    blob.extend([1, 0, 0, 2]); // UNICODE, VERSION
    blob.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]); // 10.0.17763
    blob.extend(wide("AD"));
    blob.extend(wide("eve"));
    blob.extend(wide("PC"));
    let len = u16::try_from(blob.len()).unwrap().to_le_bytes();
    let fixed = [25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0]; // SecurityBufferOffset 64 + 24
    [&fixed[..], &len, &[0; 8], &blob].concat()
}

#[test]
fn a_sign_in_names_the_user_of_what_follows() {
    let rows = feed(&[
        (Dir::Orig, ask(1, 1, &authenticate())),
        (Dir::Resp, answer(1, 1, &[9, 0, 0, 0, 72, 0, 0, 0])),
        (Dir::Orig, ask(CREATE, 2, &create("f", 0))),
        (Dir::Resp, answer(CREATE, 2, &created(1, 1))),
        (Dir::Orig, ask(1, 3, &authenticate())),
        (Dir::Resp, refuse(1, 3, 0xc000_006d)),
    ]);
    let who = r#""username":"eve","hostname":"PC","domainname":"AD""#;
    let clues = [
        "HostName ntlm: PC",
        "Software ntlm version: Windows 10.0.17763",
    ];
    assert_eq!(rows[..2], clues);
    assert_eq!(rows[2], r"User ntlm: AD\eve");
    assert_eq!(rows[3], format!(r#"ntlm {{{who},"success":true}}"#));
    assert!(rows[4].contains(r#""user":"eve""#));
    assert_eq!(rows[5..7], clues);
    assert_eq!(
        rows[7],
        format!(r#"ntlm {{{who},"success":false,"status":"STATUS_LOGON_FAILURE"}}"#)
    );
}

#[test]
fn other_messages_are_passed_over() {
    let mut pieces = vec![
        // RFC 1002 4.3.2 to 4.3.4: session request, positive answer, keepalive.
        (
            Dir::Orig,
            [&[0x81, 0, 0, 68, 0x20][..], &[b'C'; 67]].concat(),
        ),
        (Dir::Resp, vec![0x82, 0, 0, 0, 0x85, 0, 0, 0]),
        // Negotiation in SMB 1, answered in SMB 2.
        (Dir::Orig, framed(b"\xffSMB\x72 and dialects")),
        (Dir::Resp, answer(0, 0, &[65, 0])),
        // Encrypted, compressed.
        (Dir::Orig, framed(&[&b"\xfdSMB"[..], &[0xfe; 200]].concat())),
        (Dir::Resp, framed(&[&b"\xfcSMB"[..], &[0xfe; 200]].concat())),
    ];
    pieces.extend(conversation());
    let rows = feed(&pieces);
    assert!(rows[0].contains("smb_encrypted"));
    assert_eq!(rows[1..], feed(&conversation()));
}

#[test]
fn after_a_gap_the_next_message_is_found() {
    let (flow, ts) = (FlowRef::default(), Timestamp::from_secs(1));
    let (mut seen, mut smb) = (Observations::new(), Smb::default());
    let stream = [
        &b"rest of something, SMB\x00\xfeSMB and so on"[..],
        &ask(CREATE, 2, &create("f", 0)),
    ]
    .concat();
    let (mut data, mut gap) = (&stream[..], 1000);
    while !data.is_empty() {
        let input = Input {
            ts,
            dir: Dir::Orig,
            data,
            gap,
            datagram: false,
        };
        let Parse::Parsed { used } = smb.parse(input, &mut Out::new(&flow, ts, &mut seen)) else {
            panic!("the message was not found");
        };
        (data, gap) = (&data[used..], 0);
    }
    smb.finish(&mut Out::new(&flow, ts, &mut seen));
    assert_eq!(
        lines(&seen),
        [r#"smb_files {"action":"SMB::FILE_OPEN","name":"f"}"#]
    );
}

#[test]
fn tables_hold_their_bounds_and_lose_nothing_told() {
    let mut pieces = Vec::new();
    for message in 0..600_u16 {
        let mut answer = answer(CREATE, u64::from(message), &created(1, 1));
        // FileId follows 64 bytes of header and 64 of body.
        answer[132..134].copy_from_slice(&message.to_le_bytes());
        pieces.push((Dir::Orig, ask(CREATE, u64::from(message), &create("f", 0))));
        pieces.push((Dir::Resp, answer));
    }
    for message in 1000..1600_u64 {
        pieces.push((Dir::Orig, ask(CREATE, message, &create("g", 0))));
    }
    let rows = feed(&pieces);
    assert_eq!(
        rows.iter().filter(|row| row.contains("FILE_OPEN")).count(),
        1200
    );
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("smb_table_full"))
            .count(),
        1
    );
}

#[test]
fn beginnings_are_recognised() {
    let first = ask(0, 0, &[36, 0]);
    assert_eq!(Smb::probe(&first, Dir::Orig), Probe::Certain);
    for len in 0..8 {
        assert_eq!(Smb::probe(&first[..len], Dir::Orig), Probe::Unsure, "{len}");
    }
    assert_eq!(Smb::probe(b"GET / HTTP/1.1\r\n", Dir::Orig), Probe::NotMine);
    assert_eq!(
        Smb::probe(&[&b"middle"[..], &first].concat(), Dir::Orig),
        Probe::Unsure
    );
    assert_eq!(
        Smb::probe(&[0x81, 0, 0, 68, 32, 67], Dir::Orig),
        Probe::Certain
    );
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    endures::<Smb>(&views(&conversation()), false);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        stream::<Smb>(&[(Dir::Orig, &bytes)]);
        feed(&[(Dir::Resp, framed(&[&b"\xfeSMB\x40\0"[..], &bytes].concat()))]);
    }
}
