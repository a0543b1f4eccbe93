//! The frames of one block of the ring, found and made whole.
//!
//! Standard: `struct tpacket_block_desc` and `struct tpacket3_hdr` of `linux/if_packet.h`.
//! Input:    the bytes of a block the kernel has filled.
//! Output:   where each frame lies, its time, length and flags; the VLAN tag put back before it.
//! Units:    nanoseconds since the Unix epoch; lengths in bytes.
//! Bounds:   every offset is checked against the block; one that leads out ends the block.

use std::mem::{offset_of, size_of};

/// Bytes of a VLAN tag; the kernel takes at most one off.
pub(crate) const TAG_BYTES: u32 = 4;

/// A place in a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    /// Offset of the next frame's header.
    at: usize,
    /// Frames from there on.
    left: u32,
}

/// A frame in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where its bytes lie.
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Length on the wire.
    pub(crate) wire_len: u32,
    pub(crate) ts_ns: i64,
    /// The sender left the checksums to hardware that never saw the frame.
    pub(crate) checksum_unfinished: bool,
    /// EtherType and control word of the tag the kernel has taken off.
    tag: Option<(u16, u16)>,
    /// Offset of its header, and distance to the next.
    header: usize,
    next: usize,
}

type BlockHeader = libc::tpacket_hdr_v1;
type Header = libc::tpacket3_hdr;
type Tag = libc::tpacket_hdr_variant1;

impl Cursor {
    /// Before the first frame.
    pub(crate) fn new(block: &[u8]) -> Self {
        let base = offset_of!(libc::tpacket_block_desc, hdr);
        let field = |at| u32_at(block, base + at);
        let read = || {
            Some(Self {
                at: field(offset_of!(BlockHeader, offset_to_first_pkt))? as usize,
                left: field(offset_of!(BlockHeader, num_pkts))?,
            })
        };
        read().unwrap_or_default()
    }

    /// The frame here, if there is one.
    #[inline]
    pub(crate) fn peek(self, block: &[u8]) -> Option<Found> {
        if self.left == 0 {
            return None;
        }
        let header = block
            .get(self.at..)?
            .first_chunk::<{ size_of::<Header>() }>()?;
        let word = |at| u32_at(header, at).unwrap_or(0);
        let half = |at| u16_at(header, at).unwrap_or(0);
        let status = word(offset_of!(Header, tp_status));
        let tag = || {
            let hv1 = offset_of!(Header, hv1);
            let valid = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            let named = half(hv1 + offset_of!(Tag, tp_vlan_tpid));
            let control = word(hv1 + offset_of!(Tag, tp_vlan_tci)) & 0xffff;
            // A kernel that does not name the tag's EtherType means 802.1Q.
            (if valid { named } else { 0x8100 }, control as u16)
        };
        let start = self.at + usize::from(half(offset_of!(Header, tp_mac)));
        let len = word(offset_of!(Header, tp_snaplen)) as usize;
        block.get(start..start.checked_add(len)?)?;
        Some(Found {
            start,
            len,
            wire_len: word(offset_of!(Header, tp_len)),
            ts_ns: i64::from(word(offset_of!(Header, tp_sec))) * 1_000_000_000
                + i64::from(word(offset_of!(Header, tp_nsec))),
            checksum_unfinished: status & libc::TP_STATUS_CSUMNOTREADY != 0,
            tag: (status & libc::TP_STATUS_VLAN_VALID != 0).then(tag),
            header: self.at,
            next: word(offset_of!(Header, tp_next_offset)) as usize,
        })
    }

    /// Goes past `found`.
    #[inline]
    pub(crate) fn pass(&mut self, found: &Found) {
        self.left = match found.next {
            0 => 0,
            _ => self.left.saturating_sub(1),
        };
        self.at = found.header.saturating_add(found.next);
    }
}

