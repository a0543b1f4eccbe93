//! Many globs at once: `["*passw*", "*.kdbx"]`, case-insensitive, in one pass over the text.
//!
//! Method: bit-parallel automaton (Shift-And): one bit per pattern position, all patterns side by
//!         side. Each character costs one shift and two masks per 64 positions, whatever the text, so
//!         no file name can make it slow.
//! Signs:  `*` any characters or none, `?` any one character, all else itself. Letters are compared
//!         by the first character of their lower case.
//! Bounds: 2,048 positions in all patterns of one list together.

/// Most 64-bit words of positions.
const WORDS_MAX: usize = 32;
/// Most positions: characters of all patterns, and one more for each.
const POSITIONS_MAX: usize = WORDS_MAX * 64;
/// Codes below this are looked up in a table.
const ASCII: usize = 128;

/// A list of globs; a text matches if one of them does.
#[derive(Clone, Debug)]
pub(crate) struct Globs {
    words: usize,
    /// Positions before the first character.
    start: Vec<u64>,
    /// Positions with a star: they stay, whatever comes.
    stay: Vec<u64>,
    /// Positions after the last character.
    accept: Vec<u64>,
    /// Row of `rows` for each ASCII character.
    ascii: Vec<u16>,
    /// Row for other characters of the patterns, sorted.
    wide: Vec<(char, u16)>,
    /// Positions reached by a character; row 0 is for characters in no pattern.
    rows: Vec<u64>,
}

/// One element of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Star,
    One,
    This(char),
}

impl Globs {
    /// Compiles patterns.
    ///
    /// # Errors
    ///
    /// More than 2,048 positions together; says how many there are.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let patterns: Vec<Vec<Sign>> = patterns.map(signs).collect();
        let count = |pattern: &Vec<Sign>| pattern.iter().filter(|s| **s != Sign::Star).count() + 1;
        let positions: usize = patterns.iter().map(count).sum();
        if positions > POSITIONS_MAX {
            return Err(format!(
                "these globs have {positions} characters together; at most {POSITIONS_MAX} are allowed"
            ));
        }
        let words = positions.div_ceil(64);
        let mut letters: Vec<char> = patterns
            .iter()
            .flatten()
            .filter_map(|sign| {
                if let Sign::This(letter) = sign {
                    Some(*letter)
                } else {
                    None
                }
            })
            .collect();
        letters.sort_unstable();
        letters.dedup();
        let row_of = |index: usize| u16::try_from(index.saturating_add(1)).unwrap_or(0);
        let mut ascii = vec![0; ASCII];
        let mut wide = Vec::new();
        for (index, letter) in letters.iter().enumerate() {
            match ascii.get_mut(u32::from(*letter) as usize) {
                Some(slot) => *slot = row_of(index),
                None => wide.push((*letter, row_of(index))),
            }
        }
        let mut globs = Self {
            words,
            start: vec![0; words],
            stay: vec![0; words],
            accept: vec![0; words],
            ascii,
            wide,
            rows: vec![0; words * (letters.len() + 1)],
        };
        globs.place(&patterns, letters.len() + 1);
        Ok(globs)
    }

    /// Lays the patterns out side by side.
    fn place(&mut self, patterns: &[Vec<Sign>], rows: usize) {
        let mut position = 0;
        for pattern in patterns {
            set(&mut self.start, position);
            for sign in pattern {
                match sign {
                    Sign::Star => set(&mut self.stay, position),
                    Sign::One => {
                        position += 1;
                        for row in 0..rows {
                            set(&mut self.rows, row * self.words * 64 + position);
                        }
                    }
                    Sign::This(letter) => {
                        position += 1;
                        let row = self.row_of(*letter);
                        set(&mut self.rows, row * self.words * 64 + position);
                    }
                }
            }
            set(&mut self.accept, position);
            position += 1;
        }
    }

    /// Whether a pattern matches the whole of `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut state = [0_u64; WORDS_MAX];
        for (slot, word) in state.iter_mut().zip(&self.start) {
            *slot = *word;
        }
        for character in text.chars() {
            let row = self.row_of(fold(character)).saturating_mul(self.words);
            let reached = self.rows.get(row..).unwrap_or_default();
            let (mut carry, mut alive, mut won) = (0, 0, 0);
            let masks = reached.iter().zip(&self.stay).zip(&self.accept);
            for (slot, ((reached, stay), accept)) in state.iter_mut().zip(masks) {
                let shifted = (*slot << 1) | carry;
                carry = *slot >> 63;
                *slot = (shifted & reached) | (*slot & stay);
                alive |= *slot;
                won |= *slot & stay & accept;
            }
            // A pattern that ends in a star and got there cannot lose any more.
            if won != 0 || alive == 0 {
                return won != 0;
            }
        }
        state
            .iter()
            .zip(&self.accept)
            .any(|(slot, accept)| slot & accept != 0)
    }

    /// The row of a lower-case character.
    fn row_of(&self, letter: char) -> usize {
        let row = self
            .ascii
            .get(u32::from(letter) as usize)
            .copied()
            .unwrap_or_else(|| {
                let found = self.wide.binary_search_by_key(&letter, |(wide, _)| *wide);
                found
                    .ok()
                    .and_then(|index| self.wide.get(index))
                    .map_or(0, |(_, row)| *row)
            });
        usize::from(row)
    }
}

