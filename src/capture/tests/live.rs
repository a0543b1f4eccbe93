//! Frames through real kernels: what is sent into a veth pair comes out of the ring.
//!
//! How: each test runs in a network namespace of its own ([`crate::veth`]), where frames are sent
//! into `out` and captured on `tap`. Needs root, `unshare` and `ip`; else a test says SKIPPED.

use std::process::Command;

use pcap::Capture;
use tapir_capture::{
    Epochs, Frame, Link, LinkType, LiveError, PcapLive, Reserve, Ring, RingOptions, Source,
    SourceError, SystemClocks, dealt_to, switch_offloads_off,
};

use crate::veth::{in_namespace, ip, pair, sender};

fn small(queues: usize) -> RingOptions {
    RingOptions {
        queues,
        blocks: 16,
        block_bytes: 64 * 1024,
        ..RingOptions::new("tap")
    }
}

fn open(options: &RingOptions, sockets: usize) -> Vec<Ring> {
    let reserve = Reserve::open(sockets).expect("sockets");
    let epochs = Epochs::new(Box::new(SystemClocks));
    Ring::open(reserve, options, &epochs).expect("a ring")
}

/// Reads until `count` frames have come, for at most 10 s of idling.
fn read(ring: &mut Ring, count: usize) -> Vec<Vec<u8>> {
    read_for(ring, count, 1_000)
}

/// Reads until `count` frames have come or the ring was found empty `idle_max` times.
fn read_for(ring: &mut Ring, count: usize, idle_max: usize) -> Vec<Vec<u8>> {
    let (mut frames, mut idle, mut latest) = (Vec::new(), 0, i64::MIN);
    while frames.len() < count && idle < idle_max {
        match ring.next().expect("a ring that goes on") {
            Some(frame) => {
                let Frame {
                    ts_ns,
                    wire_len,
                    link,
                    epoch,
                    bytes,
                } = frame;
                assert!(ts_ns >= latest && !epoch && link == LinkType::ETHERNET);
                assert_eq!(wire_len as usize, bytes.len());
                latest = ts_ns;
                frames.push(bytes.to_vec());
            }
            None => idle += 1,
        }
    }
    frames
}

/// Whether the ring stays empty while it is asked ten times, 10 ms each.
fn stays_empty(ring: &mut Ring) -> bool {
    (0..10).all(|_| ring.next().expect("a ring that goes on").is_none())
}

/// Whether the interface gets to this state, which the kernel tells up to a second later.
fn becomes(ring: &mut Ring, link: Link) -> bool {
    (0..50).any(|_| stays_empty(ring) && ring.link() == link)
}

/// A frame with these tags and EtherType, numbered in its payload.
fn frame(tags: &[u16], ethertype: u16, packet: &[u8], number: u8) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    for (at, tag) in tags.iter().enumerate() {
        frame.extend(tag.to_be_bytes());
        frame.extend([0xe0, 10 + u8::try_from(at).expect("few tags")]);
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(packet);
    frame.resize(frame.len().max(60), 0);
    frame.push(number);
    frame
}

fn ipv4(from: u8, to: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    packet.extend([10, 0, 0, from, 10, 0, 0, to]);
    packet.extend([0; 20]);
    packet
}

fn ipv6(from: [u8; 16], to: [u8; 16]) -> Vec<u8> {
    [&[0x60, 0, 0, 0, 0, 0, 59, 64][..], &from, &to].concat()
}

fn mapped(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, last]);
    address
}

/// Every way a frame may be built that dealing looks into, and some it does not.
fn odd_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for from in 0..24_u8 {
        let mut address = [0x20; 16];
        address[15] = from;
        let snap = |kind: u16, packet: Vec<u8>| {
            [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind.to_be_bytes(), &packet].concat()
        };
        let (v4, v6) = (ipv4(from, 9), ipv6(address, [7; 16]));
        for tags in [
            &[][..],
            &[0x8100],
            &[0x88a8],
            &[0x9100],
            &[0x88a8, 0x8100],
            &[0x8100, 0x8100, 0x8100],
            &[0x8100, 0x8100, 0x8100, 0x8100],
            &[0x9100, 0x8100, 0x8100, 0x8100],
            &[0x8100, 0x8100, 0x8100, 0x8100, 0x8100],
            &[0x9100, 0x8100, 0x8100, 0x8100, 0x8100],
        ] {
            frames.push(frame(tags, 0x0800, &v4, from));
            frames.push(frame(tags, 0x86dd, &v6, from));
            frames.push(frame(tags, 0x86dd, &ipv6(mapped(from), mapped(9)), from));
            frames.push(frame(tags, 60, &snap(0x0800, v4.clone()), from));
            frames.push(frame(tags, 60, &snap(0x86dd, v6.clone()), from));
            frames.push(frame(tags, 60, &snap(0x0806, v4.clone()), from));
            frames.push(frame(tags, 0x05dd, &snap(0x0800, v4.clone()), from));
            frames.push(frame(tags, 0x0806, &v4, from));
        }
        // IPv4 that says 6, IPv6 that says 4, and packets cut short.
        frames.push(frame(&[], 0x0800, &v6, from));
        frames.push(frame(&[], 0x86dd, &v4, from));
        for len in [15, 33, 34, 40, 53] {
            for whole in [frame(&[], 0x0800, &v4, from), frame(&[], 0x86dd, &v6, from)] {
                frames.push(whole[..len].to_vec());
            }
        }
    }
    frames
}

