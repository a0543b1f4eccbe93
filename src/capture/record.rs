//! The record of a live run: what every queue captured, in one file, in the order of a replay.
//!
//! Input:    frames as the engine got them, their times corrected, from one thread a queue.
//! Output:   pcapng in nanoseconds, merged by (time, queue), the order within a queue kept. Each
//!           epoch is a section of its own; a section's end tells how far its time went on.
//! Units:    nanoseconds since the Unix epoch.
//! Bounds:   [`BATCHES`] batches of [`BATCH_BYTES`] a queue. With none free a frame is left out of
//!           the record and counted: capture never waits for a disk.
//! Odd:      a disk that fails ends the record; what came before stays readable, what comes after
//!           is counted as left out.
//! Not done: more than one file; packing.
//!
//! Every queue tells with each batch, and whenever it is idle, the time below which no further
//! frame of it will lie. What lies below that time of all queues is final and is written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::SourceError;
use crate::recorder::{self, Recorder};
use crate::{FRAME_BYTES_MAX, Frame, LinkType};

/// Bytes a batch holds: any one frame fits.
pub const BATCH_BYTES: usize = FRAME_BYTES_MAX;

/// Frames a batch holds: as many small ones as make up its bytes.
const BATCH_FRAMES: usize = 4_096;

/// Batches a queue has: 16 MiB of frames, 22 MiB of memory. At 1 Gbit/s a disk may stand still for an
/// eighth of a second; more batches bridge longer.
pub const BATCHES: usize = 64;

/// A batch goes to the writer when its frames span this much time, however few they are.
const SPAN_NS: i64 = 250_000_000;

/// A record being written.
#[derive(Debug)]
pub struct Recording {
    writer: JoinHandle<()>,
    gauge: RecordGauge,
}

/// The end of one queue: takes its frames.
#[derive(Debug)]
pub struct RecordSender {
    queue: usize,
    /// The batch being filled.
    batch: Option<Batch>,
    /// A lower bound for all frames to come, as (epoch, time).
    epoch: u64,
    watermark_ns: i64,
    /// How long the epoch before this one lasted.
    ended_ns: i64,
    to_writer: SyncSender<Message>,
    spares: Receiver<Batch>,
    shared: Arc<Shared>,
}

/// How a record goes; to be kept and asked while it is written.
#[derive(Clone, Debug)]
pub struct RecordGauge {
    shared: Arc<Shared>,
}

/// What a [`RecordGauge`] shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordStatus {
    /// Frames that are in the file.
    pub recorded: u64,
    /// Frames that were left out.
    pub left_out: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Why nothing is written any more, if so: one line.
    pub failure: Option<String>,
}

impl Recording {
    /// Begins a record in a new file at `path`, readable for its owner only, for so many queues.
    /// `comment` goes with every section: one line of JSON that begins with
    /// [`RECORD_COMMENT_START`](crate::RECORD_COMMENT_START).
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the file exists or cannot be made.
    pub fn create(
        path: &Path,
        comment: &str,
        queues: usize,
    ) -> Result<(Self, Vec<RecordSender>), SourceError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => SourceError::Exists {
                    path: path.to_path_buf(),
                },
                _ => SourceError::from_io(path, error),
            })?;
        Self::start(file, comment, queues).map_err(|error| SourceError::from_io(path, error))
    }

    /// As [`Recording::create`], into a file that is open already.
    ///
    /// # Errors
    ///
    /// When no thread can be started for it.
    pub fn start(
        file: File,
        comment: &str,
        queues: usize,
    ) -> io::Result<(Self, Vec<RecordSender>)> {
        let shared = Arc::new(Shared::default());
        // Each batch fits, and so does word of idleness for each.
        let (to_writer, messages) = sync_channel(queues.max(1) * BATCHES * 2);
        let mut senders = Vec::with_capacity(queues);
        let mut back = Vec::with_capacity(queues);
        for queue in 0..queues {
            let (spare, spares) = sync_channel(BATCHES);
            for _ in 0..BATCHES {
                // The queue holds as many as there are.
                let _fits = spare.try_send(Batch::new());
            }
            back.push(spare);
            senders.push(RecordSender {
                queue,
                batch: None,
                epoch: 0,
                watermark_ns: i64::MIN,
                ended_ns: i64::MIN,
                to_writer: to_writer.clone(),
                spares,
                shared: Arc::clone(&shared),
            });
        }
        let writer = Recorder::new(file, comment, back, Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || recorder::run(writer, &messages))?;
        let gauge = RecordGauge { shared };
        Ok((Self { writer, gauge }, senders))
    }

    /// How the record goes.
    pub fn gauge(&self) -> RecordGauge {
        self.gauge.clone()
    }

    /// Waits until everything is on the disk, which takes all senders to be gone.
    pub fn finish(self) -> RecordStatus {
        if self.writer.join().is_err() {
            self.gauge
                .shared
                .fail("its writer stopped by a bug".to_owned());
        }
        self.gauge.status()
    }
}

