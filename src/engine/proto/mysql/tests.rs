//! Packets of the shared captures `zeek_auth` (a sign-in refused), `zeek_query-attr` and
//! `zeek_mysql-show-engine-innodb-status-no-password`, as tshark 4.0.17 reads them; answers to challenges are
//! zeroes here.

use super::super::testing::{Told, endures, grows, shown_secrets, stream, unhex};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

fn talk(pieces: &[(Dir, Vec<u8>)]) -> Told {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    stream::<Mysql>(&pieces)
}

/// Greeting, sign-in with attributes, the challenge's second half, `OK`; a query with attributes and its columns.
fn capture() -> [(Dir, Vec<u8>); 6] {
    [
        (S, unhex("50000000 0a382e302e32392d646562756700 3b000000 495a083643646568 00 ffffff0200ffdf15 00000000000000000000 30284b0971057529402b457c00 63616368696e675f736861325f70617373776f726400")),
        (C, unhex("ce000001 85a6ff19 00000001 ff 0000000000000000000000000000000000000000000000 796b6700
            20 0000000000000000000000000000000000000000000000000000000000000000 63616368696e675f736861325f70617373776f726400
            72 045f706964053938323235 095f706c6174666f726d067838365f3634 035f6f73054c696e7578 0c5f636c69656e745f6e616d65086c69626d7973716c
            076f735f7573657203796b67 0f5f636c69656e745f76657273696f6e06382e302e3239 0c70726f6772616d5f6e616d65056d7973716c")),
        (S, unhex("02000002 0103 07000003 00000002000000")),
        (C, unhex("21000000 03 02 01 00 01 fe00 026e31 fe00 026e32 027631 027632 73656c656374206e6f772829")),
        (S, unhex("01000001 01 1b000002 03646566000000056e6f772829000c3f00130000000c8100000000 07000003 fe000002000000")),
        (C, unhex("0f000000 03 00 01 73656c656374206e6f772829 01000000 01")),
    ]
}

#[test]
fn a_sign_in_and_queries() {
    let told = talk(&capture());
    assert_eq!(
        told.records,
        [
            r#"mysql {"cmd":"login","arg":"ykg","version":"8.0.29-debug","auth_plugin":"caching_sha2_password","application":"mysql","length":0,"success":true}"#,
            r#"mysql {"cmd":"query","verb":"SELECT","length":32,"success":true}"#,
            r#"mysql {"cmd":"query","verb":"SELECT","length":14}"#,
            r#"mysql {"cmd":"quit","length":0}"#,
        ]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.kind, &*clue.value))
        .collect();
    assert_eq!(
        clues,
        [
            (ClueKind::Serves, "mysql"),
            (ClueKind::Software, "MySQL 8.0.29-debug"),
            (ClueKind::Software, "Linux"),
            (ClueKind::User, "ykg"),
        ]
    );
    let capture = capture();
    let pieces: Vec<_> = capture
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    endures::<Mysql>(&pieces, false);
    assert_eq!(Mysql::probe(pieces[0].1, S), Probe::Certain);
    assert_eq!(Mysql::probe(pieces[1].1, C), Probe::Certain);
    for (dir, piece) in &pieces[..2] {
        grows::<Mysql>(piece, *dir);
    }
}

#[test]
fn sign_ins_and_machines_are_refused() {
    let told = talk(&[
        (
            S,
            unhex(
                "38000000 0a352e312e36372d6c6f6700 1a000000 345c536c434c3254 00 fff721020000000000000000000000000000 3443347b317c4270313f284c00",
            ),
        ),
        (
            C,
            unhex(
                "2b000001 05a60f00 00000001 21 0000000000000000000000000000000000000000000000 726f6f745f6e6f706500 00",
            ),
        ),
        (
            S,
            unhex(
                "52000002 ff 1504 2332383030304163636573732064656e69656420666f7220757365722027726f6f745f6e6f70652740276c756d6265726a61636b2e686f6d652720287573696e672070617373776f72643a204e4f29",
            ),
        ),
    ]);
    assert_eq!(
        told.records,
        [
            r#"mysql {"cmd":"login","arg":"root_nope","version":"5.1.67-log","length":0,"success":false,"error_code":1045}"#
        ]
    );
    let refused = unhex(
        "48000000 ff 6a04 486f737420276c756d6265726a61636b2e686f6d6527206973206e6f7420616c6c6f77656420746f20636f6e6e65637420746f2074686973204d7953514c20736572766572",
    );
    assert_eq!(Mysql::probe(&refused, S), Probe::Certain);
    let told = talk(&[(S, refused)]);
    assert_eq!(
        told.records,
        [r#"mysql {"cmd":"greeting","length":0,"success":false,"error_code":1130}"#]
    );
}

/// A sign-in by `mysql_clear_password`, at once and after the server has asked for it ("Protocol::AuthSwitchRequest").
#[test]
fn a_password_in_clear_is_told_of() {
    let [greeting, ..] = capture();
    let name = "6d7973716c5f636c6561725f70617373776f7264 00";
    let sign_in = |answer: &str, method: &str| {
        let fixed =
            "85a60f00 00000001 21 0000000000000000000000000000000000000000000000 616e6e6100";
        let body = unhex(&[fixed, answer, method].concat());
        let len = u8::try_from(body.len()).unwrap();
        (C, [&[len, 0, 0, 1][..], &body].concat())
    };
    let at_once = talk(&[greeting.clone(), sign_in("07 67656865696d00", name)]);
    let native = "6d7973716c5f6e61746976655f70617373776f7264 00";
    let asked = talk(&[
        greeting.clone(),
        sign_in("00", native),
        (S, unhex(&["16000002 fe", name].concat())),
        (C, unhex("07000003 67656865696d00")),
        // What else is said before the server is content is none.
        (C, unhex("07000003 67656865696d00")),
    ]);
    let shown = r#"{"service":"mysql","username":"anna","mechanism":"mysql_clear_password"}"#;
    assert_eq!(
        (&at_once.credentials, &asked.credentials),
        (&vec![shown.into()], &vec![shown.into()])
    );
    assert_eq!(shown_secrets(&at_once.seen), shown_secrets(&asked.seen));
    assert!(!at_once.records.concat().contains("geheim"));
    // By another method none is.
    let other = talk(&[greeting, sign_in("07 67656865696d00", native)]);
    assert_eq!(other.credentials, [""; 0]);
}

#[test]
fn tls_ends_it_and_other_streams_are_left_alone() {
    let greeting = capture()[0].clone();
    // The request to encrypt: the fixed part of a sign-in with the bit for TLS.
    let asks =
        unhex("20000001 85aeff19 00000001 ff 0000000000000000000000000000000000000000000000");
    assert_eq!(Mysql::probe(&asks, C), Probe::Certain);
    let told = talk(&[
        greeting,
        (C, asks),
        (C, b"\x16\x03\x01\0\x05\x01\0\0\x01\x03".to_vec()),
    ]);
    let (answer, left) = told.end.unwrap();
    assert_eq!(
        (answer, left.len(), told.records.len()),
        (Parse::Skip, 10, 0)
    );
    for other in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"\x0a\0\0\0geheim",
        b"\0\0\0\x85\xffSMBr",
        b"220 ftp\r\n",
        b"\xff\xfd\x18",
        b"\x83\0\0\x01\x8f",
    ] {
        assert_eq!(
            Mysql::probe(other, S),
            Probe::NotMine,
            "{}",
            other.escape_ascii()
        );
    }
}
