//! Talks as RFC 959 §5 and §7, RFC 2428 and RFC 4217 have them.

use super::super::testing::{endures, stream};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

const TALK: [(Dir, &[u8]); 16] = [
    (
        S,
        b"220-ProFTPD 1.3.5 Server\r\n 220 not the end\r\n220 ready\r\n",
    ),
    (C, b"USER anna\r\n"),
    (S, b"331 Password required\r\n"),
    (C, b"PASS geheim\r\n"),
    (S, b"230 Logged in\r\n"),
    (C, b"CWD /pub\r\n"),
    (S, b"250 OK\r\n"),
    (C, b"PASV\r\n"),
    (S, b"227 Entering Passive Mode (10,0,0,2,4,1).\r\n"),
    (C, b"RETR a b.txt\r\n"),
    (
        S,
        b"150 Opening BINARY mode data connection for a b.txt (2048 bytes).\r\n",
    ),
    (S, b"226 Transfer complete\r\n"),
    (C, b"PORT 10,0,0,1,0,20\r\n"),
    (S, b"200 PORT command successful\r\n"),
    (C, b"QUIT\r\n"),
    (S, b"221 Bye\r\n"),
];

#[test]
fn a_session_with_a_download() {
    let told = stream::<Ftp>(&TALK);
    assert_eq!(
        told.records,
        [
            r#"ftp {"reply_code":220,"reply_msg":"ProFTPD 1.3.5 Server"}"#,
            r#"ftp {"user":"anna","command":"USER","arg":"anna","reply_code":331,"reply_msg":"Password required"}"#,
            r#"ftp {"user":"anna","password":"<hidden>","command":"PASS","arg":"<hidden>","reply_code":230,"reply_msg":"Logged in"}"#,
            r#"ftp {"user":"anna","password":"<hidden>","command":"CWD","arg":"/pub","reply_code":250,"reply_msg":"OK"}"#,
            // 4 * 256 + 1 = 1025.
            r#"ftp {"user":"anna","password":"<hidden>","command":"PASV","reply_code":227,"reply_msg":"Entering Passive Mode (10,0,0,2,4,1).","data_channel.passive":true,"data_channel.orig_h":"10.0.0.1","data_channel.resp_h":"10.0.0.2","data_channel.resp_p":1025}"#,
            r#"ftp {"user":"anna","password":"<hidden>","command":"RETR","arg":"a b.txt","file_size":2048,"reply_code":226,"reply_msg":"Transfer complete","data_channel.passive":true,"data_channel.orig_h":"10.0.0.1","data_channel.resp_h":"10.0.0.2","data_channel.resp_p":1025,"cwd":"/pub","info_code":150}"#,
            r#"ftp {"user":"anna","password":"<hidden>","command":"PORT","arg":"10,0,0,1,0,20","reply_code":200,"reply_msg":"PORT command successful","data_channel.passive":false,"data_channel.orig_h":"10.0.0.2","data_channel.resp_h":"10.0.0.1","data_channel.resp_p":20}"#,
            r#"ftp {"user":"anna","password":"<hidden>","command":"QUIT","reply_code":221,"reply_msg":"Bye"}"#,
        ]
    );
    assert_eq!(told.clues.len(), 1);
    assert_eq!(told.clues[0].value, "ProFTPD 1.3.5 Server");
    assert_eq!(told.clues[0].ip, Some([10, 0, 0, 2].into()));
}

