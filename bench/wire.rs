//! Frames on a wire, for the live benches.
//!
//! ```text
//! wire flood IF PPS SECONDS FLOWS   64-byte UDP frames of so many flows of 250 hosts, so many a second
//!                                   (0: as fast as it goes), by the kernel's generator; the far end must
//!                                   receive by NAPI
//! wire send IF PPS SECONDS FLOWS    the same frames through a raw socket: slower, but any interface
//! wire replay IF PPS SECONDS FILE   the frames of a capture, at most 2 GB of them, over and over, or each
//!                                   once if SECONDS is 0; those too long for the interface are left out
//! wire probe IF COUNT PPS           TCP SYNs from 10.77.0.101 to 10.77.0.10:80, one by one; waits for the
//!                                   reset of each and prints the percentiles of the time between
//! wire watch SECONDS COUNT          watches every interface of the namespace for requests for a canary and
//!                                   prints the percentiles of the time until the client is sent a reset
//! ```
//!
//! Senders print how many frames were sent, how many of them the interface refused, how many were left out
//! for their length, and the rate reached.
//!
//! Times are in microseconds. A probe's time begins just before its frame is handed to the kernel and ends
//! with the kernel's own stamp on the reset, both by the system's clock; when watching, both are stamps.
//! A reset counts unless it comes from the server itself.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod frames;
mod generate;
mod pcap;
mod probe;

use std::fs::File;
use std::io::{BufReader, IoSlice, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType, SockaddrStorage, bind,
    sendmmsg, socket,
};

use frames::{End, ipv4};
use pcap::Failure;

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// Hosts the flows of a flood come from; each has as many ports as it takes.
const HOSTS: u32 = 250;
const PORTS: u32 = 64_000;
/// What of a capture is kept in memory.
const REPLAY_BYTES_MAX: usize = 2_000_000_000;
/// How late the system's timer may be.
const TIMER: Duration = Duration::from_micros(80);
/// The server's hardware address.
const SERVER: [u8; 6] = [0x02, 0x77, 0, 0, 0, 3];

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["flood", interface, pps, seconds, flows] => {
            // The generator puts in what differs: for the sums, host 0 of network 0 with that identification.
            let mac = open(interface, None)?.1;
            let frame = small(mac, [10, 78, 0, 0], 1_024, [0xff; 2]);
            let (pps, seconds) = (pps.parse()?, seconds.parse()?);
            generate::generate(interface, &frame, pps, seconds, flows.parse()?)
        }
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
        ["probe", interface, count, pps] => probe::probe(interface, count.parse()?, pps.parse()?),
        ["watch", seconds, count] => probe::watch(seconds.parse()?, count.parse()?),
        _ => Err(
            "usage: wire flood|send IF PPS SECONDS FLOWS | wire replay IF PPS SECONDS FILE \
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
            let [.., net] = (flow / HOSTS / PORTS).to_be_bytes();
            let [.., last] = (flow % HOSTS + 1).to_be_bytes();
            let port = u16::try_from(1_024 + flow / HOSTS % PORTS).unwrap_or(u16::MAX);
            frames.push(&small(mac, [10, 78, net, last], port, [0; 2]));
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
        let once = seconds == 0;
        while (once && index(sent) < self.places.len()) || begun.elapsed() < length {
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
            let left = if once {
                self.places.len() - index(sent)
            } else {
                BATCH
            };
            let (slices, flags) = (&slices[..left.min(BATCH)], MsgFlags::empty());
            match sendmmsg(socket.as_raw_fd(), &mut headers, slices, &none, [], flags) {
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

/// The end of a flow a frame is sent from.
fn from(mac: [u8; 6], addr: [u8; 4], port: u16) -> End {
    End { mac, addr, port }
}

/// The end it is sent to.
fn server(port: u16) -> End {
    from(SERVER, [10, 77, 0, 10], port)
}

/// A UDP frame of the shortest length, without a checksum.
fn small(mac: [u8; 6], addr: [u8; 4], port: u16, [high, low]: [u8; 2]) -> Vec<u8> {
    let [port_high, port_low] = port.to_be_bytes();
    let segment = [port_high, port_low, 0x13, 0x89, 0, 26, 0, 0];
    let body = [&segment[..], &[7; 18]].concat();
    ipv4(
        from(mac, addr, port),
        server(5_001),
        17,
        [high, low, 0x40, 0],
        &body,
    )
}

/// A counter of an interface.
fn counted(interface: &str, name: &str) -> Result<u64, Failure> {
    let path = format!("/sys/class/net/{interface}/statistics/{name}");
    Ok(std::fs::read_to_string(path)?.trim().parse()?)
}

fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
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
