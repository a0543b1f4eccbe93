//! HPACK: header fields that refer to those sent before.
//!
//! Standard: RFC 7541; §2.3 tables, §5 numbers and strings, §6 forms of a field, appendix A.
//! Bounds:   a dynamic table of 24 KiB by the standard's own count, which is six times the default; a peer that
//!           uses a larger one is not followed.
//! Secrets:  values of credentials and cookies are not kept, their lengths count all the same.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::huffman;
use crate::types::heap;

/// Largest dynamic table that is kept.
const TABLE_BYTES_MAX: usize = 24 * 1024;
/// Size of a table until told otherwise (RFC 9113 §6.5.2).
const TABLE_BYTES_DEFAULT: usize = 4_096;
/// What an entry counts beyond its bytes (RFC 7541 §4.1).
const ENTRY_OVERHEAD: usize = 32;
/// Appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is not what the standard says.
    Malformed,
    /// Its table is larger than what is kept.
    TooLarge,
}

/// A field sent before.
#[derive(Debug)]
struct Entry {
    name: Box<[u8]>,
    /// Empty for secrets.
    value: Box<[u8]>,
    size: usize,
}

heap!(Entry: name, value);

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Decoder {
    entries: VecDeque<Entry>,
    size: usize,
    size_max: usize,
}

heap!(Decoder: entries);

impl Default for Decoder {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            size_max: TABLE_BYTES_DEFAULT,
        }
    }
}

impl Decoder {
    /// Reads a block and hands on each field's name and value.
    pub(super) fn block(
        &mut self,
        block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Trouble> {
        let mut rest = block;
        while let Some(first) = rest.first().copied() {
            let malformed = Trouble::Malformed;
            if first & 0x80 != 0 {
                let index = number(&mut rest, 7).ok_or(malformed)?;
                let (name, value) = self.entry(index).ok_or(malformed)?;
                field(name, value);
            } else if first & 0xe0 == 0x20 {
                let size = number(&mut rest, 5).ok_or(malformed)?;
                if size > TABLE_BYTES_MAX {
                    return Err(Trouble::TooLarge);
                }
                self.size_max = size;
                self.shrink(size);
            } else {
                let is_kept = first & 0xc0 == 0x40;
                let index = number(&mut rest, if is_kept { 6 } else { 4 }).ok_or(malformed)?;
                let name = match index {
                    0 => string(&mut rest).ok_or(malformed)?.into_owned(),
                    index => self.entry(index).ok_or(malformed)?.0.to_vec(),
                };
                let value = string(&mut rest).ok_or(malformed)?;
                field(&name, &value);
                if is_kept {
                    self.keep(name, &value);
                }
            }
        }
        Ok(())
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let place = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(place.checked_sub(STATIC.len())?)?;
        Some((&entry.name, &entry.value))
    }

    fn keep(&mut self, name: Vec<u8>, value: &[u8]) {
        let size = name
            .len()
            .saturating_add(value.len())
            .saturating_add(ENTRY_OVERHEAD);
        let Some(room) = self.size_max.checked_sub(size) else {
            // What is larger than the table empties it (RFC 7541 §4.4).
            self.shrink(0);
            return;
        };
        self.shrink(room);
        let value = if is_secret(&name) { &[] } else { value };
        self.size = self.size.saturating_add(size);
        self.entries.push_front(Entry {
            name: name.into(),
            value: value.into(),
            size,
        });
    }

    /// Drops the oldest until no more than `size` is left.
    fn shrink(&mut self, size: usize) {
        while self.size > size
            && let Some(entry) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(entry.size);
        }
    }
}

/// Fields whose values are nobody's business.
fn is_secret(name: &[u8]) -> bool {
    matches!(
        name,
        b"authorization" | b"proxy-authorization" | b"cookie" | b"set-cookie"
    )
}

/// A number whose first `bits` bits share their byte with something else (RFC 7541 §5.1).
fn number(rest: &mut &[u8], bits: u8) -> Option<usize> {
    const CONTINUATIONS_MAX: usize = 4;
    let (first, mut after) = rest.split_first()?;
    let mask = 0xff_u8.checked_shr(u32::from(8_u8.saturating_sub(bits)))?;
    let mut value = usize::from(first & mask);
    if first & mask == mask {
        let mut is_whole = false;
        for place in 0..CONTINUATIONS_MAX {
            let (byte, tail) = after.split_first()?;
            after = tail;
            let part =
                usize::from(byte & 0x7f).checked_shl(u32::try_from(place).ok()?.checked_mul(7)?)?;
            value = value.checked_add(part)?;
            if byte & 0x80 == 0 {
                is_whole = true;
                break;
            }
        }
        if !is_whole {
            return None;
        }
    }
    *rest = after;
    Some(value)
}

