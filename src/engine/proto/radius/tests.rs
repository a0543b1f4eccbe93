//! The example of RFC 2865 §7.1, and messages laid out by hand.

use proptest::prelude::*;

use super::*;
use crate::proto::testing::{datagrams, endures};

/// The Access-Request of RFC 2865 §7.1: nemo logs in on port 3 of 192.168.1.16.
const REQUEST: &[u8] = &[
    0x01, 0x00, 0x00, 0x38, // code, id, length 56
    0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, // authenticator
    0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a, //
    0x01, 0x06, b'n', b'e', b'm', b'o', // User-Name
    0x02, 0x12, 0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, // User-Password
    0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee, //
    0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10, // NAS-IP-Address
    0x05, 0x06, 0x00, 0x00, 0x00, 0x03, // NAS-Port
];
/// Its Access-Accept, with Service-Type, Login-Service and Login-IP-Host.
const ACCEPT: &[u8] = &[
    0x02, 0x00, 0x00, 0x26, // code, id, length 38
    0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, // response authenticator
    0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0, 0xb2, //
    0x06, 0x06, 0x00, 0x00, 0x00, 0x01, // Service-Type: Login
    0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, // Login-Service: Telnet
    0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03, // Login-IP-Host
];

fn message(code: u8, id: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![0x5a; 16];
    for (kind, value) in attributes {
        body.extend([*kind, u8::try_from(value.len()).unwrap() + 2]);
        body.extend(*value);
    }
    let len = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[code, id][..], &len, &body].concat()
}

fn run(pieces: &[&[u8]]) -> Vec<String> {
    let pieces: Vec<_> = pieces.iter().map(|data| (Dir::Orig, *data)).collect();
    datagrams::<Radius>(1812, &pieces).lines
}

#[test]
fn the_example_of_rfc_2865() {
    let tail = r#""request_type":"access","nas_addr":"192.168.1.16"}"#;
    // Sent twice, answered once.
    let rows = run(&[REQUEST, REQUEST, ACCEPT]);
    let expected =
        format!(r#"radius {{"username":"nemo","result":"success","ttl":2.000000,{tail}"#);
    assert_eq!(rows, [expected]);
    assert_eq!(
        run(&[REQUEST]),
        [format!(r#"radius {{"username":"nemo",{tail}"#)]
    );
}

#[test]
fn rounds_that_are_challenged_are_one() {
    let who: &[(u8, &[u8])] = &[(1, b"eve"), (31, b"0214.0000.0005"), (79, b"EAP")];
    let pieces = [
        message(1, 1, who),
        message(11, 1, &[(79, b"SECRET"), (24, b"SECRET")]),
        message(1, 2, who),
        message(11, 2, &[(79, b"SECRET")]),
        message(1, 3, who),
        message(
            2,
            3,
            &[
                (1, b"eva"),
                (8, &[10, 1, 9, 9]),
                (18, b"hello"),
                (66, b"\x00192.0.2.1"),
            ],
        ),
    ];
    let rows = run(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let expected = r#"radius {"username":"eve","mac":"02:14:00:00:00:05","framed_addr":"10.1.9.9","tunnel_client":"192.0.2.1","reply_msg":"hello","result":"success","ttl":5.000000,"request_type":"access","granted_username":"eva"}"#;
    assert_eq!(rows, ["User radius: eva", expected]);
}

#[test]
fn refusals_and_accounts_are_told() {
    let pieces = [
        message(1, 1, &[(1, b"eve")]),
        message(
            4,
            1,
            &[
                (1, b"eve"),
                (40, &[0, 0, 0, 2]),
                (77, b"54 Mbps"),
                (32, b"ap1"),
            ],
        ),
        message(3, 1, &[(18, b"no")]),
        message(5, 1, &[]),
    ];
    let rows = run(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let expected = [
        r#"radius {"username":"eve","reply_msg":"no","result":"failed","ttl":2.000000,"request_type":"access"}"#,
        r#"radius {"username":"eve","connect_info":"54 Mbps","result":"success","ttl":2.000000,"request_type":"accounting","acct_status":"Stop","nas_identifier":"ap1"}"#,
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_second_user_name_does_not_replace_the_first() {
    let rows = run(&[&message(1, 1, &[(1, b"nemo"), (1, b"anna")])]);
    assert_eq!(
        rows,
        [r#"radius {"username":"nemo","request_type":"access"}"#]
    );
}

#[test]
fn hardware_addresses_are_written_one_way() {
    for id in [
        "02-14-00-00-00-AB",
        "0214.0000.00ab",
        "02140000:00ab",
        "0214000000AB",
    ] {
        assert_eq!(mac(id).as_deref(), Some("02:14:00:00:00:ab"));
    }
    assert_eq!(mac("+49 30 1234"), None);
    assert_eq!(mac("02-14"), None);
}

#[test]
fn open_requests_are_bounded() {
    let pieces: Vec<_> = (0..100_u8)
        .map(|id| message(1, id, &[(1, &[b'a' + id % 26, id / 26 + b'0'])]))
        .collect();
    let rows = run(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(
        rows.iter().filter(|row| row.starts_with("radius")).count(),
        100
    );
    assert_eq!(
        rows.iter()
            .filter(|row| row.contains("radius_table_full"))
            .count(),
        1
    );
}

#[test]
fn beginnings_are_unsure_and_what_does_not_add_up_is_read_as_far_as_it_goes() {
    for whole in [REQUEST, ACCEPT] {
        assert_eq!(Radius::probe(whole, Dir::Orig), Probe::Unsure);
        for len in 0..whole.len() {
            assert_eq!(Radius::probe(&whole[..len], Dir::Orig), Probe::NotMine);
        }
    }
    let mut broken = REQUEST.to_vec();
    broken[27] = 200; // length of User-Password
    assert_eq!(Radius::probe(&broken, Dir::Orig), Probe::Unsure);
    let rows = run(&[ACCEPT, &broken]);
    assert!(rows[1].contains("radius_bad_attributes"));
    assert_eq!(
        rows[2],
        r#"radius {"username":"nemo","request_type":"access"}"#
    );
}

#[test]
fn what_is_cut_or_changed_does_no_harm() {
    endures::<Radius>(&[(Dir::Orig, REQUEST), (Dir::Resp, ACCEPT)], true);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        run(&[&bytes]);
        let len = u16::try_from(bytes.len() + 20).unwrap().to_be_bytes();
        run(&[REQUEST, &[&[1, 2][..], &len, &[0; 16], &bytes].concat()]);
    }
}
