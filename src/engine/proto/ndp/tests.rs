//! Tests of NDP: messages laid out after RFC 4861, RFC 4191 and RFC 8106.

use super::*;
use crate::types::{Body, Endpoint, FlowRef, Observations, Timestamp};

/// From fe80::1 to all nodes: kind and JSON of each record, clues, and the last answer.
fn run(from: &str, messages: &[&[u8]]) -> (Vec<String>, Vec<Clue>, Parse) {
    let end = |ip: &str| Endpoint::new(ip.parse().expect("an address"), 134);
    let flow = FlowRef {
        orig: end(from),
        resp: end("ff02::1"),
        proto: 58,
        ..FlowRef::default()
    };
    let (mut parser, mut seen) = (Ndp::default(), Observations::new());
    let (ts, mut last) = (Timestamp::from_secs(1), Parse::Skip);
    for data in messages {
        let input = Input {
            ts,
            dir: Dir::Orig,
            data,
            gap: 0,
            datagram: true,
        };
        last = parser.parse(input, &mut Out::new(&flow, ts, &mut seen));
    }
    let (mut records, mut clues) = (Vec::new(), Vec::new());
    for observation in seen {
        match observation.body {
            Body::Record(record) => {
                records.push(format!("{} {}", record.body.kind(), record.body.text()));
            }
            Body::Clue(clue) => clues.push(*clue),
            _ => {}
        }
    }
    (records, clues, last)
}

/// Hop limit 64, managed, high preference, 1,800 s; then a hardware address, an MTU, a prefix for addresses, a
/// route of eight bytes, a name server, a domain.
const ADVERTISEMENT: &[u8] = b"\x86\0\xab\xcd\x40\x88\x07\x08\0\0\0\0\0\0\0\0\
    \x01\x01\x02\x14\0\0\0\x01\
    \x05\x01\0\0\0\0\x05\xdc\
    \x03\x04\x40\xc0\0\0\x0e\x10\0\0\x07\x08\0\0\0\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\
    \x18\x02\x30\0\0\0\x0e\x10\x20\x01\x0d\xb8\0\x01\0\0\
    \x19\x03\0\0\0\0\x0e\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53\
    \x1f\x03\0\0\0\0\x0e\x10\x06kontor\x07example\0";

#[test]
fn a_router_says_what_it_offers_and_again_is_no_news() {
    let (records, clues, _) = run("fe80::1", &[ADVERTISEMENT, ADVERTISEMENT]);
    assert_eq!(
        records,
        [concat!(
            r#"ndp {"msg_type":"router advertisement","mac":"02:14:00:00:00:01","router_lifetime":1800.000000,"#,
            r#""preference":"high","managed":true,"other_config":false,"hop_limit":64,"mtu":1500,"#,
            r#""prefixes":["2001:db8::/64"],"autonomous_prefixes":["2001:db8::/64"],"#,
            r#""prefix_lifetime":3600.000000,"routes":["2001:db8:1::/48"],"#,
            r#""name_servers":["2001:db8::53"],"domains":["kontor.example"]}"#
        )]
    );
    assert_eq!(clues.len(), 1);
    assert_eq!(
        (clues[0].kind, clues[0].value.as_str(), clues[0].ip),
        (ClueKind::Serves, "ipv6 routing", "fe80::1".parse().ok())
    );
}

/// RFC 4861 §8: a router sends a host elsewhere.
#[test]
fn a_redirect_names_both_ways() {
    let mut message = b"\x89\0\0\0\0\0\0\0".to_vec();
    for ip in ["fe80::bad", "2001:db8::7"] {
        message.extend(ip.parse::<Ipv6Addr>().expect("an address").octets());
    }
    message.extend(b"\x02\x01\x02\x14\0\0\x0b\xad");
    let (records, clues, _) = run("fe80::1", &[&message]);
    assert_eq!(
        records,
        [concat!(
            r#"ndp {"msg_type":"redirect","mac":"02:14:00:00:0b:ad","#,
            r#""destination":"2001:db8::7","target":"fe80::bad"}"#
        )]
    );
    assert!(clues.is_empty());
}

#[test]
fn a_router_that_stops_serves_nothing() {
    let mut last = ADVERTISEMENT.to_vec();
    last[6..8].copy_from_slice(&[0, 0]);
    let (records, clues, _) = run("fe80::1", &[&last]);
    assert!(records[0].contains(r#""router_lifetime":0.000000"#));
    assert!(clues.is_empty());
}

#[test]
fn what_hosts_throw_away_is_told_as_odd() {
    let end = |name| Parse::Broken(name);
    let (records, _, last) = run("2001:db8::1", &[ADVERTISEMENT]);
    assert_eq!((records.len(), last), (0, end("ndp_source_not_link_local")));
    // An option without length; a code that is none; too short.
    let (_, _, last) = run("fe80::1", &[&[&ADVERTISEMENT[..16], &[3, 0]].concat()]);
    assert_eq!(last, end("ndp_malformed"));
    let (_, _, last) = run("fe80::1", &[b"\x86\x01\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0"]);
    assert_eq!(last, end("ndp_malformed"));
    for cut in 0..16 {
        assert_eq!(
            run("fe80::1", &[&ADVERTISEMENT[..cut]]).2,
            end("ndp_malformed")
        );
    }
}

#[test]
fn a_flood_ends() {
    let all: Vec<Vec<u8>> = (0..=RECORDS_MAX)
        .map(|n| [&ADVERTISEMENT[..4], &[n], &ADVERTISEMENT[5..]].concat())
        .collect();
    let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    let (records, _, last) = run("fe80::1", &all);
    assert_eq!(records.len(), usize::from(RECORDS_MAX));
    assert_eq!(last, Parse::Broken("ndp_flood"));
}

#[test]
fn cut_and_changed_messages_are_endured() {
    let mut number = 1_u32;
    for at in 0..ADVERTISEMENT.len() {
        run("fe80::1", &[&ADVERTISEMENT[..at]]);
        for kind in [134, 137] {
            for _ in 0..64 {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut changed = ADVERTISEMENT.to_vec();
                (changed[at], changed[0]) = (number.to_be_bytes()[0], kind);
                run("fe80::1", &[&changed]);
            }
        }
    }
}
