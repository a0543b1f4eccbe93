//! IPv4.
//!
//! Standard: RFC 791 §3.1. The header checksum is not looked at: offload leaves it unfinished.
//! A total length of 0 is what segmentation offload leaves behind: the wire length is taken instead.

use super::ip::{self, Fragment, Ip};
use super::{Layer, Malformed};

/// Shortest header.
const HEADER_LEN_MIN: usize = 20;

/// An IPv4 header whose lengths are known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    /// What the rooms above need.
    pub ip: Ip<'a>,
}

impl<'a> Ipv4<'a> {
    /// Reads a packet of which `wire_len` bytes were on the wire and `bytes` were captured.
    ///
    /// # Errors
    /// The header is cut, or its lengths contradict each other or the frame.
    #[inline]
    pub fn parse(bytes: &'a [u8], wire_len: u32) -> Result<Self, Malformed> {
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_LEN_MIN>() else {
            return Err(Malformed::new(Layer::Ipv4, HEADER_LEN_MIN, bytes.len()));
        };
        let [
            version_ihl,
            _tos,
            l0,
            l1,
            id0,
            id1,
            f0,
            f1,
            _ttl,
            proto,
            _,
            _, //
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *head;
        let header_len = u32::from(version_ihl & 0x0f).wrapping_mul(4);
        let total_len = match u32::from(u16::from_be_bytes([l0, l1])) {
            0 => wire_len,
            len => len,
        };
        let split = bytes.split_at_checked(usize::try_from(header_len).unwrap_or(usize::MAX));
        let (Some((header, rest)), 4, 20..) = (split, version_ihl >> 4, header_len) else {
            let need = usize::try_from(header_len).unwrap_or(0).max(HEADER_LEN_MIN);
            return Err(Malformed::new(Layer::Ipv4, need, bytes.len()));
        };
        if total_len < header_len || total_len > wire_len {
            let have = usize::try_from(wire_len).unwrap_or(0);
            let need = usize::try_from(total_len.max(header_len)).unwrap_or(0);
            return Err(Malformed::new(Layer::Ipv4, need, have));
        }
        let payload_len = total_len.saturating_sub(header_len);
        let position = u16::from_be_bytes([f0, f1]);
        let more = position & 0x2000 != 0;
        let offset = u32::from(position & 0x1fff).wrapping_mul(8);
        let fragment = (more || offset > 0).then(|| Fragment {
            id: u32::from(u16::from_be_bytes([id0, id1])),
            offset,
            more,
        });
        Ok(Self {
            ip: Ip {
                src: ip::mapped([s0, s1, s2, s3]),
                dst: ip::mapped([d0, d1, d2, d3]),
                proto,
                len: total_len,
                header,
                payload: ip::captured(rest, payload_len),
                payload_len,
                fragment,
            },
        })
    }
}