#[test]
fn frames_arrive_as_they_were_sent() {
    in_namespace("frames_arrive_as_they_were_sent", || {
        let mut ring = open(&small(1), 1).remove(0);
        let mut out = sender();
        let sent = odd_frames();
        for chunk in sent.chunks(200) {
            for frame in chunk {
                out.sendpacket(&frame[..]).expect("a frame sent");
            }
            assert!(read(&mut ring, chunk.len()) == *chunk, "frames differ");
        }
        // What goes the other way is not captured.
        let mut tap = Capture::from_device("tap")
            .expect("tap")
            .open()
            .expect("libpcap on `tap`");
        tap.sendpacket(&sent[0][..]).expect("a frame sent");
        assert!(stays_empty(&mut ring));
        let counts = ring.counts();
        assert_eq!(counts.packets, sent.len() as u64);
        assert!(counts.tags > 0 && counts.bytes > 0);
        assert_eq!((counts.dropped, counts.snapped, counts.over_mtu), (0, 0, 0));
        assert_eq!((counts.clock.clamped, counts.clock.weird_time), (0, 0));
        // An idle ring's watermark goes on with the clock.
        let before = ring.watermark_ns();
        assert!(stays_empty(&mut ring));
        assert!(ring.watermark_ns() > before);
    });
}

#[test]
fn queues_are_dealt_to_as_files_are() {
    in_namespace("queues_are_dealt_to_as_files_are", || {
        let mut rings = open(&small(3), 3);
        let mut out = sender();
        let (mut seen, mut sent) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
        for chunk in odd_frames().chunks(100) {
            for bytes in chunk {
                out.sendpacket(&bytes[..]).expect("a frame sent");
                let wire_len = u32::try_from(bytes.len()).expect("a frame");
                let frame = Frame {
                    ts_ns: 0,
                    wire_len,
                    link: LinkType::ETHERNET,
                    epoch: false,
                    bytes,
                };
                sent[dealt_to(&frame, 3)].push(bytes.clone());
            }
            for (queue, ring) in rings.iter_mut().enumerate() {
                let missing = sent[queue].len() - seen[queue].len();
                seen[queue].extend(read(ring, missing));
            }
        }
        assert!(
            sent.iter().all(|queue| queue.len() > 100),
            "all queues are used"
        );
        for (queue, ring) in rings.iter_mut().enumerate() {
            assert!(seen[queue] == sent[queue], "queue {queue} differs");
            assert!(stays_empty(ring));
        }
    });
}

#[test]
fn what_the_ring_cannot_hold_is_counted() {
    in_namespace("what_the_ring_cannot_hold_is_counted", || {
        let options = RingOptions {
            blocks: 2,
            block_bytes: 16 * 1024,
            ..small(1)
        };
        let mut ring = open(&options, 1).remove(0);
        let mut out = sender();
        let sent = frame(&[], 0x0800, &vec![0x45; 1_400], 0);
        for _ in 0..500 {
            out.sendpacket(&sent[..]).expect("a frame sent");
        }
        let mut read_count = read_for(&mut ring, 500, 30).len() as u64;
        let counts = ring.counts();
        assert!(counts.dropped > 0 && counts.freezes > 0, "{counts:?}");
        assert_eq!(read_count + counts.dropped, 500);
        // It goes on, and the figures add up over several readings.
        for _ in 0..500 {
            out.sendpacket(&sent[..]).expect("a frame sent");
        }
        read_count += read_for(&mut ring, 500, 30).len() as u64;
        let counts = ring.counts();
        assert_eq!(read_count + counts.dropped, 1_000);
        assert_eq!(counts.packets, read_count);
    });
}

