//! BER and DER: tagged values, read where they lie.
//!
//! Standard: X.690; definite lengths and tags of one byte, which is all that Kerberos, SPNEGO and LDAP use.
//! Input:    any bytes. Nothing is copied and nothing recurses: who reads goes down as far as he asks.
//! Bounds:   lengths of at most four bytes. A value that is cut is handed out as far as it is there.
//! Not done: indefinite lengths and tags above 30 end the reading.

/// A tagged value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    /// Identifier octet: class, form and number.
    pub(crate) tag: u8,
    /// Contents, as far as they are there.
    pub(crate) body: &'a [u8],
}

/// Identifier and length of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Identifier octet.
    pub(crate) tag: u8,
    /// Bytes of identifier and length.
    pub(crate) head_len: usize,
    /// Bytes of the contents.
    pub(crate) body_len: usize,
}

impl Head {
    /// Bytes of the whole value.
    pub(crate) fn whole_len(self) -> usize {
        self.head_len.saturating_add(self.body_len)
    }
}

/// What the first bytes of a value say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Its head.
    Is(Head),
    /// The head is not whole.
    Short,
    /// No value of the kind we read.
    Bad,
}

/// Reads identifier and length.
pub(crate) fn begin(data: &[u8]) -> Begin {
    let Some((&tag, rest)) = data.split_first() else {
        return Begin::Short;
    };
    if tag & 0x1f == 0x1f {
        return Begin::Bad;
    }
    let Some((&first, rest)) = rest.split_first() else {
        return Begin::Short;
    };
    let count = match first {
        0..=0x7f => 0,
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return Begin::Bad,
    };
    let Some(octets) = rest.get(..count) else {
        return Begin::Short;
    };
    let long = octets
        .iter()
        .fold(0_u32, |len, octet| len << 8 | u32::from(*octet));
    let len = if count == 0 { u32::from(first) } else { long };
    let Ok(body_len) = usize::try_from(len) else {
        return Begin::Bad;
    };
    Begin::Is(Head {
        tag,
        head_len: count.saturating_add(2),
        body_len,
    })
}

/// The values in a run of bytes, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// The values `bytes` consist of.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The contents of the next value if it has this tag, else nothing is taken.
    pub(crate) fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let value = ahead.next().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value.body)
    }

    /// The contents of the first value from here on that has this tag.
    pub(crate) fn first_of(mut self, tag: u8) -> Option<&'a [u8]> {
        self.find_map(|value| (value.tag == tag).then_some(value.body))
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let Begin::Is(head) = begin(self.rest) else {
            self.rest = &[];
            return None;
        };
        let behind = self.rest.get(head.head_len..).unwrap_or_default();
        let body = behind.get(..head.body_len).unwrap_or(behind);
        self.rest = behind.get(body.len()..).unwrap_or_default();
        Some(Value {
            tag: head.tag,
            body,
        })
    }
}

/// SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// ENUMERATED.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// OBJECT IDENTIFIER.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;

/// The contents of the only value in `bytes`, if it has this tag.
pub(crate) fn inside(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Values::new(bytes).next_of(tag)
}

/// The contents of an INTEGER or ENUMERATED as a number; `None` if it is empty or has more than eight bytes.
pub(crate) fn number(body: &[u8]) -> Option<i64> {
    let (&first, _) = body.split_first()?;
    if body.len() > 8 {
        return None;
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    let value = body
        .iter()
        .fold(sign, |value: i64, octet| value << 8 | i64::from(*octet));
    Some(value)
}

/// The INTEGER that `bytes` begin with.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    number(inside(bytes, INTEGER)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_each_other() {
        // INTEGER 5; OCTET STRING "ab" with a length in long form (X.690 8.1.3.5); SEQUENCE {}.
        let bytes = [2, 1, 5, 4, 0x81, 2, b'a', b'b', 0x30, 0];
        let found: Vec<_> = Values::new(&bytes).map(|v| (v.tag, v.body)).collect();
        assert_eq!(found, [(2, &[5][..]), (4, b"ab"), (0x30, b"")]);
        assert_eq!(Values::new(&bytes).first_of(4), Some(&b"ab"[..]));
        let mut values = Values::new(&bytes);
        assert_eq!(values.next_of(4), None);
        assert_eq!(values.next_of(2), Some(&[5][..]));
    }

    #[test]
    fn what_is_cut_is_handed_out_as_far_as_it_goes() {
        let bytes = [4, 0x82, 1, 0, b'x', b'y'];
        assert_eq!(inside(&bytes, 4), Some(&b"xy"[..]));
        for len in 0..4 {
            assert_eq!(begin(&bytes[..len]), Begin::Short, "{len}");
        }
        let head = Head {
            tag: 4,
            head_len: 4,
            body_len: 256,
        };
        assert_eq!(begin(&bytes[..4]), Begin::Is(head));
    }

    #[test]
    fn forms_we_do_not_read_end_it() {
        // Indefinite length, a length of five bytes, a tag of two bytes.
        for bytes in [
            &[0x30, 0x80, 0, 0][..],
            &[4, 0x85, 0, 0, 0, 0, 1],
            &[0x7f, 0x65, 0],
        ] {
            assert_eq!(begin(bytes), Begin::Bad);
            assert_eq!(Values::new(bytes).next(), None);
        }
    }

    #[test]
    fn numbers_have_signs() {
        // X.690 8.3: two's complement.
        assert_eq!(number(&[0x7f]), Some(127));
        assert_eq!(number(&[0xff, 0x7b]), Some(-133));
        assert_eq!(number(&[0, 0xff]), Some(255));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[1; 9]), None);
        assert_eq!(integer(&[2, 1, 9]), Some(9));
    }
}