#[test]
fn who_is_the_server_is_told_by_content() {
    let turned: Vec<(Dir, &[u8])> = TALK.iter().map(|(d, p)| (d.other(), *p)).collect();
    let told = stream::<Ftp>(&turned);
    assert_eq!(told.records.len(), 8);
    assert!(
        told.records[4]
            .contains(r#""data_channel.orig_h":"10.0.0.2","data_channel.resp_h":"10.0.0.2""#)
    );
}

#[test]
fn behind_auth_tls_the_rest_is_handed_over() {
    // RFC 4217 §4: 234, then the client's hello; 16 03 01 begins a TLS record.
    let told = stream::<Ftp>(&[
        (C, b"AUTH TLS\r\n"),
        (S, b"234 AUTH TLS successful\r\n"),
        (C, b"\x16\x03\x01\x00\x05hello"),
    ]);
    let (answer, left) = told.end.expect("an end");
    assert_eq!((answer, left.first()), (Parse::Skip, Some(&0x16)));
    assert_eq!(told.records.len(), 1);
    // Refused: what follows is still FTP.
    let told = stream::<Ftp>(&[
        (C, b"AUTH TLS\r\n"),
        (S, b"530 Please login\r\n"),
        (C, b"SYST\r\n"),
    ]);
    assert_eq!((told.records.len(), told.end), (2, None));
}

#[test]
fn replies_come_in_order_and_the_open_are_written_at_the_end() {
    let told = stream::<Ftp>(&[
        (C, b"PWD\r\nEPSV\r\nSIZE a\r\nSTOR b\r\n"),
        (
            S,
            b"257 \"/x\" is here\r\n229 Entering Extended Passive Mode (|||6446|)\r\n213 9\r\n",
        ),
    ]);
    assert_eq!(told.records.len(), 4);
    assert!(
        told.records[1].contains(r#""data_channel.resp_h":"10.0.0.2","data_channel.resp_p":6446"#)
    );
    assert!(told.records[2].contains(r#""file_size":9"#));
    assert_eq!(told.records[3], r#"ftp {"command":"STOR","arg":"b"}"#);
}

#[test]
fn no_password_is_kept() {
    let told = stream::<Ftp>(&[
        (
            C,
            b"PASS geheim\r\nACCT geheim\r\nADAT Z2VoZWlt\r\nSITE PSWD geheim neu-geheim\r\n",
        ),
        (C, b"pass geheim\r\n"),
    ]);
    assert_eq!(told.records.len(), 5);
    let shown = r#"{"service":"ftp","mechanism":"PASS"}"#;
    assert_eq!(told.credentials, [shown, shown]);
    assert!(!told.records.join("").contains("geheim"));
    assert!(!told.records.join("").contains("Z2VoZWlt"));
    // RFC 2228 §3: a token in a reply, a command inside one.
    let told = stream::<Ftp>(&[
        (C, b"ADAT Z2VoZWlt\r\n"),
        (S, b"335 ADAT=Z2VoZWlt\r\n"),
        (C, b"ENC Z2VoZWlt\r\n"),
        (S, b"632 Z2VoZWlt\r\n"),
    ]);
    assert_eq!(told.records.len(), 2);
    assert!(!told.records.join("").contains("Z2VoZWlt"));
}

#[test]
fn what_is_no_ftp_ends() {
    let noise = b"\x01\x02\r\n".repeat(10);
    let told = stream::<Ftp>(&[(C, &noise)]);
    assert_eq!(
        told.end.map(|(answer, _)| answer),
        Some(Parse::Broken("ftp_nonsense"))
    );
    let many = b"NOOP\r\n".repeat(40);
    assert_eq!(stream::<Ftp>(&[(C, &many)]).records.len(), 40);
}

#[test]
fn probing_tells_ftp_from_smtp() {
    let probe = |start: &[u8]| Ftp::probe(start, Dir::Resp);
    assert_eq!(probe(b"220 (vsFTPd 3.0.3)\r\n"), Probe::Certain);
    assert_eq!(probe(b"220 ftp.example ESMTP Postfix\r\n"), Probe::NotMine);
    assert_eq!(probe(b"220 welcome\r\n"), Probe::Unsure);
    assert_eq!(probe(b"USER x\r\n"), Probe::Unsure);
    assert_eq!(probe(b"2200 "), Probe::NotMine);
    assert_eq!(probe(b"\x16\x03\x01"), Probe::NotMine);
}

#[test]
fn endures_cuts_and_noise() {
    endures::<Ftp>(&TALK, false);
}
