//! Whole sessions through the parser, bytes built by hand from RFC 4253.

use proptest::prelude::*;

use super::*;
use crate::proto::testing::{stream, views};
use crate::types::Body;

type Pieces = Vec<(Dir, Vec<u8>)>;

/// Each record as JSON, each clue as its value, and the answer that ended it.
fn run(pieces: &Pieces) -> (Vec<String>, Option<Parse>) {
    let told = stream::<Ssh>(&views(pieces));
    let lines = told.seen.iter().filter_map(|o| line(&o.body)).collect();
    (lines, told.last())
}

fn line(body: &Body) -> Option<String> {
    match body {
        Body::Record(record) => {
            let mut out = String::new();
            out.push_str(&record.body.text());
            Some(out)
        }
        Body::Clue(clue) => Some(format!("{} runs {}", clue.ip.unwrap(), clue.value)),
        _ => None,
    }
}

/// Bytes behind their length in 32 bits.
fn string(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes()[..], bytes].concat()
}

/// Length, four bytes of padding, content, padding.
fn packet(content: &[u8]) -> Vec<u8> {
    string(&[&[4][..], content, &[0; 4]].concat())
}

fn kexinit(lists: [&str; 8]) -> Vec<u8> {
    let mut content = vec![KEXINIT];
    content.extend([0xc0; 16]);
    for names in lists {
        content.extend(string(names.as_bytes()));
    }
    content.extend([0; 8 + 1 + 4]); // no languages, no guess, reserved
    packet(&content)
}

const CLIENT: [&str; 8] = [
    "curve25519-sha256",
    "ssh-ed25519",
    "aes128-ctr",
    "aes128-ctr",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
];

/// A session as OpenSSH holds it: the key's kind is `ssh-ed25519`, its bytes are 7s.
fn session() -> Pieces {
    let key = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    let reply = [
        &[KEX_REPLY][..],
        &string(&key),
        &string(&[9; 32]),
        &string(&[8; 83]),
    ]
    .concat();
    let newkeys = packet(&[NEWKEYS]);
    let encrypted = |len: usize| vec![0xee; len];
    vec![
        (Dir::Orig, b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()),
        (Dir::Resp, b"SSH-2.0-OpenSSH_8.4p1 Debian-5\r\n".to_vec()),
        (Dir::Orig, kexinit(CLIENT)),
        (Dir::Resp, kexinit(CLIENT)),
        (Dir::Orig, packet(&[&[30][..], &string(&[6; 32])].concat())),
        // The server's reply, its NEWKEYS and EXT_INFO share a segment.
        (
            Dir::Resp,
            [packet(&reply), newkeys.clone(), encrypted(188)].concat(),
        ),
        (Dir::Orig, [newkeys, encrypted(44)].concat()),
        (Dir::Resp, encrypted(44)), // SERVICE_ACCEPT
        (Dir::Orig, encrypted(60)),
        (Dir::Resp, encrypted(60)), // FAILURE: the methods
        (Dir::Orig, encrypted(148)),
        (Dir::Resp, encrypted(60)), // FAILURE
        (Dir::Orig, encrypted(148)),
        (Dir::Resp, encrypted(28)), // SUCCESS
        (Dir::Orig, encrypted(300)),
    ]
}

/// The hashes by `printf %s 'curve25519-sha256;aes128-ctr;hmac-sha2-256;none' | md5sum` and by `md5sum` over the
/// key's 51 bytes.
#[test]
fn a_session_from_its_lines_to_the_login() {
    let (lines, last) = run(&session());
    let record = r#"{"version":2,"auth_success":true,"auth_attempts":3,"client":"SSH-2.0-OpenSSH_9.2p1","server":"SSH-2.0-OpenSSH_8.4p1 Debian-5","cipher_alg":"aes128-ctr","mac_alg":"hmac-sha2-256","compression_alg":"none","kex_alg":"curve25519-sha256","host_key_alg":"ssh-ed25519","host_key":"be:86:90:2b:33:7b:1a:cd:8a:9e:55:64:d7:04:f3:29","hassh":"e97d07603350d1111ec2b64bf25413c9","hasshServer":"e97d07603350d1111ec2b64bf25413c9"}"#;
    assert_eq!(
        lines,
        [
            "10.0.0.1 runs SSH-2.0-OpenSSH_9.2p1",
            "10.0.0.2 runs SSH-2.0-OpenSSH_8.4p1 Debian-5",
            record
        ]
    );
    assert_eq!(last, Some(Parse::Skip));
}

