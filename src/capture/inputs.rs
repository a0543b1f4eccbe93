//! Several capture files as one source: ordered or merged, filtered, their times judged.
//!
//! Input:    files and folders as named by the operator.
//! Output:   [`FileSource`], a [`Source`] that ends, and its [`InputReport`].
//! Bounds:   [`MERGE_FILES_MAX`] files that overlap in time when merging, one read buffer each;
//!           one file open otherwise. More are refused, by name.
//! Not done: folders inside folders, pipes.
//!
//! Files are put in order by (time of first packet, file name, path) and read one after another;
//! one clock judges the times of the whole input, so a capture cut into parts reads like the whole.
//! Files that overlap in time (two taps) want `merge`: the earliest packet of all files goes first,
//! the file earlier in the order where times are equal. Read without it, each begins with a step
//! back: up to 2 s are clamped, more becomes an epoch change after 63 weird frames, and
//! [`InputReport::overlaps`] says that this is why.
//!
//! A live run's record brings times that were judged when it was made; they are taken as they are,
//! with the epochs it marks. Merged with other files it is judged like them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::path::PathBuf;

use crate::batch::{BATCH_FRAMES, Batch, Place};
use crate::file::{CaptureFile, Record, Trust};
use crate::filter::{Filter, Match};
use crate::folder::{self, Found};
use crate::leap::{CLAMP_NS, Clock, Judged};
use crate::report::InputReport;
use crate::{Frame, LinkType, Source, SourceError};

/// Files that may be open at once in a merge: a descriptor and a 256 KiB buffer each. More would
/// need more memory than an appliance should give to reading.
pub const MERGE_FILES_MAX: usize = 256;

/// How to read the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// Merge files by time instead of reading one after another.
    pub merge: bool,
    /// Deliver only frames that match this expression (pcap-filter(7)).
    pub filter: Option<String>,
}

/// Frames from capture files.
pub struct FileSource {
    order: Order,
    files: Files,
    clock: Clock,
    filter: Option<Filter>,
    /// An epoch began with a frame that the filter kept back.
    epoch_due: bool,
    /// How long what is over by now lasted, if that is known.
    passed_ns: Option<i64>,
    /// The comment of the first file, if that is a record.
    record_comment: Option<String>,
    ended: bool,
    /// Where the frames of the batch lent last lie.
    places: Vec<Place>,
}

impl FileSource {
    /// Finds, recognises and orders the captures at `paths`, each a file or a folder. A folder
    /// stands for the captures in it; its other files are left out and reported. A file named
    /// twice is read once.
    ///
    /// # Errors
    ///
    /// The first path that is of no use, or a filter that does not compile.
    pub fn open(paths: &[PathBuf], options: &InputOptions) -> Result<Self, SourceError> {
        let Found {
            mut captures,
            skipped,
            skipped_count,
        } = folder::find(paths)?;
        captures.sort_by(|a, b| {
            let key = |c: &folder::Capture| {
                (
                    c.report.first_ns,
                    c.report.path.file_name().map(PathBuf::from),
                )
            };
            key(a)
                .cmp(&key(b))
                .then_with(|| a.report.path.cmp(&b.report.path))
        });
        let links: BTreeSet<LinkType> = captures.iter().filter_map(|c| c.link).collect();
        let links: Vec<LinkType> = links.into_iter().collect();
        let filter = options
            .filter
            .as_deref()
            .map(|text| Filter::new(text, &links))
            .transpose()?;
        let first_ns = captures
            .iter()
            .map(|capture| capture.report.first_ns)
            .collect();
        let record_comment = captures
            .first_mut()
            .and_then(|capture| capture.record_comment.take());
        let reports = captures.into_iter().map(|capture| capture.report).collect();
        let report = InputReport {
            files: reports,
            skipped,
            skipped_count,
            ..Default::default()
        };
        let files = Files {
            first_ns,
            next: 0,
            slots: Vec::new(),
            spare: Vec::with_capacity(1),
            passed_ns: None,
            report,
        };
        let order = if options.merge {
            Order::Merge {
                heads: BinaryHeap::new(),
                turn: None,
            }
        } else {
            Order::Sequence { latest_ns: None }
        };
        let clock = Clock::new();
        Ok(Self {
            order,
            files,
            clock,
            filter,
            epoch_due: false,
            passed_ns: None,
            record_comment,
            ended: false,
            places: Vec::with_capacity(BATCH_FRAMES),
        })
    }

