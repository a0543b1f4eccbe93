//! HPACK's Huffman code.
//!
//! Standard: RFC 7541 §5.2 and appendix B. The code is canonical: codes of one length follow each other in the
//!           order of their symbols, so the lengths are all there is to know.

/// Symbols by the length of their code, from one bit on; 256 ends a string and never occurs.
const SYMBOLS: [&[u16]; 30] = [
    &[],
    &[],
    &[],
    &[],
    &[48, 49, 50, 97, 99, 101, 105, 111, 115, 116],
    &[
        32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100, 102, 103, 104, 108,
        109, 110, 112, 114, 117,
    ],
    &[
        58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87,
        89, 106, 107, 113, 118, 119, 120, 121, 122,
    ],
    &[38, 42, 44, 59, 88, 90],
    &[],
    &[33, 34, 40, 41, 63],
    &[39, 43, 124],
    &[35, 62],
    &[0, 36, 64, 91, 93, 126],
    &[94, 125],
    &[60, 96, 123],
    &[],
    &[],
    &[],
    &[92, 195, 208],
    &[128, 130, 131, 162, 184, 194, 224, 226],
    &[
        153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230,
    ],
    &[
        129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186,
        187, 189, 190, 196, 198, 228, 232, 233,
    ],
    &[
        1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166,
        168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239,
    ],
    &[9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237],
    &[199, 207, 234, 235],
    &[
        192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255,
    ],
    &[
        203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253,
        254,
    ],
    &[
        2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29,
        30, 31, 127, 220, 249,
    ],
    &[],
    &[10, 13, 22, 256],
];
/// The symbol that only padding is made of.
const END: u16 = 256;
/// Padding is shorter than a byte (RFC 7541 §5.2).
const PADDING_BITS_MAX: u8 = 7;

/// Decodes a string; `None` if it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(8) / 5);
    let mut code = Code::default();
    for byte in bytes {
        for bit in (0..8).rev() {
            match code.push(byte >> bit & 1)? {
                Some(END) => return None,
                Some(symbol) => {
                    out.push(u8::try_from(symbol).ok()?);
                    code = Code::default();
                }
                None => {}
            }
        }
    }
    (code.len <= PADDING_BITS_MAX && code.is_ones).then_some(out)
}

/// A code as far as it is read.
struct Code {
    value: usize,
    /// The first code of this length.
    first: usize,
    len: u8,
    is_ones: bool,
}

impl Default for Code {
    fn default() -> Self {
        Self {
            value: 0,
            first: 0,
            len: 0,
            is_ones: true,
        }
    }
}

impl Code {
    /// Adds a bit: the symbol if the code is whole, `None` outside if there is no such code.
    fn push(&mut self, bit: u8) -> Option<Option<u16>> {
        let symbols = SYMBOLS.get(usize::from(self.len))?;
        self.len = self.len.saturating_add(1);
        self.is_ones &= bit == 1;
        self.value = self.value << 1 | usize::from(bit);
        let place = self.value.checked_sub(self.first)?;
        if let Some(symbol) = symbols.get(place) {
            return Some(Some(*symbol));
        }
        self.first = self.first.saturating_add(symbols.len()) << 1;
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::unhex;
    use super::*;

    /// RFC 7541 §C.4.1, §C.4.2, §C.4.3, §C.6.1.
    #[test]
    fn the_strings_of_appendix_c() {
        for (hex, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
        ] {
            let bytes = unhex(hex);
            assert_eq!(decode(&bytes).as_deref(), Some(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn every_symbol_has_a_code_and_the_code_is_complete() {
        let mut all: Vec<u16> = SYMBOLS.concat();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..=256));
        let share = |(index, symbols): (usize, &&[u16])| (symbols.len() as u64) << (29 - index);
        assert_eq!(SYMBOLS.iter().enumerate().map(share).sum::<u64>(), 1 << 30);
    }

    #[test]
    fn what_is_no_string_is_none() {
        assert_eq!(decode(&[]).as_deref(), Some(&[][..]));
        assert_eq!(decode(&[0xff]), None, "padding of a whole byte");
        assert_eq!(decode(&[0x06]), None, "`0` and padding with a zero in it");
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff]), None, "the end symbol");
    }
}
