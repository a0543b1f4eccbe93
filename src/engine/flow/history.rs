//! The history of a flow in Zeek's letters.
//!
//! `S` SYN, `H` SYN-ACK, `A` pure ACK, `D` data, `F` FIN, `R` RST, `C` bad checksum, `G` content gap,
//! `T` retransmitted data, `W` zero window, `I` FIN with RST, `Q` SYN with FIN or RST, `^` direction
//! guessed from the port. The originator's are capitals.
//! Bounds: sixteen letters; later ones are not kept.

use crate::flow::Dir;
use crate::types::{FieldType, FieldValue, Json, Value, heap};

/// The letters; a letter is kept as its place here. The last place says that there is none.
const LETTERS: &[u8; 16] = b"SHADFRCGTWIQ^   ";
const NONE: u64 = 15;
/// Most letters kept.
const LEN_MAX: u32 = 16;

/// Sixteen letters in ten bytes: a nibble for the letter and a bit for the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    codes: [u8; 8],
    resp: [u8; 2],
}

impl Default for History {
    fn default() -> Self {
        Self {
            codes: [u8::MAX; 8],
            resp: [0; 2],
        }
    }
}

impl History {
    /// Adds a letter, given in upper case.
    pub fn push(&mut self, dir: Dir, letter: u8) {
        let code = LETTERS.iter().position(|l| *l == letter);
        let at = self.len();
        let (Some(code), true) = (code.and_then(|c| u64::try_from(c).ok()), at < LEN_MAX) else {
            return;
        };
        let shift = at.wrapping_mul(4);
        let kept = u64::from_le_bytes(self.codes) & !NONE.wrapping_shl(shift);
        let codes = kept | code.wrapping_shl(shift);
        let resp = u16::from_le_bytes(self.resp) | u16::from(dir == Dir::Resp).wrapping_shl(at);
        (self.codes, self.resp) = (codes.to_le_bytes(), resp.to_le_bytes());
    }

    /// Letters kept: all before the places that hold none, which are ones at the upper end.
    fn len(self) -> u32 {
        let free = u64::from_le_bytes(self.codes).leading_ones() / 4;
        LEN_MAX.saturating_sub(free)
    }

    /// The letters as text; `None` if there are none.
    #[must_use]
    pub fn text(&self) -> Option<Letters> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        let (mut codes, mut resp) = (
            u64::from_le_bytes(self.codes),
            u16::from_le_bytes(self.resp),
        );
        let len = u8::try_from(len).unwrap_or(0);
        let mut letters = Letters {
            bytes: [b' '; 16],
            len,
        };
        for slot in letters.bytes.iter_mut().take(usize::from(len)) {
            let code = usize::try_from(codes & NONE).unwrap_or(0);
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

heap!(Letters:);

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

    #[inline]
    fn write(&self, key: &str, json: &mut Json<'_>) {
        json.ascii(key, &self.bytes, usize::from(self.len));
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
