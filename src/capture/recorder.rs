//! The writer of a record: merges what the queues hand over, and puts it on the disk.
//!
//! Input:    [`Message`]s: batches in order of (epoch, time) for each queue, and watermarks.
//! Output:   whole pcapng blocks, flushed at least every second of frame time.
//! Bounds:   what waits is in the queues' batches, of which there are so many and no more; the
//!           buffer before the file holds [`BUFFER_BYTES`] and one block.
//! Odd:      when the disk fails the file is cut back to its last whole block. From then on frames
//!           are counted as left out.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

use crate::record::{Batch, Message, Shared};
use crate::{Frame, LinkType, blocks};

/// Bytes gathered before the file is written to.
const BUFFER_BYTES: usize = 1 << 20;

/// Frame time that may pass before what is gathered is written.
const FLUSH_NS: i64 = 1_000_000_000;

/// Merges and writes.
pub(crate) struct Recorder {
    queues: Vec<Queue>,
    out: Out,
    /// The epoch of the section being written.
    epoch: u64,
    /// Until when the time of this epoch and of those begun went on, so far as is known. A few at
    /// most: an epoch takes 64 frames to begin, and only one that a queue has not heard of waits.
    until_ns: BTreeMap<u64, i64>,
}

/// What one queue has handed over.
struct Queue {
    /// With the epoch of each, and the place of the next frame in the first.
    batches: VecDeque<(u64, Batch)>,
    next: usize,
    epoch: u64,
    watermark_ns: i64,
    ended: bool,
    back: SyncSender<Batch>,
}

/// Writes until the last queue has ended.
pub(crate) fn run(mut recorder: Recorder, messages: &Receiver<Message>) {
    for message in messages {
        recorder.take(message);
        if recorder.queues.iter().all(|queue| queue.ended) {
            break;
        }
    }
    recorder.finish();
}

impl Recorder {
    pub(crate) fn new(
        file: File,
        comment: &str,
        back: Vec<SyncSender<Batch>>,
        shared: Arc<Shared>,
    ) -> Self {
        let queue = |back| Queue {
            batches: VecDeque::new(),
            next: 0,
            epoch: 0,
            watermark_ns: i64::MIN,
            ended: false,
            back,
        };
        Self {
            queues: back.into_iter().map(queue).collect(),
            out: Out::new(file, comment.to_owned(), shared),
            epoch: 0,
            until_ns: BTreeMap::new(),
        }
    }

    /// Takes in what a queue says and writes what has become final.
    fn take(&mut self, message: Message) {
        let Some(queue) = self.queues.get_mut(message.queue) else {
            return;
        };
        queue.watermark_ns = message.watermark_ns;
        queue.ended |= message.last;
        queue.epoch = message.epoch;
        let before = message.epoch.checked_sub(1);
        let told = [
            (Some(message.epoch), message.watermark_ns),
            (before, message.ended_ns),
        ];
        for (epoch, until_ns) in told {
            if let Some(epoch) = epoch.filter(|epoch| *epoch >= self.epoch) {
                let known = self.until_ns.entry(epoch).or_insert(until_ns);
                *known = until_ns.max(*known);
            }
        }
        if let Some(batch) = message.batch {
            queue.add(message.epoch, batch);
        }
        self.write(false);
    }

    /// Writes all frames below the lowest watermark, or all there are.
    fn write(&mut self, all: bool) {
        let open = self.queues.iter().filter(|queue| !queue.ended);
        let lowest = open.map(|queue| (queue.epoch, queue.watermark_ns)).min();
        let lowest = lowest.filter(|_| !all);
        loop {
            let heads = self.queues.iter().enumerate();
            let heads = heads.filter_map(|(index, queue)| Some((queue.head()?, index)));
            let Some(((epoch, ts_ns), index)) = heads.min() else {
                break;
            };
            if lowest.is_some_and(|lowest| (epoch, ts_ns) >= lowest) {
                break;
            }
            self.begin(epoch);
            let Some(queue) = self.queues.get_mut(index) else {
                break;
            };
            if let Some(frame) = queue.frame() {
                self.out.frame(&frame);
            }
            queue.pass();
        }
        if let Some((_, watermark_ns)) = lowest {
            self.out.time_is(watermark_ns);
        }
    }

    /// Ends the section if `epoch` is a later one, and begins that. Called for a frame only: an epoch
    /// without any leaves no section.
    fn begin(&mut self, epoch: u64) {
        if epoch <= self.epoch {
            return;
        }
        self.end();
        self.out.section();
        self.epoch = epoch;
        self.until_ns = self.until_ns.split_off(&epoch);
    }

    /// Ends the section at the time its epoch is known to have lasted.
    fn end(&mut self) {
        if let Some(until_ns) = self.until_ns.get(&self.epoch) {
            self.out.end(*until_ns);
        }
    }

