//! The messages of the shared capture `arkime_tds7`, whole, as tshark 4.0.17 reads them; further ones after the
//! examples of \[MS-TDS\] 4, shortened.

use super::super::ftp::Ftp;
use super::super::testing::{Told, endures, grows, shown_secrets, stream, unhex};
use super::*;
use crate::proto::Secret;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

/// `text` in UTF-16.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A packet that is a whole message.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + HEAD_LEN).unwrap().to_be_bytes();
    [&[kind, 1, len[0], len[1], 0, 0, 1, 0], body].concat()
}

fn talk(pieces: &[(Dir, Vec<u8>)]) -> Told {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    stream::<Tds>(&pieces)
}

/// Pre-login of both, login of the client with the server's answer, a batch.
fn capture() -> [(Dir, Vec<u8>); 6] {
    let names = [
        "LIV-VXP-007",
        "testuser",
        "????",
        "Microsoft Data Access Components",
        "217.77.3.25",
        "ODBC",
    ];
    let mut login = unhex(
        "e2000000 01000071 00000000 00000007 b0060000 00000000 e0 03 00 00 00000000 09080000",
    );
    let mut at = 0x56_u16;
    for (index, name) in names.iter().enumerate() {
        // An unused field lies before the library's name.
        if index == 5 {
            login.extend([0; 4]);
        }
        login.extend(
            [
                at.to_le_bytes(),
                u16::try_from(name.len()).unwrap().to_le_bytes(),
            ]
            .concat(),
        );
        at += 2 * u16::try_from(name.len()).unwrap();
    }
    login.extend(unhex(
        "da000400 e2000000 e2000000 000c294c8492 00000000 e2000000",
    ));
    login[66..68].copy_from_slice(&[0, 0]);
    login.truncate(0x56);
    let names: Vec<u8> = names.iter().flat_map(|name| wide(name)).collect();
    let answer = "
        e31b00 01 06 6d0061007300740065007200 06 6d0061007300740065007200
        ad3600 01 71000001 16 4d006900630072006f0073006f00660074002000530051004c002000530065007200760065007200 00000000 080007f7
        fd0000000000000000";
    let batch =
        wide("select name from master.dbo.syscharsets where id = convert(tinyint, 'geheim')");
    [
        (
            C,
            unhex(
                "1201003400000000 0000150006 01001b0001 02001c000c 0300280004 ff 080001550000 00 4d5353514c53657276657200 d8030000",
            ),
        ),
        (
            S,
            unhex(
                "0401002500000100 0000150006 01001b0001 02001c0001 03001d0000 ff 080007f70000 02 00",
            ),
        ),
        (C, packet(LOGIN, &[login, names].concat())),
        (S, packet(RESPONSE, &unhex(answer))),
        (C, packet(BATCH, &batch)),
        (
            S,
            packet(
                RESPONSE,
                &unhex(
                    "81 0100 0000 0800 e7 0100 0904d00000 04 6e0061006d006500 fd1000c10001000000",
                ),
            ),
        ),
    ]
}

#[test]
fn a_sign_in_and_a_batch() {
    let told = talk(&capture());
    assert_eq!(
        told.records,
        [
            r#"tds {"command":"TDS7 pre-login message","length":44,"version":"8.0.2039","encryption":"not supported","instance":"MSSQLServer","password":false}"#,
            r#"tds {"command":"TDS7 login","length":226,"version":"Microsoft SQL Server 8.0.2039","tds_version":"7.1","user":"testuser","password":true,"auth":"sql","client_host":"LIV-VXP-007","application":"Microsoft Data Access Components","library":"ODBC","server_name":"217.77.3.25","success":true}"#,
            r#"tds {"command":"SQL batch","length":154,"password":false,"verb":"SELECT","success":true}"#,
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
            (ClueKind::Serves, "tds"),
            (ClueKind::HostName, "LIV-VXP-007"),
            (ClueKind::Software, "Microsoft SQL Server 8.0.2039"),
        ]
    );
    let shown = r#"{"service":"tds","username":"testuser","mechanism":"login"}"#;
    assert_eq!(told.credentials, [shown]);
    let capture = capture();
    let pieces: Vec<_> = capture
        .iter()
        .map(|(dir, piece)| (*dir, &piece[..]))
        .collect();
    endures::<Tds>(&pieces, false);
    for (dir, piece) in &pieces[..3] {
        assert_eq!(Tds::probe(piece, *dir), Probe::Certain);
        grows::<Tds>(piece, *dir);
    }
    assert_eq!(Tds::probe(pieces[4].1, C), Probe::Unsure);
    assert_eq!(
        Tds::probe(b"\x12\x01\0\x34\0\0\0\0geheimnis", C),
        Probe::NotMine
    );
    assert_eq!(
        Tds::probe(b"\x16\x03\x01\0\x05\x01\0\0\x01", C),
        Probe::NotMine
    );
}

