//! pcapng: sections, interfaces and packets.
//!
//! Standard: `draft-ietf-opsawg-pcapng`. Read: section headers, interface descriptions, enhanced
//!           and simple packets and the obsolete packet block; all other blocks are passed over.
//! Input:    the window over the unpacked stream.
//! Output:   [`Record`]s, or the [`Damage`] that ends the file.
//! Units:    each interface's resolution and offset are applied; what comes out is nanoseconds.
//! Bounds:   [`FRAME_BYTES_MAX`] bytes a packet, [`BUFFER_BYTES`] a block that is looked into,
//!           [`INTERFACES_MAX`] interfaces a section.
//! Odd:      a section whose comment begins with [`RECORD_COMMENT_START`] is of a live run's record:
//!           its packets' times are told to have been judged, and the end in its statistics is kept.
//! Not done: other comments and statistics, name resolution and secrets are not kept.
//!
//! Headers are parsed by `pcap-parser`. Packet blocks are taken apart here: that crate collects
//! their options into a `Vec` for each packet, and packets are the hot path.

use pcap_parser::pcapng::{OptionCode, PcapNGOption};
use pcap_parser::{
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_sectionheaderblock,
};

use crate::file::{Record, Trust};
use crate::interface::Interface;
use crate::pcap::{short_damage, u32_of};
use crate::report::{Damage, DamageKind};
use crate::window::{BUFFER_BYTES, Short, Window};
use crate::{Compression, FRAME_BYTES_MAX};

/// A section may describe this many interfaces; one entry takes 40 bytes.
const INTERFACES_MAX: usize = 65_536;

/// Block type of a section header: the same in both byte orders.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// How the comment of each section of a live run's record begins.
pub const RECORD_COMMENT_START: &str = "{\"tapir_record\":";

/// Where a walk through a pcapng file stands.
#[derive(Debug)]
pub(crate) struct PcapngWalk {
    big_endian: bool,
    interfaces: Vec<Interface>,
    compression: Compression,
    /// The block handed out last, to be passed before the next.
    pending: u64,
    record: RecordState,
}

/// What is known of a live run's record.
#[derive(Debug, Default)]
struct RecordState {
    /// The comment of the first section that is of one.
    comment: Option<String>,
    /// Whether the section being read is of one.
    here: bool,
    /// What the next packet's time is worth in it.
    trust: Trust,
    /// Until when this section is said to have lasted, and the one before with packets in it.
    until_ns: Option<i64>,
    before_ns: Option<i64>,
    /// Packets seen in this section, and in any.
    packets_here: bool,
    packets: bool,
}

impl RecordState {
    /// A section begins, with this comment if it has one.
    fn section(&mut self, first: bool, comment: Option<&str>) {
        // An epoch without a packet is as if it had not been.
        if self.packets_here || !self.packets {
            self.before_ns = self.until_ns;
        }
        let comment = comment.filter(|text| text.starts_with(RECORD_COMMENT_START));
        self.here = comment.is_some();
        self.trust = match (self.here, first) {
            (false, _) => Trust::Judge,
            (true, true) => Trust::RecordStarts,
            (true, false) => Trust::RecordedEpoch,
        };
        self.until_ns = None;
        self.packets_here = false;
        if let (None, Some(comment)) = (&self.comment, comment) {
            self.comment = Some(comment.to_owned());
        }
    }

    /// What the time of the packet read now is worth.
    fn packet(&mut self, timed: bool) -> Trust {
        (self.packets_here, self.packets) = (true, true);
        if !(self.here && timed) {
            return Trust::Judge;
        }
        std::mem::replace(&mut self.trust, Trust::Recorded)
    }
}

impl PcapngWalk {
    /// Whether a file that begins so is a pcapng.
    pub(crate) fn recognise(magic: [u8; 4]) -> bool {
        u32::from_be_bytes(magic) == SECTION_HEADER
    }

    pub(crate) fn new(compression: Compression) -> Self {
        Self {
            big_endian: false,
            interfaces: Vec::new(),
            compression,
            pending: 0,
            record: RecordState::default(),
        }
    }

    pub(crate) fn record_comment(&self) -> Option<&str> {
        self.record.comment.as_deref()
    }

    /// Until when the time of a record went on: if the packet read last began an epoch, of the one
    /// before; else of what has been read.
    pub(crate) fn passed(&self, trust: Trust) -> Option<i64> {
        let record = &self.record;
        if trust == Trust::RecordedEpoch || (record.packets && !record.packets_here) {
            return record.before_ns;
        }
        record.until_ns
    }