#[test]
fn a_link_that_goes_and_comes_is_survived() {
    in_namespace("a_link_that_goes_and_comes_is_survived", || {
        for queues in [1, 2] {
            let mut rings = open(&small(queues), queues);
            assert!(becomes(&mut rings[0], Link::Up));
            for end in ["out", "tap"] {
                ip(&format!("link set {end} down"));
                assert!(becomes(&mut rings[0], Link::Down));
                assert!(rings.iter_mut().all(stays_empty));
                ip(&format!("link set {end} up"));
                assert!(becomes(&mut rings[0], Link::Up));
                deals(&mut rings);
            }
            assert_eq!(rings[0].counts().reopened, 0);
        }
    });
}

/// Frames of 16 pairs come out of the queues they are dealt to.
fn deals(rings: &mut [Ring]) {
    let mut out = sender();
    let mut sent = vec![Vec::new(); rings.len()];
    for from in 0..16 {
        let bytes = frame(&[], 0x0800, &ipv4(from, 99), from);
        out.sendpacket(&bytes[..]).expect("a frame sent");
        let link = LinkType::ETHERNET;
        let frame = Frame {
            ts_ns: 0,
            wire_len: 61,
            link,
            epoch: false,
            bytes: &bytes,
        };
        sent[dealt_to(&frame, rings.len())].push(bytes);
    }
    for (ring, sent) in rings.iter_mut().zip(&sent) {
        assert_eq!(read(ring, sent.len()), *sent);
        assert!(stays_empty(ring));
    }
}

#[test]
fn an_interface_made_anew_is_opened_anew() {
    in_namespace("an_interface_made_anew_is_opened_anew", || {
        for queues in [1, 2] {
            // A lone queue binds its one socket again, a group needs fresh ones each time.
            let mut rings = open(&small(queues), if queues == 1 { 1 } else { 3 * queues });
            for times in 1..=2 {
                ip("link del out");
                assert!(rings.iter_mut().all(stays_empty));
                assert_eq!(rings[0].link(), Link::Gone);
                pair();
                assert!(rings.iter_mut().all(stays_empty));
                assert!(becomes(&mut rings[0], Link::Up));
                deals(&mut rings);
                assert!(rings.iter_mut().all(|ring| ring.counts().reopened == times));
            }
            if queues == 1 {
                continue;
            }
            assert_eq!(rings[0].reserve_left(), 0);
            ip("link del out");
            assert!(stays_empty(&mut rings[0]));
            pair();
            let error = (0..10)
                .find_map(|_| rings[0].next().err())
                .expect("no socket is left");
            let text = error.to_string();
            assert!(
                matches!(error, SourceError::Live(LiveError::ReserveUsedUp { .. })),
                "{text}"
            );
        }
    });
}

#[test]
fn filters_hold_for_frames_as_they_were_on_the_wire() {
    in_namespace("filters_hold_for_frames_as_they_were_on_the_wire", || {
        let plain = frame(&[], 0x0800, &ipv4(1, 2), 0);
        let tagged = frame(&[0x8100], 0x0800, &ipv4(1, 2), 1);
        let twice = frame(&[0x88a8, 0x8100], 0x0800, &ipv4(1, 2), 2);
        let arp = frame(&[], 0x0806, &[0; 28], 3);
        let mut other = plain.clone();
        other[11] = 9;
        let sent = [&plain, &tagged, &twice, &arp, &other];
        for (filter, not_from, expected) in [
            (Some("tcp"), None, vec![&plain, &other]),
            (Some("vlan 10"), None, vec![&tagged, &twice]),
            (Some("vlan 10 and tcp"), None, vec![&tagged]),
            (Some("vlan 10 and vlan 11 and tcp"), None, vec![&twice]),
            (Some("arp"), Some([2, 0, 0, 0, 0, 9]), vec![&arp]),
            (
                None,
                Some([2, 0, 0, 0, 0, 9]),
                vec![&plain, &tagged, &twice, &arp],
            ),
            (Some("tcp"), Some([2, 0, 0, 0, 0, 9]), vec![&plain]),
            // Reads across the tag, so the queue itself filters.
            (Some("ether[13:2] = 0x600"), None, vec![&arp]),
        ] {
            let filter = filter.map(str::to_owned);
            let options = RingOptions {
                filter,
                not_from,
                ..small(1)
            };
            let mut ring = open(&options, 1).remove(0);
            let mut out = sender();
            for frame in sent {
                out.sendpacket(&frame[..]).expect("a frame sent");
            }
            let expected: Vec<_> = expected.into_iter().cloned().collect();
            assert_eq!(read(&mut ring, expected.len()), expected, "{options:?}");
            assert!(stays_empty(&mut ring));
            let filtered = ring.counts().filtered;
            let ours = options.filter.is_some_and(|filter| filter.contains('['));
            assert_eq!(filtered, if ours { 4 } else { 0 });
        }
    });
}

