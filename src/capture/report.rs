//! What became of each file: how much was read, where it stopped and why.
//!
//! Output:   [`InputReport`] for the whole input, [`FileReport`] for each file.
//! Units:    offsets in bytes of the unpacked stream.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Counts over the whole input, and a report for each file in the order of reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputReport {
    /// One for each file, in the order of reading.
    pub files: Vec<FileReport>,
    /// Frames stepped back at most 2 s and held at the time before them.
    pub clamped: u64,
    /// Frames stepped back further, held at the time before them while it was not yet clear
    /// whether the clock had been set.
    pub weird_time: u64,
    /// Epoch changes accepted.
    pub epochs: u64,
    /// Files that begin more than 2 s before an earlier one ended, read without merging.
    pub overlaps: u64,
    /// Files of named folders that were left out; the first [`InputReport::SKIPPED_SHOWN`] of
    /// them are in `skipped`.
    pub skipped_count: u64,
    /// Which, and why.
    pub skipped: Vec<Skipped>,
}

impl InputReport {
    /// How many left-out files are remembered by name; the others are only counted.
    pub const SKIPPED_SHOWN: usize = 100;
}

/// A file that was left out, with the reason as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// One line, escaped.
    pub why: String,
}

/// What was read of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// How it was packed.
    pub compression: Compression,
    /// Packets read, those a filter kept back included.
    pub packets: u64,
    /// Captured bytes of those packets.
    pub bytes: u64,
    /// Packets of which the capture holds only the beginning.
    pub snapped: u64,
    /// Packets kept back by the filter.
    pub filtered: u64,
    /// Of those, packets of a link type the filter cannot be compiled for.
    pub filter_inapplicable: u64,
    /// Time of the first packet as the file has it, if it has one.
    pub first_ns: Option<i64>,
    /// Time of the last packet as the file has it.
    pub last_ns: Option<i64>,
    /// Where the file could not be read further, if so.
    pub damage: Option<Damage>,
    /// True once the file has been read to its end or to its damage.
    pub done: bool,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// pcap; `nanoseconds` tells the unit of its times, `big_endian` its byte order.
    Pcap {
        /// Times in nanoseconds, not microseconds.
        nanoseconds: bool,
        /// Written by a big-endian machine.
        big_endian: bool,
    },
    /// pcapng.
    Pcapng,
}

/// How a capture file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
}

/// Where a file stops making sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset in the unpacked stream of the first record that could not be read whole.
    pub at_byte: u64,
    /// What is wrong there.
    pub kind: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read up to byte {}: {}", self.at_byte, self.kind)
    }
}

/// What is wrong at a [`Damage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The file ends inside a record.
    Cut {
        /// What it ends inside of.
        inside: &'static str,
        /// Bytes the record wants, so far as is known.
        need: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// A packet claims more than [`crate::FRAME_BYTES_MAX`] bytes.
    TooLong {
        /// The claim.
        claimed: u32,
    },
    /// A pcapng block's length cannot be.
    BlockLength {
        /// The claim.
        claimed: u32,
    },
    /// A pcapng block's two lengths differ.
    BlockLengths {
        /// At its start.
        first: u32,
        /// At its end.
        second: u32,
    },
    /// A pcapng packet does not fit the block it is in.
    OutsideBlock {
        /// The packet's length.
        claimed: u32,
    },
    /// A pcapng packet names an interface the section has not described.
    UnknownInterface {
        /// The interface it names.
        index: u32,
        /// How many are described.
        count: u32,
    },
    /// More interfaces in one section than are kept.
    TooManyInterfaces,
    /// A pcapng section or interface header that cannot be understood.
    Header,
    /// A format version that is not known.
    Version {
        /// Major.
        major: u16,
        /// Minor.
        minor: u16,
    },
    /// The packed data is damaged or cut.
    Unpack(Compression),
    /// The operating system could not read on.
    Read(io::ErrorKind),
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cut { inside, need, have } => {
                write!(
                    f,
                    "the file ends inside {inside} ({have} of at least {need} bytes are there)"
                )
            }
            Self::TooLong { claimed } => write!(
                f,
                "a packet claims {claimed} bytes, more than a capture may hold ({})",
                crate::FRAME_BYTES_MAX
            ),
            Self::BlockLength { claimed } => {
                write!(f, "a block claims a length of {claimed} bytes")
            }
            Self::BlockLengths { first, second } => {
                write!(
                    f,
                    "a block's two lengths differ ({first} and {second} bytes)"
                )
            }
            Self::OutsideBlock { claimed } => {
                write!(f, "a packet of {claimed} bytes does not fit into its block")
            }
            Self::UnknownInterface { index, count } => {
                write!(
                    f,
                    "a packet names interface {index}, the file has described {count}"
                )
            }
            Self::TooManyInterfaces => f.write_str("the file describes too many interfaces"),
            Self::Header => f.write_str("a section or interface header makes no sense"),
            Self::Version { major, minor } => {
                write!(
                    f,
                    "the file is of version {major}.{minor} of its format, which is unknown"
                )
            }
            Self::Unpack(compression) => write!(f, "the {compression} data is damaged or cut"),
            Self::Read(kind) => write!(f, "the file could not be read on ({kind})"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcap {
                nanoseconds: false, ..
            } => "pcap",
            Self::Pcap {
                nanoseconds: true, ..
            } => "pcap, nanoseconds",
            Self::Pcapng => "pcapng",
        })
    }
}
