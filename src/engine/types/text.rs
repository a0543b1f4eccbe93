//! Text from the wire: bounded, valid UTF-8, nothing lost that matters.
//!
//! Bounds: the caller names a limit in bytes; longer input is cut there. Bytes that are not UTF-8 are
//! written `\xNN`, as Zeek does. Control characters stay and are escaped where they are printed.

/// Owned text of a record: up to 24 bytes lie in the value itself, so that most texts need no memory of
/// their own.
pub type Text = compact_str::CompactString;

/// The first `limit` bytes of `bytes` as text.
#[must_use]
pub fn text(bytes: &[u8], limit: usize) -> Text {
    let bytes = bytes.get(..limit).unwrap_or(bytes);
    // Nearly all text is, and a look at it as a whole takes many bytes at a time.
    if let Ok(whole) = str::from_utf8(bytes) {
        return whole.into();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str("\\x");
            for digit in hex(*byte) {
                out.push(digit);
            }
        }
    }
    out.into()
}

/// A byte in lower-case hex.
fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 0xf].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'))
}

/// `text` as it may be shown on a terminal or a page: hostile characters become `\n`, `\r`, `\t` or
/// `\uXXXX`, everything else stays, quotes and backslashes included.
#[must_use]
pub fn escaped(text: &str) -> String {
    // What needs no escape, nearly all of it, is copied as it is.
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, c)| is_hostile(*c)) {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        push_escaped(&mut out, character);
        rest = behind.strip_prefix(character).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Whether a text is printable ASCII, which nothing acts on, and no more.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    // Not `all`: without an early end many bytes are looked at in one instruction.
    let printable = |byte: u8| matches!(byte, b' '..=b'~');
    text.bytes().fold(true, |all, byte| all & printable(byte))
}

/// Appends one character, escaped if it is hostile.
pub(super) fn push_escaped(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hostile(c) => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str("\\u");
                for byte in unit.to_be_bytes() {
                    for digit in hex(byte) {
                        out.push(digit);
                    }
                }
            }
        }
        c => out.push(c),
    }
}

/// Whether a character could move a cursor, colour a terminal, turn the reading direction or hide.
#[must_use]
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{00ad}' | '\u{061c}' | '\u{180e}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{escaped, text};

    #[test]
    fn escapes_what_could_act_and_nothing_else() {
        // ESC, a right-to-left override, the Arabic letter mark, C1's CSI, a tag character.
        assert_eq!(escaped("a\u{1b}[31m\u{202e}"), "a\\u001b[31m\\u202e");
        assert_eq!(
            escaped("\u{61c}\u{9b}\u{e0041}"),
            "\\u061c\\u009b\\udb40\\udc41"
        );
        assert_eq!(
            escaped("\\\\fs\\büro \"x\"\t\n"),
            "\\\\fs\\büro \"x\"\\t\\n"
        );
    }

    #[test]
    fn keeps_utf8_and_shows_the_rest() {
        assert_eq!(text("Büro".as_bytes(), 64), "Büro");
        assert_eq!(text(b"a\xffb", 64), "a\\xffb");
        assert_eq!(text(b"abcdef", 3), "abc");
        assert_eq!(text("ü".as_bytes(), 1), "\\xc3");
    }
}
