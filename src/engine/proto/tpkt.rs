//! Frames of ISO transport on TCP, in which RDP and S7comm stand.
//!
//! Standard: RFC 1006 §6 and RFC 2126 §4.3 (TPKT): a version, a reserved byte, the length of the whole.
//! Bounds:   64 KiB, as two bytes of length have it.

use super::Parse;

/// A frame's header.
const HEAD_LEN: usize = 4;
/// The shortest transport unit: its own length, its kind and a byte more.
const UNIT_LEN_MIN: usize = 3;

/// What stands at the beginning of a stream's bytes.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    /// A frame of `len` bytes, and the transport unit (X.224) in it.
    Whole {
        /// Bytes with the header.
        len: usize,
        /// From the unit's own length on; at least three bytes.
        unit: &'a [u8],
    },
    /// The beginning of one: this many bytes more are needed, at least 1.
    Need(usize),
    /// Something else.
    Other,
}

/// The first frame of `data`.
pub(super) fn frame(data: &[u8]) -> Frame<'_> {
    if !matches!(data.first(), None | Some(3)) {
        return Frame::Other;
    }
    let Some(&[_, _, high, low]) = data.first_chunk::<HEAD_LEN>() else {
        return Frame::Need(HEAD_LEN.saturating_sub(data.len()));
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < HEAD_LEN.saturating_add(UNIT_LEN_MIN) {
        return Frame::Other;
    }
    match data.get(HEAD_LEN..len) {
        Some(unit) => Frame::Whole { len, unit },
        None => Frame::Need(len.saturating_sub(data.len())),
    }
}

/// The answer of a parser that waits for the rest of its first frame.
pub(super) fn more(need: usize) -> Parse {
    Parse::NeedMore { used: 0, need }
}
