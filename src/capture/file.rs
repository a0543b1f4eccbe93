//! One capture file: unpacked if need be, recognised by its first bytes, read record by record.
//!
//! Input:    a path; gzip and zstd are recognised by their magic numbers, not by name.
//! Output:   [`Record`]s whose bytes lie in the file's window, and the file's [`FileReport`].
//! Bounds:   one read buffer a file; a zstd stream that wants a window over 128 MiB is damaged.
//! Not done: a packed file inside a packed file.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::batch::Place;
use crate::pcap::PcapWalk;
use crate::pcapng::PcapngWalk;
use crate::report::{Compression, Damage, FileReport, Format};
use crate::window::{Short, Window};
use crate::{LinkType, SourceError};

/// One packet as its file has it; the bytes are fetched with [`CaptureFile::bytes`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Time as the file has it, if it has one.
    pub(crate) ts_ns: Option<i64>,
    pub(crate) wire_len: u32,
    pub(crate) link: LinkType,
    /// Where the packet lies, counted from the window's start.
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) trust: Trust,
}

/// What a packet's time is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// To be judged.
    #[default]
    Judge,
    /// Of a record: judged when it was recorded.
    Recorded,
    /// The first one of a file that is a record.
    RecordStarts,
    /// The first one of a record's later section: an epoch begins with it.
    RecordedEpoch,
}

/// A file being read.
pub(crate) struct CaptureFile {
    window: Window,
    walk: Walk,
}

enum Walk {
    Pcap(PcapWalk),
    Pcapng(PcapngWalk),
    /// A header that could not be read: no packets.
    Nothing,
}

impl CaptureFile {
    /// Opens `path` and reads as much of it as it takes to know its format. The report is new and
    /// may already tell of damage. `buffer` is used for reading; an empty one is made 256 KiB.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if there is no such file, it may not be read, or it is no capture.
    pub(crate) fn open(path: &Path, buffer: Vec<u8>) -> Result<(Self, FileReport), SourceError> {
        let refused = |error| SourceError::from_io(path, error);
        // Looked at before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(refused)?.is_file() {
            return Err(SourceError::NotAFile {
                path: path.to_path_buf(),
            });
        }
        let mut file = File::open(path).map_err(refused)?;
        let mut magic = Vec::with_capacity(4);
        file.by_ref()
            .take(4)
            .read_to_end(&mut magic)
            .map_err(refused)?;
        file.rewind().map_err(refused)?;
        if magic.is_empty() {
            return Err(SourceError::Empty {
                path: path.to_path_buf(),
            });
        }
        let (reader, compression) = unpacked(file, &magic).map_err(refused)?;
        let mut window = Window::new(reader, buffer);
        let (walk, format, damage) = start(path, &mut window, compression)?;
        let report = FileReport {
            path: path.to_path_buf(),
            format,
            compression,
            packets: 0,
            bytes: 0,
            snapped: 0,
            filtered: 0,
            filter_inapplicable: 0,
            first_ns: None,
            last_ns: None,
            damage,
            done: false,
        };
        Ok((Self { window, walk }, report))
    }

    /// The next record, counted in `report`; `None` at the end or at damage, which `report` tells.
    #[inline]
    pub(crate) fn next(&mut self, report: &mut FileReport) -> Option<Record> {
        let read = match &mut self.walk {
            Walk::Pcap(walk) => walk.next(&mut self.window),
            Walk::Pcapng(walk) => walk.next(&mut self.window),
            Walk::Nothing => Ok(None),
        };
        match read {
            Ok(Some(record)) => {
                count(report, &record);
                Some(record)
            }
            Ok(None) => {
                report.done = true;
                None
            }
            Err(damage) => {
                self.walk = Walk::Nothing;
                report.damage = Some(damage);
                report.done = true;
                None
            }
        }
    }

    /// As many of the records behind the one read last as can be had without reading on, none of them before
    /// `from_ns` or before another; each counted in `report`. They go behind those in `places`, of which
    /// there are `places_max` at most. Gives the time of the last one.
    pub(crate) fn ready(
        &mut self,
        report: &mut FileReport,
        from_ns: i64,
        places: &mut Vec<Place>,
        places_max: usize,
    ) -> i64 {
        let Walk::Pcap(walk) = &mut self.walk else {
            return from_ns;
        };
        let before = places.len();
        let last_ns = walk.ready(&mut self.window, from_ns, places, places_max);
        let new = places.get(before..).unwrap_or_default();
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            report.packets += new.len() as u64;
            report.first_ns.get_or_insert(first.ts_ns);
            report.last_ns = Some(last.ts_ns);
        }
        for place in new {
            report.bytes += u64::from(place.len);
            report.snapped += u64::from(place.len < place.wire_len);
        }
        last_ns
    }

    /// Where the record read last lies in [`Self::whole`], with its time as judged.
    pub(crate) fn place(&self, record: &Record, ts_ns: i64) -> Place {
        place(&self.window, record, ts_ns)
    }

    /// What holds the record read last and those that were ready behind it.
    pub(crate) fn whole(&self) -> &[u8] {
        self.window.whole()
    }

    /// The captured bytes of the record read last.
    #[inline]
    pub(crate) fn bytes(&self, record: &Record) -> &[u8] {
        self.window.bytes(record.at, record.len)
    }

    /// The comment of the file's section, if that is of a record.
    pub(crate) fn record_comment(&self) -> Option<&str> {
        match &self.walk {
            Walk::Pcapng(walk) => walk.record_comment(),
            Walk::Pcap(_) | Walk::Nothing => None,
        }
    }

    /// How long the time of a record went on: of the section before the one read last, if an epoch
    /// began with that record, else of what has been read.
    pub(crate) fn passed(&self, trust: Trust) -> Option<i64> {
        match &self.walk {
            Walk::Pcapng(walk) => walk.passed(trust),
            Walk::Pcap(_) | Walk::Nothing => None,
        }
    }

    /// Closes the file and gives its buffer back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.window.into_buffer()
    }
}

