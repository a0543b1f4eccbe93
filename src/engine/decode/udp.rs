//! UDP.
//!
//! Standard: RFC 768. A length of 0 (jumbogram, offload) or beyond the packet yields to the packet's.

use super::{Layer, Malformed, ip};

/// Header.
const HEADER_LEN: usize = 8;

/// A UDP header whose lengths are known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Udp<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Length of the payload on the wire.
    pub payload_len: u32,
}

impl<'a> Udp<'a> {
    /// Reads a datagram of which `len` bytes were on the wire and `bytes` were captured.
    ///
    /// # Errors
    /// The header is cut, or says it is shorter than itself.
    #[inline]
    pub fn parse(bytes: &'a [u8], len: u32) -> Result<Self, Malformed> {
        let Some((&[s0, s1, d0, d1, l0, l1, _, _], rest)) = bytes.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(Malformed::new(Layer::Udp, HEADER_LEN, bytes.len()));
        };
        let said = match u32::from(u16::from_be_bytes([l0, l1])) {
            0 => len,
            said => said.min(len),
        };
        if said < 8 {
            let have = usize::try_from(said).unwrap_or(0);
            return Err(Malformed::new(Layer::Udp, HEADER_LEN, have));
        }
        let payload_len = said.saturating_sub(8);
        Ok(Self {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            payload: ip::captured(rest, payload_len),
            payload_len,
        })
    }
}
