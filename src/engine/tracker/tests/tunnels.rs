//! Packets inside packets: which flows there are, and what is said of them.

use super::*;

/// An inner datagram between client and server.
fn inner() -> Vec<u8> {
    udp(CLIENT, SERVER, 1, b"hi")
}

/// An outer datagram between two ends of a tunnel.
fn outer(port: u16, head: &[u8], body: &[u8]) -> Vec<u8> {
    let (from, to) = (([192, 0, 2, 1], 50_000), ([192, 0, 2, 2], port));
    udp(from, to, 2, &[head, body].concat())
}

fn vxlan(vni: u8, frame: &[u8]) -> Vec<u8> {
    outer(4_789, &[8, 0, 0, 0, 0, 0, vni, 0], frame)
}

/// Tunnel and packets of every flow that has the server as its responder, sorted.
fn inner_flows(bench: &Bench) -> Vec<(String, String)> {
    let (tunnels, pkts) = (bench.conns("tunnel"), bench.conns("orig_pkts"));
    let mut flows: Vec<_> = tunnels.into_iter().zip(pkts).collect();
    flows.sort();
    flows
}

#[test]
fn a_tunnelled_flow_is_apart_from_others_with_its_ends() {
    let mut bench = Bench::new();
    bench
        .frame(0, &inner())
        .frame(1, &vxlan(1, &inner()))
        .frame(5, &vxlan(1, &inner()))
        .frame(6, &vxlan(2, &inner()))
        .frame(
            7,
            &ipv4([192, 0, 2, 1], [192, 0, 2, 2], 4, 3, 0, &inner()[14..]),
        )
        .finish(1_000);
    let flow = |tunnel: &str, pkts: &str| (tunnel.to_owned(), pkts.to_owned());
    // Without a tunnel: the bare flow, the datagrams of VXLAN, the packets of IP in IP.
    let expected = [
        flow("None", "1"),
        flow("None", "1"),
        flow("None", "3"),
        flow("ipip", "1"),
        flow("vxlan:1", "2"),
        flow("vxlan:2", "1"),
    ];
    assert_eq!(inner_flows(&bench), expected);
    let stats = bench.tracker.stats();
    let mut told = tapir_message::Stats::default();
    stats.add_to(&mut told);
    assert_eq!((told.packets, told.encapsulations["vxlan"]), (5, 3));
    assert_eq!(told.encapsulation_ids["vxlan"], [1, 2].into());
    assert_eq!((told.services["vxlan"], told.services["ipip"]), (1, 1));
    assert!(told.not_understood.is_empty() && told.malformed.is_empty());
}

#[test]
fn labels_of_both_directions_make_one_flow() {
    let labelled = |label: u8, frame: &[u8]| {
        let head = [
            &frame[..12],
            &[0x88, 0x47, 0, label >> 4, label << 4 | 1, 64],
        ]
        .concat();
        [&head[..], &frame[14..]].concat()
    };
    let mut bench = Bench::new();
    bench
        .frame(0, &labelled(16, &inner()))
        .frame(1, &labelled(17, &udp(SERVER, CLIENT, 1, b"yo")))
        .finish(1_000);
    assert_eq!(bench.conns("tunnel"), ["mpls:16"]);
    assert_eq!(bench.conns("conn_state"), ["SF"]);
    // Routers sent these frames: their addresses are not the stations'.
    assert_eq!(bench.out.iter().find_map(sighted), None);
}

/// Who is there, as an observation says, by itself or beside a flow's event.
fn sighted(observation: &Observation) -> Option<Sighting> {
    match &observation.body {
        Body::Sighting(told) => Some(*told),
        body => body.event()?.sighting(&observation.flow),
    }
}

#[test]
fn the_inner_frame_tells_who_is_there_and_the_router_does_not() {
    let station = |bench: &Bench| -> Vec<(u8, bool)> {
        let told = bench.out.iter().filter_map(sighted);
        told.map(|told| (told.mac.0[5], told.ip.is_some()))
            .collect()
    };
    let mut bench = Bench::new();
    bench.frame(0, &vxlan(1, &inner()));
    assert_eq!(
        station(&bench),
        [(1, true), (1, true)],
        "outer sender and inner sender"
    );
    let mut bench = Bench::new();
    bench.frame(
        0,
        &ipv4([192, 0, 2, 9], [192, 0, 2, 2], 4, 3, 0, &inner()[14..]),
    );
    assert_eq!(station(&bench), [(9, true)], "the outer sender alone");
}

#[test]
fn a_fifth_tunnel_is_counted_and_not_opened() {
    let mut bench = Bench::new();
    let mut frame = inner();
    for depth in 0..6 {
        bench.frame(depth, &frame);
        frame = vxlan(1, &frame);
    }
    bench.finish(1_000);
    let mut told = tapir_message::Stats::default();
    bench.tracker.stats().add_to(&mut told);
    assert_eq!(told.weird["exceeded_tunnel_max_depth"], 1);
    let deepest = bench
        .conns("tunnel")
        .into_iter()
        .map(|t| t.matches("vxlan").count())
        .max();
    assert_eq!(deepest, Some(4));
}

#[test]
fn a_tunnel_in_pieces_is_opened_when_it_is_whole() {
    let whole = vxlan(1, &inner());
    let body = &whole[34..];
    let piece = |at: usize, more: u16, bytes: &[u8]| {
        let position = u16::try_from(at / 8).unwrap() | more;
        ipv4([192, 0, 2, 1], [192, 0, 2, 2], 17, 9, position, bytes)
    };
    let mut bench = Bench::new();
    bench
        .frame(0, &piece(0, 0x2000, &body[..24]))
        .frame(1, &piece(24, 0, &body[24..]))
        .finish(1_000);
    assert!(bench.conns("tunnel").contains(&"vxlan:1".to_owned()));
    let mut told = tapir_message::Stats::default();
    bench.tracker.stats().add_to(&mut told);
    assert_eq!(told.weird["fragmented_tunnel"], 1);
    assert_eq!(told.encapsulations["ipv4_fragment"], 2);
}

/// RFC 9260: INIT (1) answered by INIT ACK (2), or by ABORT (6).
#[test]
fn an_association_is_answered_or_refused() {
    let sctp = |from: ([u8; 4], u16), to: ([u8; 4], u16), chunk: u8| {
        let mut body = Vec::new();
        body.extend(from.1.to_be_bytes());
        body.extend(to.1.to_be_bytes());
        body.extend([0, 0, 0, 5, 0, 0, 0, 0, chunk, 0, 0, 4]);
        ipv4(from.0, to.0, 132, 0, 0, &body)
    };
    let mut bench = Bench::new();
    bench
        .frame(0, &sctp(CLIENT, SERVER, 1))
        .frame(1, &sctp(SERVER, CLIENT, 2));
    let phases: Vec<_> = bench.phases().into_iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, [Phase::New, Phase::Answered]);
    bench.finish(1_000);
    assert_eq!(
        (bench.conns("proto"), bench.conns("conn_state")),
        (vec!["sctp".into()], vec!["SF".into()])
    );
    let mut bench = Bench::new();
    bench
        .frame(0, &sctp(CLIENT, SERVER, 1))
        .frame(1, &sctp(SERVER, CLIENT, 6));
    let phases: Vec<_> = bench.phases().into_iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, [Phase::New, Phase::Failed]);
    // Only the answer was seen.
    let mut bench = Bench::new();
    bench.frame(0, &sctp(SERVER, CLIENT, 2)).finish(1_000);
    assert_eq!(bench.conns("conn_state"), ["SHR"]);
}
