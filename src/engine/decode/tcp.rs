//! TCP.
//!
//! Standard: RFC 9293 §3.1.

use super::{Layer, Malformed};

/// Header without options.
const HEADER_LEN_MIN: usize = 20;

/// The flag bits of a TCP header.
pub mod flag {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
    /// Urgent pointer is significant.
    pub const URG: u8 = 0x20;
}

/// A TCP header whose lengths are known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// See [`flag`].
    pub flags: u8,
    /// Window, unscaled.
    pub window: u16,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Length of header with options.
    pub header_len: u32,
}

/// Option kinds that sign segments: MD5 (RFC 2385) and TCP-AO (RFC 5925).
const SIGNING: [u8; 2] = [19, 29];

/// Whether a segment carries an option that signs it; options that cannot be read say nothing.
#[must_use]
pub fn is_signed(segment: &[u8]) -> bool {
    let header_len = segment
        .get(12)
        .map_or(0, |offset| usize::from(offset >> 4).saturating_mul(4));
    let mut options = segment.get(HEADER_LEN_MIN..header_len).unwrap_or_default();
    loop {
        match options {
            [0, ..] | [] => return false,
            [1, rest @ ..] => options = rest,
            [kind, ..] if SIGNING.contains(kind) => return true,
            [_, len, ..] if *len >= 2 => {
                options = options.get(usize::from(*len)..).unwrap_or_default();
            }
            _ => return false,
        }
    }
}

impl<'a> Tcp<'a> {
    /// Reads a segment of which `len` bytes were on the wire and `bytes` were captured.
    ///
    /// # Errors
    /// The header is cut, or longer than the segment.
    #[inline]
    pub fn parse(bytes: &'a [u8], len: u32) -> Result<Self, Malformed> {
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_LEN_MIN>() else {
            return Err(Malformed::new(Layer::Tcp, HEADER_LEN_MIN, bytes.len()));
        };
        let [
            s0,
            s1,
            d0,
            d1,
            q0,
            q1,
            q2,
            q3,
            a0,
            a1,
            a2,
            a3,
            offset,
            flags,
            w0,
            w1,
            _,
            _,
            _,
            _,
        ] = *head;
        let header_len = u32::from(offset >> 4).wrapping_mul(4);
        if header_len < 20 || header_len > len {
            let need = usize::try_from(header_len).unwrap_or(0).max(HEADER_LEN_MIN);
            return Err(Malformed::new(Layer::Tcp, need, bytes.len()));
        }
        let payload = usize::try_from(header_len)
            .ok()
            .and_then(|at| bytes.get(at..));
        Ok(Self {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            payload: payload.unwrap_or_default(),
            header_len,
        })
    }

    /// Whether any of the flags in `mask` is set.
    #[inline]
    #[must_use]
    pub fn has(&self, mask: u8) -> bool {
        self.flags & mask != 0
    }
}
