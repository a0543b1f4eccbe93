//! Copies of packets against packets that are sent again.
//!
//! What it shows: of a doubled mirror at most one packet in a thousand counts twice, of senders who
//! repeat themselves at most one in a thousand is left out. How: each traffic is fed once as it is and
//! once as a mirror would show it, and the totals are compared; they are known from the loops below.

use super::*;

const US: i64 = 1_000;

/// What was sent, at which nanosecond.
type Sent = Vec<(i64, Vec<u8>)>;

/// Packets of all flows together, and the copies.
fn counted(sent: &Sent) -> (u64, u64) {
    let mut bench = Bench::new();
    for (ns, frame) in sent {
        let len = u32::try_from(frame.len()).unwrap();
        let ts = Timestamp::from_nanos(*ns);
        bench.tracker.packet(ts, 1, len, frame, &mut bench.out);
    }
    bench.finish(10_000_000);
    let sum = |name| -> u64 {
        let texts = bench.conns(name);
        texts.iter().map(|n| n.parse::<u64>().unwrap()).sum()
    };
    let packets = sum("orig_pkts") + sum("resp_pkts");
    let stats = bench.tracker.stats();
    assert_eq!(
        packets + stats.duplicate,
        stats.packets,
        "sent is processed and duplicate"
    );
    (packets, stats.duplicate)
}

/// Every packet again `ns` later, changed as a router on the way would: TTL one less, checksums new.
fn doubled(sent: &Sent, ns: i64) -> Sent {
    let mut all = sent.clone();
    all.extend(sent.iter().map(|(ts, frame)| {
        let mut copy = frame.clone();
        copy[0..12].copy_from_slice(&[2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2]);
        copy[22] -= 1;
        (copy[24], copy[25]) = (0xab, 0xcd);
        let sum_at = if copy[23] == 6 { 50 } else { 40 };
        (copy[sum_at], copy[sum_at + 1]) = (0x12, 0x34);
        (ts + ns, copy)
    }));
    all.sort_by_key(|(ts, _)| *ts);
    all
}

/// Flows short and long: 200 questions with answers, 40 downloads of 60 segments in bursts.
fn office() -> Sent {
    let mut sent = Sent::new();
    for n in 0..200_u16 {
        let at = i64::from(n) * 7 * MS;
        let client = ([10, 0, 0, 1], 20_000 + n);
        let server = ([10, 0, 0, 53], 5_353);
        sent.push((at, udp(client, server, n + 1, &n.to_be_bytes())));
        sent.push((at + 400 * US, udp(server, client, n + 1, &[7; 40])));
    }
    for n in 0..40_u16 {
        let at = i64::from(n) * 31 * MS;
        let client = ([10, 0, 1, 1], 30_000 + n);
        let hello = [("S", 0, 0), ("A", 1, 1)];
        for (flags, seq, ack) in hello {
            sent.push((
                at + i64::from(seq) * 300 * US,
                tcp(client, SERVER, flags, seq, ack, b""),
            ));
        }
        sent.push((at + 200 * US, tcp(SERVER, client, "SA", 0, 1, b"")));
        for segment in 0..60_u32 {
            let ts = at + 400 * US + i64::from(segment) * 12 * US;
            let seq = 1 + segment * 500;
            sent.push((ts, tcp(SERVER, client, "A", seq, 1, &[1; 500])));
            if segment % 2 == 1 {
                sent.push((ts + 3 * US, tcp(client, SERVER, "A", 1, seq + 500, b"")));
            }
        }
    }
    sent.sort_by_key(|(ts, _)| *ts);
    sent
}

#[test]
fn a_doubled_mirror_counts_each_packet_once_at_any_distance() {
    let sent = office();
    let all = u64::try_from(sent.len()).unwrap();
    assert_eq!(counted(&sent), (all, 0));
    for us in [1, 20, 150, 600, 1_000, 1_900] {
        let (packets, copies) = counted(&doubled(&sent, us * US));
        assert!(packets - all <= all / 1_000, "{us} µs: {packets} of {all}");
        assert_eq!(packets + copies, 2 * all);
    }
}

#[test]
fn a_loop_that_shows_everything_three_times_is_seen_through() {
    let sent = office();
    let mut all = doubled(&sent, 5 * US);
    all.extend(
        doubled(&sent, 9 * US)
            .into_iter()
            .filter(|(_, f)| f[1] == 9),
    );
    all.sort_by_key(|(ts, _)| *ts);
    let (packets, _) = counted(&all);
    let once = u64::try_from(sent.len()).unwrap();
    // Short flows are taken for doubled ones, so that a third copy of them counts.
    assert!(packets < once * 3 / 2, "{packets} of {once}");
}

