//! Classic pcap, walked by hand.
//!
//! Standard: `draft-ietf-opsawg-pcap`: file header 24 bytes, record header 16 bytes; times in
//!           microseconds (a1b2c3d4) or nanoseconds (a1b23c4d), either byte order. Also Kuznetsov's
//!           variant (a1b2cd34), whose record headers have 24 bytes.
//! Input:    the window over the unpacked stream.
//! Output:   [`Record`]s, or the [`Damage`] that ends the file.
//! Bounds:   [`FRAME_BYTES_MAX`] captured bytes; a record that claims more is damage.
//! Odd:      a fraction of a second or more is dropped, the whole second stands.
//! Not done: the file's own snap length is not enforced; what is there is delivered.

use crate::batch::{Place, ask};
use crate::file::{Record, Trust};
use crate::report::{Damage, DamageKind};
use crate::window::{Short, Window};
use crate::{Compression, FRAME_BYTES_MAX, LinkType};

/// How to walk one pcap file, learned from its header.
#[derive(Debug)]
pub(crate) struct PcapWalk {
    big_endian: bool,
    nanoseconds: bool,
    /// Length of a record header.
    head_len: usize,
    link: LinkType,
    /// Which way round writers of this version put the two lengths.
    lengths: Lengths,
    compression: Compression,
    /// The record handed out last, to be passed before the next.
    pending: usize,
}

/// Versions before 2.3 wrote the wire length first, 2.3 either way (libpcap's `sf-pcap.c`).
#[derive(Clone, Copy, Debug)]
enum Lengths {
    AsNow,
    Swapped,
    Unsure,
}

const HEADER_LEN: usize = 24;

