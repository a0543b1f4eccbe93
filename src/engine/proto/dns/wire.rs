//! DNS messages on the wire: header, names, questions, resource records.
//!
//! Standard: RFC 1035 §4; RFC 6891 for what an OPT record looks like.
//! Bounds:   a name is 255 bytes and 32 pointers, wherever they lead: resolvers follow pointers that lead
//!           forward, so a sensor that refused them could be talked past.

use crate::types::{Text, text};

/// Length of the header (RFC 1035 §4.1.1).
pub(super) const HEADER_LEN: usize = 12;
/// Longest name on the wire (RFC 1035 §2.3.4).
pub(super) const NAME_LEN_MAX: usize = 255;

/// Pointers followed in one name; honest names have one or two.
const POINTERS_MAX: u8 = 32;

/// Why a message could not be read on; Zeek's names for these oddities.
pub(super) type Malformed = &'static str;

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

impl Header {
    pub(super) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor { message, at: 0 };
        let mut next = || at.u16().map_err(|_| "DNS_truncated_len_lt_hdr_len");
        Ok(Self {
            id: next()?,
            flags: next()?,
            questions: next()?,
            answers: next()?,
            authorities: next()?,
            additionals: next()?,
        })
    }

    pub(super) fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn opcode(self) -> u16 {
        self.flags >> 11 & 0xf
    }

    pub(super) fn rcode(self) -> u16 {
        self.flags & 0xf
    }

    /// Number of resource records in all three sections.
    pub(super) fn records(self) -> u32 {
        [self.answers, self.authorities, self.additionals]
            .map(u32::from)
            .iter()
            .sum()
    }
}

/// A name that was walked and found right, where it stands in its message: most names are never needed
/// as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    message: &'a [u8],
    at: usize,
    /// Bytes as presented: labels joined by dots, without the last dot.
    len: usize,
}

impl<'a> Name<'a> {
    /// Bytes as presented.
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The labels and the dots between them.
    pub(super) fn presented(self) -> Presented {
        let mut out = Presented {
            bytes: [0; NAME_LEN_MAX],
            len: 0,
        };
        let mut cursor = Cursor {
            message: self.message,
            at: self.at,
        };
        // It was walked before: this finds nothing wrong.
        let _walked = cursor.labels(|label| out.push(label));
        out
    }

    /// As text; the root is a dot.
    pub(super) fn to_text(self) -> Text {
        if self.len == 0 {
            Text::from(".")
        } else {
            text(self.presented().as_bytes(), NAME_LEN_MAX)
        }
    }
}

/// A name's bytes as presented.
#[derive(Clone, Debug)]
pub(super) struct Presented {
    bytes: [u8; NAME_LEN_MAX],
    len: usize,
}

impl Presented {
    fn push(&mut self, label: &[u8]) {
        let dot = usize::from(self.len > 0);
        let end = self.len.saturating_add(dot).saturating_add(label.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            let (dots, rest) = room.split_at_mut(dot);
            dots.fill(b'.');
            rest.copy_from_slice(label);
            self.len = end;
        }
    }

    /// The bytes between the dots, and the dots.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A question (RFC 1035 §4.1.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) name: Name<'a>,
    pub(super) qtype: u16,
    pub(super) qclass: u16,
}

/// A resource record (RFC 1035 §4.1.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rr<'a> {
    pub(super) name: Name<'a>,
    pub(super) rtype: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) rdata: &'a [u8],
    /// Where `rdata` begins: names in it may point back into the message.
    pub(super) rdata_at: usize,
}

/// A place in a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) message: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.saturating_add(len);
        let bytes = self
            .message
            .get(self.at..end)
            .ok_or("DNS_truncated_RR_rdlength_lt_len")?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(bytes.try_into().map_or(0, u16::from_be_bytes))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        Ok(bytes.try_into().map_or(0, u32::from_be_bytes))
    }

    /// A name; the cursor ends behind it, not where its pointers lead.
    pub(super) fn name(&mut self) -> Result<Name<'a>, Malformed> {
        let (message, at) = (self.message, self.at);
        let mut len = 0_usize;
        self.labels(|label| {
            let dot = usize::from(len > 0);
            len = len.saturating_add(dot).saturating_add(label.len());
        })?;
        Ok(Name { message, at, len })
    }

    /// Walks along a name's labels.
    fn labels(&mut self, mut each: impl FnMut(&'a [u8])) -> Result<(), Malformed> {
        let mut walk = *self;
        let mut after = None;
        let (mut pointers, mut len) = (0_u8, 1_usize);
        loop {
            let head = walk.take(1)?.first().copied().unwrap_or(0);
            match head >> 6 {
                0 if head == 0 => break,
                0 => {
                    let label = walk
                        .take(usize::from(head))
                        .map_err(|_| "DNS_label_len_gt_pkt")?;
                    // Each label costs one byte more on the wire than its text, and the root one more.
                    len = len.saturating_add(1).saturating_add(label.len());
                    if len > NAME_LEN_MAX {
                        return Err("DNS_NAME_too_long");
                    }
                    each(label);
                }
                3 => {
                    let low = walk.take(1)?.first().copied().unwrap_or(0);
                    let target = usize::from(u16::from_be_bytes([head & 0x3f, low]));
                    after.get_or_insert(walk.at);
                    pointers = pointers.saturating_add(1);
                    if pointers > POINTERS_MAX {
                        return Err("DNS_label_compress_loop");
                    }
                    walk.at = target;
                }
                _ => return Err("DNS_label_too_long"),
            }
        }
        self.at = after.unwrap_or(walk.at);
        Ok(())
    }

    pub(super) fn question(&mut self) -> Result<Question<'a>, Malformed> {
        Ok(Question {
            name: self.name()?,
            qtype: self.u16()?,
            qclass: self.u16()?,
        })
    }

    pub(super) fn record(&mut self) -> Result<Rr<'a>, Malformed> {
        let (name, rtype, class) = (self.name()?, self.u16()?, self.u16()?);
        let (ttl, len) = (self.u32()?, self.u16()?);
        let rdata_at = self.at;
        let rdata = self.take(usize::from(len))?;
        Ok(Rr {
            name,
            rtype,
            class,
            ttl,
            rdata,
            rdata_at,
        })
    }
}

