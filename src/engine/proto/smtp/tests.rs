//! Talks as RFC 5321 appendix D, RFC 3030 §4, RFC 3207 §5 and RFC 4954 §4 have them.

use super::super::testing::{endures, stream};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

const TALK: [(Dir, &[u8]); 16] = [
    (S, b"220 foo.com Simple Mail Transfer Service Ready\r\n"),
    (C, b"EHLO bar.com\r\n"),
    (S, b"250-foo.com greets bar.com\r\n250-8BITMIME\r\n250 HELP\r\n"),
    (C, b"MAIL FROM:<Smith@bar.com> SIZE=500\r\n"),
    (S, b"250 OK\r\n"),
    (C, b"RCPT TO:<Jones@foo.com>\r\n"),
    (S, b"250 OK\r\n"),
    (C, b"RCPT TO:<Green@foo.com>\r\n"),
    (S, b"550 No such user here\r\n"),
    (C, b"DATA\r\n"),
    (S, b"354 Start mail input; end with <CRLF>.<CRLF>\r\n"),
    (C, b"From: S <Smith@bar.com>\r\nSubject: Blah\r\nX-Mailer: m 1\r\nContent-Type: text/csv; name=\"l.csv\"\r\n\r\nMAIL FROM:<no@one>\r\n..\r\n.\r\n"),
    (S, b"250 OK id=7\r\n"),
    (C, b"QUIT\r\n"),
    (S, b"221 foo.com closing\r\n"),
    (C, b"\r\n"),
];

#[test]
fn one_mail() {
    let told = stream::<Smtp>(&TALK);
    assert_eq!(
        told.records,
        [concat!(
            r#"smtp {"trans_depth":1,"helo":"bar.com","mailfrom":"Smith@bar.com","rcptto":["Jones@foo.com","Green@foo.com"],"#,
            r#""from":"S <Smith@bar.com>","subject":"Blah","last_reply":"250 OK id=7","path":["10.0.0.2","10.0.0.1"],"#,
            r#""user_agent":"m 1","tls":false,"commands":["EHLO","MAIL","RCPT","DATA","QUIT"],"attachments":["l.csv"]}"#
        )]
    );
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|c| (c.evidence, c.value.as_str()))
        .collect();
    assert_eq!(
        clues,
        [
            (
                "smtp greeting",
                "foo.com Simple Mail Transfer Service Ready"
            ),
            ("mail user-agent", "m 1"),
        ]
    );
}