impl PcapWalk {
    /// Whether a file that begins so is a pcap: (big-endian, nanoseconds, record header length).
    pub(crate) fn recognise(magic: [u8; 4]) -> Option<(bool, bool, usize)> {
        Some(match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, false, 16),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, false, 16),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, true, 16),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, true, 16),
            [0x34, 0xcd, 0xb2, 0xa1] => (false, false, 24),
            [0xa1, 0xb2, 0xcd, 0x34] => (true, false, 24),
            _ => return None,
        })
    }

    /// Reads the file header; the window stands at the file's first byte and its magic number has
    /// been recognised.
    pub(crate) fn open(window: &mut Window, compression: Compression) -> Result<Self, Damage> {
        let cut = |short| short_damage(short, 0, "its header", HEADER_LEN as u64, compression);
        window.need(HEADER_LEN).map_err(cut)?;
        let damage = |kind| Damage { at_byte: 0, kind };
        let (big_endian, nanoseconds, head_len) =
            Self::recognise(window.array(0)).ok_or_else(|| damage(DamageKind::Header))?;
        let u16_at = |offset| {
            let bytes = window.array(offset);
            if big_endian {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let (major, minor) = (u16_at(4), u16_at(6));
        let lengths = match (major, minor) {
            (2, 0..=2) | (543, 0) => Lengths::Swapped,
            (2, 3) => Lengths::Unsure,
            (2, _) => Lengths::AsNow,
            _ => return Err(damage(DamageKind::Version { major, minor })),
        };
        // The upper six bits tell the length of a frame check sequence (libpcap's LT_LINKTYPE).
        let link = u32_of(big_endian, window.array(20)) & 0x03ff_ffff;
        let link = LinkType::from_file(link);
        window.consume(HEADER_LEN);
        Ok(Self {
            big_endian,
            nanoseconds,
            head_len,
            link,
            lengths,
            compression,
            pending: 0,
        })
    }

    /// The next record; its bytes stay in the window until the call after.
    #[inline]
    pub(crate) fn next(&mut self, window: &mut Window) -> Result<Option<Record>, Damage> {
        window.consume(self.pending);
        self.pending = 0;
        if let Err(short) = window.need(self.head_len) {
            return self.end(short, window.position());
        }
        let head = window.array(0);
        let (ts_ns, captured, wire_len) = self.read(&head);
        let len = captured as usize;
        if len > FRAME_BYTES_MAX {
            let kind = DamageKind::TooLong { claimed: captured };
            return Err(Damage {
                at_byte: window.position(),
                kind,
            });
        }
        let whole = self.head_len + len;
        if let Err(short) = window.need(whole) {
            let at_byte = window.position();
            return Err(short_damage(
                short,
                at_byte,
                "a packet",
                whole as u64,
                self.compression,
            ));
        }
        self.pending = whole;
        Ok(Some(Record {
            ts_ns: Some(ts_ns),
            wire_len: wire_len.max(captured),
            link: self.link,
            at: self.head_len,
            len,
            trust: Trust::Judge,
        }))
    }

    /// Time, captured length and wire length of a record.
    #[inline]
    fn read(&self, head: &[u8; 16]) -> (i64, u32, u32) {
        let [a, b, c, d] = word_of(head);
        let field = |bytes| u32_of(self.big_endian, bytes);
        let (seconds, fraction, mut captured, mut wire_len) =
            (field(a), field(b), field(c), field(d));
        match self.lengths {
            Lengths::AsNow => {}
            Lengths::Unsure if captured <= wire_len => {}
            Lengths::Swapped | Lengths::Unsure => std::mem::swap(&mut captured, &mut wire_len),
        }
        // A second or more in the fraction is a writer's mistake (a negative number, or nanoseconds
        // in a microsecond file): the whole second is then all that can be believed.
        let (unit, limit) = if self.nanoseconds {
            (1, 1_000_000_000)
        } else {
            (1_000, 1_000_000)
        };
        let fraction = if fraction < limit {
            i64::from(fraction) * unit
        } else {
            0
        };
        let ts_ns = i64::from(seconds) * 1_000_000_000 + fraction;
        (ts_ns, captured, wire_len)
    }

    /// The records behind the one handed out last that are whole in the window, each no earlier than the one before and
    /// the first not before `from_ns`: what can be had without reading on and without a judgement. They go
    /// into `places`, of which there are `places_max` at most. Gives the time of the last one.
    #[inline]
    pub(crate) fn ready(
        &mut self,
        window: &mut Window,
        mut from_ns: i64,
        places: &mut Vec<Place>,
        places_max: usize,
    ) -> i64 {
        let (start, ahead) = (window.start(), window.ahead());
        // Where the record handed out last lies, and what follows it.
        let (mut last, mut next) = (0, self.pending);
        while places.len() < places_max
            && let Some(head) = ahead.get(next..).and_then(|ahead| ahead.first_chunk())
        {
            let (ts_ns, captured, wire_len) = self.read(head);
            let whole = self.head_len + captured as usize;
            let too_long = captured as usize > FRAME_BYTES_MAX;
            if ts_ns < from_ns || too_long || ahead.len() - next < whole {
                break;
            }
            ask(ahead, next + self.head_len);
            places.push(Place {
                ts_ns,
                wire_len: wire_len.max(captured),
                link: self.link,
                // The buffer is far smaller than 4 GiB.
                at: u32::try_from(start + next + self.head_len).unwrap_or(u32::MAX),
                len: captured,
            });
            from_ns = ts_ns;
            (last, next) = (next, next + whole);
        }
        window.consume(last);
        self.pending = next - last;
        from_ns
    }

    #[cold]
    fn end(&self, short: Short, at_byte: u64) -> Result<Option<Record>, Damage> {
        match short {
            Short::Ended(0) => Ok(None),
            _ => {
                let need = self.head_len as u64;
                Err(short_damage(
                    short,
                    at_byte,
                    "a packet header",
                    need,
                    self.compression,
                ))
            }
        }
    }
}

/// The damage that a request the window could not meet amounts to.
#[cold]
pub(crate) fn short_damage(
    short: Short,
    at_byte: u64,
    inside: &'static str,
    need: u64,
    compression: Compression,
) -> Damage {
    let kind = match short {
        Short::Ended(have) => DamageKind::Cut {
            inside,
            need,
            have: have as u64,
        },
        Short::Failed(kind) if compression == Compression::None => DamageKind::Read(kind),
        Short::Failed(_) => DamageKind::Unpack(compression),
    };
    Damage { at_byte, kind }
}

/// The four words of a record's header.
#[inline]
fn word_of(head: &[u8; 16]) -> [[u8; 4]; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *head;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
}

#[inline]
pub(crate) fn u32_of(big_endian: bool, bytes: [u8; 4]) -> u32 {
    if big_endian {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time, wire length, link number, bytes.
    type Read = (i64, u32, u32, Vec<u8>);

    /// Every record, and the damage that ended the file.
    fn walk(file: &[u8]) -> (Vec<Read>, Option<Damage>) {
        let mut window = Window::new(Box::new(std::io::Cursor::new(file.to_vec())), Vec::new());
        let mut records = Vec::new();
        let mut walk = match PcapWalk::open(&mut window, Compression::None) {
            Ok(walk) => walk,
            Err(damage) => return (records, Some(damage)),
        };
        loop {
            match walk.next(&mut window) {
                Ok(Some(r)) => {
                    let bytes = window.bytes(r.at, r.len).to_vec();
                    records.push((r.ts_ns.unwrap(), r.wire_len, r.link.0, bytes));
                }
                Ok(None) => return (records, None),
                Err(damage) => return (records, Some(damage)),
            }
        }
    }

    #[rustfmt::skip]
    const LITTLE: &[u8] = &[
        0xd4, 0xc3, 0xb2, 0xa1, // magic: microseconds, little-endian
        2, 0, 4, 0,             // version 2.4
        0, 0, 0, 0, 0, 0, 0, 0, // time zone, accuracy: unused
        0, 0, 1, 0,             // snap length 65,536
        1, 0, 0, 0xf4,          // Ethernet; upper bits: check sequence of 4 bytes follows
        1, 0, 0, 0,             // 1 s
        2, 0, 0, 0,             // 2 µs
        3, 0, 0, 0,             // 3 bytes captured
        60, 0, 0, 0,            // 60 bytes on the wire
        0xaa, 0xbb, 0xcc,
    ];

    /// A file written out by hand, little-endian microseconds.
    #[test]
    fn little_endian_microseconds() {
        let (records, damage) = walk(LITTLE);
        assert_eq!(records, [(1_000_002_000, 60, 1, vec![0xaa, 0xbb, 0xcc])]);
        assert_eq!(damage, None);
    }

    /// The same packet, big-endian nanoseconds, and in Kuznetsov's variant.
    #[test]
    fn other_byte_order_units_and_header() {
        #[rustfmt::skip]
        let big = [
            0xa1, 0xb2, 0x3c, 0x4d, // magic: nanoseconds, big-endian
            0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
            0, 0, 0, 12,            // DLT_RAW as a link type number
            0, 0, 0, 1, 0, 0, 0, 2, // 1 s and 2 ns
            0, 0, 0, 1, 0, 0, 0, 1, // 1 byte of 1
            0x45,
        ];
        assert_eq!(walk(&big).0, [(1_000_000_002, 1, 101, vec![0x45])]);
        let mut kuznetsov = LITTLE.to_vec();
        kuznetsov[0] = 0x34;
        kuznetsov[1] = 0xcd;
        // After the usual 16: interface index (4), protocol (2), packet type (1), padding (1).
        kuznetsov.splice(40..40, [7, 0, 0, 0, 8, 0, 4, 0]);
        assert_eq!(
            walk(&kuznetsov).0,
            [(1_000_002_000, 60, 1, vec![0xaa, 0xbb, 0xcc])]
        );
    }

    /// A fraction that is none does not throw the clock forward.
    #[test]
    fn fraction_beyond_a_second_is_dropped() {
        let mut file = LITTLE.to_vec();
        file[28..32].copy_from_slice(&(-268_432_i32).to_le_bytes());
        assert_eq!(walk(&file).0[0].0, 1_000_000_000);
        file[28..32].copy_from_slice(&999_999_u32.to_le_bytes());
        assert_eq!(walk(&file).0[0].0, 1_999_999_000);
    }

    /// Damage is placed at the record that cannot be read, and told apart.
    #[test]
    fn damage_has_a_place_and_a_reason() {
        let mut long = LITTLE.to_vec();
        long[32..36].copy_from_slice(&262_145_u32.to_le_bytes());
        let kind = DamageKind::TooLong { claimed: 262_145 };
        assert_eq!(walk(&long).1, Some(Damage { at_byte: 24, kind }));
        let mut strange = LITTLE.to_vec();
        strange[4] = 9;
        let kind = DamageKind::Version { major: 9, minor: 4 };
        assert_eq!(walk(&strange).1, Some(Damage { at_byte: 0, kind }));
        let kind = DamageKind::Cut {
            inside: "a packet",
            need: 19,
            have: 18,
        };
        assert_eq!(walk(&LITTLE[..42]).1, Some(Damage { at_byte: 24, kind }));
        let kind = DamageKind::Cut {
            inside: "its header",
            need: 24,
            have: 23,
        };
        assert_eq!(walk(&LITTLE[..23]).1, Some(Damage { at_byte: 0, kind }));
    }
}
