//! Messages laid out by hand after RFC 4511 §4 and §5.1.

use proptest::prelude::*;

use super::*;
use crate::proto::gss::tests::{authenticate, challenge, der, init, resp};
use crate::proto::testing::{datagrams, endures, stream, views};

fn octets(text: &str) -> Vec<u8> {
    der(4, text.as_bytes())
}

fn number(tag: u8, value: u8) -> Vec<u8> {
    der(tag, &[value])
}

/// LDAPMessage.
fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    der(0x30, &[number(2, id), operation.to_vec()].concat())
}

/// BindRequest of version 3.
fn bind(name: &str, auth: &[u8]) -> Vec<u8> {
    der(0x60, &[number(2, 3), octets(name), auth.to_vec()].concat())
}

fn sasl(token: &[u8]) -> Vec<u8> {
    der(0xa3, &[octets("GSS-SPNEGO"), der(4, token)].concat())
}

/// SearchRequest: scope, derefAliases, no limits, a filter, attributes.
fn search(base: &str, scope: u8, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes.iter().flat_map(|a| octets(a)).collect();
    let fixed = [
        number(10, scope),
        number(10, 0),
        number(2, 0),
        number(2, 0),
        der(1, &[0]),
    ];
    der(
        0x63,
        &[
            octets(base),
            fixed.concat(),
            filter.to_vec(),
            der(0x30, &attributes),
        ]
        .concat(),
    )
}

/// LDAPResult with something behind it.
fn result(tag: u8, code: u8, diagnostic: &str, more: &[u8]) -> Vec<u8> {
    let parts = [
        number(10, code),
        octets(""),
        octets(diagnostic),
        more.to_vec(),
    ];
    der(tag, &parts.concat())
}

fn equal(attribute: &str, value: &str) -> Vec<u8> {
    der(0xa3, &[octets(attribute), octets(value)].concat())
}

fn feed(pieces: &[(Dir, Vec<u8>)]) -> Vec<String> {
    stream::<Ldap>(&views(pieces)).lines
}

/// A simple bind, a search with two entries and a referral, changes, and the end.
fn conversation() -> Vec<(Dir, Vec<u8>)> {
    let filter = der(
        0xa0,
        &[equal("objectClass", "user"), der(0x87, b"spn")].concat(),
    );
    // A length of four bytes, as Windows writes them.
    let entry = [octets("CN=x"), der(0x30, &[b'v'; 300])].concat();
    let entry = [&[0x64, 0x84, 0, 0, 1, 54][..], &entry].concat();
    let change = [
        number(10, 2),
        der(
            0x30,
            &[octets("unicodePwd"), der(0x31, &octets("SECRET"))].concat(),
        ),
    ];
    let modify = [
        octets("CN=x,DC=ex"),
        der(0x30, &der(0x30, &change.concat())),
    ]
    .concat();
    vec![
        (
            Dir::Orig,
            message(1, &bind("CN=eve,DC=ex", &der(0x80, b"SECRET"))),
        ),
        (Dir::Resp, message(1, &result(0x61, 0, "", &[]))),
        (
            Dir::Orig,
            message(2, &search("DC=ex", 2, &filter, &["cn", "mail"])),
        ),
        (Dir::Resp, message(2, &entry)),
        (Dir::Resp, message(2, &entry)),
        (Dir::Resp, message(2, &der(0x73, &octets("ldap://other/")))),
        (Dir::Resp, message(2, &result(0x65, 4, "too many", &[]))),
        (Dir::Orig, message(3, &der(0x66, &modify))),
        (Dir::Resp, message(3, &result(0x67, 50, "no\0", &[]))),
        (Dir::Orig, message(4, &der(0x4a, b"CN=y"))),
        (Dir::Orig, message(5, &der(0x42, &[]))),
    ]
}

