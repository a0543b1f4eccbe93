//! Flows that come and go: the work load of a site where hardly any connection lasts.
//!
//! Usage:  churn OUT.pcap [FLOWS [SECONDS]]; 1,000,000 flows begun within 120 s unless said.
//! Output: classic pcap, Ethernet, microseconds; the same arguments give the same bytes.
//! How:    of ten flows four are a DNS question with its answer, three a whole small TCP connection
//!         (handshake, request, answer, both ends close: eight frames), three a SYN answered with a reset.
//!         No two have the same addresses and ports. Their clients are 2,000 hosts, taken in turn.

#![expect(clippy::print_stderr, reason = "a program for a terminal")]

mod frames;
mod pcap;

use std::path::Path;

use frames::{ACK, End, FIN, PSH, RST, SYN, host, outside, tcp, udp};
use pcap::{BEGIN_US, Failure, Writer, scrambled};

/// Hosts the flows come from.
const HOSTS: u32 = 2_000;
/// Between two frames of a flow at least, and how much longer it may take.
const STEP_US: u64 = 500;
const STEP_MORE_US: u64 = 4_000;
/// Request and answer of a small connection.
const REQUEST: [u8; 64] = [b'a'; 64];
const ANSWER: [u8; 200] = [b'b'; 200];

/// What a flow is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Dns,
    Tcp,
    Scan,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, unless: u32| -> Result<u32, Failure> {
        Ok(arguments.get(at).map_or(Ok(unless), |text| text.parse())?)
    };
    let out = arguments
        .first()
        .ok_or("usage: churn OUT.pcap [FLOWS [SECONDS]]")?;
    let (flows, seconds) = (number(1, 1_000_000)?, number(2, 120)?);
    let mut writer = Writer::create(Path::new(out))?;
    for (at_us, flow, step) in steps(flows, seconds) {
        writer.frame(BEGIN_US + at_us, &frame(flow, step))?;
    }
    let (frames, bytes) = writer.end()?;
    eprintln!("{out}: {flows} flows, {frames} frames, {bytes} bytes of frames");
    Ok(())
}

/// When each frame of each flow is due, in order of time.
fn steps(flows: u32, seconds: u32) -> Vec<(u64, u32, u8)> {
    let span_us = u64::from(seconds.max(1)) * 1_000_000;
    let mut steps = Vec::with_capacity(flows as usize * 4);
    for flow in 0..flows {
        let count = match kind(flow) {
            Kind::Dns | Kind::Scan => 2,
            Kind::Tcp => 8,
        };
        let mut at_us = scrambled(u64::from(flow)) % span_us;
        for step in 0..count {
            steps.push((at_us, flow, step));
            let chance = scrambled(u64::from(flow) << 8 | u64::from(step) | 1 << 60);
            at_us += STEP_US + chance % STEP_MORE_US;
        }
    }
    steps.sort_unstable();
    steps
}

fn kind(flow: u32) -> Kind {
    match flow % 10 {
        0..4 => Kind::Dns,
        4..7 => Kind::Tcp,
        _ => Kind::Scan,
    }
}

/// One frame of a flow.
fn frame(flow: u32, step: u8) -> Vec<u8> {
    // A host uses each of its ports once before it uses one again.
    let port = u16::try_from(1_024 + flow / HOSTS % 64_000).unwrap_or(u16::MAX);
    let client = host(flow % HOSTS, port);
    let [.., high, low] = scrambled(u64::from(flow)).to_be_bytes();
    match kind(flow) {
        Kind::Dns => {
            let server = End {
                addr: [10, 20, 250, 2],
                ..host(62_501, 53)
            };
            let payload = dns(flow, step > 0);
            match step {
                0 => udp(client, server, &payload),
                _ => udp(server, client, &payload),
            }
        }
        Kind::Tcp => connection(client, outside([104, 16, high, low], 8_443), flow, step),
        Kind::Scan => {
            let door = u16::try_from(1 + flow % 65_000).unwrap_or(u16::MAX);
            let server = outside([10, 21, high, low], door);
            match step {
                0 => tcp(client, server, SYN, (flow, 0), &[]),
                _ => tcp(server, client, RST | ACK, (0, flow.wrapping_add(1)), &[]),
            }
        }
    }
}

/// A frame of a whole connection, by its number.
fn connection(client: End, server: End, flow: u32, step: u8) -> Vec<u8> {
    let (ours, theirs) = (flow.wrapping_mul(7_919), flow.wrapping_mul(104_729));
    let up = |flags, sent: u32, had: u32, payload: &[u8]| {
        let numbers = (ours.wrapping_add(sent), theirs.wrapping_add(had));
        tcp(client, server, flags, numbers, payload)
    };
    let down = |flags, sent: u32, had: u32, payload: &[u8]| {
        let numbers = (theirs.wrapping_add(sent), ours.wrapping_add(had));
        tcp(server, client, flags, numbers, payload)
    };
    match step {
        0 => tcp(client, server, SYN, (ours, 0), &[]),
        1 => down(SYN | ACK, 0, 1, &[]),
        2 => up(ACK, 1, 1, &[]),
        3 => up(PSH | ACK, 1, 1, &REQUEST),
        4 => down(PSH | ACK, 1, 65, &ANSWER),
        5 => up(FIN | ACK, 65, 201, &[]),
        6 => down(FIN | ACK, 201, 66, &[]),
        _ => up(ACK, 66, 202, &[]),
    }
}

/// A question for the address of a name of its own, or the answer.
fn dns(flow: u32, answered: bool) -> Vec<u8> {
    let [a, b, c, d] = flow.to_be_bytes();
    let (flags, answers) = if answered {
        ([0x81, 0x80], 1)
    } else {
        ([1, 0], 0)
    };
    let mut message = vec![c, d, flags[0], flags[1], 0, 1, 0, answers, 0, 0, 0, 0];
    let label = format!("h{flow:07x}");
    message.push(u8::try_from(label.len()).unwrap_or(0));
    message.extend(label.as_bytes());
    message.extend(b"\x07example\x03com\0\0\x01\0\x01");
    if answered {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2c, 0, 4, 104, a ^ b, c, d]);
    }
    message
}