    /// The next packet; its bytes stay in the window until the call after.
    pub(crate) fn next(&mut self, window: &mut Window) -> Result<Option<Record>, Damage> {
        loop {
            let pending = std::mem::take(&mut self.pending);
            if pending > 0 && window.skip(pending).is_err() {
                return Ok(None);
            }
            let at_byte = window.position();
            match window.need(12) {
                Ok(()) => {}
                Err(Short::Ended(0)) => return Ok(None),
                Err(short) => return Err(self.short(short, at_byte, "a block header", 12)),
            }
            if let Some(record) = self.block(window, at_byte)? {
                return Ok(Some(record));
            }
        }
    }

    /// Takes in the block ahead; the window moves past it at the next turn.
    fn block(&mut self, window: &mut Window, at_byte: u64) -> Result<Option<Record>, Damage> {
        let damage = |kind| Damage { at_byte, kind };
        let section = u32::from_be_bytes(window.array(0)) == SECTION_HEADER;
        if section {
            self.big_endian = match window.array(8) {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                _ => return Err(damage(DamageKind::Header)),
            };
        }
        let kind = u32_of(self.big_endian, window.array(0));
        let claimed = u32_of(self.big_endian, window.array(4));
        let looked_into = section
            || matches!(
                kind,
                INTERFACE_DESCRIPTION | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            )
            || (self.record.here && kind == INTERFACE_STATISTICS);
        if claimed < 12
            || !claimed.is_multiple_of(4)
            || (looked_into && claimed as usize > BUFFER_BYTES)
        {
            return Err(damage(DamageKind::BlockLength { claimed }));
        }
        if !looked_into {
            return self.pass_over(window, claimed, at_byte);
        }
        let len = claimed as usize;
        window
            .need(len)
            .map_err(|short| self.short(short, at_byte, "a block", u64::from(claimed)))?;
        let second = u32_of(self.big_endian, window.array(len - 4));
        if second != claimed {
            return Err(damage(DamageKind::BlockLengths {
                first: claimed,
                second,
            }));
        }
        self.pending = u64::from(claimed);
        let block = window.bytes(0, len);
        let record = match kind {
            ENHANCED_PACKET => self.enhanced(block).map(Some),
            SIMPLE_PACKET => self.simple(block).map(Some),
            OBSOLETE_PACKET => self.obsolete(block).map(Some),
            INTERFACE_DESCRIPTION => self.interface(block).map(|()| None),
            INTERFACE_STATISTICS => {
                self.statistics(block);
                Ok(None)
            }
            _ => self.section(block, at_byte == 0).map(|()| None),
        };
        let mut record: Option<Record> = record.map_err(damage)?;
        if let Some(record) = &mut record {
            record.trust = self.record.packet(record.ts_ns.is_some());
        }
        Ok(record)
    }

    /// Moves over a block that is of no use here, checking that it ends as it begins.
    fn pass_over(
        &self,
        window: &mut Window,
        claimed: u32,
        at_byte: u64,
    ) -> Result<Option<Record>, Damage> {
        let cut = |short| self.short(short, at_byte, "a block", u64::from(claimed));
        window.skip(u64::from(claimed) - 4).map_err(cut)?;
        window.need(4).map_err(cut)?;
        let second = u32_of(self.big_endian, window.array(0));
        if second != claimed {
            let kind = DamageKind::BlockLengths {
                first: claimed,
                second,
            };
            return Err(Damage { at_byte, kind });
        }
        window.consume(4);
        Ok(None)
    }

    fn section(&mut self, block: &[u8], first: bool) -> Result<(), DamageKind> {
        let (_, header) = parse_sectionheaderblock(block).map_err(|_| DamageKind::Header)?;
        let (major, minor) = (header.major_version, header.minor_version);
        if major != 1 {
            return Err(DamageKind::Version { major, minor });
        }
        self.interfaces.clear();
        let is_comment = |option: &&PcapNGOption<'_>| option.code == OptionCode::Comment;
        let comment = header.options.iter().find(is_comment);
        let comment = comment.and_then(|option| option.as_str().ok());
        self.record.section(first, comment);
        Ok(())
    }

