//! The history of a flow in Zeek's letters.
//!
//! `S` SYN, `H` SYN-ACK, `A` pure ACK, `D` data, `F` FIN, `R` RST, `C` bad checksum, `G` content gap,
//! `T` retransmitted data, `W` zero window, `I` FIN with RST, `Q` SYN with FIN or RST, `^` direction
//! guessed from the port. The originator's are capitals.
//! Bounds: sixteen letters; later ones are not kept.

use crate::flow::Dir;
use crate::types::{FieldType, FieldValue, Value};

/// The letters; a letter is kept as its place here.
const LETTERS: &[u8; 16] = b"SHADFRCGTWIQ^   ";
/// Most letters kept.
const LEN_MAX: u8 = 16;

/// Sixteen letters in eleven bytes: a nibble for the letter and a bit for the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    codes: [u8; 8],
    resp: [u8; 2],
    len: u8,
}

impl History {
    /// Adds a letter, given in upper case.
    pub fn push(&mut self, dir: Dir, letter: u8) {
        let code = LETTERS.iter().position(|l| *l == letter);
        let (Some(code), true) = (code.and_then(|c| u64::try_from(c).ok()), self.len < LEN_MAX)
        else {
            return;
        };
        let at = u32::from(self.len);
        let codes = u64::from_le_bytes(self.codes) | code.wrapping_shl(at.wrapping_mul(4));
        let resp = u16::from_le_bytes(self.resp) | u16::from(dir == Dir::Resp).wrapping_shl(at);
        (self.codes, self.resp) = (codes.to_le_bytes(), resp.to_le_bytes());
        self.len = self.len.saturating_add(1);
    }

    /// The letters as text; `None` if there are none.
    #[must_use]
    pub fn text(&self) -> Option<Letters> {
        if self.len == 0 {
            return None;
        }
        let (mut codes, mut resp) = (
            u64::from_le_bytes(self.codes),
            u16::from_le_bytes(self.resp),
        );
        let mut letters = Letters {
            bytes: [b' '; 16],
            len: self.len,
        };
        for slot in letters.bytes.iter_mut().take(usize::from(self.len)) {
            let code = usize::try_from(codes & 15).unwrap_or(0);
            let letter = LETTERS.get(code).copied().unwrap_or(b' ');
            *slot = if resp & 1 == 1 {
                letter.to_ascii_lowercase()
            } else {
                letter
            };
            (codes, resp) = (codes >> 4, resp >> 1);
        }
        Some(letters)
    }
}

/// A history as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letters {
    bytes: [u8; 16],
    len: u8,
}

impl Letters {
    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len));
        str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl FieldValue for Letters {
    const TYPE: FieldType = FieldType::Str;

    fn value(&self) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_read_as_zeek_writes_them() {
        let mut history = History::default();
        assert_eq!(history.text(), None);
        for (dir, letter) in [
            (Dir::Orig, b'S'),
            (Dir::Resp, b'H'),
            (Dir::Orig, b'A'),
            (Dir::Resp, b'^'),
        ] {
            history.push(dir, letter);
        }
        assert_eq!(history.text().unwrap().as_str(), "ShA^");
        (0..40).for_each(|_| history.push(Dir::Resp, b'W'));
        assert_eq!(history.text().unwrap().as_str(), "ShA^wwwwwwwwwwww");
    }
}
