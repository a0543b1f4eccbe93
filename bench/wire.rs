//! Frames on a wire, for the live benches.
//!
//! ```text
//! wire send IF PPS SECONDS FLOWS   64-byte UDP frames of so many flows, so many a second (0: as fast as it
//!                                  goes); prints how many were sent and the rate reached
//! wire probe IF COUNT PPS          TCP SYNs from 10.77.0.101 to 10.77.0.10:80, one by one; waits for the reset
//!                                  of each and prints the percentiles of the time between, in microseconds
//! ```
//!
//! A probe's time begins just before its frame is handed to the kernel and ends with the kernel's own
//! stamp on the reset, both by the system's clock.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
    SockaddrStorage, bind, recvmsg, send, sendmmsg, setsockopt, socket, sockopt,
};
use nix::time::{ClockId, clock_gettime};

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// How long the reset of a probe is waited for.
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["send", interface, pps, seconds, flows] => {
            flood(interface, pps.parse()?, seconds.parse()?, flows.parse()?)
        }
        ["probe", interface, count, pps] => probe(interface, count.parse()?, pps.parse()?),
        _ => Err("usage: wire send IF PPS SECONDS FLOWS | wire probe IF COUNT PPS".into()),
    }
}

/// A raw socket on an interface, and the interface's own address.
fn open(
    interface: &str,
    protocol: Option<SockProtocol>,
) -> Result<(OwnedFd, [u8; 6]), Box<dyn Error>> {
    let kind = SockType::Raw;
    let socket = socket(
        AddressFamily::Packet,
        kind,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
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
    let mut frame = vec![0x02, 0x77, 0, 0, 0, 3];
    frame.extend(mac);
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(segment);
    frame.resize(frame.len().max(60), 0);
    frame
}

/// Sends small frames at a steady rate.
fn flood(interface: &str, pps: u64, seconds: u64, flows: u16) -> Result<(), Box<dyn Error>> {
    let (socket, mac) = open(interface, None)?;
    let frames: Vec<Vec<u8>> = (0..flows.max(1))
        .map(|flow| {
            let [high, low] = flow.to_be_bytes();
            let segment = [0x9c, 0x40, 0x13, 0x89, 0, 26, 0, 0];
            let body = [&segment[..], &[7; 18]].concat();
            framed(mac, [10, 78, high, low], [10, 77, 0, 10], 17, &body)
        })
        .collect();
    let begun = Instant::now();
    let length = Duration::from_secs(seconds);
    let (mut sent, mut refused, mut next) = (0_u64, 0_u64, 0_usize);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    while begun.elapsed() < length {
        if pps > 0 {
            let owed = begun.elapsed().as_nanos() * u128::from(pps) / 1_000_000_000;
            if u128::from(sent) > owed {
                std::hint::spin_loop();
                continue;
            }
        }
        let slices: Vec<[IoSlice<'_>; 1]> = (0..BATCH)
            .map(|at| [IoSlice::new(&frames[(next + at) % frames.len()])])
            .collect();
        next = (next + BATCH) % frames.len();
        let none = vec![None; BATCH];
        match sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            none,
            [],
            MsgFlags::empty(),
        ) {
            Ok(results) => sent += u64::try_from(results.count())?,
            Err(nix::errno::Errno::ENOBUFS) => refused += 1,
            Err(errno) => return Err(errno.into()),
        }
    }
    let took = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate of one run")]
    let rate = sent as f64 / took;
    println!("sent {sent} refused {refused} rate {rate:.0}");
    Ok(())
}

fn now_ns() -> Result<i64, Box<dyn Error>> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

/// Sends SYNs one by one and times the reset of each.
fn probe(interface: &str, count: u32, pps: u32) -> Result<(), Box<dyn Error>> {
    let (out, mac) = open(interface, None)?;
    let (inbound, _) = open(interface, Some(SockProtocol::EthAll))?;
    setsockopt(&inbound, sockopt::ReceiveTimestampns, &true)?;
    let every = Duration::from_secs(1) / pps.max(1);
    let mut times = Vec::new();
    for number in 0..count {
        let due = Instant::now() + every;
        let port = 20_000 + u16::try_from(number % 40_000)?;
        let seq = number.wrapping_mul(2_654_435_761);
        let frame = syn(mac, port, seq);
        let begun = now_ns()?;
        send(out.as_raw_fd(), &frame, MsgFlags::empty())?;
        if let Some(at) = reset(&inbound, port, seq.wrapping_add(1))? {
            times.push(at - begun);
        }
        while Instant::now() < due {
            std::hint::spin_loop();
        }
    }
    times.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a short list"
        )]
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or(0) / 1_000
    };
    println!(
        "probes {count} resets {} p50 {} p90 {} p99 {} max {}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
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

/// The kernel's time of the reset that answers a SYN; none if it does not come.
fn reset(socket: &OwnedFd, port: u16, ack: u32) -> Result<Option<i64>, Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    let mut buffer = [0_u8; 256];
    let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
    while Instant::now() < until {
        let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, 10_u8)? == 0 {
            continue;
        }
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let message = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::empty(),
        )?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => {
                Some(at.tv_sec() * 1_000_000_000 + at.tv_nsec())
            }
            _ => None,
        });
        let is_reset = buffer[12..14] == [8, 0]
            && buffer[23] == 6
            && buffer[34..36] == [0, 80]
            && buffer[36..38] == port.to_be_bytes()
            && buffer[42..46] == ack.to_be_bytes()
            && buffer[47] & 4 != 0;
        if is_reset {
            return Ok(stamp);
        }
    }
    Ok(None)
}
