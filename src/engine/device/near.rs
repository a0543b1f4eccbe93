//! Whose the IPv4 addresses are that flows asked for last.
//!
//! Every event of a flow asks for both its ends. What the table of addresses and the home networks say of one
//! is kept in a slot that its bits lead to at once, until another address takes the slot.
//! Bounds: 2,048 slots.

use super::inventory::DeviceIx;

/// Slots, a power of two.
const SLOTS: usize = 2_048;
/// Bits of an address's product that lead to its slot.
const SHIFT: u32 = u32::BITS - SLOTS.trailing_zeros();
/// In the place of a holder: nobody.
const NOBODY: u32 = u32::MAX >> 1;
/// Beside the holder: the address lies in the home networks.
const HOME: u32 = 1 << 31;

/// An address, its holder and [`HOME`]. The address is 0, of which nothing is ever kept, where there is none.
type Slot = (u32, u32);

/// See the module.
#[derive(Debug)]
pub(super) struct Near(Box<[Slot]>);

impl Near {
    pub(super) fn new() -> Self {
        Self(vec![(0, 0); SLOTS].into())
    }

    /// What is known of an address: its holder, and whether it lies in the home networks.
    #[inline]
    pub(super) fn get(&self, addr: u32) -> Option<(Option<DeviceIx>, bool)> {
        let &(known, what) = self.0.get(slot(addr))?;
        if known != addr || addr == 0 {
            return None;
        }
        let holder = what & !HOME;
        let holder = (holder != NOBODY).then_some(DeviceIx(holder));
        Some((holder, what & HOME != 0))
    }

    /// Keeps it.
    pub(super) fn put(&mut self, addr: u32, holder: Option<DeviceIx>, is_home: bool) {
        let holder = holder.map_or(NOBODY, |ix| ix.0 & NOBODY);
        if let Some(slot) = self.0.get_mut(slot(addr)) {
            *slot = (addr, holder | if is_home { HOME } else { 0 });
        }
    }

    /// The address has another holder now.
    pub(super) fn forget(&mut self, addr: u32) {
        if let Some(slot) = self.0.get_mut(slot(addr)).filter(|slot| slot.0 == addr) {
            *slot = (0, 0);
        }
    }

    /// Bytes of the slots.
    pub(super) const BYTES: usize = SLOTS * size_of::<Slot>();
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, §6.4).
#[inline]
fn slot(addr: u32) -> usize {
    usize::try_from(addr.wrapping_mul(0x9e37_79b9) >> SHIFT).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_until_it_is_forgotten_or_its_slot_taken() {
        let mut near = Near::new();
        assert_eq!((near.get(0), near.get(7)), (None, None));
        near.put(0, None, true);
        assert_eq!(near.get(0), None, "an empty slot looks like it");
        near.put(7, Some(DeviceIx(3)), true);
        near.put(8, None, false);
        assert_eq!(near.get(7), Some((Some(DeviceIx(3)), true)));
        assert_eq!(near.get(8), Some((None, false)));
        near.forget(8);
        assert_eq!((near.get(8), near.get(7).is_some()), (None, true));
        let other = (9..).find(|addr| slot(*addr) == slot(7)).unwrap();
        near.forget(other);
        assert!(near.get(7).is_some());
        near.put(other, None, true);
        assert_eq!((near.get(7), near.get(other)), (None, Some((None, true))));
    }
}