    /// The comment of the first file if that is the record of a live run: one line of JSON that
    /// begins with [`RECORD_COMMENT_START`](crate::RECORD_COMMENT_START), as the file has it. Known
    /// before a frame is read; hostile like all that files hold.
    pub fn record_comment(&self) -> Option<&str> {
        self.record_comment.as_deref()
    }

    /// What has been read so far; complete once [`Source::ended`].
    pub fn report(&self) -> InputReport {
        InputReport {
            clamped: self.clock.clamped(),
            weird_time: self.clock.weird_time(),
            epochs: self.clock.epochs(),
            ..self.files.report.clone()
        }
    }

    /// The time of a packet and whether an epoch begins with it. What a record says is taken as it
    /// is, but between files; in a merge of several files nothing is.
    #[inline]
    fn judge(&mut self, slot: usize, head: &Record) -> Judged {
        let merged = matches!(self.order, Order::Merge { .. }) && self.files.report.files.len() > 1;
        let (trust, ts_ns) = match head.ts_ns {
            Some(ts_ns) if !merged && head.trust != Trust::Judge => (head.trust, ts_ns),
            time => {
                let judged = self.clock.judge(time);
                self.passed_ns = self.passed_ns.filter(|_| !judged.epoch);
                return judged;
            }
        };
        let epoch = match trust {
            Trust::Judge | Trust::Recorded => false,
            Trust::RecordedEpoch => true,
            Trust::RecordStarts => self.clock.now().is_some_and(|now_ns| ts_ns < now_ns),
        };
        // An epoch of which the filter let nothing through is as if it had not been.
        if epoch && !self.epoch_due {
            self.passed_ns = match trust {
                Trust::RecordStarts => self.files.passed_ns,
                trust => self.files.passed(slot, trust),
            };
        }
        self.clock.trust(ts_ns, epoch)
    }

    /// Whether the filter, if any, lets the packet through; counted if not.
    #[inline]
    fn wanted(&mut self, slot: usize) -> bool {
        let Some(filter) = &mut self.filter else {
            return true;
        };
        let Some(Some(open)) = self.files.slots.get(slot) else {
            return false;
        };
        let matched = filter.matches(open.head.link, open.file.bytes(&open.head));
        if matched != Match::Yes
            && let Some(report) = self.files.report.files.get_mut(open.index)
        {
            report.filtered += 1;
            report.filter_inapplicable += u64::from(matched == Match::Inapplicable);
        }
        matched == Match::Yes
    }
}

impl FileSource {
    /// The next record that the filter lets through, its slot, its time, and whether an epoch begins with it.
    fn read(&mut self) -> Result<Option<(usize, Record, Judged)>, SourceError> {
        loop {
            let Some((slot, head)) = self.order.next(&mut self.files)? else {
                let merged =
                    self.files.report.files.len() > 1 && matches!(self.order, Order::Merge { .. });
                self.passed_ns = self.files.passed_ns.filter(|_| !merged);
                self.ended = true;
                return Ok(None);
            };
            // Judged before it is filtered: time passes whoever looks.
            let judged = self.judge(slot, &head);
            self.epoch_due |= judged.epoch;
            if self.wanted(slot) {
                let epoch = std::mem::take(&mut self.epoch_due);
                return Ok(Some((slot, head, Judged { epoch, ..judged })));
            }
        }
    }