fn expected() -> Vec<String> {
    let found =
        r#""result_count":2,"result":"size limit exceeded","diagnostic_message":"too many""#;
    [
        "Serves ldap result: ldap",
        "User ldap simple bind: CN=eve,DC=ex",
        r#"ldap {"message_id":1,"version":3,"opcode":"bind simple","result":"success","object":"CN=eve,DC=ex","argument":"REDACTED"}"#,
        &format!(r#"ldap_search {{"message_id":2,"scope":"tree","deref_aliases":"never","base_object":"DC=ex",{found},"filter":"(&(objectClass=user)(spn=*))","attributes":["cn","mail"],"referral_count":1}}"#),
        r#"ldap {"message_id":3,"opcode":"modify","result":"insufficient access rights","diagnostic_message":"no","object":"CN=x,DC=ex","argument":"replace unicodePwd"}"#,
        r#"ldap {"message_id":5,"opcode":"unbind"}"#,
        r#"ldap {"message_id":4,"opcode":"delete","object":"CN=y"}"#,
    ]
    .map(String::from)
    .to_vec()
}

#[test]
fn each_operation_is_one_record_with_its_result() {
    let rows = feed(&conversation());
    assert_eq!(rows, expected());
    assert!(!rows.iter().any(|row| row.contains("SECRET")));
}

#[test]
fn a_sasl_bind_is_a_sign_in() {
    let pieces = [
        (
            Dir::Orig,
            message(1, &bind("", &sasl(&init(b"NTLMSSP\0\x01\0\0\0")))),
        ),
        (
            Dir::Resp,
            message(
                1,
                &result(0x61, 14, "", &der(0x87, &resp(1, Some(&challenge())))),
            ),
        ),
        (
            Dir::Orig,
            message(2, &bind("", &sasl(&resp(1, Some(&authenticate()))))),
        ),
        (Dir::Resp, message(2, &result(0x61, 49, "", &[]))),
    ];
    let rows = feed(&pieces);
    let who =
        r#""username":"eve","hostname":"PC","domainname":"AD","server_nb_computer_name":"DC""#;
    let ntlm = format!(r#"ntlm {{{who},"success":false,"status":"invalid credentials"}}"#);
    assert!(rows.contains(&ntlm), "{rows:#?}");
    let in_progress = r#"ldap {"message_id":1,"version":3,"opcode":"bind SASL","result":"SASL bind in progress","argument":"GSS-SPNEGO"}"#;
    assert!(rows.iter().any(|row| row == in_progress));
}

#[test]
fn a_client_that_looks_for_its_domain_controller_names_itself() {
    let filter = der(
        0xa0,
        &[equal("DnsDomain", "ex.org."), equal("Host", "PC7")].concat(),
    );
    let ask = message(7, &search("", 0, &filter, &["Netlogon"]));
    let answer = [
        message(7, &der(0x64, &octets(""))),
        message(7, &result(0x65, 0, "", &[])),
    ];
    let answer = answer.concat();
    let pieces = [
        (Dir::Orig, &ask[..]),
        (Dir::Orig, &ask),
        (Dir::Resp, &answer),
    ];
    let rows = datagrams::<Ldap>(389, &pieces).lines;
    let row = r#"ldap_search {"message_id":7,"scope":"base","deref_aliases":"never","base_object":"","result_count":1,"result":"success","filter":"(&(DnsDomain=ex.org.)(Host=PC7))","attributes":["Netlogon"]}"#;
    assert_eq!(
        rows,
        [
            "HostName cldap: PC7",
            "HostName cldap: PC7",
            "Serves ldap result: ldap",
            row
        ]
    );
}

/// A token behind its length.
fn token(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn signed_messages_are_read_and_sealed_ones_declared() {
    let ask = message(2, &search("DC=ex", 2, &der(0x87, b"cn"), &[]));
    // RFC 4121 §4.2.6.2: TOK_ID, flags, filler, EC, RRC, SND_SEQ; then message and checksum, or rotated.
    let head = |flags: u8, extra: u8, rotated: u8| {
        [&[5, 4, flags, 0xff, 0, extra, 0, rotated][..], &[0; 8]].concat()
    };
    let check = [0xcc; 12];
    // RFC 1964 §1.2.2 without sealing: TOK_ID, SGN_ALG, SEAL_ALG, filler, three times eight bytes.
    let oid = der(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]);
    let old = [
        &oid,
        &[2, 1, 0x11, 0, 0xff, 0xff, 0xff, 0xff][..],
        &[7; 24],
        &ask,
        &[1],
    ]
    .concat();
    let signed = [
        [&head(1, 12, 0)[..], &ask, &check].concat(),
        [&head(1, 12, 12)[..], &check, &ask].concat(),
        der(0x60, &old),
        [&[1, 0, 0, 0][..], &[9; 12], &ask].concat(), // \[MS-NLMP\] 2.2.2.9.1
    ];
    for bytes in signed {
        let rows = feed(&[(Dir::Orig, token(&bytes))]);
        assert_eq!(rows.len(), 1, "{bytes:x?}");
        assert!(rows[0].contains(r#""filter":"(cn=*)""#));
    }
    let sealed = [
        [&head(3, 12, 12)[..], &[0xee; 80]].concat(),
        [&[1, 0, 0, 0][..], &[9; 12], &[0xee; 80]].concat(),
    ];
    for bytes in sealed {
        let told = stream::<Ldap>(&[(Dir::Orig, &token(&bytes))]);
        assert_eq!(told.lines, [r#"ldap {"opcode":"sealed"}"#]);
        assert_eq!(told.last(), Some(Parse::Skip));
    }
}

#[test]
fn behind_start_tls_comes_tls() {
    let oid = der(0x80, names::START_TLS);
    let pieces = [
        (Dir::Orig, message(1, &der(0x77, &oid))),
        (Dir::Resp, message(1, &result(0x78, 0, "", &[]))),
        (Dir::Orig, b"\x16\x03\x01\x02\x00\x01".to_vec()),
    ];
    let told = stream::<Ldap>(&views(&pieces));
    assert_eq!(told.last(), Some(Parse::Skip));
    assert!(
        told.lines[1].contains(r#""opcode":"extended","result":"success","object":"StartTLS""#)
    );
}

#[test]
fn results_alone_are_told_as_far_as_they_go() {
    let rows = feed(&[
        (Dir::Resp, message(9, &der(0x64, &octets("CN=x")))),
        (Dir::Resp, message(9, &result(0x65, 0, "", &[]))),
        (Dir::Resp, message(8, &result(0x61, 0, "", &[]))),
    ]);
    assert_eq!(
        rows[1],
        r#"ldap_search {"message_id":9,"result_count":1,"result":"success"}"#
    );
    assert_eq!(
        rows[2],
        r#"ldap {"message_id":8,"opcode":"bind","result":"success"}"#
    );
}

#[test]
fn open_operations_are_bounded() {
    let asks: Vec<_> = (1..100_u8)
        .map(|id| {
            (
                Dir::Orig,
                message(id, &search("", 0, &der(0x87, b"cn"), &[])),
            )
        })
        .collect();
    let rows = feed(&asks);
    assert_eq!(
        rows.iter()
            .filter(|row| row.starts_with("ldap_search"))
            .count(),
        99
    );
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("ldap_table_full"))
            .count(),
        1
    );
}

#[test]
fn beginnings_are_recognised() {
    for (dir, whole) in conversation() {
        assert_eq!(Ldap::probe(&whole, dir), Probe::Certain);
        for len in 1..6 {
            assert_eq!(Ldap::probe(&whole[..len], dir), Probe::Unsure, "{len}");
        }
    }
    // SNMP, a certificate, HTTP, SMB.
    let others: [&[u8]; 4] = [
        b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19",
        b"\x30\x82\x03\x00\x30\x82\x02\x00",
        b"GET / HTTP/1.1",
        b"\0\0\0\x90\xfeSMB",
    ];
    for other in others {
        assert_eq!(Ldap::probe(other, Dir::Orig), Probe::NotMine);
    }
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    endures::<Ldap>(&views(&conversation()), false);
    endures::<Ldap>(&views(&conversation()), true);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        datagrams::<Ldap>(389, &[(Dir::Orig, &bytes)]);
        feed(&[(Dir::Orig, message(1, &bytes)), (Dir::Resp, token(&bytes))]);
    }
}
