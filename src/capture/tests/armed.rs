//! The fast socket on a real kernel: armed pairs come whole, and only they; links come and go.

use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::sys::eventfd::EventFd;
use tapir_capture::{Armed, PAIRS_MAX, Received};

use crate::namespace::{add_cable, command, with_cable};
use crate::wire::{Wire, ipv4_between, ipv6, tagged, tcp};

/// Longer than anything here takes; waited out only by a test that fails.
const LONG: Duration = Duration::from_secs(10);
const NOW: Duration = Duration::ZERO;

const ELSEWHERE: [u8; 6] = [2, 0, 0, 0, 0, 3];

fn pair(a: &str, b: &str) -> (IpAddr, IpAddr) {
    (
        a.parse().expect("an address"),
        b.parse().expect("an address"),
    )
}

fn frame(from: u8, to: u8, tags: &[[u8; 4]], payload: &[u8]) -> Vec<u8> {
    let packet = ipv4_between(from, to, 6, 0, &tcp(1, 0x18, payload));
    tagged(ELSEWHERE, tags, [8, 0], &packet)
}

/// The next frame, which must come.
fn next(armed: &mut Armed, wake: &EventFd) -> (i64, u32, Vec<u8>) {
    let mut buffer = [0; 1_000];
    match armed.recv(&mut buffer, wake.as_fd(), LONG).expect("asks") {
        Received::Frame {
            ts_ns,
            wire_len,
            bytes,
        } => (ts_ns, wire_len, bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// Sends until a frame comes: after a link is up again the first ones may be lost on its way. At most
/// 1,000 waits of 10 ms.
fn comes_again(armed: &mut Armed, wake: &EventFd, peer: &mut Wire, frame: &[u8]) {
    let mut buffer = [0; 1_000];
    for _ in 0..1_000 {
        peer.try_send(frame);
        let wait = Duration::from_millis(10);
        if let Received::Frame { bytes, .. } =
            armed.recv(&mut buffer, wake.as_fd(), wait).expect("asks")
        {
            assert_eq!(bytes, frame);
            // Those sent before it that came late.
            while idle(armed, wake) == "frame" {}
            return;
        }
    }
    panic!("nothing came again");
}

/// What there is besides frames, at once.
fn idle(armed: &mut Armed, wake: &EventFd) -> &'static str {
    let mut buffer = [0; 100];
    match armed.recv(&mut buffer, wake.as_fd(), NOW).expect("asks") {
        Received::Frame { .. } => "frame",
        Received::Woken => "woken",
        Received::Timeout => "timeout",
        Received::LinkDown => "down",
        Received::Gone => "gone",
    }
}

/// Frames of armed pairs come in order, byte for byte, tags put back; those of others do not; with
/// nothing armed what is queued is forgotten.
#[test]
fn armed_pairs_come() {
    with_cable("armed::armed_pairs_come", &[], || {
        let wake = EventFd::new().expect("a descriptor");
        let mut armed = Armed::open("tap0").expect("opens");
        let mut peer = Wire::open("peer0");
        peer.send(&frame(1, 2, &[], b"before anything is armed"));
        assert_eq!(idle(&mut armed, &wake), "timeout");
        let pairs = [
            pair("10.0.0.2", "10.0.0.1"),
            pair("2001:db8::1", "2001:db8::2"),
        ];
        armed.watch(&pairs).expect("armed");
        let (outer, inner) = ([0x88, 0xa8, 0x60, 5], [0x81, 0, 0x0f, 0xff]);
        let (zero, legacy) = ([0x81, 0, 0x20, 0], [0x91, 0, 0, 9]);
        let six = |tags: &[[u8; 4]]| {
            let packet = ipv6(6, &tcp(1, 0x18, b"six"));
            tagged(ELSEWHERE, tags, [0x86, 0xdd], &packet)
        };
        let good = [
            frame(1, 2, &[], b"one way"),
            frame(2, 1, &[], b"the other"),
            frame(1, 2, &[inner], b""),
            frame(1, 2, &[zero], b"priority"),
            frame(2, 1, &[outer, inner], b"two tags"),
            frame(2, 1, &[legacy, inner], b"two, an old one outside"),
            six(&[]),
            six(&[inner]),
            six(&[outer, inner]),
            frame(1, 2, &[inner], &[7; 1_400]),
        ];
        let mut last_ns = 0;
        for good in &good {
            peer.send(&frame(1, 3, &[], b"one end"));
            peer.send(&frame(3, 2, &[inner], b"the other end"));
            peer.send(good);
            peer.send(&tagged(ELSEWHERE, &[], [8, 6], &[0; 28]));
            let (ts_ns, wire_len, bytes) = next(&mut armed, &wake);
            assert_eq!(wire_len as usize, good.len());
            assert_eq!(
                bytes,
                good[..good.len().min(1_000 - 4 * usize::from(good[12] != 0x81))]
            );
            // Later than 2020, and in order.
            assert!(ts_ns >= last_ns.max(1_577_836_800_000_000_000), "{ts_ns}");
            last_ns = ts_ns;
        }
        assert_eq!(idle(&mut armed, &wake), "timeout");

        // Queued for a pair that is disarmed with all others: never read.
        peer.send(&good[0]);
        armed.watch(&[]).expect("disarmed");
        peer.send(&good[0]);
        armed.watch(&[pair("10.0.0.3", "10.0.0.1")]).expect("armed");
        peer.send(&good[0]);
        peer.send(&frame(1, 3, &[], b"the new pair"));
        assert_eq!(next(&mut armed, &wake).2, frame(1, 3, &[], b"the new pair"));

        // A full list is taken by the kernel, of either family, and its last pair works.
        for v6 in [false, true] {
            let mut many: Vec<_> = (1..PAIRS_MAX)
                .map(|i| match v6 {
                    true => pair(&format!("2001:db8:1::{i:x}"), "2001:db8::2"),
                    false => pair(&format!("10.9.{}.{}", i / 200, i % 200), "10.0.0.2"),
                })
                .collect();
            many.push(pairs[usize::from(v6)]);
            armed.watch(&many).expect("armed");
            let expected = if v6 { &good[8] } else { &good[4] };
            peer.send(expected);
            assert_eq!(next(&mut armed, &wake).2, *expected);
        }
        assert_eq!(armed.lost(), 0);
    });
}

/// The wake-up descriptor ends the wait, also while frames come; a queue that runs over counts.
#[test]
fn wakes_and_loses_counted() {
    with_cable("armed::wakes_and_loses_counted", &[], || {
        let wake = EventFd::new().expect("a descriptor");
        let mut armed = Armed::open("tap0").expect("opens");
        let mut peer = Wire::open("peer0");
        wake.write(1).expect("woken");
        assert_eq!(idle(&mut armed, &wake), "woken");
        assert_eq!(idle(&mut armed, &wake), "woken");
        armed.watch(&[pair("10.0.0.1", "10.0.0.2")]).expect("armed");
        const SENT: u64 = 20_000;
        let frame = frame(1, 2, &[], &[7; 1_200]);
        for _ in 0..SENT {
            peer.send(&frame);
        }
        let (mut frames, mut woken, mut in_a_row) = (0, 0, 0);
        loop {
            match idle(&mut armed, &wake) {
                "frame" => {
                    frames += 1;
                    in_a_row += 1;
                    assert!(in_a_row < 100, "woken too late");
                }
                "woken" => {
                    woken += 1;
                    in_a_row = 0;
                    if frames + armed.lost() == SENT {
                        break;
                    }
                }
                other => panic!("{other}"),
            }
        }
        assert!(woken > 10 && armed.lost() > 0, "{woken} {}", armed.lost());
        wake.read().expect("drained");
        assert_eq!(idle(&mut armed, &wake), "timeout");
    });
}

/// Down is survived, and so is an interface that is taken away and made again, down or up, with
/// what is armed.
#[test]
fn links_come_and_go() {
    with_cable("armed::links_come_and_go", &[], || {
        let wake = EventFd::new().expect("a descriptor");
        let mut armed = Armed::open("tap0").expect("opens");
        armed.watch(&[pair("10.0.0.1", "10.0.0.2")]).expect("armed");
        let frame = frame(1, 2, &[], b"x");
        for takes_it_down_first in [false, true] {
            let mut peer = Wire::open("peer0");
            command("ip", &["link", "set", "tap0", "down"]);
            assert_eq!(idle(&mut armed, &wake), "down");
            assert_eq!(idle(&mut armed, &wake), "down");
            command("ip", &["link", "set", "tap0", "up"]);
            comes_again(&mut armed, &wake, &mut peer, &frame);
            if takes_it_down_first {
                command("ip", &["link", "set", "tap0", "down"]);
                assert_eq!(idle(&mut armed, &wake), "down");
            }
            command("ip", &["link", "del", "tap0"]);
            if !takes_it_down_first {
                assert_eq!(idle(&mut armed, &wake), "gone");
                assert_eq!(idle(&mut armed, &wake), "gone");
            }
            add_cable("tap0", "peer0");
            // The first look may still be at the one that went.
            let seen = [idle(&mut armed, &wake), idle(&mut armed, &wake)];
            assert_eq!(seen[1], "timeout", "{seen:?}");
            let mut peer = Wire::open("peer0");
            comes_again(&mut armed, &wake, &mut peer, &frame);
        }
        let error = Armed::open("absent0").unwrap_err().to_string();
        assert!(
            error.contains("absent0: there is no such interface"),
            "{error}"
        );
    });
}