/// "password" as a client scrambles it: the same secret as one of FTP in clear.
#[test]
fn a_scrambled_password_is_the_same_secret() {
    let mut login = capture()[2].1[HEAD_LEN..].to_vec();
    let at = u16::try_from(login.len()).unwrap().to_le_bytes();
    login.extend(unhex("a2a5 b3a5 92a5 92a5 d2a5 53a5 82a5 e3a5"));
    login[44..48].copy_from_slice(&[at[0], at[1], 4, 0]);
    let told = talk(&[(C, packet(LOGIN, &login))]);
    assert_eq!(
        shown_secrets(&told.seen),
        shown_secrets(&stream::<Ftp>(&[(C, b"USER a\r\nPASS pass\r\n")]).seen)
    );
    // Where it lies outside the packet nobody can tell what it is.
    login[44..48].copy_from_slice(&[0xff, 0xff, 4, 0]);
    let told = talk(&[(C, packet(LOGIN, &login))]);
    assert_eq!(shown_secrets(&told.seen), [Secret::Unseen]);
}

#[test]
fn procedures_by_name_and_number() {
    // Headers of version 7.2 and later: 22 bytes in all, the transaction.
    let headers = unhex("16000000 12000000 0200 0000000000000000 01000000");
    let shell = [&headers[..], &wide("EXEC xp_cmdshell 'whoami'")].concat();
    let named = [&headers[..], &[9, 0], &wide("sp_who2 x"), &[0, 0]].concat();
    let text = wide("delete from t where id = 1");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    let numbered = [
        &headers[..],
        &unhex("ffff 0a00 0000 00 00 e7 401f 0904d00034"),
        &len,
        &text,
    ]
    .concat();
    let refused = "aa1000 18480000 01 0e 0100 7800 00 00 00000000 fd0200000000000000";
    let told = talk(&[
        (C, packet(BATCH, &shell)),
        (C, packet(CALL, &named)),
        (C, packet(CALL, &numbered)),
        (S, packet(RESPONSE, &unhex(refused))),
    ]);
    assert_eq!(
        told.records,
        [
            r#"tds {"command":"SQL batch","length":72,"password":false,"verb":"EXEC","procedure":"xp_cmdshell"}"#,
            r#"tds {"command":"Remote procedure call","length":44,"password":false,"procedure":"sp_who2 x"}"#,
            r#"tds {"command":"Remote procedure call","length":92,"password":false,"verb":"DELETE","procedure":"sp_executesql","success":false,"error_number":18456}"#,
        ]
    );
}

#[test]
fn encryption_ends_it() {
    let [first, second, ..] = capture();
    let hello = packet(PRELOGIN, b"\x16\x03\x01\0\x05\x01\0\0\x01\x03");
    let told = talk(&[
        first,
        second,
        (C, hello),
        (C, b"\x17\x03\x03\0\x20geheim".to_vec()),
    ]);
    assert_eq!((told.records.len(), told.end.is_some()), (1, true));
}

#[test]
fn an_integrated_sign_in_is_told() {
    use super::super::gss::tests::{authenticate, challenge};
    let mut login = capture()[2].1[HEAD_LEN..][..0x56].to_vec();
    login[25] |= 0x80;
    let at = u16::try_from(login.len()).unwrap().to_le_bytes();
    for names in login[36..72].chunks_mut(4) {
        names.fill(0);
    }
    login[78..82].copy_from_slice(&[at[0], at[1], 4, 0]);
    let asked = [&login[..], b"NTLM"].concat();
    let token = challenge();
    let len = u16::try_from(token.len()).unwrap().to_le_bytes();
    let told = talk(&[
        (C, packet(LOGIN, &asked)),
        (
            S,
            packet(RESPONSE, &[&[0xed, len[0], len[1]], &token[..]].concat()),
        ),
        (C, packet(SSPI, &authenticate())),
        (S, packet(RESPONSE, &unhex("fd0000000000000000"))),
    ]);
    let kinds: Vec<_> = told
        .records
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(kinds, ["ntlm", "tds"]);
    assert!(
        told.records[0].contains(r#""success":true"#),
        "{}",
        told.records[0]
    );
    assert!(
        told.records[1].contains(r#""auth":"integrated""#),
        "{}",
        told.records[1]
    );
    assert!(told.clues.iter().any(|clue| clue.kind == ClueKind::User));
}