impl RecordGauge {
    /// What is recorded, what is not, and why.
    pub fn status(&self) -> RecordStatus {
        let failure = self.shared.failure.lock();
        RecordStatus {
            recorded: self.shared.recorded.load(Ordering::Relaxed),
            left_out: self.shared.left_out.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            failure: failure.unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl RecordSender {
    /// Takes a frame; its time is not lower than that of any before it in its epoch. Never waits:
    /// without room the frame is left out and counted. Epochs are told with
    /// [`RecordSender::epoch`], `frame.epoch` is not looked at.
    #[inline]
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.watermark_ns = self.watermark_ns.max(frame.ts_ns);
        let full = |batch: &Batch| !batch.has_room(frame.bytes.len());
        if self.batch.as_ref().is_some_and(full) {
            self.hand_over();
        }
        if self.batch.is_none() {
            self.batch = self.spares.try_recv().ok();
        }
        let Some(batch) = &mut self.batch else {
            self.shared.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        };
        // What would run back is held: the writer merges what it is given.
        batch.add(&Frame {
            ts_ns: self.watermark_ns,
            ..*frame
        });
        if batch.spans(SPAN_NS) {
            self.hand_over();
        }
    }

    /// Says that no further frame lies below `watermark_ns` in this epoch, and hands over what
    /// there is: to be called when the queue is empty, and at least every 100 ms.
    pub fn idle(&mut self, watermark_ns: i64) {
        self.watermark_ns = self.watermark_ns.max(watermark_ns);
        self.hand_over();
    }

    /// Begins the epoch `number`, greater than any before; the one before lasted until `ended_ns`
    /// of its own time. Said again with the same number, as when a queue first hears of it and then
    /// gets its first frame, it does nothing.
    pub fn epoch(&mut self, number: u64, ended_ns: i64) {
        if number <= self.epoch {
            return;
        }
        self.hand_over();
        self.epoch = number;
        self.ended_ns = ended_ns;
        self.watermark_ns = i64::MIN;
        self.hand_over();
    }

    /// Ends this queue: no frame comes any more, and the run let time pass until `until_ns`.
    pub fn finish(mut self, until_ns: i64) {
        self.watermark_ns = self.watermark_ns.max(until_ns);
    }

    /// Sends the batch, if there is one, and the watermark.
    fn hand_over(&mut self) {
        let message = self.message(false);
        if let Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) =
            self.to_writer.try_send(message)
        {
            self.keep(message);
        }
    }

    fn message(&mut self, last: bool) -> Message {
        Message {
            queue: self.queue,
            epoch: self.epoch,
            watermark_ns: self.watermark_ns,
            ended_ns: self.ended_ns,
            batch: self.batch.take(),
            last,
        }
    }

    /// Takes back what could not be handed over: its frames are left out, its memory is used again.
    #[cold]
    fn keep(&mut self, message: Message) {
        if let Some(mut batch) = message.batch {
            let frames = batch.frames.len() as u64;
            self.shared.left_out.fetch_add(frames, Ordering::Relaxed);
            batch.clear();
            self.batch = Some(batch);
        }
    }
}

impl Drop for RecordSender {
    /// The last word may wait for room: nothing is captured on this queue any more.
    fn drop(&mut self) {
        let message = self.message(true);
        if let Err(error) = self.to_writer.send(message) {
            self.keep(error.0);
        }
    }
}

/// What a queue tells the writer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) queue: usize,
    /// The epoch of the batch and the watermark.
    pub(crate) epoch: u64,
    pub(crate) watermark_ns: i64,
    /// Until when the epoch before lasted.
    pub(crate) ended_ns: i64,
    pub(crate) batch: Option<Batch>,
    /// The queue has ended.
    pub(crate) last: bool,
}

/// Frames on their way to the writer, in order of time; the memory goes back and forth.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Kept>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    ts_ns: i64,
    wire_len: u32,
    link: LinkType,
    end: usize,
}

impl Batch {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(BATCH_BYTES),
            frames: Vec::with_capacity(BATCH_FRAMES),
        }
    }

    /// Whether another frame of so many bytes fits. An empty batch takes any.
    fn has_room(&self, len: usize) -> bool {
        let fits = self.bytes.len() + len <= BATCH_BYTES && self.frames.len() < BATCH_FRAMES;
        fits || self.frames.is_empty()
    }

    fn add(&mut self, frame: &Frame<'_>) {
        self.bytes.extend_from_slice(frame.bytes);
        self.frames.push(Kept {
            ts_ns: frame.ts_ns,
            wire_len: frame.wire_len,
            link: frame.link,
            end: self.bytes.len(),
        });
    }

    /// Whether the first and the last frame lie so far apart.
    fn spans(&self, ns: i64) -> bool {
        match (self.frames.first(), self.frames.last()) {
            (Some(first), Some(last)) => last.ts_ns.saturating_sub(first.ts_ns) >= ns,
            _ => false,
        }
    }

    /// The frame at this place.
    pub(crate) fn frame(&self, index: usize) -> Option<Frame<'_>> {
        let kept = self.frames.get(index)?;
        let before = index
            .checked_sub(1)
            .and_then(|before| self.frames.get(before));
        let start = before.map_or(0, |before| before.end);
        Some(Frame {
            ts_ns: kept.ts_ns,
            wire_len: kept.wire_len,
            link: kept.link,
            epoch: false,
            bytes: self.bytes.get(start..kept.end)?,
        })
    }

    /// Moves all frames of `other` behind these, if they fit.
    pub(crate) fn append(&mut self, other: &mut Self) -> bool {
        if self.bytes.len() + other.bytes.len() > BATCH_BYTES
            || self.frames.len() + other.frames.len() > BATCH_FRAMES
        {
            return false;
        }
        for index in 0..other.frames.len() {
            if let Some(frame) = other.frame(index) {
                self.add(&frame);
            }
        }
        other.clear();
        true
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }
}

/// What the queues and the writer count together.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) recorded: AtomicU64,
    pub(crate) left_out: AtomicU64,
    pub(crate) bytes: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Shared {
    /// Keeps the first reason for which the record ended.
    pub(crate) fn fail(&self, why: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(why);
    }
}
