//! Frames made from nothing: Ethernet, IPv4, and UDP or TCP with right checksums.

#![allow(dead_code, reason = "each program of the bench uses its part")]

/// TCP flags.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// Shortest frame, without its checksum; shorter ones are padded.
const FRAME_MIN: usize = 60;

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) mac: [u8; 6],
    pub(crate) addr: [u8; 4],
    pub(crate) port: u16,
}

/// An office host's end; there are 250 to a network of 10.20.
pub(crate) fn host(number: u32, port: u16) -> End {
    let [_, _, high, low] = number.to_be_bytes();
    let [.., net] = (number / 250).to_be_bytes();
    let [.., last] = (number % 250 + 1).to_be_bytes();
    End {
        mac: [0x02, 0x14, 0, 0, high, low],
        addr: [10, 20, net, last],
        port,
    }
}

/// An end behind the gateway.
pub(crate) fn outside(addr: [u8; 4], port: u16) -> End {
    let mac = [0x02, 0x14, 0xff, 0, 0, 1];
    End { mac, addr, port }
}

/// A UDP frame.
pub(crate) fn udp(src: End, dst: End, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    let mut segment = Vec::with_capacity(8 + payload.len());
    segment.extend(src.port.to_be_bytes());
    segment.extend(dst.port.to_be_bytes());
    segment.extend(len.to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    let check = checksum(sum(&segment, pseudo(src, dst, 17, len)));
    // A sum of zero is sent as its other form: zero means that the sender made none.
    let check = if check == [0, 0] { [0xff; 2] } else { check };
    segment[6..8].copy_from_slice(&check);
    ipv4(src, dst, 17, [0, 0, 0x40, 0], &segment)
}

/// A TCP frame without options.
pub(crate) fn tcp(
    src: End,
    dst: End,
    flags: u8,
    (seq, ack): (u32, u32),
    payload: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX);
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(src.port.to_be_bytes());
    segment.extend(dst.port.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    segment.extend(payload);
    let check = checksum(sum(&segment, pseudo(src, dst, 6, len)));
    segment[16..18].copy_from_slice(&check);
    ipv4(src, dst, 6, [0, 0, 0x40, 0], &segment)
}

/// Ethernet and IPv4 in front of `body`; `fragment` is the second word of the IPv4 header.
pub(crate) fn ipv4(src: End, dst: End, proto: u8, fragment: [u8; 4], body: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + body.len()).unwrap_or(u16::MAX);
    let mut frame = Vec::with_capacity(FRAME_MIN.max(34 + body.len()));
    frame.extend(dst.mac);
    frame.extend(src.mac);
    frame.extend([8, 0, 0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend(fragment);
    frame.extend([64, proto, 0, 0]);
    frame.extend(src.addr);
    frame.extend(dst.addr);
    let check = checksum(sum(&frame[14..34], 0));
    frame[24..26].copy_from_slice(&check);
    frame.extend(body);
    frame.resize(frame.len().max(FRAME_MIN), 0);
    frame
}

/// Sum over what TCP and UDP checksums cover besides the segment.
fn pseudo(src: End, dst: End, proto: u8, len: u16) -> u32 {
    sum(&src.addr, sum(&dst.addr, u32::from(proto) + u32::from(len)))
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