#[test]
fn one_direction_suffices() {
    let client: Vec<_> = TALK.iter().filter(|(dir, _)| *dir == C).copied().collect();
    let told = stream::<Smtp>(&client);
    assert_eq!(told.records.len(), 1);
    assert!(told.records[0].contains(r#""subject":"Blah""#));
    assert!(told.records[0].contains(r#""commands":["EHLO","MAIL","RCPT","DATA","QUIT"]"#));
}

#[test]
fn pipelined_mails_and_a_refused_one() {
    let told = stream::<Smtp>(&[
        (C, b"EHLO a\r\nMAIL FROM:<1@a>\r\nRCPT TO:<x@b>\r\nDATA\r\n"),
        (
            S,
            b"250 b\r\n250 ok\r\n550 no\r\n554 no valid recipients\r\n",
        ),
        (C, b"MAIL FROM:<2@a>\r\nRCPT TO:<y@b>\r\nDATA\r\n"),
        (S, b"250 ok\r\n250 ok\r\n354 go\r\n"),
        (C, b"Subject: two\r\n\r\n.\r\nQUIT\r\n"),
        (S, b"250 taken\r\n221 bye\r\n"),
    ]);
    assert_eq!(told.records.len(), 2);
    assert!(told.records[0].contains(r#""last_reply":"554 no valid recipients""#));
    assert!(told.records[1].contains(r#""trans_depth":2,"helo":"a","mailfrom":"2@a""#));
    assert!(told.records[1].contains(r#""subject":"two","last_reply":"250 taken""#));
}

#[test]
fn chunks() {
    // RFC 3030 §4.2; the first chunk is "Subject: x\r\n", 12 bytes, the second 2 + 5 bytes.
    let told = stream::<Smtp>(&[
        (
            C,
            b"EHLO a\r\nMAIL FROM:<1@a>\r\nRCPT TO:<x@b>\r\nBDAT 12\r\nSubject: x\r\n",
        ),
        (C, b"BDAT 7 LAST\r\n\r\nDATA\nQUIT\r\n"),
        (
            S,
            b"250 a\r\n250 ok\r\n250 ok\r\n250 12 octets\r\n250 taken\r\n221 bye\r\n",
        ),
    ]);
    assert_eq!(told.records.len(), 1);
    assert!(told.records[0].contains(r#""subject":"x","last_reply":"250 taken""#));
    assert!(told.records[0].contains(r#""commands":["EHLO","MAIL","RCPT","BDAT","QUIT"]"#));
}

#[test]
fn a_chunk_with_a_bad_tail_is_none() {
    let told = stream::<Smtp>(&[
        (C, b"EHLO a\r\nBDAT 5 X\r\nMAIL FROM:<1@a>\r\n"),
        (S, b"250 a\r\n501 Syntax\r\n250 ok\r\n"),
    ]);
    assert!(told.records.last().unwrap().contains(r#""mailfrom":"1@a""#));
}

#[test]
fn signing_in_tells_the_account_and_nothing_else() {
    // RFC 4954 §4.1, "\0test\01234"; then LOGIN with "username" and "password".
    let told = stream::<Smtp>(&[
        (C, b"EHLO a\r\nAUTH PLAIN AHRlc3QAMTIzNA==\r\n"),
        (S, b"250 a\r\n235 2.7.0 Authentication successful\r\n"),
        (C, b"QUIT\r\n"),
    ]);
    assert!(told.records[0].contains(r#""user":"test","auth":"PLAIN","auth_success":true"#));
    let told = stream::<Smtp>(&[
        (C, b"EHLO a\r\nAUTH LOGIN\r\n"),
        (S, b"250 a\r\n334 VXNlcm5hbWU6\r\n"),
        (C, b"dXNlcm5hbWU=\r\n"),
        (S, b"334 UGFzc3dvcmQ6\r\n"),
        (C, b"cGFzc3dvcmQ=\r\n"),
        (S, b"535 no\r\n"),
    ]);
    assert_eq!(
        told.records,
        [
            r#"smtp {"trans_depth":1,"helo":"a","last_reply":"535 no","tls":false,"user":"username","auth":"LOGIN","auth_success":false,"commands":["EHLO","AUTH"]}"#
        ]
    );
}

#[test]
fn behind_starttls_the_rest_is_handed_over() {
    let told = stream::<Smtp>(&[
        (C, b"EHLO a\r\nSTARTTLS\r\n"),
        (S, b"250 a\r\n220 Go ahead\r\n"),
        (C, b"\x16\x03\x01\x00\x05hello"),
    ]);
    let (answer, left) = told.end.expect("an end");
    assert_eq!((answer, left.len()), (Parse::Skip, 10));
    assert!(told.records[0].contains(r#""tls":true"#));
}

#[test]
fn probing() {
    let probe = |start: &[u8]| Smtp::probe(start, C);
    assert_eq!(probe(b"ehlo x\r\n"), Probe::Certain);
    assert_eq!(probe(b"EH"), Probe::Unsure);
    assert_eq!(probe(b"HELP\r\n"), Probe::NotMine);
    assert_eq!(probe(b"220 mx ESMTP\r\n"), Probe::Certain);
    assert_eq!(probe(b"220 mx\r\n"), Probe::Unsure);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n"), Probe::NotMine);
}

#[test]
fn what_is_no_smtp_ends_and_recipients_are_bounded() {
    let noise = b"abc def\r\n".repeat(20);
    let told = stream::<Smtp>(&[(C, &noise)]);
    assert_eq!(
        told.end.map(|(answer, _)| answer),
        Some(Parse::Broken("smtp_nonsense"))
    );
    let mut many = b"EHLO a\r\nMAIL FROM:<a@b>\r\n".to_vec();
    for n in 0..120 {
        many.extend(format!("RCPT TO:<{n}@b>\r\n").into_bytes());
    }
    let told = stream::<Smtp>(&[(C, &many)]);
    assert_eq!(
        told.records
            .iter()
            .filter(|r| r.starts_with("weird"))
            .count(),
        1
    );
    assert_eq!(told.records.last().unwrap().matches("@b\"").count(), 101);
}

#[test]
fn endures_cuts_and_noise() {
    endures::<Smtp>(&TALK, false);
}