impl Found {
    /// Puts the tag back between the addresses and what follows them, by moving the addresses into
    /// the room before the frame. True if there was one to put back.
    #[inline]
    pub(crate) fn restore_tag(&mut self, block: &mut [u8]) -> bool {
        const ADDRESSES: usize = 12;
        let Some((number, control)) = self.tag.take() else {
            return false;
        };
        let room = self.start.checked_sub(TAG_BYTES as usize);
        let room = room.filter(|at| *at >= self.header + size_of::<Header>());
        let Some(start) = room.filter(|_| self.len >= ADDRESSES) else {
            return false;
        };
        let whole = block.get_mut(start..self.start + ADDRESSES);
        let Some(whole) = whole else {
            return false;
        };
        whole.copy_within(TAG_BYTES as usize.., 0);
        let [n0, n1] = number.to_be_bytes();
        let [c0, c1] = control.to_be_bytes();
        if let Some(tag) = whole.last_chunk_mut() {
            *tag = [n0, n1, c0, c1];
        }
        self.start = start;
        self.len += TAG_BYTES as usize;
        self.wire_len = self.wire_len.saturating_add(TAG_BYTES);
        true
    }
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Puts a number where the kernel would.
    fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
        block[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A block with one frame of `frame`, whose tag is in the header.
    fn block(frame: &[u8], status: u32, mac: u16) -> Vec<u8> {
        let mut block = vec![0; 4096];
        put(&mut block, 12, &1_u32.to_ne_bytes()); // num_pkts
        put(&mut block, 16, &48_u32.to_ne_bytes()); // offset_to_first_pkt
        let len = u32::try_from(frame.len()).expect("a frame");
        for (at, value) in [(4, 7), (8, 9), (12, len), (16, len + 10), (20, status)] {
            put(&mut block, 48 + at, &u32::to_ne_bytes(value));
        }
        put(&mut block, 48 + 24, &mac.to_ne_bytes());
        put(&mut block, 48 + 32, &0xe00a_u32.to_ne_bytes()); // tp_vlan_tci
        put(&mut block, 48 + 36, &0x88a8_u16.to_ne_bytes()); // tp_vlan_tpid
        put(&mut block, 48 + usize::from(mac), frame);
        block
    }

    /// A frame without a tag is lent as it lies there.
    #[test]
    fn a_frame_is_found() {
        let mut block = block(b"abcdefghijklmnop", libc::TP_STATUS_CSUMNOTREADY, 86);
        let mut cursor = Cursor::new(&block);
        let mut found = cursor.peek(&block).expect("a frame");
        assert_eq!((found.ts_ns, found.wire_len), (7_000_000_009, 26));
        assert!(found.checksum_unfinished && !found.restore_tag(&mut block));
        assert_eq!(
            &block[found.start..found.start + found.len],
            b"abcdefghijklmnop"
        );
        cursor.pass(&found);
        assert_eq!(cursor.peek(&block), None);
    }

    /// A tag is put back in place; without its EtherType it is an 802.1Q tag; without room the
    /// frame is left as it is.
    #[test]
    fn a_tag_is_put_back() {
        let valid = libc::TP_STATUS_VLAN_VALID;
        let named = valid | libc::TP_STATUS_VLAN_TPID_VALID;
        for (status, expected) in [
            (named, &b"abcdefghijkl\x88\xa8\xe0\x0amnop"[..]),
            (valid, b"abcdefghijkl\x81\x00\xe0\x0amnop"),
        ] {
            let mut block = block(b"abcdefghijklmnop", status, 52);
            let mut found = Cursor::new(&block).peek(&block).expect("a frame");
            assert!(found.restore_tag(&mut block));
            assert_eq!(&block[found.start..found.start + found.len], expected);
            assert_eq!(found.wire_len, 30);
        }
        let mut block = block(b"abcdefghijklmnop", valid, 51);
        let mut found = Cursor::new(&block).peek(&block).expect("a frame");
        assert!(!found.restore_tag(&mut block));
    }

    proptest! {
        /// No block, however wrong, leads outside itself or around in it.
        #[test]
        fn any_block(mut block in proptest::collection::vec(any::<u8>(), 0..300), small in any::<bool>()) {
            if small {
                // Offsets that stay inside are rare among random words.
                for byte in block.chunks_mut(4).flat_map(|word| word.iter_mut().skip(1)) {
                    *byte = 0;
                }
            }
            let mut cursor = Cursor::new(&block);
            let mut count = 0;
            while let Some(mut found) = cursor.peek(&block) {
                found.restore_tag(&mut block);
                prop_assert!(block.get(found.start..found.start + found.len).is_some());
                cursor.pass(&found);
                count += 1;
                prop_assert!(count <= 300);
            }
        }
    }
}
