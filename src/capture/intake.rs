//! What a queue takes in of a block: frames with their times, whole, wanted, counted.
//!
//! Input:    the bytes of a block the kernel has filled.
//! Output:   [`Batch`]es of frames where they lie in it; one with which an epoch begins comes alone.
//! Units:    nanoseconds since the Unix epoch; lengths in bytes.
//! Bounds:   [`FRAMES_MAX`] frames of one block at a time.
//!
//! Every frame is judged by itself, in the order of the ring, whether it comes alone or with others.

use crate::batch::{Batch, Place, ask};
use crate::block::{Cursor, Found};
use crate::filter::{Filter, Match};
use crate::live::RingCounts;
use crate::live_clock::{LiveClock, Verdict};
use crate::{Frame, LinkType};

/// Most frames taken in at a time. Their headers should still be in a near cache when they are tracked, and they are
/// 48 KiB of it; with 64 frames memory is waited for more often.
pub(crate) const FRAMES_MAX: usize = 256;

/// See the module.
pub(crate) struct Intake {
    pub(crate) clock: LiveClock,
    pub(crate) counts: RingCounts,
    filter: Option<Filter>,
    /// Length of a frame without a tag as the interface allows it.
    frame_max: u32,
    cursor: Cursor,
    /// Where the frames taken in lie.
    places: Vec<Place>,
    /// The one taken in is the first of its epoch.
    epoch: bool,
    /// The next one is.
    epoch_due: bool,
}

impl Intake {
    /// For a port with this MTU, by the part of its filter that the kernel cannot run.
    pub(crate) fn new(clock: LiveClock, filter: Option<Filter>, mtu: u32) -> Self {
        Self {
            clock,
            counts: RingCounts::default(),
            filter,
            frame_max: frame_max(mtu),
            cursor: Cursor::default(),
            places: Vec::with_capacity(FRAMES_MAX),
            epoch: false,
            epoch_due: false,
        }
    }

    /// The port was opened anew: what was left of the block is gone.
    pub(crate) fn renew(&mut self, mtu: u32) {
        self.frame_max = frame_max(mtu);
        self.cursor = Cursor::default();
        self.counts.reopened += 1;
    }

    /// Begins a block.
    pub(crate) fn begin(&mut self, block: &[u8]) {
        self.cursor = Cursor::new(block);
    }

    /// Follows the other queues into a new epoch; false if there is none.
    pub(crate) fn follow(&mut self) -> bool {
        let follows = self.clock.follow();
        self.epoch_due |= follows;
        follows
    }

    /// Takes in the next frames of `block`, at most `frames_max`. False if it has no more.
    pub(crate) fn take(&mut self, block: &mut [u8], frames_max: usize) -> bool {
        self.places.clear();
        self.epoch = false;
        while self.places.len() < frames_max
            && !self.epoch
            && let Some(mut found) = self.cursor.peek(block)
        {
            let Verdict::Time(ts_ns) = self.clock.judge(found.ts_ns) else {
                self.epoch_due = true;
                if self.places.is_empty() {
                    continue;
                }
                break;
            };
            self.cursor.pass(&found);
            // Another core wrote it.
            ask(block, found.start);
            self.count(&found);
            self.counts.tags += u64::from(found.restore_tag(block));
            if !wanted(self.filter.as_mut(), block, &found) {
                self.counts.filtered += 1;
                continue;
            }
            // Nothing was taken in before it: an epoch that has begun ends what was.
            self.epoch = std::mem::take(&mut self.epoch_due);
            self.counts.packets += 1;
            self.counts.bytes += found.len as u64;
            self.places.push(Place {
                ts_ns,
                wire_len: found.wire_len,
                link: LinkType::ETHERNET,
                // A block is shorter than 4 GiB.
                at: u32::try_from(found.start).unwrap_or(u32::MAX),
                len: u32::try_from(found.len).unwrap_or(u32::MAX),
            });
        }
        !self.places.is_empty()
    }

    /// The frames taken in, which lie in `block`.
    pub(crate) fn taken<'a>(&'a self, block: &'a [u8]) -> Batch<'a> {
        let batch = Batch::Many {
            places: &self.places,
            bytes: block,
        };
        match batch.frame(0) {
            Some(frame) if self.epoch => Batch::One(Frame {
                epoch: true,
                ..frame
            }),
            _ => batch,
        }
    }

    #[inline]
    fn count(&mut self, found: &Found) {
        let counts = &mut self.counts;
        counts.snapped += u64::from(found.len < found.wire_len as usize);
        counts.over_mtu += u64::from(found.wire_len > self.frame_max);
        counts.checksums_unfinished += u64::from(found.checksum_unfinished);
    }
}

#[inline]
fn wanted(filter: Option<&mut Filter>, block: &[u8], found: &Found) -> bool {
    let Some(filter) = filter else { return true };
    let bytes = block.get(found.start..found.start + found.len);
    filter.matches(LinkType::ETHERNET, bytes.unwrap_or(&[])) == Match::Yes
}

/// The MTU counts what follows the Ethernet header.
fn frame_max(mtu: u32) -> u32 {
    mtu.saturating_add(14)
}

#[cfg(test)]
mod tests;
