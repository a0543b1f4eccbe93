//! Frames worked out by hand, and an independent decoder as oracle.

use proptest::prelude::*;

use super::*;

/// IPv4 header of 20 bytes, TCP, 10.0.0.1 → 10.0.0.2, total length 44: 20 + 20 + 4.
const IP: [u8; 44] = [
    0x45, 0, 0, 44, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
    0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0, // TCP
    b'd', b'a', b't', b'a',
];

fn ip_of(link: u32, frame: &[u8]) -> (u16, MacAddr, u32) {
    let len = u32::try_from(frame.len()).unwrap();
    let decoded = decode(link, len, frame).unwrap();
    let Network::Ip(ip) = decoded.network else {
        panic!("not IP: {decoded:?}")
    };
    assert_eq!(
        (ip.proto, ip.payload.len(), ip.src[15], ip.dst[15]),
        (6, 24, 1, 2)
    );
    (decoded.vlan, decoded.src_mac, ip.len)
}

#[test]
fn every_link_type_reaches_the_same_packet() {
    let mac = [2, 0, 0, 0, 0, 9];
    let ether = [&[0xff; 6][..], &mac].concat();
    let pad = [0; 6];
    let frames: [(u32, Vec<u8>, u16); 11] = [
        (1, [&ether[..], &[8, 0], &IP, &pad].concat(), 0),
        (1, [&ether[..], &[0x81, 0, 0x20, 7, 8, 0], &IP].concat(), 7),
        (
            1,
            [&ether[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], &IP].concat(),
            5,
        ),
        (
            1,
            [&ether[..], &[0, 52, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &IP].concat(),
            0,
        ),
        (
            113,
            [&[0, 0, 0, 1, 0, 6][..], &mac, &[0, 0, 8, 0], &IP].concat(),
            0,
        ),
        (
            276,
            [
                &[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6][..],
                &mac,
                &[0, 0],
                &IP,
            ]
            .concat(),
            0,
        ),
        (101, IP.to_vec(), 0),
        (12, IP.to_vec(), 0),
        (228, IP.to_vec(), 0),
        (0, [&[2, 0, 0, 0][..], &IP].concat(), 0),
        (108, [&[0, 0, 0, 2][..], &IP].concat(), 0),
    ];
    for (link, frame, vlan) in frames {
        let (got, src, len) = ip_of(link, &frame);
        assert_eq!((got, len), (vlan, 44), "{link}");
        let has_mac = matches!(link, 1 | 113 | 276);
        assert_eq!(src == MacAddr(mac), has_mac, "{link}");
    }
}

#[test]
fn an_unknown_link_type_is_refused() {
    assert_eq!(decode(147, 1, &[0]).err(), Some(Refused::LinkType));
}

#[test]
fn a_mistake_says_where_it_is() {
    let frame = [&[0; 12][..], &[8, 0, 0x45, 0, 0, 44]].concat();
    let expected = Malformed {
        layer: Layer::Ipv4,
        offset: 14,
        need: 20,
        have: 4,
    };
    assert_eq!(
        decode(1, 18, &frame).err(),
        Some(Refused::Malformed(expected))
    );
    let short = decode(1, 5, &[0; 5]).err();
    assert_eq!(
        short,
        Some(Refused::Malformed(Malformed::new(Layer::Link, 14, 5)))
    );
    let mut longer = IP;
    longer[3] = 45;
    assert!(matches!(decode(101, 44, &longer), Err(Refused::Malformed(m)) if m.need == 45));
    let mut ihl = IP;
    ihl[0] = 0x44;
    assert!(decode(101, 44, &ihl).is_err());
}

#[test]
fn offload_and_snap_length_take_lengths_from_elsewhere() {
    let mut offloaded = IP;
    offloaded[3] = 0;
    let Network::Ip(ip) = decode(101, 9_000, &offloaded).unwrap().network else {
        panic!()
    };
    assert_eq!((ip.len, ip.payload_len, ip.is_cut()), (9_000, 8_980, true));
    let Network::Ip(ip) = decode(101, 44, &IP[..30]).unwrap().network else {
        panic!()
    };
    assert_eq!((ip.len, ip.payload.len()), (44, 10));
    // TCP is cut behind its ports.
    let transport = Transport::parse(6, ip.payload, ip.payload_len).unwrap();
    assert!(matches!(
        transport,
        Transport::Other {
            src_port: 40_000,
            dst_port: 80
        }
    ));
    // Not cut, but too short: the sender's mistake.
    assert!(Transport::parse(6, ip.payload, 10).is_err());
    let zero = Udp::parse(&[0, 1, 0, 2, 0, 0, 0, 0, 9, 9], 10).unwrap();
    assert_eq!((zero.payload, zero.payload_len), (&[9, 9][..], 2));
}

/// IPv6 with hop-by-hop options, a fragment header for the whole packet, then UDP.
#[test]
fn ipv6_extension_headers_are_walked() {
    let mut packet = vec![0x60, 0, 0, 0, 0, 28, 0, 64];
    packet.extend([[0; 15], [0; 15]].iter().zip([1, 2]).flat_map(|(zero, n)| {
        let mut address = zero.to_vec();
        address.push(n);
        address
    }));
    packet.extend([44, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend([17, 0, 0, 0, 0, 0, 0, 9]);
    packet.extend([0, 53, 0, 54, 0, 12, 0, 0, 1, 2, 3, 4]);
    let ip = Ipv6::parse(&packet, 68).unwrap().ip;
    assert_eq!(
        (ip.proto, ip.payload.len(), ip.fragment, ip.len),
        (17, 12, None, 68)
    );
    packet[51] = 1;
    let ip = Ipv6::parse(&packet, 68).unwrap().ip;
    assert_eq!(
        ip.fragment,
        Some(Fragment {
            id: 9,
            offset: 0,
            more: true
        })
    );
    for len in 0..packet.len() {
        assert!(
            Ipv6::parse(&packet[..len], 68).is_err() == (len < 56),
            "{len}"
        );
    }
}

#[test]
fn a_neighbour_says_which_address_it_holds() {
    let mut body = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    body.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    body.extend([2, 1, 2, 0, 0, 0, 0, 5]);
    let neighbour = Icmp::parse(&body).unwrap().neighbour().unwrap();
    assert_eq!(
        neighbour.target.map(|t| t.to_string()).as_deref(),
        Some("fe80::5")
    );
    assert_eq!(neighbour.mac, Some(MacAddr([2, 0, 0, 0, 0, 5])));
    body[0] = 135;
    let neighbour = Icmp::parse(&body).unwrap().neighbour().unwrap();
    assert_eq!(
        (neighbour.target, neighbour.mac),
        (None, None),
        "option 2 is not the sender's"
    );
}

/// What names a packet: addresses, protocol, ports.
type Named = (Vec<u8>, Vec<u8>, u8, u16, u16);

/// What etherparse says of a frame.
fn oracle(frame: &[u8]) -> Option<Named> {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    let sliced = SlicedPacket::from_ethernet(frame).ok()?;
    let (src, dst, fragmented) = match sliced.net? {
        NetSlice::Ipv4(v4) => (
            v4.header().source().to_vec(),
            v4.header().destination().to_vec(),
            v4.payload().fragmented,
        ),
        NetSlice::Ipv6(v6) => (
            v6.header().source().to_vec(),
            v6.header().destination().to_vec(),
            v6.payload().fragmented,
        ),
        NetSlice::Arp(_) => return None,
    };
    let (number, src_port, dst_port) = match sliced.transport? {
        TransportSlice::Tcp(tcp) => (6, tcp.source_port(), tcp.destination_port()),
        TransportSlice::Udp(udp) => (17, udp.source_port(), udp.destination_port()),
        _ => return None,
    };
    (!fragmented).then_some((src, dst, number, src_port, dst_port))
}

/// Our own answer in the same form.
fn ours(frame: &[u8]) -> Option<Named> {
    let decoded = decode(1, u32::try_from(frame.len()).ok()?, frame).ok()?;
    let Network::Ip(ip) = decoded.network else {
        return None;
    };
    let strip = |addr: [u8; 16]| {
        let v4 = addr.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        if v4 {
            addr[12..].to_vec()
        } else {
            addr.to_vec()
        }
    };
    let (src_port, dst_port) = match Transport::parse(ip.proto, ip.payload, ip.payload_len).ok()? {
        Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
        Transport::Udp(udp) => (udp.src_port, udp.dst_port),
        _ => return None,
    };
    Some((strip(ip.src), strip(ip.dst), ip.proto, src_port, dst_port))
}

proptest! {
    #[test]
    fn agrees_with_etherparse(
        v6 in any::<bool>(), tcp in any::<bool>(), tag in any::<bool>(),
        ports in any::<(u16, u16)>(), payload in prop::collection::vec(any::<u8>(), 0..60),
        pad in 0..10_usize,
    ) {
        use etherparse::PacketBuilder;
        let ether = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = |b: etherparse::PacketBuilderStep<etherparse::VlanHeader>| if v6 {
            b.ipv6([1; 16], [2; 16], 9)
        } else {
            b.ipv4([1; 4], [2; 4], 9)
        };
        let plain = |b: etherparse::PacketBuilderStep<etherparse::Ethernet2Header>| if v6 {
            b.ipv6([1; 16], [2; 16], 9)
        } else {
            b.ipv4([1; 4], [2; 4], 9)
        };
        let builder = if tag { ip(ether.single_vlan(5.try_into().unwrap())) } else { plain(ether) };
        let mut frame = Vec::new();
        if tcp {
            let builder = builder.tcp(ports.0, ports.1, 7, 8);
            frame.resize(builder.size(payload.len()), 0);
            builder.write_to_slice(&mut frame, &payload).unwrap();
        } else {
            let builder = builder.udp(ports.0, ports.1);
            frame.resize(builder.size(payload.len()), 0);
            builder.write_to_slice(&mut frame, &payload).unwrap();
        }
        frame.resize(frame.len() + pad, 0);
        prop_assert!(ours(&frame).is_some());
        prop_assert_eq!(ours(&frame), oracle(&frame));
        for len in 0..frame.len() {
            let wire_len = u32::try_from(frame.len()).unwrap();
            // Cut anywhere, it must not panic; what it still says must be the same.
            if let Ok(Frame { network: Network::Ip(ip), .. }) = decode(1, wire_len, &frame[..len]) {
                prop_assert_eq!(ip.proto, if tcp { 6 } else { 17 });
            }
        }
    }
}

/// Every frame of the classic little-endian Ethernet captures of the corpus, against etherparse.
#[test]
fn agrees_with_etherparse_over_the_corpus() {
    let Some(corpus) = std::env::var_os("TAPIR_CORPUS") else {
        return eprint_skip();
    };
    let mut compared = 0_u64;
    let mut files: Vec<_> = std::fs::read_dir(std::path::Path::new(&corpus).join("pcaps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.get(..4) != Some(&[0xd4, 0xc3, 0xb2, 0xa1]) || bytes.get(20..22) != Some(&[1, 0]) {
            continue;
        }
        let mut rest = bytes.get(24..).unwrap_or_default();
        while let Some((head, behind)) = rest.split_first_chunk::<16>() {
            let len = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
            let Some((frame, behind)) = behind.split_at_checked(len(8) as usize) else {
                break;
            };
            rest = behind;
            if len(8) == len(12)
                && let Some(theirs) = oracle(frame)
                && let Some(mine) = ours(frame)
            {
                assert_eq!(mine, theirs, "{}", path.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 100_000, "{compared}");
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn eprint_skip() {
    eprintln!("SKIPPED agrees_with_etherparse_over_the_corpus: TAPIR_CORPUS is not set");
}
