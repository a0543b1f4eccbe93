//! Packets inside packets, every header worked out by hand from its standard, cut at every byte.

use super::*;

/// IPv4 10.0.0.1 → 10.0.0.2, UDP 40000 → 9, payload `hi`: 20 + 8 + 2 bytes.
const PACKET: [u8; 30] = [
    0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
    0x9c, 0x40, 0, 9, 0, 10, 0, 0, b'h', b'i', // UDP
];

/// IPv6 ::1 → ::2 without a payload (next header 59).
const PACKET6: [u8; 40] = [
    0x60, 0, 0, 0, 0, 0, 59, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
    0, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
];

/// Ethernet with a locally administered sender, and `PACKET`.
fn frame() -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &PACKET].concat()
}

fn long(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

/// An IPv4 header for `body` of protocol `number`, and what the tracker would be told is inside.
fn in_ip(number: u8, body: &[u8]) -> Result<Option<Tunnel>, Malformed> {
    let len = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, number, 0, 0];
    let bytes = [&head[..], &[192, 0, 2, 1, 192, 0, 2, 2], body].concat();
    let ip = Ipv4::parse(&bytes, long(&bytes)).unwrap().ip;
    let transport = Transport::parse(ip.proto, ip.payload, ip.payload_len)?;
    let Some(found) = carried(&ip, &transport)? else {
        return Ok(None);
    };
    if let Network::Tunnelled(next) = inner(&found)?.network {
        inner(&next)?;
    }
    Ok(Some(found.tunnel))
}

/// The same behind a UDP header to `port`.
fn in_udp(port: u16, body: &[u8]) -> Option<Tunnel> {
    let len = u16::try_from(8 + body.len()).unwrap().to_be_bytes();
    let port = port.to_be_bytes();
    let head = [0xc0, 0, port[0], port[1], len[0], len[1], 0, 0];
    in_ip(17, &[&head, body].concat()).unwrap()
}

fn tunnel(kind: Kind, id: u64) -> Option<Tunnel> {
    Some(Tunnel { kind, id: Some(id) })
}

/// Ports, what follows the UDP header, and what it is.
fn datagrams() -> Vec<(u16, Vec<u8>, Option<Tunnel>)> {
    let oui = frame();
    let teredo = [&[0, 1, 0, 0][..], &[7; 9], &[0, 0], &[9; 6], &PACKET6].concat();
    vec![
        (
            4_789,
            [&[8, 0, 0, 0, 0, 0, 100, 0][..], &oui].concat(),
            tunnel(Kind::Vxlan, 100),
        ),
        (
            8_472,
            [&[8, 0, 0, 0, 0, 1, 0, 0][..], &oui].concat(),
            tunnel(Kind::Vxlan, 256),
        ),
        // The protocol extension announces IPv4.
        (
            4_790,
            [&[12, 0, 0, 1, 0, 0, 5, 0][..], &PACKET].concat(),
            tunnel(Kind::Vxlan, 5),
        ),
        // One option of four bytes; Ethernet.
        (
            6_081,
            [&[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 0][..], &oui].concat(),
            tunnel(Kind::Geneve, 9),
        ),
        (
            2_152,
            [&[0x30, 255, 0, 30, 0, 0, 1, 2][..], &PACKET].concat(),
            tunnel(Kind::Gtp, 0x102),
        ),
        // A sequence number, and an extension of one word (PDU session container, type 0x85).
        (
            2_152,
            [
                &[0x36, 255, 0, 38, 0, 0, 1, 2, 0, 7, 0, 0x85, 1, 0, 9, 0][..],
                &PACKET,
            ]
            .concat(),
            tunnel(Kind::Gtp, 0x102),
        ),
        (
            3_544,
            PACKET6.to_vec(),
            Some(Tunnel {
                kind: Kind::Teredo,
                id: None,
            }),
        ),
        // Authentication without a client id, then an origin.
        (
            3_544,
            teredo,
            Some(Tunnel {
                kind: Kind::Teredo,
                id: None,
            }),
        ),
        // L and S: length, tunnel 3, session 4, two sequence numbers, PPP.
        (
            1_701,
            [
                &[0x48, 2, 0, 46, 0, 3, 0, 4, 0, 0, 0, 0, 0xff, 3, 0, 0x21][..],
                &PACKET,
            ]
            .concat(),
            tunnel(Kind::L2tp, 3 << 16 | 4),
        ),
    ]
}

