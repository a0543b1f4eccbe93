//! Tests of DHCPv6: messages laid out after RFC 8415, as Windows and dnsmasq send them.

use super::super::testing::{datagrams, endures};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;
/// DUID-LLT of 00:0c:29:5e:77:44 and of the server.
const CLIENT: &[u8] = b"\0\x01\0\x0e\0\x01\0\x01\x1d\xef\x69\xbd\0\x0c\x29\x5e\x77\x44";
const SERVER: &[u8] = b"\0\x02\0\x0e\0\x01\0\x01\x1d\xe4\xb8\x58\0\x0c\x29\x1f\xa7\x55";

/// An option.
fn option(code: u8, value: &[u8]) -> Vec<u8> {
    let len = u8::try_from(value.len()).expect("short");
    [&[0, code, 0, len][..], value].concat()
}

/// A solicit as Windows writes it: elapsed time, identity, IA_NA, name, vendor class, wanted options.
fn solicit() -> Vec<u8> {
    [
        &b"\x01\x9d\xe0\x3f"[..],
        &option(8, b"\0\0"),
        CLIENT,
        &option(3, b"\x0e\0\x0c\x29\0\0\0\0\0\0\0\0"),
        &option(39, b"\0\x03pc1"),
        &option(16, b"\0\0\x01\x37\0\x08MSFT 5.0"),
        &option(6, b"\0\x18\0\x17\0\x11\0\x27"),
    ]
    .concat()
}

/// A reply that gives 2001:db8:1:2::1002 for 7,500 s and takes ::1003 away, and names 2001:db8::53.
fn reply() -> Vec<u8> {
    let head = b"\0\x0c\x29\x5e\0\0\x0e\x10\0\0\x15\x18";
    let addr = |last: u8, valid: [u8; 2]| {
        let addr = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0x10, last];
        option(5, &[&addr[..], &[0, 0, 0x11, 0x94, 0, 0], &valid].concat())
    };
    let given = [addr(2, [0x1d, 0x4c]), addr(3, [0, 0])].concat();
    [
        &b"\x07\x9d\xe0\x3f"[..],
        CLIENT,
        SERVER,
        &option(3, &[&head[..], &given].concat()),
        &option(23, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53"),
        &option(24, b"\x06kontor\x07example\0\x03eng\x07example\0"),
    ]
    .concat()
}

