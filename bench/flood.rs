//! Hostile traffic in small frames, as a capture of any length.
//!
//! ```text
//! flood OUT.pcap one FRAMES        UDP frames of one flow
//! flood OUT.pcap flows FRAMES      every frame begins a flow: SYNs and UDP by turns, random ends
//! flood OUT.pcap macs FRAMES       every frame has hardware and IP addresses that were never seen
//! flood OUT.pcap fragments FRAMES  fragments, last one first; every third datagram stays incomplete
//! flood OUT.pcap disorder FRAMES   segments of 500 connections, each run of 64 backwards
//! ```
//!
//! Output: classic pcap, Ethernet, one frame each microsecond: 64 bytes on the wire, of which a capture has
//!         60. The same arguments give the same bytes.

#![expect(clippy::print_stderr, reason = "a program for a terminal")]

mod frames;
mod pcap;

use std::path::Path;

use frames::{ACK, End, PSH, SYN, host, ipv4, outside, tcp, udp};
use pcap::{BEGIN_US, Failure, Writer, scrambled};

/// Connections of the disorder.
const CONNECTIONS: u64 = 500;
/// Segments that come backwards.
const RUN: u64 = 64;
/// Payload of a segment or a fragment that is not the last.
const PIECE: [u8; 6] = [7; 6];

/// Makes the frame of a number.
type Maker = fn(u64) -> Vec<u8>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, kind, count] = arguments.as_slice() else {
        return Err("usage: flood OUT.pcap one|flows|macs|fragments|disorder FRAMES".into());
    };
    let maker: Maker = match kind.as_str() {
        "one" => |_| udp(host(1, 40_000), host(2, 5_001), &[7; 18]),
        "flows" => random_flow,
        "macs" => random_mac,
        "fragments" => fragment,
        "disorder" => disorder,
        _ => return Err(format!("{kind}: no such flood").into()),
    };
    let mut writer = Writer::create(Path::new(out))?;
    for number in 0..count.parse()? {
        writer.frame(BEGIN_US + number, &maker(number))?;
    }
    let (frames, bytes) = writer.end()?;
    eprintln!("{out}: {frames} frames, {bytes} bytes of frames");
    Ok(())
}

fn random_flow(number: u64) -> Vec<u8> {
    let [a, b, c, d, e, f, g, h] = scrambled(number).to_be_bytes();
    let client = outside([10, a, b, c], u16::from_be_bytes([d, e]));
    let server = host(u32::from(f), u16::from_be_bytes([g, h]));
    if number.is_multiple_of(2) {
        tcp(
            client,
            server,
            SYN,
            (u32::from_be_bytes([e, f, g, h]), 0),
            &[],
        )
    } else {
        udp(client, server, &[7; 18])
    }
}

fn random_mac(number: u64) -> Vec<u8> {
    let [a, b, c, d, ..] = scrambled(number).to_be_bytes();
    let [.., e, f, g] = number.to_be_bytes();
    // The number is in both addresses, so that none comes twice.
    let client = End {
        mac: [0x02, a, b, e, f, g],
        addr: [10, e, f, g],
        port: u16::from_be_bytes([c, d]),
    };
    udp(client, host(2, 9), &[7; 18])
}

/// Three fragments of 24 bytes make a datagram.
fn fragment(number: u64) -> Vec<u8> {
    let (datagram, piece) = (number / 3, 2 - number % 3);
    let [.., high, low] = datagram.to_be_bytes();
    // The first fragment of every third datagram comes from somewhere else, so that two stay without it.
    let client = if datagram.is_multiple_of(3) && piece == 0 {
        outside([10, 30, high, low], 0)
    } else {
        host(u32::try_from(datagram / 65_536 % 2_000).unwrap_or(0), 0)
    };
    let more = if piece < 2 { 0x20 } else { 0 };
    let offset = u8::try_from(piece * 3).unwrap_or(0);
    let mut body = [7; 24];
    if piece == 0 {
        body[..8].copy_from_slice(&[0x9c, 0x40, 0x13, 0x89, 0, 72, 0, 0]);
    }
    ipv4(client, host(2, 0), 17, [high, low, more, offset], &body)
}

/// Handshakes first, then the connections' segments by turns.
fn disorder(number: u64) -> Vec<u8> {
    let (turn, flow) = (number / CONNECTIONS, number % CONNECTIONS);
    let flow = u32::try_from(flow).unwrap_or(0);
    let (client, server) = (host(flow, 40_000), host(1_999, 80));
    let place = |index: u64| 1 + u32::try_from(index * 6 % (1 << 31)).unwrap_or(0);
    match turn {
        0 => tcp(client, server, SYN, (0, 0), &[]),
        1 => tcp(server, client, SYN | ACK, (0, 1), &[]),
        2 => tcp(client, server, ACK, (1, 1), &[]),
        _ => {
            let index = turn - 3;
            let backwards = index / RUN * RUN + (RUN - 1 - index % RUN);
            tcp(client, server, PSH | ACK, (place(backwards), 1), &PIECE)
        }
    }
}
