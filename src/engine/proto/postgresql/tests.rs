//! Messages of the shared captures `arkime_postgres-badpass`, `zeek_psql-aws-ssl-disable`, `suriv_pgsql-5524-input` and
//! `acandeias_nmapSV`, as tshark 4.0.17 reads them; the answer to the challenge is made up.

use super::super::ftp::Ftp;
use super::super::testing::{Told, endures, grows, shown_secrets, stream, unhex};
use super::*;
use crate::proto::Secret;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

fn talk(pieces: &[(Dir, Vec<u8>)]) -> Told {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    stream::<Postgresql>(&pieces)
}

/// A request to encrypt, refused; a sign-in by MD5; a query; the end.
fn capture() -> [(Dir, Vec<u8>); 9] {
    let startup = b"\0\0\0\x4c\0\x03\0\0user\0zeek\0database\0zeek\0application_name\0psql\0client_encoding\0UTF8\0\0";
    let ready = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x1aapplication_name\0psql\0S\0\0\0\x18server_version\x0013.7\0Z\0\0\0\x05I";
    [
        (C, unhex("00000008 04d2162f")),
        (S, b"N".to_vec()),
        (C, startup.to_vec()),
        (S, unhex("52 0000000c 00000005 89bb8ed0")),
        (
            C,
            b"p\0\0\0\x28md5ffffffffffffffffffffffffffffffff\0".to_vec(),
        ),
        (S, ready.to_vec()),
        (C, b"Q\0\0\0\x11select now()\0".to_vec()),
        (
            S,
            unhex(
                "54 0000001c 0001 6e6f7700 00000000 0000 000004a0 0008 ffffffff 0000 44 0000000a 0001 00000000 43 0000000d 53454c454354203100 5a 00000005 49",
            ),
        ),
        (C, b"X\0\0\0\x04".to_vec()),
    ]
}

#[test]
fn a_sign_in_and_a_query() {
    let told = talk(&capture());
    assert_eq!(
        told.records,
        [
            r#"postgresql {"frontend":"ssl_request","password":false,"success":false,"backend":"ssl_reply"}"#,
            r#"postgresql {"user":"zeek","database":"zeek","application_name":"psql","frontend":"startup","auth":"md5","password":true,"success":true,"backend":"auth_ok"}"#,
            r#"postgresql {"frontend":"simple_query","password":false,"verb":"SELECT","length":13,"success":true,"backend":"command_complete","rows":1}"#,
            r#"postgresql {"frontend":"terminate","password":false,"length":0}"#,
        ]
    );
    let shown = r#"{"service":"postgresql","username":"zeek","mechanism":"md5"}"#;
    assert_eq!((told.credentials.len(), &*told.credentials[0]), (1, shown));
    assert_eq!(shown_secrets(&told.seen), [Secret::Unseen]);
    let clues: Vec<_> = told
        .clues
        .iter()
        .map(|clue| (clue.kind, &*clue.value))
        .collect();
    assert_eq!(
        clues,
        [
            (ClueKind::Serves, "postgresql"),
            (ClueKind::Software, "PostgreSQL 13.7")
        ]
    );
    let capture = capture();
    let pieces: Vec<_> = capture
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    endures::<Postgresql>(&pieces, false);
    assert_eq!(Postgresql::probe(pieces[0].1, C), Probe::Certain);
    assert_eq!(Postgresql::probe(pieces[2].1, C), Probe::Certain);
    assert_eq!(Postgresql::probe(pieces[3].1, S), Probe::Certain);
    for (dir, piece) in &pieces[..4] {
        grows::<Postgresql>(piece, *dir);
    }
}

/// The server asks for the password itself, then for nothing we know (SCRAM's first message).
#[test]
fn a_password_in_clear_is_told_of() {
    let startup = capture()[2].clone();
    let clear = (S, unhex("52 00000008 00000003"));
    let password = (C, b"p\0\0\0\x0bgeheim\0".to_vec());
    let told = talk(&[startup.clone(), clear, password]);
    let shown = r#"{"service":"postgresql","username":"zeek","mechanism":"cleartext"}"#;
    assert_eq!(told.credentials, [shown]);
    assert_eq!(
        shown_secrets(&told.seen),
        shown_secrets(&stream::<Ftp>(&[(C, b"USER zeek\r\nPASS geheim\r\n")]).seen)
    );
    assert!(!told.records.concat().contains("geheim"));
    let sasl = (
        S,
        unhex("52 00000017 0000000a 534352414d2d5348412d32353600 00"),
    );
    let first = (
        C,
        b"p\0\0\0\x37SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=xxxxxxxxxxxxxxxxxxxxxxxx".to_vec(),
    );
    assert_eq!(talk(&[startup, sasl, first]).credentials, [""; 0]);
}

#[test]
fn refusals() {
    // A wrong password; the form is that of the server's other errors.
    let wrong = b"E\0\0\0\x2cSFATAL\0C28P01\0Mpassword authentication\0\0";
    let [_, _, startup, md5, password, ..] = capture();
    let told = talk(&[startup, md5, password, (S, wrong.to_vec())]);
    let refused =
        r#""auth":"md5","password":true,"success":false,"backend":"error","error_code":"28P01"}"#;
    assert!(told.records[0].ends_with(refused), "{}", told.records[0]);
    // Statements prepared; their table does not exist. Behind the error the server goes on.
    let parse =
        b"P\0\0\0\x22\0DROP TABLE test_a CASCADE \0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0S\0\0\0\x04";
    let error =
        b"1\0\0\0\x042\0\0\0\x04E\0\0\0\x23SERROR\0C42P01\0Mtable \"test_a\"\0\0Z\0\0\0\x05I";
    let [first, ..] = [capture()[2].clone()];
    let told = talk(&[
        first,
        (S, unhex("52 00000008 00000000 5a 00000005 49")),
        (C, parse.to_vec()),
        (S, error.to_vec()),
    ]);
    assert_eq!(
        told.records[1..],
        [
            r#"postgresql {"frontend":"parse","password":false,"verb":"DROP","length":30,"success":false,"backend":"error","error_code":"42P01"}"#
        ]
    );
    // What a scanner gets that speaks something else.
    let scan = unhex("45 00000013 53 464154414c00 43 304130303000 0000");
    assert_eq!(Postgresql::probe(&scan, S), Probe::Certain);
    grows::<Postgresql>(&scan, S);
    let told = talk(&[(S, scan)]);
    assert_eq!(
        told.records,
        [
            r#"postgresql {"frontend":"unknown","password":false,"success":false,"backend":"error","error_code":"0A000"}"#
        ]
    );
}

#[test]
fn tls_ends_it_and_other_streams_are_left_alone() {
    let [ask, ..] = capture();
    let hello = b"\x16\x03\x01\0\x05\x01\0\0\x01\x03".to_vec();
    let told = talk(&[ask, (S, b"S".to_vec()), (C, hello)]);
    let (answer, left) = told.end.unwrap();
    assert_eq!(
        (answer, left.len(), told.records.len()),
        (Parse::Skip, 10, 1)
    );
    let smb = b"\0\0\0\xa4\xffSMBr\0\0\0\0\x08\x01\x40";
    let tpkt = b"\x03\0\0\x16\x11\xe0\0\0";
    for other in [
        &smb[..],
        tpkt,
        b"GET / HTTP/1.0\r\n\r\n",
        b"Request\0\0\0",
        b"\0\0\0\x20\0\x03\0\0\x01\x02\x03\x04\x05",
    ] {
        assert_eq!(
            Postgresql::probe(other, C),
            Probe::NotMine,
            "{}",
            other.escape_ascii()
        );
    }
}