#[test]
fn datagrams_are_tunnels_only_if_the_inside_checks_out() {
    for (port, body, expected) in datagrams() {
        assert_eq!(in_udp(port, &body), expected, "port {port}");
        assert_eq!(in_udp(9, &body), None, "another port");
        for cut in 0..body.len().saturating_sub(3) {
            // Shorter on the wire: the inner lengths no longer fit, so it is an ordinary datagram.
            assert_eq!(in_udp(port, &body[..cut]), None, "port {port}, {cut} bytes");
        }
        let mut noise = body.clone();
        noise[0] ^= 0xff;
        assert_eq!(in_udp(port, &noise), None, "port {port}, other flags");
    }
}

/// IP protocols, what follows the IP header, and what it is.
fn packets() -> Vec<(u8, Vec<u8>, Option<Tunnel>)> {
    let oui = frame();
    let none = |kind| Some(Tunnel { kind, id: None });
    vec![
        (4, PACKET.to_vec(), none(Kind::Ipip)),
        (41, PACKET6.to_vec(), none(Kind::Ipip)),
        (97, [&[0x30, 0][..], &oui].concat(), none(Kind::EtherIp)),
        // Label 16, bottom of stack.
        (
            137,
            [&[0, 1, 1, 64][..], &PACKET].concat(),
            tunnel(Kind::Mpls, 16 | 1 << 60),
        ),
        (47, [&[0, 0, 8, 0][..], &PACKET].concat(), none(Kind::Gre)),
        // Checksum, key 7, sequence number.
        (
            47,
            [
                &[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1][..],
                &PACKET,
            ]
            .concat(),
            tunnel(Kind::Gre, 7),
        ),
        (
            47,
            [&[0, 0, 0x65, 0x58][..], &oui].concat(),
            none(Kind::Gre),
        ),
        (
            47,
            [&[0, 0, 0x88, 0x47, 0, 1, 1, 64][..], &PACKET].concat(),
            none(Kind::Gre),
        ),
        (
            47,
            [&[0, 0, 0x88, 0xbe][..], &oui].concat(),
            none(Kind::Erspan),
        ),
        // ERSPAN II: sequence number, version 1, session 5.
        (
            47,
            [
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 5, 0, 0, 0, 0][..],
                &oui,
            ]
            .concat(),
            tunnel(Kind::Erspan, 5),
        ),
        // ERSPAN III with its subheader: version 2, session 6, last bit set, 8 bytes more.
        (
            47,
            [
                &[
                    0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 7, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1,
                ][..],
                &[0; 8],
                &oui,
            ]
            .concat(),
            tunnel(Kind::Erspan, 6),
        ),
        // PPTP: version 1, key (32 bytes of payload, call 6), PPP.
        (
            47,
            [&[0x20, 1, 0x88, 0x0b, 0, 32, 0, 6, 0, 0x21][..], &PACKET].concat(),
            tunnel(Kind::Pptp, 6),
        ),
    ]
}

#[test]
fn packets_of_a_carrying_protocol_are_no_guess() {
    for (number, body, expected) in packets() {
        assert_eq!(in_ip(number, &body), Ok(expected), "protocol {number}");
        for cut in 0..body.len() {
            let found = in_ip(number, &body[..cut]);
            assert!(
                matches!(found, Err(_) | Ok(None)),
                "{number}, {cut} bytes: {found:?}"
            );
        }
    }
}