    fn frame(&self, (slot, head, judged): (usize, Record, Judged)) -> Frame<'_> {
        Frame {
            ts_ns: judged.ts_ns,
            wire_len: head.wire_len,
            link: head.link,
            epoch: judged.epoch,
            bytes: self.files.bytes(slot, &head),
        }
    }
}

impl Source for FileSource {
    fn next(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let read = self.read()?;
        Ok(read.map(|read| self.frame(read)))
    }

    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        let Some(read) = self.read()? else {
            return Ok(None);
        };
        let (slot, head, judged) = read;
        // Only where the next record is the file's next one, and where each is wanted.
        let plain = matches!(self.order, Order::Sequence { .. }) && self.filter.is_none();
        let from_ns = self.clock.plain();
        if let (true, false, Some(from_ns)) = (plain, judged.epoch, from_ns) {
            self.places.clear();
            let now_ns = self
                .files
                .ready(slot, (&head, judged.ts_ns), from_ns, &mut self.places);
            if self.places.len() > 1 {
                self.clock.judge(Some(now_ns));
                return Ok(Some(Batch::Many {
                    places: &self.places,
                    bytes: self.files.whole(slot),
                }));
            }
        }
        Ok(Some(Batch::One(self.frame(read))))
    }

    fn passed(&self) -> Option<i64> {
        self.passed_ns
    }

    fn ended(&self) -> bool {
        self.ended
    }
}

impl std::fmt::Debug for FileSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSource")
            .field("files", &self.files.report.files)
            .finish_non_exhaustive()
    }
}

/// The files of an input, in order: those read, those open, those to come.
struct Files {
    /// First packet's time of each file, as `report.files`.
    first_ns: Vec<Option<i64>>,
    /// The file to open next.
    next: usize,
    slots: Vec<Option<Open>>,
    /// Read buffers of files that are closed.
    spare: Vec<Vec<u8>>,
    /// How long the time of the file closed last went on, if it is a record that tells.
    passed_ns: Option<i64>,
    report: InputReport,
}

struct Open {
    file: CaptureFile,
    index: usize,
    head: Record,
}

impl Files {
    /// Opens the next file in the order, in a free slot; `None` if there is none left.
    fn open_next(&mut self) -> Result<Option<usize>, SourceError> {
        let index = self.next;
        let Some(report) = self.report.files.get_mut(index) else {
            return Ok(None);
        };
        self.next += 1;
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        if slot >= MERGE_FILES_MAX {
            let path = report.path.clone();
            return Err(SourceError::TooManyAtOnce {
                path,
                max: MERGE_FILES_MAX,
            });
        }
        let (file, new) = CaptureFile::open(&report.path, self.spare.pop().unwrap_or_default())?;
        *report = new;
        let head = Record {
            ts_ns: None,
            wire_len: 0,
            link: LinkType::NULL,
            at: 0,
            len: 0,
            trust: Trust::Judge,
        };
        let open = Some(Open { file, index, head });
        match self.slots.get_mut(slot) {
            Some(place) => *place = open,
            None => self.slots.push(open),
        }
        Ok(Some(slot))
    }

    /// Reads the next record of a slot's file; closes the file and gives `None` at its end.
    #[inline]
    fn read(&mut self, slot: usize) -> Option<(usize, Record)> {
        let place = self.slots.get_mut(slot)?;
        let open = place.as_mut()?;
        let report = self.report.files.get_mut(open.index)?;
        if let Some(record) = open.file.next(report) {
            open.head = record;
            return Some((open.index, record));
        }
        if let Some(open) = place.take() {
            self.passed_ns = open.file.passed(Trust::Recorded);
            self.spare.push(open.file.into_buffer());
        }
        None
    }

