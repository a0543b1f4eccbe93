//! Frames on a wire, for the live benches.
//!
//! ```text
//! wire send IF PPS SECONDS FLOWS    64-byte UDP frames of so many flows of 250 hosts, so many a second
//!                                   (0: as fast as it goes); prints how many were sent and the rate reached
//! wire replay IF PPS SECONDS FILE   the frames of a classic pcap, at most 1 GB of them, over and over; those
//!                                   too long for the interface are left out and counted
//! wire probe IF COUNT PPS           TCP SYNs from 10.77.0.101 to 10.77.0.10:80, one by one; waits for the
//!                                   reset of each and prints the percentiles of the time between
//! wire watch SECONDS COUNT          watches every interface of the namespace for requests for a canary and
//!                                   prints the percentiles of the time until the client is sent a reset
//! ```
//!
//! Times are in microseconds. A probe's time begins just before its frame is handed to the kernel and ends
//! with the kernel's own stamp on the reset, both by the system's clock; when watching, both are stamps.
//! A reset counts unless it comes from the server itself.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, IoSlice, IoSliceMut, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
    SockaddrStorage, bind, recvmsg, send, sendmmsg, setsockopt, socket, sockopt,
};
use nix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error>;

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// Hosts the flows of a flood come from; each has as many ports as it takes.
const HOSTS: u32 = 250;
/// What of a capture is kept in memory.
const REPLAY_BYTES_MAX: usize = 1_000_000_000;
/// How long the reset of a probe is waited for.
const PATIENCE: Duration = Duration::from_millis(100);
/// What the kernel may keep for a watcher: downloads pass by while it waits for resets.
const WATCH_BYTES: usize = 32 << 20;
/// How late the system's timer may be.
const TIMER: Duration = Duration::from_micros(80);
/// The server's hardware address.
const SERVER: [u8; 6] = [0x02, 0x77, 0, 0, 0, 3];

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["send", interface, pps, seconds, flows] => {
            let (socket, mac) = open(interface, None)?;
            let frames = Frames::flood(mac, flows.parse()?);
            frames.send(&socket, pps.parse()?, seconds.parse()?)
        }
        ["replay", interface, pps, seconds, file] => {
            let (socket, _) = open(interface, None)?;
            let frames = Frames::load(file, mtu(interface)? + 14)?;
            frames.send(&socket, pps.parse()?, seconds.parse()?)
        }
        ["probe", interface, count, pps] => probe(interface, count.parse()?, pps.parse()?),
        ["watch", seconds, count] => watch(seconds.parse()?, count.parse()?),
        _ => Err(
            "usage: wire send IF PPS SECONDS FLOWS | wire replay IF PPS SECONDS FILE \
                  | wire probe IF COUNT PPS | wire watch SECONDS COUNT"
                .into(),
        ),
    }
}

/// A raw socket; without an interface it sees those of its whole namespace.
fn raw(protocol: Option<SockProtocol>) -> Result<OwnedFd, Failure> {
    let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
    Ok(socket(AddressFamily::Packet, kind, flags, protocol)?)
}

/// A raw socket for an interface, and the interface's own address.
fn open(interface: &str, protocol: Option<SockProtocol>) -> Result<(OwnedFd, [u8; 6]), Failure> {
    let socket = raw(protocol)?;
    let link = nix::ifaddrs::getifaddrs()?
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .ok_or_else(|| format!("{interface}: no such interface"))?;
    // The address carries no protocol: a socket bound to it only sends.
    if protocol.is_none() {
        bind(socket.as_raw_fd(), &link)?;
    }
    Ok((socket, link.addr().ok_or("no hardware address")?))
}

fn mtu(interface: &str) -> Result<usize, Failure> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu"))?;
    Ok(text.trim().parse()?)
}

/// Frames to be sent in a circle.
#[derive(Debug, Default)]
struct Frames {
    bytes: Vec<u8>,
    /// Where each begins and ends.
    places: Vec<(usize, usize)>,
    too_long: u64,
}

impl Frames {
    /// Small UDP frames to one server; each flow once.
    fn flood(mac: [u8; 6], flows: u32) -> Self {
        let mut frames = Self::default();
        for flow in 0..flows.max(1) {
            let (host, port) = (flow % HOSTS + 1, 1_024 + flow / HOSTS % 64_000);
            let [_, _, port_high, port_low] = port.to_be_bytes();
            let segment = [port_high, port_low, 0x13, 0x89, 0, 26, 0, 0];
            let body = [&segment[..], &[7; 18]].concat();
            let [.., last] = host.to_be_bytes();
            let [.., net] = (flow / HOSTS / 64_000).to_be_bytes();
            frames.push(&framed(
                mac,
                [10, 78, net, last],
                [10, 77, 0, 10],
                17,
                &body,
            ));
        }
        frames
    }

