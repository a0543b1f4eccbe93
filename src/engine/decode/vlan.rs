//! VLAN tags: 802.1Q, 802.1ad, and the older 0x9100.
//!
//! Standard: IEEE 802.1Q §9.6: 3 bits priority, 1 bit drop eligible, 12 bits id, then an EtherType.
//! Bounds:   four tags; a fifth is malformed.

use super::{Layer, Malformed};

/// Most tags looked through.
const TAGS_MAX: u32 = 4;

/// Whether an EtherType announces a tag.
#[inline]
pub(super) fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100)
}

/// What lies behind tags: outer and second VLAN id, EtherType, the rest, and the tags' length.
type Stripped<'a> = ((u16, u16), u16, &'a [u8], u32);

/// Takes all tags off.
pub(super) fn strip(mut rest: &[u8]) -> Result<Stripped<'_>, Malformed> {
    let mut ids = (0, 0);
    for tag in 0..TAGS_MAX {
        let Some(([c0, c1, t0, t1], behind)) = rest.split_first_chunk::<4>() else {
            return Err(Malformed::new(Layer::Vlan, 4, rest.len()).at(tag.saturating_mul(4)));
        };
        let id = u16::from_be_bytes([*c0, *c1]) & 0x0fff;
        match tag {
            0 => ids.0 = id,
            1 => ids.1 = id,
            _ => {}
        }
        let ether_type = u16::from_be_bytes([*t0, *t1]);
        rest = behind;
        if !is_tag(ether_type) {
            let len = tag.saturating_add(1).saturating_mul(4);
            return Ok((ids, ether_type, rest, len));
        }
    }
    Err(Malformed::new(Layer::Vlan, 0, rest.len()).at(TAGS_MAX.saturating_mul(4)))
}
