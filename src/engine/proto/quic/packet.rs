//! Packets with a long header, as they lie behind each other in a datagram.
//!
//! Standard: RFC 8999 §5.1 (what holds for every version), RFC 9000 §17.2, RFC 9369 §3.2; lengths §16.
//! Bounds:   connection ids are 20 bytes at most, as in both versions.

use super::version;

/// Longest connection id (RFC 9000 §17.2).
const CONNECTION_ID_LEN_MAX: usize = 20;

/// What a long header says its packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    Negotiation,
    /// Of a version whose packets cannot be told apart.
    Foreign,
}

/// A packet in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) kind: Kind,
    pub(super) version: u32,
    pub(super) dcid: &'a [u8],
    pub(super) scid: &'a [u8],
    /// The whole packet, its first byte first.
    pub(super) bytes: &'a [u8],
    /// Where its protected packet number begins, in `bytes`.
    pub(super) number_at: usize,
}

/// The bytes of a datagram, read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let bytes = self.data.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = <[u8; 4]>::try_from(self.take(4)?).ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// A number whose first two bits tell its length: 1, 2, 4 or 8 bytes (RFC 9000 §16).
    pub(super) fn number(&mut self) -> Option<usize> {
        let first = self.u8()?;
        let more = (1_usize << (first >> 6)).checked_sub(1)?;
        let mut value = u64::from(first & 0x3f);
        for byte in self.take(more)? {
            value = value << 8 | u64::from(*byte);
        }
        usize::try_from(value).ok()
    }

    /// Passes over zeroes.
    pub(super) fn skip_zeroes(&mut self) {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let zeroes = rest.iter().take_while(|byte| **byte == 0).count();
        self.at = self.at.saturating_add(zeroes);
    }

    fn connection_id(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.u8()?);
        self.take(len).filter(|_| len <= CONNECTION_ID_LEN_MAX)
    }
}

impl<'a> Cursor<'a> {
    /// Both lengths in one byte, less three where there is an id at all.
    fn google_connection_ids(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let lens = self.u8()?;
        let len = |nibble: u8| match nibble {
            0 => 0,
            nibble => usize::from(nibble).saturating_add(3),
        };
        Some((self.take(len(lens >> 4))?, self.take(len(lens & 0x0f))?))
    }
}

/// The first packet of `data` and what follows it; `None` if it has no long header or is not whole.
pub(super) fn first(data: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let mut cursor = Cursor::new(data);
    let head = cursor.u8().filter(|head| head & 0x80 != 0)?;
    let version = cursor.u32()?;
    let (dcid, scid) = if version::has_short_lengths(version) {
        cursor.google_connection_ids()?
    } else {
        (cursor.connection_id()?, cursor.connection_id()?)
    };
    let kind = kind(head, version);
    let number_at = match kind {
        Kind::Initial | Kind::ZeroRtt | Kind::Handshake => {
            if kind == Kind::Initial {
                let token_len = cursor.number()?;
                cursor.take(token_len)?;
            }
            let len = cursor.number()?;
            let number_at = cursor.at;
            cursor.take(len)?;
            number_at
        }
        // Nothing says where these end: they take the whole datagram.
        Kind::Retry | Kind::Negotiation | Kind::Foreign => {
            cursor.at = data.len();
            data.len()
        }
    };
    let (bytes, rest) = data.split_at_checked(cursor.at)?;
    let packet = Packet {
        kind,
        version,
        dcid,
        scid,
        bytes,
        number_at,
    };
    Some((packet, rest))
}

fn kind(head: u8, number: u32) -> Kind {
    const ORDER: [Kind; 4] = [Kind::Initial, Kind::ZeroRtt, Kind::Handshake, Kind::Retry];
    if number == version::NEGOTIATION {
        return Kind::Negotiation;
    }
    if version::recipe(number).is_none() {
        return Kind::Foreign;
    }
    // Version 2 has them turned by one.
    let turn = usize::from(number == version::V2);
    let place = usize::from(head >> 4 & 3)
        .wrapping_add(4)
        .wrapping_sub(turn)
        % 4;
    ORDER.get(place).copied().unwrap_or(Kind::Foreign)
}

/// The version that a datagram of Google's older format names: flags, connection id of eight bytes,
/// version, all before QUIC had a standard.
pub(super) fn google_version(data: &[u8]) -> Option<u32> {
    const HAS_VERSION: u8 = 0x01;
    const IS_RESET: u8 = 0x02;
    const HAS_ID: u8 = 0x08;
    let [flags, _, _, _, _, _, _, _, _, a, b, c, d, _, ..] = data else {
        return None;
    };
    let version = u32::from_be_bytes([*a, *b, *c, *d]);
    let is_first =
        flags & 0xc0 == 0 && flags & (HAS_VERSION | IS_RESET | HAS_ID) == HAS_VERSION | HAS_ID;
    (is_first && version::google(version).is_some()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        // RFC 9000 §A.1: the four samples.
        for (bytes, value) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            let mut cursor = Cursor::new(bytes);
            assert_eq!(cursor.number(), Some(value));
            assert_eq!(cursor.u8(), None);
            assert_eq!(Cursor::new(&bytes[..bytes.len() - 1]).number(), None);
        }
    }

    #[test]
    fn types_of_both_versions() {
        for (head, v1, v2) in [
            (0xc0, Kind::Initial, Kind::Retry),
            (0xd0, Kind::ZeroRtt, Kind::Initial),
            (0xe0, Kind::Handshake, Kind::ZeroRtt),
            (0xf0, Kind::Retry, Kind::Handshake),
        ] {
            assert_eq!(kind(head, version::V1), v1);
            assert_eq!(kind(head, version::V2), v2);
        }
        assert_eq!(kind(0xc0, 0), Kind::Negotiation);
        assert_eq!(kind(0xc0, 0x5130_3530), Kind::Foreign);
    }

    /// Q046 has its lengths in one byte: 8 bytes, then none.
    #[test]
    fn the_last_format_of_google_but_one() {
        let data = [
            &[0xc3][..],
            b"Q046",
            &[0x50, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xff; 20],
        ]
        .concat();
        let (packet, rest) = first(&data).unwrap();
        assert_eq!(packet.dcid, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(packet.scid.is_empty() && rest.is_empty());
        assert_eq!(packet.kind, Kind::Foreign);
    }

    #[test]
    fn the_older_format_of_google() {
        let mut data = vec![0x0d, 1, 2, 3, 4, 5, 6, 7, 8];
        data.extend(b"Q043\x01");
        assert_eq!(google_version(&data), Some(0x5130_3433));
        data[0] = 0x0c;
        assert_eq!(google_version(&data), None, "no version");
    }
}
