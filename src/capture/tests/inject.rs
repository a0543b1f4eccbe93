//! The injector and its port's egress filter on a real kernel: resets pass, nothing else does.
//!
//! How: frames are written to the injection descriptor itself, past every check of ours, and
//! counted at the other end of the cable. A last reset marks the end, as a cable keeps the order.

use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use tapir_capture::{Egress, EgressCounts, EgressError, Injector, ResetFrame, Sent};

use crate::namespace::{command, with_cable};
use crate::wire::{Wire, ipv4, ipv6, tagged, tcp};

/// Resets a second that no test here reaches by itself.
const AMPLE: u32 = 100_000;

/// The port under test and the far end of its cable.
struct Port {
    injector: Injector,
    peer: Wire,
}

impl Port {
    fn open() -> Self {
        Self {
            injector: Injector::open("tap0").expect("an injector"),
            peer: Wire::open("peer0"),
        }
    }

    /// A reset from the port's own address, behind `tags`; `mark` is its sequence number.
    fn reset(&self, tags: &[[u8; 4]], v6: bool, mark: u32) -> Vec<u8> {
        let segment = tcp(mark, 0x04, &[]);
        let (kind, packet) = if v6 {
            ([0x86, 0xdd], ipv6(6, &segment))
        } else {
            ([8, 0], ipv4(6, 0x4000, &segment))
        };
        tagged(self.injector.mac(), tags, kind, &packet)
    }

    /// Writes bytes to the descriptor as they are.
    fn write(&self, frame: &[u8]) -> Result<usize, Errno> {
        send(self.injector.as_fd().as_raw_fd(), frame, MsgFlags::empty())
    }

    /// Sends through the injector, which must know the frame for a reset.
    fn inject(&mut self, frame: &[u8]) -> Sent {
        let frame = ResetFrame::checked(frame, self.injector.mac()).expect("a reset");
        self.injector.send(&frame)
    }

    /// Sends a marked reset and gives all that came before it.
    fn arrived(&mut self) -> Vec<Vec<u8>> {
        let mark = self.reset(&[], false, 0xdead_beef);
        assert_eq!(self.inject(&mark), Sent::Ok);
        self.peer.until(&mark)
    }
}

const OUTER: [u8; 4] = [0x88, 0xa8, 0, 5];
const INNER: [u8; 4] = [0x81, 0, 0x20, 7];

/// Resets of all six layouts pass, byte for byte; every other frame is refused and never arrives.
#[test]
fn only_resets_leave() {
    with_cable("inject::only_resets_leave", &["nft"], || {
        let mut port = Port::open();
        let own = port.injector.mac();
        let egress = Egress::install("tap0", own, AMPLE).expect("installed");
        let layouts: [&[[u8; 4]]; 4] = [&[], &[INNER], &[OUTER], &[OUTER, INNER]];
        let mut good = Vec::new();
        for tags in layouts {
            for v6 in [false, true] {
                good.push(port.reset(tags, v6, 7));
            }
        }
        for frame in &good {
            assert_eq!(port.inject(frame), Sent::Ok);
        }
        assert_eq!(port.arrived(), good);

        let segment = tcp(7, 0x04, &[]);
        let v4 = |packet: &[u8]| tagged(own, &[], [8, 0], packet);
        let mut bad = vec![
            tagged(own, &[], [8, 6], &[0; 28]),
            tagged([2, 9, 9, 9, 9, 9], &[], [8, 0], &ipv4(6, 0, &segment)),
            v4(&ipv4(17, 0, &[0; 20])),
            v4(&ipv4(1, 0, &[0; 20])),
            v4(&ipv4(6, 0x2000, &segment)),
            v4(&ipv4(6, 0x0001, &segment)),
            v4(&ipv4(6, 0, &tcp(7, 0x04, b"payload"))),
            v4(&[&ipv4(6, 0, &segment)[..], b"behind"].concat()),
            tagged(own, &[OUTER, INNER, INNER], [8, 0], &ipv4(6, 0, &segment)),
            tagged(own, &[], [0x86, 0xdd], &ipv6(44, &segment)),
            tagged(own, &[], [0x86, 0xdd], &ipv6(17, &segment)),
            // IPv4 said to be IPv6, and the other way round.
            tagged(own, &[], [0x86, 0xdd], &ipv4(6, 0, &segment)),
            v4(&ipv6(6, &segment)),
        ];
        let mut options = v4(&ipv4(6, 0, &segment));
        options[14] = 0x46;
        bad.push(options);
        let mut group = v4(&ipv4(6, 0, &segment));
        group[0] |= 1;
        bad.push(group);
        for flags in [
            0x00, 0x02, 0x12, 0x10, 0x18, 0x05, 0x06, 0x0c, 0x24, 0x44, 0x84,
        ] {
            for tags in layouts {
                let segment = tcp(7, flags, &[]);
                bad.push(tagged(own, tags, [8, 0], &ipv4(6, 0, &segment)));
                bad.push(tagged(own, tags, [0x86, 0xdd], &ipv6(6, &segment)));
            }
        }
        for frame in &bad {
            assert_eq!(ResetFrame::checked(frame, own), None, "{frame:02x?}");
            assert_eq!(port.write(frame), Err(Errno::ENOBUFS), "{frame:02x?}");
        }
        assert_eq!(port.arrived(), Vec::<Vec<u8>>::new());
        let counts = EgressCounts {
            passed: good.len() as u64 + 2,
            refused: bad.len() as u64,
        };
        assert_eq!(egress.counts().expect("counts"), counts);
        assert_eq!(port.injector.counts().sent, counts.passed);

        // Installed once more, it counts from nothing; taken away, it can no longer be asked.
        Egress::install("tap0", own, AMPLE).expect("installed again");
        let again = Egress::installed("tap0").expect("there");
        assert_eq!(again.counts().expect("counts"), EgressCounts::default());
        assert_eq!(again.remove().map_err(|error| error.to_string()), Ok(()));
        assert!(matches!(
            Egress::installed("tap0"),
            Err(EgressError::Refused { .. })
        ));
    });
}

