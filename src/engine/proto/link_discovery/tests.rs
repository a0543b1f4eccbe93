//! Tests of LLDP and CDP: frames laid out after IEEE 802.1AB and Cisco's description.

use super::*;
use crate::types::{Body, FlowRef, Observations, Timestamp};

const PORT: MacAddr = MacAddr([2, 0x14, 0, 0, 0, 0x24]);

/// Kind and JSON of each record, and the clues.
fn run(protocol: LinkProtocol, body: &[u8]) -> (Vec<String>, Vec<Clue>) {
    let (flow, mut seen) = (FlowRef::default(), Observations::new());
    let ts = Timestamp::from_secs(1);
    tell(protocol, body, PORT, &mut Out::new(&flow, ts, &mut seen));
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
    (records, clues)
}

fn lldp() -> Vec<u8> {
    let value = |kind: u8, value: &[u8]| {
        let len = u8::try_from(value.len()).expect("short");
        [&[kind << 1, len][..], value].concat()
    };
    [
        value(1, &[4, 2, 0x14, 0, 0, 0, 0x20]),
        value(2, b"\x05gi1/0/24"),
        value(3, &[0, 120]),
        value(4, b"Spiegel"),
        value(5, b"sw-keller"),
        value(6, b"Kontor Switch 24 v2.1\0"),
        value(7, &[0, 0x14, 0, 4]), // bridge and router, of which it is a bridge
        value(8, &[5, 1, 10, 1, 0, 2, 2, 0, 0, 0, 1, 0]),
        value(127, &[0, 0x80, 0xc2, 1, 0, 12]),
        value(0, &[]),
    ]
    .concat()
}

fn cdp() -> Vec<u8> {
    let value = |kind: u16, value: &[u8]| {
        let len = u16::try_from(value.len() + 4).expect("short");
        [&kind.to_be_bytes()[..], &len.to_be_bytes(), value].concat()
    };
    // One IPv4 address by NLPID, one IPv6 address by 802.2.
    let v6 = [
        &b"\x02\x08\xaa\xaa\x03\0\0\0\x86\xdd\0\x10\xfd\0\0\x01"[..],
        &[0; 11],
        &[0x53],
    ];
    let addrs = [
        &b"\0\0\0\x02\x01\x01\xcc\0\x04\x0a\x01\0\x02"[..],
        &v6.concat(),
    ]
    .concat();
    [
        b"\x02\xb4\0\0".to_vec(),
        value(1, b"sw-keller"),
        value(2, &addrs),
        value(3, b"FastEthernet0/7"),
        value(4, &[0, 0, 0, 0x28]),
        value(5, b"IOS (tm) C2940 Software\nCompiled"),
        value(6, b"cisco WS-C2940-8TT-S"),
        value(10, &[0, 1]),
        value(22, &addrs),
    ]
    .concat()
}

#[test]
fn a_switch_names_itself_and_the_port() {
    let (records, clues) = run(LinkProtocol::Lldp, &lldp());
    assert_eq!(
        records,
        [concat!(
            r#"link_discovery {"proto":"lldp","mac":"02:14:00:00:00:24","chassis_id":"02:14:00:00:00:20","#,
            r#""port_id":"gi1/0/24","port_description":"Spiegel","system_name":"sw-keller","#,
            r#""system_description":"Kontor Switch 24 v2.1","capabilities":["bridge"],"#,
            r#""management_addrs":["10.1.0.2"],"port_vlan":12,"ttl":120.000000}"#
        )]
    );
    let told: Vec<_> = clues
        .iter()
        .map(|c| {
            (
                c.mac.is_some(),
                c.ip.is_some(),
                c.evidence,
                c.value.as_str(),
            )
        })
        .collect();
    let named = |mac, ip| {
        [
            (mac, ip, "lldp system name", "sw-keller"),
            (mac, ip, "lldp description", "Kontor Switch 24 v2.1"),
            (mac, ip, "lldp capabilities", "bridge"),
        ]
    };
    let (port, box_) = (named(true, false), named(false, true));
    let expected: Vec<_> = port
        .into_iter()
        .zip(box_)
        .flat_map(|(a, b)| [a, b])
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_cisco_switch_does_so_in_its_own_way() {
    let (records, clues) = run(LinkProtocol::Cdp, &cdp());
    assert_eq!(
        records,
        [concat!(
            r#"link_discovery {"proto":"cdp","mac":"02:14:00:00:00:24","chassis_id":"sw-keller","#,
            r#""port_id":"FastEthernet0/7","system_name":"sw-keller","#,
            r#""system_description":"IOS (tm) C2940 Software\nCompiled","platform":"cisco WS-C2940-8TT-S","#,
            r#""capabilities":["switch","IGMP"],"management_addrs":["10.1.0.2","fd00:1::53"],"#,
            r#""port_vlan":1,"ttl":180.000000}"#
        )]
    );
    // A port and two addresses, three things said of each.
    assert_eq!(clues.len(), 9);
}

#[test]
fn a_serial_number_is_no_name() {
    let body = b"\x01\xb4\0\0\0\x01\0\x1000B064108440";
    let (records, clues) = run(LinkProtocol::Cdp, body);
    assert!(records[0].contains(r#""system_name":"00B064108440""#));
    assert!(clues.is_empty());
    assert!(!is_number("sw-keller") && is_number("00-b0-64-10-84-40"));
}

#[test]
fn what_does_not_begin_as_it_must_is_told() {
    let (records, clues) = run(LinkProtocol::Lldp, &lldp()[9..]);
    assert!(records[0].starts_with(r#"weird {"name":"lldp_malformed","addl":"02:14:00:00:00:24""#));
    assert!(clues.is_empty());
    let (records, _) = run(LinkProtocol::Cdp, b"\x07\xb4\0\0");
    assert!(records[0].contains("cdp_malformed"));
}

#[test]
fn cut_and_changed_frames_are_endured() {
    let mut number = 1_u32;
    for (protocol, whole) in [(LinkProtocol::Lldp, lldp()), (LinkProtocol::Cdp, cdp())] {
        for cut in 0..whole.len() {
            run(protocol, &whole[..cut]);
        }
        for at in 0..whole.len() {
            for _ in 0..64 {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut changed = whole.clone();
                changed[at] = number.to_be_bytes()[0];
                run(protocol, &changed);
            }
        }
        // Values without end, and one that is nothing but itself.
        run(protocol, &whole.repeat(40));
        run(protocol, &[0; 1500]);
    }
}
