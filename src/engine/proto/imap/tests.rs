//! Talks as RFC 3501 §8, RFC 9051 §6 and RFC 2971 have them.

use super::super::testing::{endures, stream};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

const TALK: [(Dir, &[u8]); 14] = [
    (S, b"* OK [CAPABILITY IMAP4rev1] IMAP4rev1 Service Ready\r\n"),
    (C, b"a001 login mrc secret\r\n"),
    (S, b"a001 OK LOGIN completed\r\n"),
    (C, b"a002 select \"in box\"\r\n"),
    (S, b"* 18 EXISTS\r\na002 OK [READ-WRITE] SELECT completed\r\n"),
    (C, b"a003 UID FETCH 12 BODY[]\r\n"),
    // "Content-Type: image/png; name=p.png\r\n" 37, "\r\n" 2, "x" 1: 40 bytes.
    (S, b"* 12 FETCH (UID 9 BODY[] {40}\r\nContent-Type: image/png; name=p.png\r\n\r\nx FLAGS ())\r\na003 OK\r\n"),
    (C, b"a004 APPEND sent {43}\r\n"),
    (S, b"+ Ready for literal data\r\n"),
    // 43 bytes, and the end of the command.
    (C, b"Content-Disposition: x; filename=sent.zip\r\n\r\n"),
    (S, b"a004 OK APPEND completed\r\n"),
    (C, b"a005 logout\r\n"),
    (S, b"* BYE\r\na005 OK\r\n"),
    (C, b"\r\n"),
];

#[test]
fn a_session() {
    assert_eq!(TALK[9].1.len(), 45);
    let told = stream::<Imap>(&TALK);
    assert_eq!(
        told.records,
        [
            r#"imap {"user":"mrc","auth":"LOGIN","success":true,"commands":["LOGIN","SELECT","FETCH","APPEND","LOGOUT"],"mailboxes":["in box"],"attachments":["p.png","sent.zip"],"tls":false}"#
        ]
    );
    assert_eq!(told.clues.len(), 1);
    assert_eq!(told.clues[0].value, "IMAP4rev1 Service Ready");
}

#[test]
fn no_secret_is_kept() {
    // LOGIN with literals (RFC 9051 §6.2.3); "FRED FOOBAR" is the account.
    let told = stream::<Imap>(&[
        (S, b"* OK ready\r\n"),
        (C, b"A001 LOGIN {11}\r\n"),
        (S, b"+ go\r\n"),
        (C, b"FRED FOOBAR {7}\r\n"),
        (S, b"+ go\r\n"),
        (C, b"fat man\r\n"),
        (S, b"A001 NO wrong\r\n"),
        (C, b"A002 NOOP\r\n"),
    ]);
    assert_eq!(
        told.records,
        [
            r#"imap {"user":"FRED FOOBAR","auth":"LOGIN","success":false,"commands":["LOGIN","NOOP"],"tls":false}"#
        ]
    );
    // PLAIN "\0test\0test" (RFC 4959 §3 sends it at once).
    for first in [
        &b"a AUTHENTICATE PLAIN AHRlc3QAdGVzdA==\r\n"[..],
        b"a AUTHENTICATE PLAIN\r\nAHRlc3QAdGVzdA==\r\n",
    ] {
        let told = stream::<Imap>(&[(S, b"* OK x\r\n"), (C, first), (S, b"a OK done\r\n")]);
        assert_eq!(
            told.records,
            [
                r#"imap {"user":"test","auth":"PLAIN","success":true,"commands":["AUTHENTICATE"],"tls":false}"#
            ]
        );
    }
}

#[test]
fn tls_compression_and_identities() {
    let told = stream::<Imap>(&[
        (C, b"a STARTTLS\r\n"),
        (S, b"a OK Begin TLS\r\n"),
        (C, b"\x16\x03\x01\x00\x05hello"),
    ]);
    assert_eq!(told.end.map(|(answer, _)| answer), Some(Parse::Skip));
    assert!(told.records[0].contains(r#""tls":true"#));
    let told = stream::<Imap>(&[
        (C, b"a ID (\"name\" \"sodr\" \"version\" \"19.34\")\r\n"),
        (
            S,
            b"* ID (\"name\" \"Cyrus\" \"version\" \"1.5\")\r\na OK ID\r\n",
        ),
        (C, b"b COMPRESS DEFLATE\r\n"),
        (S, b"b OK go\r\n"),
    ]);
    let clues: Vec<_> = told.clues.iter().map(|clue| clue.value.as_str()).collect();
    assert_eq!(clues, ["sodr 19.34", "Cyrus 1.5"]);
    assert_eq!(told.end.map(|(answer, _)| answer), Some(Parse::Skip));
}

#[test]
fn probing_and_noise() {
    let probe = |start: &[u8]| Imap::probe(start, C);
    assert_eq!(probe(b"* OK IMAP4rev1 ready\r\n"), Probe::Certain);
    assert_eq!(probe(b"* OK ready\r\n"), Probe::Unsure);
    assert_eq!(probe(b"a1 CAPABILITY\r\n"), Probe::Unsure);
    assert_eq!(probe(b"GET /list HTTP/1.1\r\n"), Probe::NotMine);
    assert_eq!(probe(b"*3\r\n$3\r\nSET\r\n"), Probe::NotMine);
    let noise = b"abc\r\n".repeat(20);
    let told = stream::<Imap>(&[(C, &noise)]);
    assert_eq!(
        told.end.map(|(a, _)| a),
        Some(Parse::Broken("imap_nonsense"))
    );
    endures::<Imap>(&TALK, false);
}