fn told(pieces: &[(Dir, &[u8])]) -> (Vec<String>, Vec<(ClueKind, &'static str, Text)>) {
    let told = datagrams::<Dhcpv6>(547, pieces);
    let clues = told.clues.into_iter();
    (
        told.records,
        clues.map(|c| (c.kind, c.evidence, c.value)).collect(),
    )
}

#[test]
fn a_client_says_who_it_is() {
    let (records, clues) = told(&[(C, &solicit())]);
    assert_eq!(
        records,
        [concat!(
            r#"dhcpv6 {"trans_id":10346559,"msg_type":"SOLICIT","client_addr":"10.0.0.1","#,
            r#""client_duid":"000100011def69bd000c295e7744","mac":"00:0c:29:5e:77:44","client_fqdn":"pc1","#,
            r#""vendor_class":"MSFT 5.0","parameter_list":"24,23,17,39"}"#
        )]
    );
    assert_eq!(
        clues,
        [
            (
                ClueKind::Software,
                "dhcpv6 client id",
                "000100011def69bd000c295e7744".into()
            ),
            (ClueKind::HostName, "dhcpv6 option 39", "pc1".into()),
            (ClueKind::Software, "dhcpv6 vendor class", "MSFT 5.0".into()),
            (
                ClueKind::Software,
                "dhcpv6 parameter list",
                "24,23,17,39".into()
            ),
        ]
    );
}

#[test]
fn a_reply_is_a_lease_and_what_it_takes_away_is_none() {
    let (records, clues) = told(&[(S, &reply())]);
    let line = &records[0];
    for part in [
        r#""msg_type":"REPLY","client_addr":"10.0.0.1","server_addr":"10.0.0.2""#,
        r#""assigned_addrs":["2001:db8:1:2::1002"],"lease_time":7500.000000"#,
        r#""name_servers":["2001:db8::53"],"domains":["kontor.example","eng.example"]"#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // The flow's addresses say nothing of the interface, so the lease rests on the DUID.
    assert_eq!(clues[0], (ClueKind::Lease, GUESSED, Text::default()));
    assert_eq!(
        clues[1],
        (ClueKind::Serves, "dhcpv6 reply", "dhcpv6".into())
    );
    assert_eq!(clues.len(), 2);
}

/// RFC 8415 §9: what a relay forwards; RFC 6939: whose it is.
#[test]
fn a_relay_says_where_the_client_is() {
    let link = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    let peer = [
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0xc, 0x29, 0xff, 0xfe, 0x5e, 0x77, 0x45,
    ];
    let relayed = [
        &[12, 0][..],
        &link,
        &peer,
        &option(79, b"\0\x01\0\x0c\x29\x5e\x77\x45"),
        &option(9, &solicit()),
    ]
    .concat();
    assert_eq!(Dhcpv6::probe(&relayed, C), Probe::Certain);
    let told = datagrams::<Dhcpv6>(547, &[(C, &relayed)]);
    let line = &told.records[0];
    for part in [
        r#""client_addr":"fe80::20c:29ff:fe5e:7745""#,
        r#""mac":"00:0c:29:5e:77:45""#,
        r#""relay_addr":"2001:db8:1:2::1""#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let mac = crate::types::MacAddr([0, 0xc, 0x29, 0x5e, 0x77, 0x45]);
    assert!(told.clues.iter().all(|clue| clue.mac == Some(mac)));
    // Nine relays are one too many, and one that forwards itself to itself ends.
    let mut nested = solicit();
    for _ in 0..9 {
        nested = [&[12, 0][..], &link, &peer, &[0, 9, 0], &[0], &nested].concat();
    }
    assert_eq!(Dhcpv6::probe(&nested, C), Probe::NotMine);
}

/// RFC 8415 §21.13 and §21.21: no prefix for whoever asks.
#[test]
fn a_refusal_is_told() {
    let inside = [
        &b"\0\0\0\x01\0\0\0\0\0\0\0\0"[..],
        &option(13, b"\0\x06no prefixes"),
    ]
    .concat();
    let answer = [&b"\x02\x12\x34\x56"[..], SERVER, &option(25, &inside)].concat();
    let (records, _) = told(&[(S, &answer)]);
    assert!(records[0].contains(r#""status":"NoPrefixAvail","server_message":"no prefixes""#));
    let asked = b"\0\0\0\x01\0\0\0\0\0\0\0\0\0\x1a\0\x19\0\0\0\0\0\0\0\0\x38\x20\x01\x0d\xb8\x00\x01\x02\0\0\0\0\0\0\0\0\0\0";
    let ask = [&b"\x03\x12\x34\x57"[..], CLIENT, &option(25, asked)].concat();
    let (records, _) = told(&[(C, &ask)]);
    assert!(
        records[0].contains(r#""prefixes":["2001:db8:1:200::/56"]"#),
        "{records:?}"
    );
}

#[test]
fn sensing_wants_options_that_end_with_the_datagram() {
    let whole = solicit();
    assert_eq!(Dhcpv6::probe(&whole, C), Probe::Certain);
    assert_eq!(Dhcpv6::probe(&whole[..whole.len() - 1], C), Probe::NotMine);
    assert_eq!(
        Dhcpv6::probe(&[&whole[..], b"\0"].concat(), C),
        Probe::NotMine
    );
    // An information request needs no identity; without any option nobody says so.
    assert_eq!(
        Dhcpv6::probe(b"\x0b\x01\x02\x03\0\x06\0\x02\0\x17", C),
        Probe::Unsure
    );
    assert_eq!(Dhcpv6::probe(b"\x0b\x01\x02\x03", C), Probe::NotMine);
    endures::<Dhcpv6>(&[(C, &solicit()), (S, &reply())], true);
}