#[test]
fn labels_sessions_and_provider_tags_stand_in_the_frame() {
    let oui = frame();
    let around = |kind: u16, head: &[u8], body: &[u8]| {
        [&[0; 12][..], &kind.to_be_bytes(), head, body].concat()
    };
    let labels = [0, 1, 0, 64, 0, 1, 0x21, 64];
    let cases: [(Vec<u8>, Option<Tunnel>); 6] = [
        // Labels 16 and 18.
        (
            around(0x8847, &labels, &PACKET),
            tunnel(Kind::Mpls, 16 | 18 << 20 | 2 << 60),
        ),
        // A pseudowire with a control word, and one without.
        (
            around(0x8848, &[0, 1, 1, 64, 0, 0, 0, 0], &oui),
            tunnel(Kind::Mpls, 16 | 1 << 60),
        ),
        (
            around(0x8847, &[0, 1, 1, 64], &oui),
            tunnel(Kind::Mpls, 16 | 1 << 60),
        ),
        (
            around(0x8864, &[0x11, 0, 0, 9, 0, 32, 0, 0x21], &PACKET),
            tunnel(Kind::Pppoe, 9),
        ),
        (around(0x88e7, &[0, 0, 1, 0], &oui), tunnel(Kind::Pbb, 256)),
        (
            around(0x8100, &[0, 5, 0x88, 0x47, 0, 1, 1, 64], &PACKET),
            tunnel(Kind::Mpls, 16 | 1 << 60),
        ),
    ];
    for (frame, expected) in cases {
        let whole = decode(1, long(&frame), &frame).unwrap();
        let Network::Tunnelled(found) = whole.network else {
            panic!("{whole:?}");
        };
        assert_eq!(Some(found.tunnel), expected);
        let decoded = inner(&found).unwrap();
        assert!(
            matches!(decoded.network, Network::Ip(ip) if ip.len == 30),
            "{decoded:?}"
        );
        for cut in 0..frame.len() {
            // On the wire it was whole: whatever is said of it must not be a mistake of the sender.
            match decode(1, long(&frame), &frame[..cut]) {
                Ok(Frame {
                    network: Network::Tunnelled(found),
                    ..
                }) => {
                    let cut_short = inner(&found).err();
                    assert!(
                        cut_short.is_none_or(|m| m.need > m.have),
                        "{cut}: {cut_short:?}"
                    );
                }
                Err(Refused::Malformed(m)) => assert!(m.need > m.have, "{cut}: {m:?}"),
                other => panic!("{cut}: {other:?}"),
            }
        }
    }
    let deep = around(0x8847, &[[0, 1, 0, 64]; 9].concat(), &PACKET);
    let refused = decode(1, long(&deep), &deep).err();
    assert!(matches!(refused, Some(Refused::Malformed(m)) if m.layer == Layer::Mpls));
}

#[test]
fn links_that_name_the_network_layer_themselves() {
    let cases: [(u32, Vec<u8>); 7] = [
        (9, [&[0xff, 3, 0, 0x21][..], &PACKET].concat()),
        (9, [&[0, 0x21][..], &PACKET].concat()),
        (50, [&[0xff, 3, 0x21][..], &PACKET].concat()),
        (104, [&[0x0f, 0, 8, 0][..], &PACKET].concat()),
        (104, [&[0x0f, 0, 0x81, 0, 0, 7, 8, 0][..], &PACKET].concat()),
        // Family 2, group 1; a prefix "\0" padded; the packet (34 = 4 + 30 bytes).
        (
            239,
            [
                &[2, 0, 0, 1, 5, 0, 10, 0, 0, 0, 0, 0, 34, 0, 9, 0][..],
                &PACKET,
            ]
            .concat(),
        ),
        (239, [&[2, 0, 0, 1, 34, 0, 9, 0][..], &PACKET].concat()),
    ];
    for (link, frame) in cases {
        let decoded = decode(link, long(&frame), &frame).unwrap();
        assert!(
            matches!(decoded.network, Network::Ip(ip) if ip.len == 30),
            "{link}: {decoded:?}"
        );
        for cut in 0..frame.len() {
            let decoded = decode(link, long(&frame), &frame[..cut]);
            let mistake = matches!(decoded, Err(Refused::Malformed(m)) if m.need <= m.have);
            assert!(!mistake, "{link}, {cut} bytes: {decoded:?}");
        }
    }
    let discovery = decode(9, 6, &[0xff, 3, 0xc0, 0x21, 1, 1]).unwrap();
    assert!(matches!(discovery.network, Network::Ppp(0xc021)));
}

/// The common header (RFC 9260 §3.1): ports 7 and 9, tag 5; then two chunks, the first of 5 bytes.
#[test]
fn sctp_chunks_are_found_behind_their_padding() {
    let head = [0, 7, 0, 9, 0, 0, 0, 5, 0, 0, 0, 0];
    let packet = [&head[..], &[11, 0, 0, 5, 1, 0, 0, 0], &[0, 3, 0, 6, 1, 2]].concat();
    let sctp = Sctp::parse(&packet, long(&packet)).unwrap();
    assert_eq!((sctp.src_port, sctp.dst_port, sctp.tag), (7, 9, 5));
    assert_eq!(sctp.types().collect::<Vec<_>>(), [11, chunk::DATA]);
    assert!(sctp.has(chunk::DATA) && !sctp.has(chunk::INIT));
    let lying = [&head[..], &[1, 0, 0, 0, 6, 0, 0, 4]].concat();
    let types = Sctp::parse(&lying, long(&lying)).unwrap();
    assert_eq!(types.types().collect::<Vec<_>>(), [chunk::INIT]);
    for cut in 0..12 {
        assert!(Sctp::parse(&packet[..cut], long(&packet)).is_err());
    }
}