    /// Type, length, interface, time, options: of a record, of which one tells its end.
    fn statistics(&mut self, block: &[u8]) {
        const END_TIME: u32 = 3;
        let Ok(interface) = self.described(self.u32_at(block, 8)) else {
            return;
        };
        let u16_at = |at: usize| match (self.big_endian, block.get(at..at + 2)) {
            (true, Some(&[a, b])) => u32::from(u16::from_be_bytes([a, b])),
            (false, Some(&[a, b])) => u32::from(u16::from_le_bytes([a, b])),
            _ => 0,
        };
        let mut at = 20;
        while at + 4 <= block.len() - 4 {
            let (code, len) = (u16_at(at), u16_at(at + 2) as usize);
            if (code, len) == (END_TIME, 8) {
                let [high, low] = [at + 4, at + 8].map(|at| u64::from(self.u32_at(block, at)));
                let until_ns = interface.ns(high << 32 | low);
                self.record.until_ns = self.record.until_ns.max(Some(until_ns));
            }
            at += 4 + len.next_multiple_of(4);
        }
    }

    fn interface(&mut self, block: &[u8]) -> Result<(), DamageKind> {
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let (_, description) = parsed.map_err(|_| DamageKind::Header)?;
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(DamageKind::TooManyInterfaces);
        }
        self.interfaces
            .push(Interface::new(&description, self.big_endian));
        Ok(())
    }

    /// Type, length, interface, time (high, low), captured and wire length, packet, options.
    fn enhanced(&self, block: &[u8]) -> Result<Record, DamageKind> {
        self.timed(block, self.u32_at(block, 8))
    }

    /// As [`Self::enhanced`], but interface and drop count are 16 bits each.
    fn obsolete(&self, block: &[u8]) -> Result<Record, DamageKind> {
        let field = [block.get(8), block.get(9)].map(|byte| byte.copied().unwrap_or(0));
        let index = if self.big_endian {
            u16::from_be_bytes(field)
        } else {
            u16::from_le_bytes(field)
        };
        self.timed(block, u32::from(index))
    }

    fn timed(&self, block: &[u8], index: u32) -> Result<Record, DamageKind> {
        let interface = self.described(index)?;
        let time = u64::from(self.u32_at(block, 12)) << 32 | u64::from(self.u32_at(block, 16));
        let captured = self.u32_at(block, 20);
        let wire_len = self.u32_at(block, 24).max(captured);
        let len = packet_len(captured, block, 28)?;
        let ts_ns = Some(interface.ns(time));
        Ok(Record {
            ts_ns,
            wire_len,
            link: interface.link,
            at: 28,
            len,
            trust: Trust::Judge,
        })
    }

    /// Type, length, wire length, packet: of interface 0, without a time.
    fn simple(&self, block: &[u8]) -> Result<Record, DamageKind> {
        let interface = self.described(0)?;
        let wire_len = self.u32_at(block, 8);
        let captured = match interface.snap_len {
            0 => wire_len,
            snap_len => wire_len.min(snap_len),
        };
        let len = packet_len(captured, block, 12)?;
        Ok(Record {
            ts_ns: None,
            wire_len,
            link: interface.link,
            at: 12,
            len,
            trust: Trust::Judge,
        })
    }

    fn described(&self, index: u32) -> Result<Interface, DamageKind> {
        let count = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let unknown = DamageKind::UnknownInterface { index, count };
        self.interfaces.get(index as usize).copied().ok_or(unknown)
    }

    fn u32_at(&self, block: &[u8], offset: usize) -> u32 {
        let bytes = block
            .get(offset..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .unwrap_or([0; 4]);
        u32_of(self.big_endian, bytes)
    }

    fn short(&self, short: Short, at_byte: u64, inside: &'static str, need: u64) -> Damage {
        short_damage(short, at_byte, inside, need, self.compression)
    }
}