/// Asking the kernel to go past the queueing discipline does not go past the filter.
#[test]
fn no_way_round() {
    with_cable("inject::no_way_round", &["nft", "python3"], || {
        let mut port = Port::open();
        let own = port.injector.mac();
        let egress = Egress::install("tap0", own, AMPLE).expect("installed");
        // PACKET_QDISC_BYPASS is option 20 of SOL_PACKET, 263.
        let script = "import socket\n\
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)\n\
            s.bind(('tap0', 0))\n\
            s.setsockopt(263, 20, 1)\n\
            try:\n s.send(bytes(60))\n\
            except OSError: pass\n";
        command("python3", &["-c", script]);
        assert_eq!(port.arrived(), Vec::<Vec<u8>>::new());
        let counts = egress.counts().expect("counts");
        assert_eq!((counts.passed, counts.refused), (1, 1));
    });
}

/// More than the burst does not leave at once, whatever the layouts; the rest is counted. Stopped,
/// nothing leaves; allowed again, resets do.
#[test]
fn rate_and_stop() {
    with_cable("inject::rate_and_stop", &["nft"], || {
        let mut port = Port::open();
        // A reset a second: 64 sent at once meet an allowance of half a second, at least one.
        let egress = Egress::install("tap0", port.injector.mac(), 1).expect("installed");
        let mut refused = 0;
        for index in 0..64 {
            let frame = port.reset(&[OUTER][..index % 2], index % 4 < 2, 1);
            match port.inject(&frame) {
                Sent::Ok => {}
                Sent::Refused => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(refused >= 32, "{refused} of 64 refused");
        let counts = egress.counts().expect("counts");
        assert_eq!((counts.passed, counts.refused), (64 - refused, refused));
        assert_eq!(port.injector.counts().refused, refused);

        let egress = Egress::install("tap0", port.injector.mac(), AMPLE).expect("installed");
        let frame = port.reset(&[], false, 2);
        assert_eq!(port.inject(&frame), Sent::Ok);
        egress.drop_all().expect("stopped");
        egress.drop_all().expect("stopped twice");
        for _ in 0..10 {
            assert_eq!(port.inject(&frame), Sent::Refused);
        }
        let counts = egress.counts().expect("counts");
        assert_eq!((counts.passed, counts.refused), (1, 10));
        egress.allow().expect("allowed");
        assert_eq!(port.inject(&frame), Sent::Ok);
        let got = port.arrived();
        assert_eq!(got.iter().filter(|got| **got == frame).count(), 2);
    });
}

/// A port that goes down, and one that goes away, are told apart; so are names of no use.
#[test]
fn ports_that_go() {
    with_cable("inject::ports_that_go", &[], || {
        let mut port = Port::open();
        let frame = port.reset(&[], false, 1);
        command("ip", &["link", "set", "tap0", "down"]);
        assert_eq!(port.inject(&frame), Sent::Down);
        command("ip", &["link", "set", "tap0", "up"]);
        assert_eq!(port.inject(&frame), Sent::Ok);
        command("ip", &["link", "del", "tap0"]);
        assert_eq!(port.inject(&frame), Sent::Gone);
        let counts = port.injector.counts();
        assert_eq!((counts.sent, counts.down, counts.failed), (1, 2, 0));
        let error = Injector::open("tap0").unwrap_err().to_string();
        assert!(error.contains("there is no such interface"), "{error}");
        let error = Injector::open("lo").unwrap_err().to_string();
        assert!(error.contains("not an Ethernet interface"), "{error}");
        assert!(Injector::open("no\nname").is_err());
    });
}
