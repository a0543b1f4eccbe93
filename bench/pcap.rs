//! Writing and measuring classic captures: little-endian, microseconds, Ethernet.

#![allow(dead_code, reason = "each program of the bench uses its part")]

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

/// Why there is nothing to write or to show.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// 2026-03-02 08:00:00 UTC, a Monday: the work loads begin here.
pub(crate) const BEGIN_US: u64 = 1_772_438_400_000_000;

/// First word of a capture with microseconds.
const MAGIC: u32 = 0xa1b2_c3d4;

/// A capture being written.
pub(crate) struct Writer {
    out: BufWriter<File>,
    frames: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a capture.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        for word in [MAGIC, 0x0004_0002, 0, 0, 65_535, 1] {
            out.write_all(&word.to_le_bytes())?;
        }
        let (frames, bytes) = (0, 0);
        Ok(Self { out, frames, bytes })
    }

    /// Adds a frame.
    pub(crate) fn frame(&mut self, ts_us: u64, frame: &[u8]) -> Result<(), Failure> {
        let len = u32::try_from(frame.len())?;
        let (seconds, micros) = (ts_us / 1_000_000, ts_us % 1_000_000);
        for word in [u32::try_from(seconds)?, u32::try_from(micros)?, len, len] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(frame)?;
        self.frames += 1;
        self.bytes += u64::from(len);
        Ok(())
    }

    /// Ends the capture: how many frames it has, and their bytes.
    pub(crate) fn end(mut self) -> Result<(u64, u64), Failure> {
        self.out.flush()?;
        Ok((self.frames, self.bytes))
    }
}

/// Frames of a capture as [`Writer`] writes them, and their bytes.
pub(crate) fn size(path: &Path) -> Result<(u64, u64), Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let (mut head, mut record) = ([0; 24], [0; 16]);
    file.read_exact(&mut head)?;
    if !head.starts_with(&MAGIC.to_le_bytes()) {
        return Err(format!("{}: not a capture of the bench", path.display()).into());
    }
    let (mut frames, mut bytes) = (0, 0);
    while file.read_exact(&mut record).is_ok() {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = record;
        let len = u32::from_le_bytes([a, b, c, d]);
        file.seek_relative(len.into())?;
        frames += 1;
        bytes += u64::from(len);
    }
    Ok((frames, bytes))
}

/// A number that looks like chance, always the same for the same input (SplitMix64's finaliser).
pub(crate) fn scrambled(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
