//! Frames and capture files written by hand, with right lengths and checksums.
//!
//! Standard: RFC 791, 8200 (IP), 768 (UDP), 9293 (TCP), 1071 (checksum), IEEE 802.1Q (tag).

use std::net::IpAddr;

/// One end of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) mac: [u8; 6],
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
}

/// A station with a hardware address made from the last byte of its address.
pub(crate) fn end(addr: &str, port: u16) -> End {
    let addr: IpAddr = addr.parse().expect("an address");
    let last = match addr {
        IpAddr::V4(addr) => addr.octets()[3],
        IpAddr::V6(addr) => addr.octets()[15],
    };
    End {
        mac: [0x02, 0x14, 0, 0, 0, last],
        addr,
        port,
    }
}

/// TCP flags.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;

/// Numbers of a TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
}

/// An Ethernet frame with a TCP segment; `vlan` 0 is untagged.
pub(crate) fn tcp(from: End, to: End, vlan: u16, segment: Segment, payload: &[u8]) -> Vec<u8> {
    tcp_with(from, to, vlan, segment, (0xffff, 0, &[]), payload)
}

/// The same with a window, an urgent pointer and options, whose length is a multiple of four.
pub(crate) fn tcp_with(
    from: End,
    to: End,
    vlan: u16,
    segment: Segment,
    (window, urgent, options): (u16, u16, &[u8]),
    payload: &[u8],
) -> Vec<u8> {
    let header_len = u8::try_from(20 + options.len()).expect("few options");
    let mut header = Vec::with_capacity(20 + options.len() + payload.len());
    header.extend_from_slice(&from.port.to_be_bytes());
    header.extend_from_slice(&to.port.to_be_bytes());
    header.extend_from_slice(&segment.seq.to_be_bytes());
    header.extend_from_slice(&segment.ack.to_be_bytes());
    header.extend_from_slice(&[header_len << 2, segment.flags]);
    header.extend_from_slice(&window.to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&urgent.to_be_bytes());
    header.extend_from_slice(options);
    header.extend_from_slice(payload);
    packet(from, to, vlan, 6, header, 16)
}

/// An Ethernet frame with a UDP datagram.
pub(crate) fn udp(from: End, to: End, vlan: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("a short datagram");
    let mut header = Vec::with_capacity(8 + payload.len());
    header.extend_from_slice(&from.port.to_be_bytes());
    header.extend_from_slice(&to.port.to_be_bytes());
    header.extend_from_slice(&len.to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(payload);
    packet(from, to, vlan, 17, header, 6)
}

/// An Ethernet frame with a packet of an IP protocol that has no checksum of its own.
pub(crate) fn carrying(from: End, to: End, proto: u8, body: &[u8]) -> Vec<u8> {
    // The checksum falls on two bytes in front, which are taken out again.
    let mut frame = packet(from, to, 0, proto, [&[0, 0], body].concat(), 0);
    let at = if from.addr.is_ipv4() { 34 } else { 54 };
    frame.drain(at..at + 2);
    let len = u16::try_from(frame.len() - 14).expect("a short packet");
    if from.addr.is_ipv4() {
        frame[16..18].copy_from_slice(&len.to_be_bytes());
        frame[24..26].copy_from_slice(&[0, 0]);
        let sum = checksum(&[&frame[14..34]]).to_be_bytes();
        frame[24..26].copy_from_slice(&sum);
    } else {
        frame[18..20].copy_from_slice(&(len - 40).to_be_bytes());
    }
    frame
}

/// IP and Ethernet around a transport header whose checksum stands at `sum_at`.
fn packet(from: End, to: End, vlan: u16, proto: u8, mut body: Vec<u8>, sum_at: usize) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("a short packet");
    let mut pseudo = addresses(from, to);
    pseudo.extend_from_slice(&[0, proto]);
    pseudo.extend_from_slice(&len.to_be_bytes());
    let sum = checksum(&[&pseudo, &body]);
    body[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());

    let mut frame = Vec::with_capacity(body.len() + 60);
    frame.extend_from_slice(&to.mac);
    frame.extend_from_slice(&from.mac);
    if vlan != 0 {
        frame.extend_from_slice(&[0x81, 0x00]);
        frame.extend_from_slice(&vlan.to_be_bytes());
    }
    if from.addr.is_ipv4() {
        frame.extend_from_slice(&[0x08, 0x00]);
        let total = (len + 20).to_be_bytes();
        let mut ip = vec![0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, proto, 0, 0];
        ip.extend_from_slice(&addresses(from, to));
        let sum = checksum(&[&ip]).to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        frame.extend_from_slice(&ip);
    } else {
        frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend_from_slice(&len.to_be_bytes());
        frame.extend_from_slice(&[proto, 64]);
        frame.extend_from_slice(&addresses(from, to));
    }
    frame.extend_from_slice(&body);
    frame
}