/// A pattern's elements; stars in a row are one.
fn signs(pattern: &str) -> Vec<Sign> {
    let mut signs: Vec<Sign> = pattern
        .chars()
        .map(|character| match character {
            '*' => Sign::Star,
            '?' => Sign::One,
            letter => Sign::This(fold(letter)),
        })
        .collect();
    signs.dedup_by(|a, b| *a == Sign::Star && *b == Sign::Star);
    signs
}

/// The first character of the lower case, which is the whole of it but for one letter (`İ`).
fn fold(character: char) -> char {
    if character.is_ascii() {
        character.to_ascii_lowercase()
    } else {
        character.to_lowercase().next().unwrap_or(character)
    }
}

/// Sets one bit.
fn set(words: &mut [u64], position: usize) {
    if let Some(word) = words.get_mut(position / 64) {
        *word |= 1 << (position % 64);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(pattern: &str, text: &str) -> bool {
        Globs::new([pattern].into_iter()).unwrap().matches(text)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*passw*", "finance\\Passwords.XLS", true),
            ("*passw*", "bypass.txt", false),
            ("*.kdbx", "team.kdbx", true),
            ("*.kdbx", "team.kdbx.bak", false),
            ("id_rsa*", "id_rsa", true),
            ("id_rsa*", "my_id_rsa", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*SCHLÜSSEL*", "schlüssel.txt", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_across_words_do_not_touch_each_other() {
        let long: Vec<String> = (0..40)
            .map(|n| format!("{n:02}{}", "x".repeat(60)))
            .collect();
        let error = Globs::new(long.iter().map(String::as_str)).unwrap_err();
        assert!(error.contains("2520"), "{error}");
        let globs = Globs::new(long.iter().take(30).map(String::as_str)).unwrap();
        assert!(globs.matches(&long[29]) && globs.matches(&long[0]));
        assert!(!globs.matches(&long[30]) && !globs.matches("x"));
    }

    /// The plain definition, exponential but obviously right.
    fn model(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => {
                model(rest, text) || (!text.is_empty() && model(pattern, &text[1..]))
            }
            (['?', rest @ ..], [_, after @ ..]) => model(rest, after),
            ([p, rest @ ..], [t, after @ ..]) => p == t && model(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            patterns in prop::collection::vec("[ab*?]{0,7}", 1..20),
            text in "[abc]{0,10}",
        ) {
            let letters: Vec<char> = text.chars().collect();
            let expected = patterns
                .iter()
                .any(|pattern| model(&pattern.chars().collect::<Vec<_>>(), &letters));
            let globs = Globs::new(patterns.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(globs.matches(&text), expected);
        }
    }
}
