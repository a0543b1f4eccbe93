//! Resets on a wire: sends what should be reset, or watches for it, and times the answers.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockProtocol, recvmsg, send, setsockopt, sockopt,
};
use nix::time::{ClockId, clock_gettime};

use crate::frames::{SYN, tcp};
use crate::pcap::Failure;
use crate::{SERVER, from, open, raw, rest, server};

/// How long the reset of a probe is waited for.
const PATIENCE: Duration = Duration::from_millis(100);
/// What the kernel may keep for a watcher: downloads pass by while it waits for resets.
const WATCH_BYTES: usize = 32 << 20;

fn now_ns() -> Result<i64, Failure> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

/// Sends SYNs one by one and times the reset of each.
pub(crate) fn probe(interface: &str, count: u32, pps: u32) -> Result<(), Failure> {
    let (out, mac) = open(interface, None)?;
    let mut inbound = Inbound::open()?;
    let every = Duration::from_secs(1) / pps.max(1);
    let mut times = Vec::new();
    let start = Instant::now();
    for number in 0..count {
        let due = start.elapsed() + every;
        let port = 20_000 + u16::try_from(number % 40_000)?;
        let seq = number.wrapping_mul(2_654_435_761);
        let client = from(mac, [10, 77, 0, 101], port);
        let frame = tcp(client, server(80), SYN, (seq, 0), &[]);
        let begun = now_ns()?;
        send(out.as_raw_fd(), &frame, MsgFlags::empty())?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some((at, frame)) = inbound.next()?
                && frame.is_reset_to(port)
                && frame.bytes(42..46) == seq.wrapping_add(1).to_be_bytes()
            {
                times.push(at - begun);
                break;
            }
        }
        rest(due, start);
    }
    report("probes", count, times);
    Ok(())
}

/// Times from requests for a canary to the first reset of each.
pub(crate) fn watch(seconds: u64, count: usize) -> Result<(), Failure> {
    let mut inbound = Inbound::open()?;
    let (mut asked, mut times) = (BTreeMap::new(), Vec::new());
    let until = Instant::now() + Duration::from_secs(seconds);
    while times.len() < count && Instant::now() < until {
        let Some((at, frame)) = inbound.next()? else {
            continue;
        };
        // The client's address and port.
        if frame.is_request() {
            let client = [frame.bytes(26..30), frame.bytes(34..36)].concat();
            asked.entry(client).or_insert(Some(at));
        } else {
            let [high, low] = frame.bytes(36..38) else {
                continue;
            };
            let client = [frame.bytes(30..34), &[*high, *low]].concat();
            if frame.is_reset_to(u16::from_be_bytes([*high, *low]))
                && let Some(begun) = asked.get_mut(&client).and_then(Option::take)
            {
                times.push(at - begun);
            }
        }
    }
    report("requests", asked.len(), times);
    Ok(())
}

/// Prints how many there were and the percentiles of their times.
fn report(what: &str, count: impl std::fmt::Display, mut times: Vec<i64>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or(0) / 1_000
    };
    let resets = times.len();
    let (p50, p90, p99, max) = (at(50), at(90), at(99), at(100));
    println!("{what} {count} resets {resets} p50 {p50} p90 {p90} p99 {p99} max {max}");
}

/// What comes, and goes, on all interfaces of the namespace.
#[derive(Debug)]
struct Inbound {
    socket: OwnedFd,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

/// The beginning of a frame: TCP in IPv4 without options, or something else.
#[derive(Debug)]
struct Seen<'a>(&'a [u8]);

impl Inbound {
    fn open() -> Result<Self, Failure> {
        let socket = raw(Some(SockProtocol::EthAll))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &WATCH_BYTES)?;
        Ok(Self {
            socket,
            buffer: vec![0; 256],
            control: nix::cmsg_space!(nix::sys::time::TimeSpec),
        })
    }

    /// The next frame with the kernel's time of it; none if nothing comes for 10 ms.
    fn next(&mut self) -> Result<Option<(i64, Seen<'_>)>, Failure> {
        let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, 10_u8)? == 0 {
            return Ok(None);
        }
        let (at, len) = {
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
            let message = recvmsg::<()>(fd, &mut slices, Some(&mut self.control), flags)?;
            let at = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    Some(at.tv_sec() * 1_000_000_000 + at.tv_nsec())
                }
                _ => None,
            });
            (at, message.bytes)
        };
        let frame = self.buffer.get(..len).unwrap_or(&self.buffer);
        Ok(at.map(|at| (at, Seen(frame))))
    }
}

impl Seen<'_> {
    fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    fn is_tcp(&self) -> bool {
        self.bytes(12..15) == [8, 0, 0x45] && self.bytes(23..24) == [6]
    }

    /// A reset in the server's name that the server did not send.
    fn is_reset_to(&self, port: u16) -> bool {
        self.is_tcp()
            && self.bytes(6..12) != SERVER
            && self.bytes(34..36) == [0, 80]
            && self.bytes(36..38) == port.to_be_bytes()
            && self
                .bytes(47..48)
                .first()
                .is_some_and(|flags| flags & 4 != 0)
    }

    fn is_request(&self) -> bool {
        let offset = self.bytes(46..47).first().map_or(0, |byte| byte >> 4);
        let text = 34 + 4 * usize::from(offset);
        self.is_tcp() && self.bytes(text..text + 11) == b"GET /canary"
    }
}
