//! pcapng as the record is written: sections, link types, packets, the end of a section.
//!
//! Standard: `draft-ietf-opsawg-pcapng`; little-endian, times in nanoseconds (`if_tsresol` 9).
//! Output:   whole blocks, appended to a buffer.
//! Bounds:   a comment is cut at [`COMMENT_BYTES_MAX`] bytes, as an option's length has 16 bits.

use crate::{Frame, LinkType};

/// Longest comment a section may have.
pub(crate) const COMMENT_BYTES_MAX: usize = 60_000;

/// Appends a section header with a comment.
pub(crate) fn section(out: &mut Vec<u8>, comment: &str) {
    let mut len = comment.len().min(COMMENT_BYTES_MAX);
    while !comment.is_char_boundary(len) {
        len -= 1;
    }
    let comment = comment.as_bytes().get(..len).unwrap_or(&[]);
    block(out, 0x0a0d_0d0a, |out| {
        out.extend(0x1a2b_3c4d_u32.to_le_bytes());
        out.extend([1, 0, 0, 0]); // version 1.0
        out.extend([0xff; 8]); // length of the section: not known
        option(out, 1, comment);
        option(out, 0, &[]);
    });
}

/// Appends the description of an interface of this link type.
pub(crate) fn interface(out: &mut Vec<u8>, link: LinkType) {
    block(out, 1, |out| {
        // The field has 16 bits; live captures have no link type beyond them.
        out.extend(u16::try_from(link.0).unwrap_or(u16::MAX).to_le_bytes());
        out.extend([0; 2]);
        out.extend([0; 4]); // snap length: none
        option(out, 9, &[9]); // nanoseconds
        option(out, 0, &[]);
    });
}

/// Appends a packet of the interface described as number `index` in this section.
pub(crate) fn packet(out: &mut Vec<u8>, index: u32, frame: &Frame<'_>) {
    block(out, 6, |out| {
        out.extend(index.to_le_bytes());
        time(out, frame.ts_ns);
        let captured = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        out.extend(captured.to_le_bytes());
        out.extend(frame.wire_len.max(captured).to_le_bytes());
        padded(out, frame.bytes);
    });
}

/// Appends what ends a section: that its time went on until `until_ns`.
pub(crate) fn end(out: &mut Vec<u8>, until_ns: i64) {
    block(out, 5, |out| {
        out.extend([0; 4]);
        time(out, until_ns);
        let mut value = Vec::with_capacity(8);
        time(&mut value, until_ns);
        option(out, 3, &value);
        option(out, 0, &[]);
    });
}

/// A type, a length, what `body` appends, and the length again.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let len = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX);
    if let Some(room) = out.get_mut(start + 4..start + 8) {
        room.copy_from_slice(&len.to_le_bytes());
    }
    out.extend(len.to_le_bytes());
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    padded(out, value);
}

fn padded(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    let padding = bytes.len().next_multiple_of(4) - bytes.len();
    out.extend([0; 3].iter().take(padding));
}

/// The upper half of a time and the lower one; no capture lies before 1970.
fn time(out: &mut Vec<u8>, ts_ns: i64) {
    let ts_ns = u64::try_from(ts_ns).unwrap_or(0);
    out.extend(u32::try_from(ts_ns >> 32).unwrap_or(0).to_le_bytes());
    out.extend(
        u32::try_from(ts_ns & 0xffff_ffff)
            .unwrap_or(0)
            .to_le_bytes(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks against bytes written out from the draft.
    #[test]
    fn blocks_by_hand() {
        let mut out = Vec::new();
        end(&mut out, 0x1_0000_0002);
        #[rustfmt::skip]
        let expected = [
            5, 0, 0, 0, 40, 0, 0, 0, // interface statistics, 40 bytes
            0, 0, 0, 0,              // interface 0
            1, 0, 0, 0, 2, 0, 0, 0,  // time: high, low
            3, 0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, // isb_endtime
            0, 0, 0, 0,              // no more options
            40, 0, 0, 0,
        ];
        assert_eq!(out, expected);
        out.clear();
        let frame = Frame {
            ts_ns: 5,
            wire_len: 9,
            link: LinkType::ETHERNET,
            epoch: false,
            bytes: &[1, 2, 3],
        };
        packet(&mut out, 1, &frame);
        #[rustfmt::skip]
        let expected = [
            6, 0, 0, 0, 36, 0, 0, 0, 1, 0, 0, 0, // enhanced packet, 36 bytes, interface 1
            0, 0, 0, 0, 5, 0, 0, 0,              // 5 ns
            3, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 0,  // 3 bytes of 9, padding
            36, 0, 0, 0,
        ];
        assert_eq!(out, expected);
    }

    /// A comment too long is cut between characters.
    #[test]
    fn long_comments_are_cut() {
        let mut out = Vec::new();
        section(&mut out, &"ü".repeat(COMMENT_BYTES_MAX));
        assert_eq!(out.len(), 24 + 4 + COMMENT_BYTES_MAX + 4 + 4);
        let mut out = Vec::new();
        section(&mut out, &format!("x{}", "ü".repeat(COMMENT_BYTES_MAX)));
        assert_eq!(out.len(), 24 + 4 + COMMENT_BYTES_MAX + 4 + 4);
        assert_eq!(out.get(28 + COMMENT_BYTES_MAX - 1), Some(&0));
    }
}
