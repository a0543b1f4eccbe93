//! Tests of DHCP: messages laid out after RFC 2131 and 2132.

use super::*;
use crate::types::{Body, Endpoint, FlowRef, Observations, Timestamp};
use proptest::prelude::*;

/// A message with these fixed fields, cookie and options.
fn message(op: u8, yiaddr: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut data = vec![0; COOKIE_AT];
    data[..8].copy_from_slice(&[op, 1, 6, 0, 0x39, 0x03, 0xf3, 0x26]);
    data[16..20].copy_from_slice(&yiaddr);
    data[28..34].copy_from_slice(&[0x00, 0x0b, 0x82, 0x01, 0xfc, 0x42]);
    data.extend(COOKIE);
    data.extend(options);
    data
}

/// Record as JSON and the clues of one datagram.
fn run(orig: [u8; 4], data: &[u8]) -> (String, Vec<Clue>) {
    let end = |ip: [u8; 4], port| Endpoint::new(IpAddr::from(ip), port);
    let flow = FlowRef {
        orig: end(orig, 67),
        resp: end([255; 4], 68),
        ..FlowRef::default()
    };
    let (mut seen, ts) = (Observations::new(), Timestamp::from_secs(1));
    let input = Input {
        ts,
        dir: Dir::Orig,
        data,
        gap: 0,
        datagram: true,
    };
    Dhcp.parse(input, &mut Out::new(&flow, ts, &mut seen));
    let (mut line, mut clues) = (String::new(), Vec::new());
    for observation in seen {
        match observation.body {
            Body::Clue(clue) => clues.push(*clue),
            Body::Record(record) => {
                line.push_str(&record.body.text());
            }
            _ => {}
        }
    }
    (line, clues)
}

#[test]
fn a_request_says_who_the_client_is() {
    let options =
        b"\x35\x01\x03\x32\x04\x0a\x00\x00\x07\x0c\x03pc1\x51\x09\x04\x00\x00\x03pc1\x01d\
        \x3c\x08MSFT 5.0\x37\x03\x01\x03\x06\xff";
    let (line, clues) = run([0; 4], &message(1, [0; 4], options));
    assert_eq!(
        line,
        concat!(
            r#"{"trans_id":956560166,"mac":"00:0b:82:01:fc:42","host_name":"pc1","#,
            r#""client_fqdn":"pc1.d","requested_addr":"10.0.0.7","msg_types":["REQUEST"],"#,
            r#""duration":0.000000,"vendor_class":"MSFT 5.0","parameter_list":"1,3,6"}"#
        )
    );
    let told: Vec<_> = clues
        .iter()
        .map(|clue| (clue.evidence, &*clue.value))
        .collect();
    let expected = [
        ("dhcp option 12", "pc1"),
        ("dhcp option 81", "pc1.d"),
        ("dhcp vendor class", "MSFT 5.0"),
        ("dhcp parameter list", "1,3,6"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        clues[0].mac,
        Some(MacAddr([0x00, 0x0b, 0x82, 0x01, 0xfc, 0x42]))
    );
}

#[test]
fn an_acknowledgement_is_a_lease() {
    let options =
        b"\x35\x01\x05\x36\x04\x0a\x00\x00\x01\x33\x04\x00\x00\x0e\x10\x03\x04\x0a\x00\x00\x01\xff";
    let (line, clues) = run([10, 0, 0, 2], &message(2, [10, 0, 0, 7], options));
    assert!(line.contains(r#""server_addr":"10.0.0.1""#), "{line}");
    assert!(
        line.contains(r#""assigned_addr":"10.0.0.7","lease_time":3600.000000"#),
        "{line}"
    );
    assert!(line.contains(r#""msg_types":["ACK"]"#) && line.contains(r#""routers":["10.0.0.1"]"#));
    assert_eq!(
        (clues[0].kind, clues[0].ip),
        (ClueKind::Lease, Some([10, 0, 0, 7].into()))
    );
    assert_eq!(
        (clues[1].kind, clues[1].ip),
        (ClueKind::Serves, Some([10, 0, 0, 1].into()))
    );
}

#[test]
fn options_overflow_into_file_and_sname() {
    let mut data = message(1, [0; 4], b"\x35\x01\x01\x34\x01\x03\xff");
    data[108..113].copy_from_slice(b"\x0c\x02f1\xff");
    data[44..49].copy_from_slice(b"\x3c\x02s1\xff");
    let (line, _) = run([0; 4], &data);
    assert!(line.contains(r#""host_name":"f1""#) && line.contains(r#""vendor_class":"s1""#));
}

#[test]
fn sensing_needs_the_cookie() {
    assert_eq!(
        Dhcp::probe(&message(1, [0; 4], b"\xff"), Dir::Orig),
        Probe::Certain
    );
    assert_eq!(Dhcp::probe(&[1; 300], Dir::Orig), Probe::Unsure);
    assert_eq!(Dhcp::probe(&[1; 100], Dir::Orig), Probe::NotMine);
    assert_eq!(Dhcp::probe(&[3; 300], Dir::Orig), Probe::NotMine);
}

proptest! {
    #[test]
    fn cut_and_random_messages_never_panic(
        options in proptest::collection::vec(any::<u8>(), 0..400),
        cut in 0..640_usize,
        op in 0..4_u8,
    ) {
        let data = message(op, [10, 0, 0, 9], &options);
        let _ = run([10, 0, 0, 1], &data[..cut.min(data.len())]);
    }
}

#[test]
fn an_identifier_is_told_without_what_differs_between_the_interfaces() {
    let mac = Some(MacAddr([0, 1, 2, 3, 4, 5]));
    // RFC 4361 §6.1: 255, IAID, then the DUID of RFC 8415 §11.2 (type 1, hardware type 1, time, address).
    let with_duid = |iaid: u8| {
        let mut id = vec![255, 0, 0, 0, iaid];
        id.extend([
            0, 1, 0, 1, 0x2c, 0x3f, 0x5e, 0x11, 0xac, 0x7f, 0x3e, 0xf0, 1, 2,
        ]);
        id
    };
    let duid: Option<Text> = Some("duid 000100012c3f5e11ac7f3ef00102".into());
    for (id, told) in [
        (with_duid(1), duid.clone()),
        (with_duid(9), duid),
        // RFC 2132 §9.14: a type and a hardware address, its own or another's.
        (vec![1, 0, 1, 2, 3, 4, 5], None),
        (vec![1, 0, 1, 2, 3, 4, 6], Some("id 01000102030406".into())),
        (vec![0, b'x'], None),
        (vec![255, 0, 0, 0, 1, 0, 3], None),
    ] {
        let options = Options {
            seen: vec![(61, &id)],
        };
        assert_eq!(identifier(&options, mac), told, "{id:?}");
    }
}
