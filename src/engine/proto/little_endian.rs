//! Little-endian fields and UTF-16 names, as Microsoft's protocols have them.
//!
//! Nothing here can fail: a field that is not there is `None`.

use crate::types::Text;

/// The bytes of `data` from `at`, `len` long.
pub(crate) fn field(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(len)?)
}

/// A byte.
pub(crate) fn u8_at(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

/// Two bytes, little-endian.
pub(crate) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Two bytes, little-endian, as an offset or a length.
pub(crate) fn size16_at(data: &[u8], at: usize) -> Option<usize> {
    u16_at(data, at).map(usize::from)
}

/// Four bytes, little-endian.
pub(crate) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Four bytes, little-endian, as an offset or a length.
pub(crate) fn size32_at(data: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(data, at)?).ok()
}

/// Eight bytes, little-endian.
pub(crate) fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Sixteen bytes: a FileId, of which only equality matters.
pub(crate) fn u128_at(data: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// UTF-16LE as text of at most `limit` bytes; an unpaired surrogate becomes U+FFFD, trailing NULs go.
pub(crate) fn utf16(bytes: &[u8], limit: usize) -> Text {
    let (units, _odd) = bytes.as_chunks::<2>();
    let mut out = String::new();
    for unit in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        let character = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
        if out.len().saturating_add(character.len_utf8()) > limit {
            break;
        }
        out.push(character);
    }
    out.truncate(out.trim_end_matches('\0').len());
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_lossy() {
        assert_eq!(utf16(b"a\0\xfc\0", 64), "aü");
        // A high surrogate alone, then a pair (U+1F600 is D83D DE00).
        assert_eq!(utf16(b"\x3d\xd8b\0\x3d\xd8\x00\xde", 64), "\u{fffd}b😀");
        assert_eq!(utf16(b"\xfc\0\xfc\0", 3), "ü");
        assert_eq!(utf16(b"a\0\0\0\0\0x", 64), "a");
    }
}