    /// The first frames of a capture written on a machine of this byte order.
    fn load(path: &str, len_max: usize) -> Result<Self, Failure> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let (mut head, mut frames) = ([0; 24], Self::default());
        file.read_exact(&mut head)?;
        if ![0xa1b2_c3d4, 0xa1b2_3c4d].contains(&word(&head, 0)) || head[20..24] != [1, 0, 0, 0] {
            return Err(format!("{path}: not a classic pcap of Ethernet frames").into());
        }
        let (mut head, mut frame) = ([0; 16], Vec::new());
        while frames.bytes.len() < REPLAY_BYTES_MAX && file.read_exact(&mut head).is_ok() {
            frame.resize(usize::try_from(word(&head, 8))?, 0);
            file.read_exact(&mut frame)?;
            if (14..=len_max).contains(&frame.len()) {
                frames.push(&frame);
            } else {
                frames.too_long += 1;
            }
        }
        if frames.places.is_empty() {
            return Err(format!("{path}: no frame that can be sent").into());
        }
        Ok(frames)
    }

    fn push(&mut self, frame: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.places.push((begin, self.bytes.len()));
    }

    /// Sends at a steady rate, or as fast as it goes.
    fn send(&self, socket: &OwnedFd, pps: u64, seconds: u64) -> Result<(), Failure> {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let (mut sent, mut bytes, mut refused, mut next) = (0_u64, 0_usize, 0_u64, 0_usize);
        let none = vec![None; BATCH];
        let (begun, length) = (Instant::now(), Duration::from_secs(seconds));
        while begun.elapsed() < length {
            if pps > 0 {
                let owed = begun.elapsed().as_nanos() * u128::from(pps) / 1_000_000_000;
                if u128::from(sent) > owed {
                    let ahead = u128::from(sent) - owed;
                    rest(
                        begun.elapsed() + nanos(ahead * 1_000_000_000 / u128::from(pps)),
                        begun,
                    );
                    continue;
                }
            }
            let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|at| {
                let (begin, end) = self.places[(next + at) % self.places.len()];
                [IoSlice::new(&self.bytes[begin..end])]
            });
            let flags = MsgFlags::empty();
            match sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &none, [], flags) {
                Ok(results) => {
                    let count = results.count();
                    bytes += slices[..count].iter().map(|s| s[0].len()).sum::<usize>();
                    sent += u64::try_from(count)?;
                    next = (next + count) % self.places.len();
                }
                Err(Errno::ENOBUFS) => refused += 1,
                Err(errno) => return Err(errno.into()),
            }
        }
        let took = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "rates of one run")]
        let (rate, mbit) = (sent as f64 / took, bytes as f64 * 8e-6 / took);
        let left_out = self.too_long;
        println!("sent {sent} refused {refused} too_long {left_out} rate {rate:.0} mbit {mbit:.0}");
        Ok(())
    }
}

fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Waits until `until` has passed since `begun`: the processor is left to others as long as that goes, and
/// what is too short for it is spent in a loop.
fn rest(until: Duration, begun: Instant) {
    while let Some(left) = until.checked_sub(begun.elapsed())
        && !left.is_zero()
    {
        match left.checked_sub(TIMER) {
            Some(long) if !long.is_zero() => std::thread::park_timeout(long),
            _ => std::hint::spin_loop(),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_ne_bytes(word.unwrap_or_default())
}

fn sum(bytes: &[u8], begin: u32) -> u32 {
    bytes.chunks(2).fold(begin, |sum, pair| {
        sum + u32::from(pair[0]) * 256 + pair.get(1).map_or(0, |low| u32::from(*low))
    })
}

fn checksum(sum: u32) -> [u8; 2] {
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!u16::try_from(folded).unwrap_or(u16::MAX)).to_be_bytes()
}

/// Ethernet and IPv4 in front of `segment`.
fn framed(mac: [u8; 6], src: [u8; 4], dst: [u8; 4], proto: u8, segment: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + segment.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, proto, 0, 0];
    ip.extend(src);
    ip.extend(dst);
    let check = checksum(sum(&ip, 0));
    ip[10..12].copy_from_slice(&check);
    let mut frame = Vec::from(SERVER);
    frame.extend(mac);
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(segment);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn now_ns() -> Result<i64, Failure> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

/// Sends SYNs one by one and times the reset of each.
fn probe(interface: &str, count: u32, pps: u32) -> Result<(), Failure> {
    let (out, mac) = open(interface, None)?;
    let mut inbound = Inbound::open()?;
    let every = Duration::from_secs(1) / pps.max(1);
    let mut times = Vec::new();
    let start = Instant::now();
    for number in 0..count {
        let due = start.elapsed() + every;
        let port = 20_000 + u16::try_from(number % 40_000)?;
        let seq = number.wrapping_mul(2_654_435_761);
        let frame = syn(mac, port, seq);
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

fn syn(mac: [u8; 6], port: u16, seq: u32) -> Vec<u8> {
    let (src, dst) = ([10, 77, 0, 101], [10, 77, 0, 10]);
    let mut tcp = Vec::from(port.to_be_bytes());
    tcp.extend([0, 80]);
    tcp.extend(seq.to_be_bytes());
    tcp.extend([0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0]);
    let pseudo = sum(&src, sum(&dst, 6 + 20));
    let check = checksum(sum(&tcp, pseudo));
    tcp[16..18].copy_from_slice(&check);
    framed(mac, src, dst, 6, &tcp)
}

/// Times from requests for a canary to the first reset of each.
fn watch(seconds: u64, count: usize) -> Result<(), Failure> {
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
