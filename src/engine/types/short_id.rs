//! A device's id as it is carried beside every record: short, and copied instead of allocated.

use std::fmt;

use super::Json;

/// Longest id, in bytes.
const LEN_MAX: usize = 15;

/// An id of at most 15 bytes; what is longer is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortId {
    bytes: [u8; LEN_MAX],
    len: u8,
}

impl ShortId {
    /// The id `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text
            .get(..text.floor_char_boundary(LEN_MAX))
            .unwrap_or(text);
        let mut bytes = [0; LEN_MAX];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        let len = u8::try_from(text.len()).unwrap_or(0);
        Self { bytes, len }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len));
        str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }

    /// Writes the id behind `key`; see [`Json::field`].
    #[inline]
    pub fn write(&self, key: &str, json: &mut Json<'_>) {
        json.ascii(key, &self.bytes, usize::from(self.len));
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ShortId;

    #[test]
    fn keeps_an_id_and_cuts_what_is_longer() {
        assert_eq!(ShortId::new("d-abcdefgh").as_str(), "d-abcdefgh");
        assert_eq!(ShortId::new("0123456789abcdü").as_str(), "0123456789abcd");
        assert_eq!(ShortId::new("").as_str(), "");
    }
}