/// The packet's length, once it is sure that it fits the block behind `head` bytes.
fn packet_len(captured: u32, block: &[u8], head: usize) -> Result<usize, DamageKind> {
    let len = captured as usize;
    if len > FRAME_BYTES_MAX {
        return Err(DamageKind::TooLong { claimed: captured });
    }
    if head + len + 4 > block.len() {
        return Err(DamageKind::OutsideBlock { claimed: captured });
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const SECTION: &[u8] = &[
        0x0a, 0x0d, 0x0d, 0x0a, // section header
        0, 0, 0, 28,            // 28 bytes
        0x1a, 0x2b, 0x3c, 0x4d, // byte order: big-endian
        0, 1, 0, 0,             // version 1.0
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // section length: unknown
        0, 0, 0, 28,
    ];

    #[rustfmt::skip]
    const INTERFACE: &[u8] = &[
        0, 0, 0, 1, 0, 0, 0, 20, // interface description, 20 bytes
        0, 113, 0, 0,            // Linux cooked capture
        0, 0, 0, 2,              // snap length 2
        0, 0, 0, 20,
    ];

    #[rustfmt::skip]
    const ENHANCED: &[u8] = &[
        0, 0, 0, 6, 0, 0, 0, 36, // enhanced packet, 36 bytes
        0, 0, 0, 0,              // interface 0
        0, 0, 0, 1, 0, 0, 0, 5,  // 2^32 + 5 µs
        0, 0, 0, 3, 0, 0, 0, 9,  // 3 bytes of 9
        1, 2, 3, 0,              // packet, padding
        0, 0, 0, 36,
    ];

    #[rustfmt::skip]
    const SIMPLE: &[u8] = &[
        0, 0, 0, 3, 0, 0, 0, 20, // simple packet, 20 bytes
        0, 0, 0, 7,              // 7 bytes on the wire
        8, 9, 0, 0,              // the 2 that the snap length leaves, padding
        0, 0, 0, 20,
    ];

    /// Time, wire length, link number, bytes.
    type Read = (Option<i64>, u32, u32, Vec<u8>);

    fn walk(blocks: &[&[u8]]) -> (Vec<Read>, Option<Damage>) {
        let file = blocks.concat();
        let mut window = Window::new(Box::new(std::io::Cursor::new(file)), Vec::new());
        let mut walk = PcapngWalk::new(Compression::None);
        let mut records = Vec::new();
        loop {
            match walk.next(&mut window) {
                Ok(Some(r)) => {
                    let bytes = window.bytes(r.at, r.len).to_vec();
                    records.push((r.ts_ns, r.wire_len, r.link.0, bytes));
                }
                Ok(None) => return (records, None),
                Err(damage) => return (records, Some(damage)),
            }
        }
    }

    /// A section written out by hand; a second section starts its interfaces anew.
    #[test]
    fn blocks_by_hand() {
        let whole = &[SECTION, INTERFACE, ENHANCED, SIMPLE];
        let (records, damage) = walk(whole);
        let enhanced = (Some(4_294_967_301_000), 9, 113, vec![1, 2, 3]);
        assert_eq!(records, [enhanced, (None, 7, 113, vec![8, 9])]);
        assert_eq!(damage, None);
        let (records, damage) = walk(&[&whole.concat(), SECTION, ENHANCED]);
        assert_eq!(records.len(), 2);
        let kind = DamageKind::UnknownInterface { index: 0, count: 0 };
        let at_byte = 28 + 20 + 36 + 20 + 28;
        assert_eq!(damage, Some(Damage { at_byte, kind }));
    }

    /// Each thing that can be wrong with a block is told apart, at the block.
    #[test]
    fn damage_has_a_place_and_a_reason() {
        let hurt = |block: &[u8], at: usize, byte: u8| {
            let mut block = block.to_vec();
            block[at] = byte;
            let (records, damage) = walk(&[SECTION, INTERFACE, &block]);
            assert!(records.is_empty());
            damage.map(|damage| (damage.at_byte, damage.kind))
        };
        let at = |kind| Some((48, kind));
        let lengths = DamageKind::BlockLengths {
            first: 36,
            second: 40,
        };
        assert_eq!(hurt(ENHANCED, 35, 40), at(lengths));
        assert_eq!(
            hurt(ENHANCED, 7, 8),
            at(DamageKind::BlockLength { claimed: 8 })
        );
        assert_eq!(
            hurt(ENHANCED, 7, 35),
            at(DamageKind::BlockLength { claimed: 35 })
        );
        assert_eq!(
            hurt(ENHANCED, 23, 5),
            at(DamageKind::OutsideBlock { claimed: 5 })
        );
        let claimed = 0x0100_0003;
        assert_eq!(hurt(ENHANCED, 20, 1), at(DamageKind::TooLong { claimed }));
        assert_eq!(hurt(SECTION, 8, 0), at(DamageKind::Header));
        let version = DamageKind::Version { major: 2, minor: 0 };
        assert_eq!(hurt(SECTION, 13, 2), at(version));
        let other_lengths = DamageKind::BlockLengths {
            first: 20,
            second: 21,
        };
        let mut unknown = SIMPLE.to_vec();
        unknown[3] = 99;
        assert_eq!(hurt(&unknown, 19, 21), at(other_lengths));
    }
}
