//! IPv6 with its extension headers.
//!
//! Standard: RFC 8200 §3 and §4; RFC 4302 for the authentication header's length.
//! Bounds:   eight extension headers; more is malformed.

use super::ip::{self, Fragment, Ip};
use super::{Layer, Malformed, narrow};

/// Fixed header.
const HEADER_LEN: usize = 40;
/// Most extension headers looked through.
const EXTENSIONS_MAX: usize = 8;

/// An IPv6 header whose lengths are known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6<'a> {
    /// What the rooms above need.
    pub ip: Ip<'a>,
}

impl<'a> Ipv6<'a> {
    /// Reads a packet of which `wire_len` bytes were on the wire and `bytes` were captured.
    ///
    /// # Errors
    /// The header or an extension is cut, or its lengths contradict the frame.
    #[inline]
    pub fn parse(bytes: &'a [u8], wire_len: u32) -> Result<Self, Malformed> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(Malformed::new(Layer::Ipv6, HEADER_LEN, bytes.len()));
        };
        let (&[v, _, _, _, l0, l1, next, _hops], addresses) =
            head.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (src, dst) = addresses
            .split_first_chunk::<16>()
            .unwrap_or((&[0; 16], &[]));
        let dst = dst.first_chunk::<16>().unwrap_or(&[0; 16]);
        if v >> 4 != 6 {
            return Err(Malformed::new(Layer::Ipv6, HEADER_LEN, 0));
        }
        let on_wire = wire_len.saturating_sub(40);
        // Length 0 is a jumbogram or what segmentation offload leaves behind; 59 is "no next header".
        let payload_len = match u32::from(u16::from_be_bytes([l0, l1])) {
            0 if next != 59 => on_wire,
            len => len,
        };
        if payload_len > on_wire {
            let need = usize::try_from(payload_len)
                .unwrap_or(0)
                .saturating_add(HEADER_LEN);
            return Err(Malformed::new(
                Layer::Ipv6,
                need,
                usize::try_from(wire_len).unwrap_or(0),
            ));
        }
        let mut walk = Walk {
            next,
            rest: ip::captured(rest, payload_len),
            len: payload_len,
            fragment: None,
        };
        if is_extension(next) {
            walk.run().map_err(|m| m.at(narrow(HEADER_LEN)))?;
        }
        Ok(Self {
            ip: Ip {
                src: *src,
                dst: *dst,
                proto: walk.next,
                len: payload_len.saturating_add(40),
                header: head,
                payload: walk.rest,
                payload_len: walk.len,
                fragment: walk.fragment,
            },
        })
    }
}

/// Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6.
#[inline]
fn is_extension(next: u8) -> bool {
    matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140)
}

/// A walk along the chain of extension headers.
struct Walk<'a> {
    next: u8,
    rest: &'a [u8],
    len: u32,
    fragment: Option<Fragment>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Malformed> {
        for _ in 0..EXTENSIONS_MAX {
            if !is_extension(self.next) {
                return Ok(());
            }
            let Some((&[next, len8, o0, o1, i0, i1, i2, i3], _)) =
                self.rest.split_first_chunk::<8>()
            else {
                return Err(Malformed::new(Layer::Ipv6, 8, self.rest.len()));
            };
            let header_len = match self.next {
                44 => 8,
                51 => usize::from(len8).saturating_add(2).saturating_mul(4),
                _ => usize::from(len8).saturating_add(1).saturating_mul(8),
            };
            let Some((_, behind)) = self.rest.split_at_checked(header_len) else {
                return Err(Malformed::new(Layer::Ipv6, header_len, self.rest.len()));
            };
            let was = self.next;
            (self.next, self.rest) = (next, behind);
            self.len = self.len.saturating_sub(narrow(header_len));
            if was == 44 {
                let position = u16::from_be_bytes([o0, o1]);
                let offset = u32::from(position & 0xfff8);
                let more = position & 1 != 0;
                // A fragment of the whole packet (RFC 6946) is no fragment.
                if offset > 0 || more {
                    let id = u32::from_be_bytes([i0, i1, i2, i3]);
                    self.fragment = Some(Fragment { id, offset, more });
                    return Ok(());
                }
            }
        }
        if is_extension(self.next) {
            return Err(Malformed::new(Layer::Ipv6, 0, self.rest.len()));
        }
        Ok(())
    }
}
