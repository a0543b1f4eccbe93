//! ICMP and ICMPv6: type, code, and the neighbours of IPv6.
//!
//! Standard: RFC 792, RFC 4443; RFC 4861 §4.1 to §4.4 for solicitations and advertisements.
//! Bounds:   eight options of a neighbour message.

use std::net::Ipv6Addr;

use super::{Layer, Malformed};
use crate::types::MacAddr;

/// Most options looked at.
const OPTIONS_MAX: usize = 8;

/// An ICMP or ICMPv6 header.
#[derive(Clone, Copy, Debug)]
pub struct Icmp<'a> {
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// What follows the first four bytes.
    pub body: &'a [u8],
}

/// What a neighbour message says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The address spoken for; `None` means the packet's source.
    pub target: Option<Ipv6Addr>,
    /// The link-layer address option; `None` means the frame's source.
    pub mac: Option<MacAddr>,
}

impl<'a> Icmp<'a> {
    /// Reads the first four bytes.
    ///
    /// # Errors
    /// There are fewer.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let Some((&[icmp_type, code, _, _], body)) = bytes.split_first_chunk::<4>() else {
            return Err(Malformed::new(Layer::Icmp, 4, bytes.len()));
        };
        Ok(Self {
            icmp_type,
            code,
            body,
        })
    }

    /// Whether only a router of ICMPv6 sends it: an advertisement or a redirect.
    #[must_use]
    pub fn is_from_router(&self) -> bool {
        matches!(self.icmp_type, 134 | 137)
    }

    /// The neighbour message in it, if it is one of ICMPv6.
    #[must_use]
    pub fn neighbour(&self) -> Option<Neighbour> {
        // Where the options begin behind the checksum, and which is the sender's.
        let (at, wanted) = match self.icmp_type {
            133 => (4, 1),
            134 => (12, 1),
            135 => (20, 1),
            136 => (20, 2),
            _ => return None,
        };
        let mut options = self.body.get(at..)?;
        let target = match self.icmp_type {
            136 => Some(Ipv6Addr::from(*self.body.get(4..)?.first_chunk::<16>()?)),
            _ => None,
        };
        let mut mac = None;
        for _ in 0..OPTIONS_MAX {
            let Some(&[kind, len8]) = options.first_chunk::<2>() else {
                break;
            };
            let Some((option, rest)) =
                options.split_at_checked(usize::from(len8).saturating_mul(8))
            else {
                break;
            };
            if option.is_empty() {
                break;
            }
            if kind == wanted
                && let Some(&[_, _, a, b, c, d, e, f]) = option.first_chunk::<8>()
            {
                mac = Some(MacAddr([a, b, c, d, e, f]));
                break;
            }
            options = rest;
        }
        Some(Neighbour { target, mac })
    }
}
