//! Text from the wire: bounded, valid UTF-8, nothing lost that matters.
//!
//! Bounds: the caller names a limit in bytes; longer input is cut there. Bytes that are not UTF-8 are
//! written `\xNN`, as Zeek does. Control characters stay and are escaped where they are printed.

use std::fmt::Write as _;

/// Owned text of a record.
pub type Text = String;

/// The first `limit` bytes of `bytes` as text.
#[must_use]
pub fn text(bytes: &[u8], limit: usize) -> Text {
    let bytes = bytes.get(..limit).unwrap_or(bytes);
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _infallible = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn keeps_utf8_and_shows_the_rest() {
        assert_eq!(text("Büro".as_bytes(), 64), "Büro");
        assert_eq!(text(b"a\xffb", 64), "a\\xffb");
        assert_eq!(text(b"abcdef", 3), "abc");
        assert_eq!(text("ü".as_bytes(), 1), "\\xc3");
    }
}
