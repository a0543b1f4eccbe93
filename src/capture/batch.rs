//! Frames lent many at a time.
//!
//! A source that has several frames in one piece of memory lends them together: whoever takes them can look
//! at all of them before the first changes anything.
//! Bounds: [`BATCH_FRAMES`] frames of a file, 256 of a ring's block; one with which an epoch begins comes alone.

use prefetch_index::prefetch_index;

use crate::{Frame, LinkType};

/// Most frames a [`FileSource`](crate::FileSource) lends at a time.
pub const BATCH_FRAMES: usize = 32;

/// Where a frame is asked for: its network header, and what follows a TCP header without options.
const ASKED_AT: [usize; 2] = [14, 54];

/// Where a frame lies in the memory of its batch, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// As [`Frame::ts_ns`].
    pub ts_ns: i64,
    /// As [`Frame::wire_len`].
    pub wire_len: u32,
    /// As [`Frame::link`].
    pub link: LinkType,
    /// Where its captured bytes begin.
    pub at: u32,
    /// How many there are.
    pub len: u32,
}

impl Place {
    /// The frame's captured bytes, of those of its batch.
    #[inline]
    #[must_use]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(self.at as usize..)?.get(..self.len as usize)
    }
}

/// Asks for a little of the frame that begins at `start`: it comes out of memory while others are looked at, and is
/// there when it is tracked.
#[inline]
pub(crate) fn ask(bytes: &[u8], start: usize) {
    for at in ASKED_AT {
        prefetch_index(bytes, start + at);
    }
}

/// Frames in the order they came, lent by a [`Source`](crate::Source) until it is asked for the next.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// One frame.
    One(Frame<'a>),
    /// Several that begin no epoch.
    Many {
        /// Where each of them lies in `bytes`.
        places: &'a [Place],
        /// What holds all of them.
        bytes: &'a [u8],
    },
}

impl<'a> Batch<'a> {
    /// Number of frames.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many { places, .. } => places.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of its frames that are not later than this; their times do not run back.
    #[must_use]
    pub fn until(self, ts_ns: i64) -> Self {
        match self {
            Self::One(frame) if frame.ts_ns <= ts_ns => self,
            Self::One(_) => Self::Many {
                places: &[],
                bytes: &[],
            },
            Self::Many { places, bytes } => {
                let count = places.partition_point(|place| place.ts_ns <= ts_ns);
                let places = places.get(..count).unwrap_or(places);
                Self::Many { places, bytes }
            }
        }
    }

    /// The frame of this number, counted from 0.
    #[inline]
    pub fn frame(&self, number: usize) -> Option<Frame<'a>> {
        match self {
            Self::One(frame) => (number == 0).then_some(*frame),
            Self::Many { places, bytes } => {
                let place = places.get(number)?;
                Some(Frame {
                    ts_ns: place.ts_ns,
                    wire_len: place.wire_len,
                    link: place.link,
                    epoch: false,
                    bytes: place.of(bytes)?,
                })
            }
        }
    }
}