/// Counts a record.
#[inline]
fn count(report: &mut FileReport, record: &Record) {
    report.packets += 1;
    report.bytes += record.len as u64;
    report.snapped += u64::from(record.len < record.wire_len as usize);
    report.first_ns = report.first_ns.or(record.ts_ns);
    report.last_ns = record.ts_ns.or(report.last_ns);
}

/// Where a record lies in the buffer of `window`, which is far smaller than 4 GiB.
#[inline]
fn place(window: &Window, record: &Record, ts_ns: i64) -> Place {
    let at = u32::try_from(window.start() + record.at).unwrap_or(u32::MAX);
    Place {
        ts_ns,
        wire_len: record.wire_len,
        link: record.link,
        at,
        len: u32::try_from(record.len).unwrap_or(0),
    }
}

/// A reader of what the file holds once unpacked.
fn unpacked(file: File, magic: &[u8]) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    Ok(match magic {
        [0x1f, 0x8b, ..] => (
            Box::new(flate2::read::MultiGzDecoder::new(file)),
            Compression::Gzip,
        ),
        // A zstd frame, or the skippable frame that pzstd puts before it.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => (
            Box::new(zstd::stream::read::Decoder::new(file)?),
            Compression::Zstd,
        ),
        _ => (Box::new(file), Compression::None),
    })
}

/// Recognises the format at the head of `window`.
fn start(
    path: &Path,
    window: &mut Window,
    compression: Compression,
) -> Result<(Walk, Format, Option<Damage>), SourceError> {
    let packed = match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip data"),
        Compression::Zstd => Some("zstd data"),
    };
    if window.need(4).is_err() {
        let have = (1..4)
            .rev()
            .find(|len| window.need(*len).is_ok())
            .unwrap_or(0);
        if let (0, Err(Short::Failed(_)), Some(packed)) = (have, window.need(1), packed) {
            return Err(SourceError::NotACapture {
                path: path.to_path_buf(),
                found: format!("its {packed} is damaged at the very start"),
                remedy: "copy the file again from where it came",
            });
        }
        return Err(SourceError::not_a_capture(
            path,
            window.bytes(0, have),
            packed,
        ));
    }
    let magic = window.array(0);
    if PcapngWalk::recognise(magic) {
        return Ok((
            Walk::Pcapng(PcapngWalk::new(compression)),
            Format::Pcapng,
            None,
        ));
    }
    let Some((big_endian, nanoseconds, _)) = PcapWalk::recognise(magic) else {
        let have = (5..=16)
            .rev()
            .find(|len| window.need(*len).is_ok())
            .unwrap_or(4);
        return Err(SourceError::not_a_capture(
            path,
            window.bytes(0, have),
            packed,
        ));
    };
    let format = Format::Pcap {
        nanoseconds,
        big_endian,
    };
    Ok(match PcapWalk::open(window, compression) {
        Ok(walk) => (Walk::Pcap(walk), format, None),
        Err(damage) => (Walk::Nothing, format, Some(damage)),
    })
}
