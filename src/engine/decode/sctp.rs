//! SCTP: ports, verification tag, and which chunks a packet holds.
//!
//! Standard: RFC 9260 §3.1 (common header) and §3.2 (chunks: type, flags, length, padded to 4 bytes).
//! Bounds:   sixteen chunks a packet are looked at.
//! Not done: chunk contents; associations of several addresses are a flow for each pair.

use super::{Layer, Malformed, ip};

/// Common header.
const HEADER_LEN: usize = 12;
/// Most chunks looked at.
const CHUNKS_MAX: usize = 16;

/// Chunk types (RFC 9260 §3.2).
pub mod chunk {
    /// User data.
    pub const DATA: u8 = 0;
    /// Opens an association.
    pub const INIT: u8 = 1;
    /// Answers the first.
    pub const INIT_ACK: u8 = 2;
    /// Refuses, or ends at once.
    pub const ABORT: u8 = 6;
    /// Ends in order.
    pub const SHUTDOWN: u8 = 7;
    /// User data in the form of RFC 8260.
    pub const I_DATA: u8 = 64;
}

/// An SCTP header whose lengths are known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Sctp<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Verification tag; 0 with INIT.
    pub tag: u32,
    /// Captured chunks.
    pub chunks: &'a [u8],
}

impl<'a> Sctp<'a> {
    /// Reads a packet of which `len` bytes were on the wire and `bytes` were captured.
    ///
    /// # Errors
    /// The header is cut.
    pub fn parse(bytes: &'a [u8], len: u32) -> Result<Self, Malformed> {
        let Some((&[s0, s1, d0, d1, t0, t1, t2, t3, _, _, _, _], rest)) =
            bytes.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(Malformed::new(Layer::Sctp, HEADER_LEN, bytes.len()));
        };
        Ok(Self {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            tag: u32::from_be_bytes([t0, t1, t2, t3]),
            chunks: ip::captured(rest, len.saturating_sub(12)),
        })
    }

    /// Types of the chunks, in order, as far as their lengths make sense.
    pub fn types(&self) -> impl Iterator<Item = u8> + '_ {
        let mut rest = self.chunks;
        let next = move || {
            let &[kind, _, l0, l1] = rest.first_chunk::<4>()?;
            let len = usize::from(u16::from_be_bytes([l0, l1]));
            // A length that lies ends the walk behind this chunk.
            let padded = len.saturating_add(3) & !3;
            rest = match len {
                0..4 => &[],
                _ => rest.get(padded..).unwrap_or_default(),
            };
            Some(kind)
        };
        std::iter::from_fn(next).take(CHUNKS_MAX)
    }

    /// Whether it holds a chunk of this type.
    #[must_use]
    pub fn has(&self, kind: u8) -> bool {
        self.types().any(|one| one == kind)
    }
}