    /// Puts the record read last, with its time, and those that are ready behind it into `places`. Gives the
    /// time of the last one.
    fn ready(
        &mut self,
        slot: usize,
        (head, ts_ns): (&Record, i64),
        from_ns: i64,
        places: &mut Vec<Place>,
    ) -> i64 {
        let Some(Some(open)) = self.slots.get_mut(slot) else {
            return from_ns;
        };
        let Some(report) = self.report.files.get_mut(open.index) else {
            return from_ns;
        };
        places.push(open.file.place(head, ts_ns));
        open.file.ready(report, from_ns, places, BATCH_FRAMES)
    }

    /// What holds the records that are ready.
    fn whole(&self, slot: usize) -> &[u8] {
        let open = self.slots.get(slot).and_then(Option::as_ref);
        open.map_or(&[], |open| open.file.whole())
    }

    fn bytes(&self, slot: usize, head: &Record) -> &[u8] {
        self.slots
            .get(slot)
            .and_then(Option::as_ref)
            .map_or(&[], |open| open.file.bytes(head))
    }

    /// How long the time of the record being read went on.
    fn passed(&self, slot: usize, trust: Trust) -> Option<i64> {
        self.slots.get(slot)?.as_ref()?.file.passed(trust)
    }

    /// The last packet's time of the file opened last.
    fn last_ns(&self) -> Option<i64> {
        self.report.files.get(self.next.checked_sub(1)?)?.last_ns
    }
}

/// In which order records leave the files.
enum Order {
    Sequence {
        /// Latest last packet of the files read, to notice overlaps.
        latest_ns: Option<i64>,
    },
    Merge {
        /// The next record of each open file: (time, place in the order, slot).
        heads: BinaryHeap<Reverse<(i64, usize, usize)>>,
        /// The slot whose record went out last; its file is read on before the next goes out.
        turn: Option<usize>,
    },
}

impl Order {
    /// The next record and the slot whose file holds its bytes.
    #[inline]
    fn next(&mut self, files: &mut Files) -> Result<Option<(usize, Record)>, SourceError> {
        match self {
            Self::Sequence { latest_ns } => loop {
                if let Some((_, record)) = files.read(0) {
                    return Ok(Some((0, record)));
                }
                *latest_ns = files.last_ns().max(*latest_ns);
                if files.open_next()?.is_none() {
                    return Ok(None);
                }
                let first_ns = files.first_ns.get(files.next - 1).copied().flatten();
                if let (Some(first_ns), Some(latest_ns)) = (first_ns, *latest_ns) {
                    let overlaps = latest_ns.saturating_sub(first_ns) > CLAMP_NS;
                    files.report.overlaps += u64::from(overlaps);
                }
            },
            Self::Merge { heads, turn } => merge(files, heads, turn),
        }
    }
}

/// The earliest record of all files. A file is opened when its first packet may be the next.
fn merge(
    files: &mut Files,
    heads: &mut BinaryHeap<Reverse<(i64, usize, usize)>>,
    turn: &mut Option<usize>,
) -> Result<Option<(usize, Record)>, SourceError> {
    let mut read = turn.take();
    loop {
        if let Some(slot) = read.take()
            && let Some((index, record)) = files.read(slot)
        {
            // A packet without a time goes with the one before it in its file.
            let last_ns = || files.report.files.get(index).and_then(|file| file.last_ns);
            let time = record.ts_ns.or_else(last_ns);
            heads.push(Reverse((time.unwrap_or(i64::MIN), index, slot)));
        }
        let earliest = heads.peek().map(|Reverse((time, _, _))| *time);
        match (files.first_ns.get(files.next), earliest) {
            (Some(first), Some(earliest)) if *first > Some(earliest) => break,
            (Some(_), _) => read = files.open_next()?,
            (None, _) => break,
        }
    }
    let Some(Reverse((_, _, slot))) = heads.pop() else {
        return Ok(None);
    };
    *turn = Some(slot);
    let head = files
        .slots
        .get(slot)
        .and_then(Option::as_ref)
        .map(|open| open.head);
    Ok(head.map(|head| (slot, head)))
}