/// A piece of an untagged frame's IP packet: bytes `from` to `to` behind the IP header, zeros where there
/// are none. IPv6 gets a fragment header (RFC 8200 §4.5).
pub(crate) fn fragments_of(frame: &[u8], id: u32, from: usize, to: usize, more: bool) -> Vec<u8> {
    let is_v4 = frame[12..14] == [0x08, 0x00];
    let header_len = if is_v4 { 20 } else { 40 };
    let payload = &frame[14 + header_len..];
    let mut piece: Vec<u8> = payload.iter().copied().take(to).skip(from).collect();
    piece.resize(to - from, 0);
    let mut out = frame[..14 + header_len].to_vec();
    let eighths = u16::try_from(from / 8).expect("an offset");
    if is_v4 {
        let total = u16::try_from(20 + piece.len()).expect("a short piece");
        let place = eighths | if more { 0x2000 } else { 0 };
        out[16..18].copy_from_slice(&total.to_be_bytes());
        out[18..20].copy_from_slice(&id.to_be_bytes()[2..]);
        out[20..22].copy_from_slice(&place.to_be_bytes());
        out[24..26].copy_from_slice(&[0, 0]);
        let sum = checksum(&[&out[14..34]]).to_be_bytes();
        out[24..26].copy_from_slice(&sum);
    } else {
        let payload_len = u16::try_from(8 + piece.len()).expect("a short piece");
        out[18..20].copy_from_slice(&payload_len.to_be_bytes());
        let proto = std::mem::replace(&mut out[20], 44);
        let place = (eighths << 3) | u16::from(more);
        out.extend_from_slice(&[proto, 0]);
        out.extend_from_slice(&place.to_be_bytes());
        out.extend_from_slice(&id.to_be_bytes());
    }
    out.extend_from_slice(&piece);
    out
}

fn addresses(from: End, to: End) -> Vec<u8> {
    match (from.addr, to.addr) {
        (IpAddr::V4(a), IpAddr::V4(b)) => [a.octets(), b.octets()].concat(),
        (IpAddr::V6(a), IpAddr::V6(b)) => [a.octets(), b.octets()].concat(),
        _ => panic!("addresses of two versions"),
    }
}

/// The internet checksum over parts of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// A classic pcap file (little-endian, microseconds) of a link type: `(time in µs, frame)`.
pub(crate) fn pcap(link: u32, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, link] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for (micros, frame) in frames {
        let len = u32::try_from(frame.len()).expect("a short frame");
        let seconds = u32::try_from(micros / 1_000_000).expect("a time before 2106");
        let rest = u32::try_from(micros % 1_000_000).expect("below a million");
        for word in [seconds, rest, len, len] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame);
    }
    file
}

/// Known answers: the example header of RFC 1071 §3, and an IPv4 header whose sum is common knowledge.
#[test]
fn checksums_are_right() {
    assert_eq!(
        checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]),
        !0xddf2
    );
    let header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0x00, 0x01,
        0xc0, 0xa8, 0x00, 0xc7,
    ];
    assert_eq!(checksum(&[&header]), 0xb861);
    // A header with its own sum in place adds up to nothing.
    let frame = udp(end("10.0.0.1", 1000), end("10.0.0.2", 2000), 0, b"abc");
    assert_eq!(checksum(&[&frame[14..34]]), 0);
}