/// A NetBIOS name of sixteen bytes out of its half-ASCII label (RFC 1001 §14.1).
pub(super) fn netbios(name: Name<'_>) -> Option<[u8; 16]> {
    let presented = name.presented();
    let bytes = presented.as_bytes();
    let (label, scope) = bytes.split_at_checked(32)?;
    if !(scope.is_empty() || scope.starts_with(b".")) {
        return None;
    }
    let mut out = [0; 16];
    for (slot, pair) in out.iter_mut().zip(label.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        if !(b'A'..=b'P').contains(&high) || !(b'A'..=b'P').contains(&low) {
            return None;
        }
        *slot = high.wrapping_sub(b'A') << 4 | low.wrapping_sub(b'A');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1035 §4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
    fn rfc_message() -> Vec<u8> {
        let mut message = vec![0; 93];
        message[20..32].copy_from_slice(b"\x01F\x03ISI\x04ARPA\x00");
        message[40..46].copy_from_slice(b"\x03FOO\xc0\x14");
        message[64..66].copy_from_slice(b"\xc0\x1a");
        message
    }

    #[test]
    fn reads_the_compressed_names_of_the_rfc() {
        let message = rfc_message();
        let read = |at| {
            let mut cursor = Cursor {
                message: &message,
                at,
            };
            let name = cursor.name().map(|name| name.to_text());
            (name.unwrap_or_else(|error| error.into()), cursor.at)
        };
        assert_eq!(read(20), ("F.ISI.ARPA".into(), 32));
        assert_eq!(read(40), ("FOO.F.ISI.ARPA".into(), 46));
        assert_eq!(read(64), ("ARPA".into(), 66));
        assert_eq!(read(92), (".".into(), 93));
    }

    #[test]
    fn pointers_that_loop_are_refused() {
        let read = |message| Cursor { message, at: 0 }.name().map(|name| name.to_text());
        for message in [&b"\xc0\x00"[..], b"\xc0\x02\xc0\x00"] {
            assert_eq!(read(message), Err("DNS_label_compress_loop"));
        }
        assert_eq!(read(b"\x01a\xc0\x00"), Err("DNS_label_compress_loop"));
        assert_eq!(read(b"\x40a"), Err("DNS_label_too_long"));
        assert_eq!(read(b"\x01a\xc0\x04\x01b\x00"), Ok("a.b".into()));
    }

    #[test]
    fn a_name_ends_at_255_bytes() {
        // Four labels of 62 bytes are 252 on the wire, with the root 253; one byte more fits.
        let label = [&[62][..], &[b'x'; 62]].concat();
        let message = |tail: &[u8]| [label.repeat(4), tail.to_vec()].concat();
        let read = |message: &[u8]| Cursor { message, at: 0 }.name().map(|name| name.len);
        assert_eq!(read(&message(b"\x00")), Ok(251));
        assert_eq!(read(&message(b"\x01y\x00")), Ok(253));
        assert_eq!(read(&message(b"\x02yz\x00")), Err("DNS_NAME_too_long"));
    }

    #[test]
    fn netbios_names_are_unfolded() {
        // RFC 1001 §14.1: "FRED            " is EGFCEFEECACACACACACACACACACACACA.
        let message = [b"\x20EGFCEFEECACACACACACACACACACACACA\x00".as_slice()].concat();
        let name = Cursor {
            message: &message,
            at: 0,
        }
        .name()
        .unwrap();
        assert_eq!(netbios(name), Some(*b"FRED            "));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(message in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut cursor = Cursor { message: &message, at: 0 };
            while cursor.at < message.len() && cursor.record().is_ok() {}
            prop_assert!(cursor.at <= message.len().saturating_add(1));
        }
    }
}