/// `n` frames, one every `ns`.
fn flood(n: i64, ns: i64, frame: impl Fn(u16) -> Vec<u8>) -> Sent {
    let number = |k: i64| u16::try_from(k % 65_536).unwrap();
    (0..n).map(|k| (k * ns, frame(number(k)))).collect()
}

#[test]
fn what_is_sent_again_and_again_counts() {
    let other = ([10, 0, 0, 9], 9_999);
    let ping = |seq: u16| {
        let mut body = vec![8, 0, 0, 0, 0, 1];
        body.extend(seq.to_be_bytes());
        body.extend([b'a'; 32]);
        ipv4(CLIENT.0, SERVER.0, 1, 0, 0x4000, &body)
    };
    let keep_alive = || tcp(CLIENT, SERVER, "A", 99, 7, b"");
    for us in [1, 10, 130, 300, 700, 1_000, 1_500, 1_990, 2_500] {
        let floods: [(&str, Sent); 7] = [
            (
                "one UDP packet",
                flood(20_000, us * US, |_| udp(CLIENT, other, 0, b"x")),
            ),
            (
                "two in turn",
                flood(20_000, us * US, |n| udp(CLIENT, other, 0, &[(n % 2) as u8])),
            ),
            (
                "three in turn",
                flood(20_000, us * US, |n| udp(CLIENT, other, 0, &[(n % 3) as u8])),
            ),
            (
                "an echo with the same number",
                flood(20_000, us * US, |_| ping(1)),
            ),
            ("echoes", flood(20_000, us * US, ping)),
            ("keep-alives", flood(20_000, us * US, |_| keep_alive())),
            (
                "a flow for every packet",
                flood(900, us * US, |n| udp(CLIENT, (other.0, n + 1), 0, b"x")),
            ),
        ];
        for (what, sent) in floods {
            let all = u64::try_from(sent.len()).unwrap();
            let (packets, _) = counted(&sent);
            assert!(
                all - packets <= all / 1_000,
                "{what} every {us} µs: {packets} of {all}"
            );
        }
    }
}

/// DHCP's first two messages, from a client that answers an offer within 2 ms: of 300 bytes the last few
/// differ.
#[test]
fn messages_that_differ_at_their_end_are_no_copies() {
    let message = |last: u8| {
        let mut body = vec![0; 300];
        body[299] = last;
        udp(([0, 0, 0, 0], 68), ([255; 4], 67), 0, &body)
    };
    let sent = vec![(0, message(1)), (700 * US, message(3))];
    assert_eq!(counted(&sent), (2, 0));
}

/// Segments repeated at once, as a sender with a short timer does, now and then in a long flow.
#[test]
fn retransmissions_count() {
    let mut sent = Sent::new();
    for n in 0..4_000_u32 {
        let at = i64::from(n) * MS;
        let segment = tcp(CLIENT, SERVER, "A", n * 100, 1, &[5; 100]);
        sent.push((at, segment.clone()));
        if n % 10 == 0 {
            sent.push((at + 300 * US, segment));
        }
    }
    let all = u64::try_from(sent.len()).unwrap();
    assert_eq!(counted(&sent), (all, 0));
}

/// The copy carries another tag: two flows, as tags are part of what makes a flow, but it is told.
#[test]
fn copies_with_another_tag_are_told() {
    let mut sent = Sent::new();
    for n in 0..20_u16 {
        let frame = udp(CLIENT, SERVER, n, &[3; 20]);
        let mut copy = frame.clone();
        copy.splice(12..12, [0x81, 0, 0, 30]);
        sent.push((i64::from(n) * 10 * MS, frame));
        sent.push((i64::from(n) * 10 * MS + 40 * US, copy));
    }
    let mut bench = Bench::new();
    for (ns, frame) in &sent {
        let len = u32::try_from(frame.len()).unwrap();
        bench
            .tracker
            .packet(Timestamp::from_nanos(*ns), 1, len, frame, &mut bench.out);
    }
    bench.finish(1_000);
    assert_eq!(bench.conns("orig_pkts"), ["20", "20"]);
    // The flow that came second knows of the first.
    assert_eq!(bench.conns("other_vlan"), ["None", "0"]);
}