/// A capture that begins in the middle of the first packets takes the server for who opened it.
#[test]
fn the_server_is_who_shows_a_key() {
    let turned = session()
        .into_iter()
        .map(|(dir, piece)| (dir.other(), piece));
    let (lines, _) = run(&turned.collect());
    let record = lines.last().unwrap();
    for part in [
        r#""auth_success":true,"auth_attempts":3,"client":"SSH-2.0-OpenSSH_9.2p1""#,
        r#""server":"SSH-2.0-OpenSSH_8.4p1 Debian-5""#,
    ] {
        assert!(record.contains(part), "{record}");
    }
}

#[test]
fn a_session_that_ends_early_tells_what_is_known() {
    let whole = session();
    for len in 1..whole.len() {
        let (lines, _) = run(&whole[..len].to_vec());
        let record = lines.last().unwrap();
        let (is_in, is_refused) = (len > 13, (12..=13).contains(&len));
        assert_eq!(record.contains(r#""auth_success":true"#), is_in, "{len}");
        assert_eq!(
            record.contains(r#""auth_success":false"#),
            is_refused,
            "{len}"
        );
        assert_eq!(record.contains("hasshServer"), len > 3, "{len}");
    }
}

#[test]
fn every_byte_alone_gives_the_same_handshake() {
    let pieces = session().into_iter().take(5).flat_map(|(dir, piece)| {
        let bytes: Pieces = piece.into_iter().map(|byte| (dir, vec![byte])).collect();
        bytes
    });
    let (lines, _) = run(&pieces.collect());
    let whole = session()[..5].to_vec();
    assert_eq!(lines, run(&whole).0);
}

#[test]
fn version_1_ends_with_its_lines() {
    let pieces = vec![
        (Dir::Resp, b"SSH-1.5-OpenSSH_3.4\n".to_vec()),
        (Dir::Orig, b"SSH-1.5-PuTTY\n\0\0\x01\x0c".to_vec()),
    ];
    let (lines, last) = run(&pieces);
    let record = r#"{"version":1,"client":"SSH-1.5-PuTTY","server":"SSH-1.5-OpenSSH_3.4"}"#;
    assert_eq!(lines.last().unwrap(), record);
    assert_eq!(last, Some(Parse::Skip));
}

#[test]
fn bounds_hold() {
    let (_, last) = run(&vec![(Dir::Resp, vec![b'x'; 300])]);
    assert_eq!(last, Some(Parse::Broken("ssh_line_too_long")));
    let (_, last) = run(&vec![(Dir::Resp, b"x\n".repeat(17))]);
    assert_eq!(last, Some(Parse::Broken("ssh_no_identification")));
    let mut pieces = session()[..2].to_vec();
    pieces.push((Dir::Orig, vec![0, 1, 0, 0, 0]));
    let (lines, last) = run(&pieces);
    assert_eq!(last, Some(Parse::Broken("ssh_packet_too_long")));
    assert_eq!(lines.len(), 3, "the lines are told all the same");
    pieces.pop();
    pieces.extend(vec![(Dir::Orig, packet(&[2])); 40]);
    assert_eq!(run(&pieces).1, Some(Parse::Skip));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..12),
        after in 0..9_usize,
    ) {
        let mut all = session()[..after].to_vec();
        all.extend(pieces.into_iter().map(|(up, piece)| (if up { Dir::Orig } else { Dir::Resp }, piece)));
        let _ = run(&all);
    }
}