    fn finish(mut self) {
        self.write(true);
        self.end();
        self.out.close();
    }
}

impl Queue {
    /// Keeps a batch behind those there are. A batch that fits the one before is copied into it and
    /// goes back at once, so that a quiet network does not hold all batches with a frame each.
    fn add(&mut self, epoch: u64, mut batch: Batch) {
        if let Some((last_epoch, last)) = self.batches.back_mut()
            && *last_epoch == epoch
            && last.append(&mut batch)
        {
            self.give_back(batch);
            return;
        }
        self.batches.push_back((epoch, batch));
    }

    fn frame(&self) -> Option<Frame<'_>> {
        self.batches.front()?.1.frame(self.next)
    }

    /// Epoch and time of the next frame.
    fn head(&self) -> Option<(u64, i64)> {
        let (epoch, batch) = self.batches.front()?;
        Some((*epoch, batch.frame(self.next)?.ts_ns))
    }

    /// Goes on to the frame behind the next; a batch that is through goes back.
    fn pass(&mut self) {
        self.next += 1;
        if self.frame().is_some() {
            return;
        }
        self.next = 0;
        if let Some((_, mut batch)) = self.batches.pop_front() {
            batch.clear();
            self.give_back(batch);
        }
    }

    fn give_back(&self, batch: Batch) {
        // A queue that has ended wants no batch any more.
        let _ended = self.back.try_send(batch);
    }
}

/// The file, and what is to go into it.
struct Out {
    file: File,
    comment: String,
    buffer: Vec<u8>,
    /// Frames in the buffer.
    frames: u64,
    /// Link types described in this section.
    links: Vec<LinkType>,
    /// Frame time of the last flush.
    flushed_ns: i64,
    /// Length of the file up to its last whole block.
    len: u64,
    failed: bool,
    shared: Arc<Shared>,
}

impl Out {
    fn new(file: File, comment: String, shared: Arc<Shared>) -> Self {
        let mut out = Self {
            file,
            comment,
            buffer: Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 1)),
            frames: 0,
            links: Vec::new(),
            flushed_ns: i64::MIN,
            len: 0,
            failed: false,
            shared,
        };
        out.section();
        // A disk that is full from the start is known from the start.
        out.flush();
        out
    }

    fn section(&mut self) {
        blocks::section(&mut self.buffer, &self.comment);
        blocks::interface(&mut self.buffer, LinkType::ETHERNET);
        self.links.clear();
        self.links.push(LinkType::ETHERNET);
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let described = self.links.iter().position(|link| *link == frame.link);
        let index = described.unwrap_or_else(|| {
            blocks::interface(&mut self.buffer, frame.link);
            self.links.push(frame.link);
            self.links.len() - 1
        });
        let index = u32::try_from(index).unwrap_or(0);
        blocks::packet(&mut self.buffer, index, frame);
        self.frames += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Time has come to `ts_ns`: flushes what is older than a second.
    fn time_is(&mut self, ts_ns: i64) {
        // In a new epoch time may have stepped back.
        let since = ts_ns.checked_sub(self.flushed_ns);
        if since.is_none_or(|since| !(0..FLUSH_NS).contains(&since)) {
            self.flush();
            self.flushed_ns = ts_ns;
        }
    }

    fn end(&mut self, until_ns: i64) {
        if until_ns > i64::MIN {
            blocks::end(&mut self.buffer, until_ns);
        }
    }

    fn flush(&mut self) {
        let frames = std::mem::take(&mut self.frames);
        if self.buffer.is_empty() {
            return;
        }
        if !self.failed
            && let Err(error) = self.file.write_all(&self.buffer)
        {
            self.fail(&error);
        }
        let counter = if self.failed {
            &self.shared.left_out
        } else {
            self.len += self.buffer.len() as u64;
            self.shared.bytes.store(self.len, Ordering::Relaxed);
            &self.shared.recorded
        };
        counter.fetch_add(frames, Ordering::Relaxed);
        self.buffer.clear();
    }

    /// Writes no more, and takes back the part of a block that may have been written.
    fn fail(&mut self, error: &std::io::Error) {
        self.failed = true;
        let kept = self.len;
        let cut = self.file.set_len(kept).and_then(|()| self.file.rewind());
        let tail = if cut.is_ok() {
            ""
        } else {
            "; its last block is cut"
        };
        self.shared.fail(format!(
            "the record ends after {kept} bytes: {error}{tail}; make room and start again"
        ));
    }

    fn close(mut self) {
        self.flush();
        if !self.failed
            && let Err(error) = self.file.sync_all()
            // A pipe or a terminal cannot be synced, and need not be.
            && error.kind() != std::io::ErrorKind::InvalidInput
        {
            self.shared.fail(format!(
                "the record may not be on the disk: {error}; check the disk"
            ));
        }
    }
}
