//! Ethernet II and IEEE 802.3.
//!
//! Standard: IEEE 802.3 §3: destination, source, EtherType or length.

use super::{Frame, Layer, Malformed, after_ether_type};
use crate::types::MacAddr;

/// Header length without tags.
const HEADER_LEN: usize = 14;

/// Decodes a frame that begins with an Ethernet header.
#[inline]
pub(super) fn decode(frame: &[u8], wire_len: u32) -> Result<Frame<'_>, Malformed> {
    let Some((head, rest)) = frame.split_first_chunk::<HEADER_LEN>() else {
        return Err(Malformed::new(Layer::Link, HEADER_LEN, frame.len()));
    };
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *head;
    let ((vlan, inner_vlan), network) =
        after_ether_type(u16::from_be_bytes([t0, t1]), rest, 14, wire_len)?;
    Ok(Frame {
        src_mac: MacAddr([s0, s1, s2, s3, s4, s5]),
        dst_mac: MacAddr([d0, d1, d2, d3, d4, d5]),
        vlan,
        inner_vlan,
        network,
    })
}
