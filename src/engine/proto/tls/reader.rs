//! A cursor over bytes that can only run dry, never panic.

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len)?;
        self.rest = tail;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (first, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some(*first)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        let (head, tail) = self.rest.split_first_chunk::<2>()?;
        self.rest = tail;
        Some(u16::from_be_bytes(*head))
    }

    /// A 24-bit length.
    pub(super) fn u24(&mut self) -> Option<usize> {
        let ([a, b, c], tail) = self.rest.split_first_chunk::<3>()?;
        self.rest = tail;
        usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()
    }

    /// A vector behind its length in 8 bits (RFC 8446 §3.4).
    pub(super) fn vec8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u8()?;
        let body = ahead.take(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A vector behind its length in 16 bits.
    pub(super) fn vec16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u16()?;
        let body = ahead.take(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A vector behind its length in 24 bits.
    pub(super) fn vec24(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u24()?;
        let body = ahead.take(len)?;
        *self = ahead;
        Some(body)
    }

    /// As `vec16`, but content with the part that is there.
    pub(super) fn vec16_lenient(&mut self) -> &'a [u8] {
        let Some(len) = self.u16() else { return &[] };
        let body = self.rest.get(..usize::from(len)).unwrap_or(self.rest);
        self.rest = self.rest.get(body.len()..).unwrap_or_default();
        body
    }
}

/// The 16-bit numbers in `bytes`; an odd last byte is left out.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_is_not_whole_leaves_the_cursor_where_it_was() {
        let mut reader = Reader::new(&[0, 2, 7, 8, 0, 9, 1]);
        assert_eq!(reader.vec16(), Some(&[7, 8][..]));
        assert_eq!(reader.vec16(), None);
        assert_eq!(reader.rest, [0, 9, 1]);
        assert_eq!(reader.vec16_lenient(), [1]);
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn numbers_are_big_endian() {
        assert!(numbers(&[0x13, 0x01, 0xc0, 0x2f, 9]).eq([0x1301, 0xc02f]));
    }
}