/// A string, by Huffman's code or as it is (RFC 7541 §5.2).
fn string<'a>(rest: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let is_coded = rest.first()? & 0x80 != 0;
    let len = number(rest, 7)?;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    if is_coded {
        huffman::decode(bytes).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::testing::unhex;
    use super::*;

    fn read(decoder: &mut Decoder, block: &[u8]) -> Result<String, Trouble> {
        let mut out = String::new();
        decoder.block(block, |name, value| {
            out.push_str(&format!(
                "{}: {}|",
                name.escape_ascii(),
                value.escape_ascii()
            ));
        })?;
        Ok(out)
    }

    /// RFC 7541 §C.4: three requests on one connection.
    #[test]
    fn the_requests_of_appendix_c_4() {
        let mut decoder = Decoder::default();
        let first = ":method: GET|:scheme: http|:path: /|:authority: www.example.com|";
        for (block, expected, size) in [
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", first.to_owned(), 57),
            (
                "8286 84be 5886 a8eb 1064 9cbf",
                format!("{first}cache-control: no-cache|"),
                110,
            ),
            (
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value|"
                    .to_owned(),
                164,
            ),
        ] {
            assert_eq!(read(&mut decoder, &unhex(block)).unwrap(), expected);
            assert_eq!(decoder.size, size, "as the appendix says");
        }
    }

    /// RFC 7541 §C.5: responses with a table of 256 bytes, from which entries are evicted; cookies are
    /// not kept, but counted.
    #[test]
    fn the_responses_of_appendix_c_5() {
        let mut decoder = Decoder {
            size_max: 256,
            ..Decoder::default()
        };
        let first = "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a                      3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d";
        let third = "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0                      5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851                      5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31";
        let common = "cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com|";
        assert_eq!(
            read(&mut decoder, &unhex(first)).unwrap(),
            format!(":status: 302|{common}")
        );
        assert_eq!(decoder.size, 222);
        assert_eq!(
            read(&mut decoder, &unhex("4803 3330 37c1 c0bf")).unwrap(),
            format!(":status: 307|{common}")
        );
        assert_eq!(decoder.size, 222);
        let last = read(&mut decoder, &unhex(third)).unwrap();
        assert!(last.starts_with(
            ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|"
        ));
        assert_eq!((decoder.size, decoder.entries.len()), (215, 3));
        let kept = &decoder.entries[0];
        assert_eq!((&*kept.name, &*kept.value), (&b"set-cookie"[..], &b""[..]));
    }

    #[test]
    fn numbers_of_appendix_c_1() {
        for (bytes, bits, value) in [
            (&[0x0a][..], 5, 10),
            (&[0x1f, 0x9a, 0x0a], 5, 1337),
            (&[0x2a], 8, 42),
        ] {
            let mut rest = bytes;
            assert_eq!(number(&mut rest, bits), Some(value));
            assert!(rest.is_empty());
        }
        let mut endless = &[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..];
        assert_eq!(number(&mut endless, 5), None);
    }

    #[test]
    fn a_table_beyond_the_bound_is_not_followed() {
        // dynamic table size update to 65,536
        let mut decoder = Decoder::default();
        assert_eq!(
            read(&mut decoder, &[0x3f, 0xe1, 0xff, 0x03]),
            Err(Trouble::TooLarge)
        );
        assert_eq!(
            read(&mut decoder, &[0xbe]),
            Err(Trouble::Malformed),
            "no such entry"
        );
    }

    proptest! {
        #[test]
        fn any_blocks_stay_within_the_table(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6)) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _mistakes_are_fine = read(&mut decoder, &block);
                let held: usize = decoder.entries.iter().map(|entry| entry.size).sum();
                prop_assert!(held == decoder.size && held <= decoder.size_max.max(TABLE_BYTES_DEFAULT));
            }
        }
    }
}