#[test]
fn what_is_wrong_is_said() {
    in_namespace("what_is_wrong_is_said", || {
        let refused = |options: RingOptions| {
            let reserve = Reserve::open(2).expect("sockets");
            let epochs = Epochs::new(Box::new(SystemClocks));
            let error = Ring::open(reserve, &options, &epochs).expect_err("a refusal");
            error.to_string()
        };
        assert_eq!(
            refused(RingOptions::new("tab")),
            "tab: no such interface; there are lo, out, tap; did you mean tap?"
        );
        assert!(refused(RingOptions::new("a name no interface can have")).contains("no such"));
        ip("link set tap down");
        assert_eq!(
            refused(small(1)),
            "tap: the interface is down; bring it up with `ip link set tap up`"
        );
        ip("link set tap up");
        assert!(refused(small(0)).starts_with("queues = 0 is not possible"));
        assert!(refused(small(3)).contains("no socket is left"));
        let odd = RingOptions {
            block_bytes: 5_000,
            ..small(1)
        };
        assert!(refused(odd).starts_with("block_bytes = 5000"));
        let filter = Some("tcp prot 80".to_owned());
        assert!(refused(RingOptions { filter, ..small(1) }).starts_with("filter `tcp prot 80`"));
        assert!(switch_offloads_off("nothing0").is_err());
        let still_on = switch_offloads_off("tap").expect("tap is there");
        assert!(
            still_on.iter().all(|line| line.starts_with("tap: ")),
            "{still_on:?}"
        );
        let output = Command::new("ethtool").args(["-k", "tap"]).output();
        if let Ok(output) = output {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("generic-receive-offload: off"), "{text}");
        }
    });
}

#[test]
fn libpcap_gives_the_same_frames() {
    in_namespace("libpcap_gives_the_same_frames", || {
        let options = RingOptions {
            not_from: Some([2, 0, 0, 0, 0, 9]),
            ..RingOptions::new("tap")
        };
        let epochs = Epochs::new(Box::new(SystemClocks));
        let mut source = PcapLive::open(&options, &epochs).expect("libpcap on `tap`");
        let mut out = sender();
        let mut sent = odd_frames();
        sent.truncate(300);
        let mut own = sent[0].clone();
        own[11] = 9;
        out.sendpacket(&own[..]).expect("a frame sent");
        for frame in &sent {
            out.sendpacket(&frame[..]).expect("a frame sent");
        }
        let (mut seen, mut idle) = (Vec::new(), 0);
        while seen.len() < sent.len() && idle < 1_000 {
            match source.next().expect("a source that goes on") {
                Some(frame) => seen.push(frame.bytes.to_vec()),
                None => idle += 1,
            }
        }
        assert!(seen == sent, "frames differ");
        let before = source.watermark_ns();
        assert!((0..10).all(|_| source.next().expect("a source that goes on").is_none()));
        assert!(source.watermark_ns() > before && !source.ended());
        let counts = source.counts();
        assert_eq!((counts.packets, counts.dropped), (300, 0));
        assert_eq!((counts.clock.clamped, counts.clock.weird_time), (0, 0));
        let error = PcapLive::open(&RingOptions::new("tab"), &epochs).expect_err("a refusal");
        assert!(error.to_string().contains("did you mean tap?"), "{error}");
        ip("link del out");
        let error = (0..100)
            .find_map(|_| source.next().err())
            .expect("the interface is gone");
        assert!(error.to_string().starts_with("tap: "), "{error}");
    });
}

/// Only making the sockets needs a privilege: what comes after is done as nobody.
#[test]
fn a_reserve_is_used_without_privilege() {
    in_namespace("a_reserve_is_used_without_privilege", || {
        let reserve = Reserve::open(2).expect("sockets");
        let nobody = nix::unistd::Uid::from_raw(65_534);
        nix::unistd::setresuid(nobody, nobody, nobody).expect("nobody");
        let error = Reserve::open(1).expect_err("no privilege");
        assert!(error.to_string().contains("CAP_NET_RAW"), "{error}");
        let epochs = Epochs::new(Box::new(SystemClocks));
        let filter = Some("tcp or arp".to_owned());
        let options = RingOptions { filter, ..small(2) };
        let mut rings = Ring::open(reserve, &options, &epochs).expect("two rings");
        assert!(rings.iter_mut().all(stays_empty));
        assert!(becomes(&mut rings[0], Link::Up));
    });
}
