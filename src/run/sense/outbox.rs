//! What `sense` has to tell `serve`: one thread that formats, numbers and writes.
//!
//! Bounds: records wait up to [`RECORDS_WAITING_MAX`], later ones are dropped and counted; notices up to
//!         [`NOTICES_WAITING_MAX`], which takes a `serve` that is away for hours, then the newest are
//!         counted as lost. A notice is kept until `serve` says that it is on disk, and told again to a
//!         `serve` that has been restarted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tapir_engine::flow::Conn;
use tapir_engine::types::{Held, Record};
use tapir_message::{Breach, Final, Notice, Numbered, RecordLines, ToServe, VERSION};

use super::responder::Responses;
use crate::run::link::{self, LinkError};
use crate::run::record_line::RecordLine;
use crate::store::numbers::NumberFile;

/// Records that may wait: about 64 MiB of them.
const RECORDS_WAITING_MAX: usize = 131_072;
/// Notices that may wait for a number or for the journal.
const NOTICES_WAITING_MAX: usize = 65_536;
/// Bytes of lines in one message.
const BATCH_BYTES: usize = 48 * 1024;

/// One thing to tell, or to know for telling.
#[derive(Debug)]
enum Out {
    Hello,
    Records(Vec<Box<Record>>),
    Notice(Notice),
    Numbered(Box<Numbered>),
    Message(Box<ToServe>),
    Numbers { next: u64, until: u64 },
    Journalled(u64),
    Resend,
    End(Box<Final>),
}

/// Figures both sides of the outbox look at.
#[derive(Debug, Default)]
pub(super) struct Figures {
    records_waiting: AtomicUsize,
    notices_waiting: AtomicUsize,
    records_dropped: AtomicU64,
    notices_lost: AtomicU64,
}

impl Figures {
    pub(super) fn records_dropped(&self) -> u64 {
        self.records_dropped.load(Relaxed)
    }

    pub(super) fn notices_waiting(&self) -> u64 {
        u64::try_from(self.notices_waiting.load(Relaxed)).unwrap_or(u64::MAX)
    }

    pub(super) fn notices_lost(&self) -> u64 {
        self.notices_lost.load(Relaxed)
    }

    /// Memory of what waits, at its usual size.
    pub(super) fn held(&self) -> [Held; 2] {
        let (record, notice) = (size_of::<Record<Conn>>(), size_of::<Breach>());
        let records = self.records_waiting.load(Relaxed);
        let notices = self.notices_waiting.load(Relaxed);
        [
            Held::new(
                "records for serve",
                records * record,
                RECORDS_WAITING_MAX * record,
            ),
            Held::new(
                "notices for serve",
                notices * notice,
                NOTICES_WAITING_MAX * notice,
            ),
        ]
    }
}

/// Numbers to give out, and where the latest is noted before it is used: whatever is noted and never
/// arrives was lost on the way.
#[derive(Debug)]
struct Numbering {
    used: NumberFile,
    next: u64,
    until: u64,
    /// Notices on their way without a number; those that come later must not overtake them.
    waiting: usize,
}

impl Numbering {
    /// The next number; none if all that were leased are used up.
    fn take(&mut self) -> Option<u64> {
        if self.next >= self.until {
            return None;
        }
        let number = self.next;
        self.next += 1;
        if let Err(error) = self.used.note(number) {
            tracing::warn!(%error, number, "A number is used that could not be noted.");
        }
        Some(number)
    }
}

/// The way in; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    to: Sender<Out>,
    numbering: Arc<Mutex<Numbering>>,
    pub(super) figures: Arc<Figures>,
}

impl Outbox {
    /// Passes records on, or drops and counts them if too many wait already.
    pub(super) fn records(&self, records: Vec<Box<Record>>) {
        let waiting = self.figures.records_waiting.load(Relaxed);
        if waiting + records.len() > RECORDS_WAITING_MAX {
            let lost = u64::try_from(records.len()).unwrap_or(0);
            self.figures.records_dropped.fetch_add(lost, Relaxed);
            return;
        }
        self.figures
            .records_waiting
            .fetch_add(records.len(), Relaxed);
        self.put(Out::Records(records));
    }

    /// Passes on what must not get lost.
    pub(super) fn notice(&self, notice: Notice) {
        if self.figures.notices_waiting.load(Relaxed) >= NOTICES_WAITING_MAX {
            self.figures.notices_lost.fetch_add(1, Relaxed);
            return;
        }
        self.figures.notices_waiting.fetch_add(1, Relaxed);
        // Held until it is in the queue, so that numbers come in order from whichever thread.
        let mut numbering = held(&self.numbering);
        let number = if numbering.waiting == 0 {
            numbering.take()
        } else {
            None
        };
        if let Some(number) = number {
            self.put(Out::Numbered(Box::new(Numbered { number, notice })));
        } else {
            numbering.waiting += 1;
            self.put(Out::Notice(notice));
        }
    }

    /// Passes on something of which the next one makes up for a loss.
    pub(super) fn message(&self, message: ToServe) {
        self.put(Out::Message(Box::new(message)));
    }

    /// Asks `serve` for state and numbers.
    pub(super) fn hello(&self) {
        self.put(Out::Hello);
    }

    /// New numbers to give out.
    pub(super) fn numbers(&self, next: u64, until: u64) {
        self.put(Out::Numbers { next, until });
    }

    /// Everything up to `number` is on disk.
    pub(super) fn journalled(&self, number: u64) {
        self.put(Out::Journalled(number));
    }

    /// A new `serve` may not have got what its predecessor had read.
    pub(super) fn resend(&self) {
        self.put(Out::Resend);
    }

    /// The last word; the thread ends once everything before it is on disk.
    pub(super) fn end(&self, last: Final) {
        self.put(Out::End(Box::new(last)));
    }

    fn put(&self, out: Out) {
        // The thread lives as long as the process; if it has failed, the process ends of itself.
        let _gone = self.to.send(out);
    }
}

/// A lock; what it guards is whole after every statement.
fn held(numbering: &Mutex<Numbering>) -> MutexGuard<'_, Numbering> {
    numbering.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines of one kind that wait to be sent.
#[derive(Debug)]
struct Lines {
    kind: &'static str,
    count: u64,
    text: Vec<u8>,
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Writer {
    from: Receiver<Out>,
    link: link::Sender,
    lines: Vec<Lines>,
    numbering: Arc<Mutex<Numbering>>,
    line: RecordLine,
    figures: Arc<Figures>,
    /// Notices without a number: all leased ones are used up.
    unnumbered: VecDeque<Notice>,
    /// Sent, and not known to be on disk.
    unacknowledged: VecDeque<Numbered>,
    end: Option<Box<Final>>,
    /// Told of every decision that is on disk, by its id.
    logged: Option<Responses>,
}

/// An outbox and the thread's side of it.
pub(super) fn outbox(link: link::Sender, used: NumberFile, sensor_id: &str) -> (Outbox, Writer) {
    let (to, from) = mpsc::channel();
    let figures = Arc::new(Figures::default());
    let numbering = Arc::new(Mutex::new(Numbering {
        used,
        next: 0,
        until: 0,
        waiting: 0,
    }));
    let writer = Writer {
        from,
        link,
        lines: Vec::new(),
        numbering: Arc::clone(&numbering),
        line: RecordLine::new(sensor_id),
        figures: Arc::clone(&figures),
        unnumbered: VecDeque::new(),
        unacknowledged: VecDeque::new(),
        end: None,
        logged: None,
    };
    let outbox = Outbox {
        to,
        numbering,
        figures,
    };
    (outbox, writer)
}

impl Writer {
    /// Has `responses` told of every decision that is on disk.
    pub(super) fn tell(&mut self, responses: Responses) {
        self.logged = Some(responses);
    }

    /// Writes until the last word is said and everything before it is on disk.
    pub(super) fn run(mut self) -> Result<(), LinkError> {
        while let Ok(out) = self.from.recv() {
            match out {
                Out::Hello => self.link.send(&ToServe::Hello { version: VERSION })?,
                Out::Records(records) => self.records(&records)?,
                Out::Notice(notice) => {
                    self.unnumbered.push_back(notice);
                    self.number()?;
                }
                Out::Numbered(numbered) => self.tell_notice(*numbered)?,
                Out::Message(message) => self.link.send(&*message)?,
                Out::Numbers { next, until } => self.numbers(next, until)?,
                Out::Journalled(number) => self.journalled(number),
                Out::Resend => {
                    for numbered in &self.unacknowledged {
                        self.link
                            .send(&ToServe::Notice(Box::new(numbered.clone())))?;
                    }
                }
                Out::End(last) => self.end = Some(last),
            }
            if self.unnumbered.is_empty()
                && self.unacknowledged.is_empty()
                && let Some(last) = self.end.take()
            {
                return self.link.send(&ToServe::Final(last));
            }
        }
        Ok(())
    }

    /// Takes in new numbers. A longer lease goes on where this one is; one after a restart begins anew.
    fn numbers(&mut self, next: u64, until: u64) -> Result<(), LinkError> {
        let mut numbering = held(&self.numbering);
        numbering.next = numbering.next.max(next);
        numbering.until = until;
        drop(numbering);
        self.number()
    }

    /// Numbers and sends those that wait, as far as there are numbers.
    fn number(&mut self) -> Result<(), LinkError> {
        let numbering = Arc::clone(&self.numbering);
        let mut numbering = held(&numbering);
        while !self.unnumbered.is_empty()
            && let Some(number) = numbering.take()
            && let Some(notice) = self.unnumbered.pop_front()
        {
            numbering.waiting -= 1;
            self.tell_notice(Numbered { number, notice })?;
        }
        Ok(())
    }

    fn tell_notice(&mut self, numbered: Numbered) -> Result<(), LinkError> {
        self.unacknowledged.push_back(numbered.clone());
        self.link.send(&ToServe::Notice(Box::new(numbered)))
    }

    /// Forgets what is on disk.
    fn journalled(&mut self, number: u64) {
        while let Some(first) = self.unacknowledged.pop_front_if(|n| n.number <= number) {
            self.figures.notices_waiting.fetch_sub(1, Relaxed);
            if let (Notice::Decision(decision), Some(logged)) = (first.notice, &self.logged) {
                logged.logged(decision.id);
            }
        }
    }

    /// Formats records and sends them in messages of moderate length.
    fn records(&mut self, records: &[Box<Record>]) -> Result<(), LinkError> {
        let mut bytes = 0;
        for record in records {
            let kind = record.body.kind();
            // A dozen kinds: looking along them is quicker than any map.
            let at = match self.lines.iter().position(|lines| lines.kind == kind) {
                Some(at) => at,
                None => {
                    self.lines.push(Lines {
                        kind,
                        count: 0,
                        text: Vec::new(),
                    });
                    self.lines.len() - 1
                }
            };
            let Some(lines) = self.lines.get_mut(at) else {
                continue;
            };
            let before = lines.text.len();
            self.line.write(record, &mut lines.text);
            lines.text.push(b'\n');
            lines.count += 1;
            bytes += lines.text.len() - before;
            if bytes >= BATCH_BYTES {
                self.send_lines()?;
                bytes = 0;
            }
        }
        if bytes > 0 {
            self.send_lines()?;
        }
        self.figures
            .records_waiting
            .fetch_sub(records.len(), Relaxed);
        Ok(())
    }

    /// Sends the lines there are, and keeps what held them.
    fn send_lines(&mut self) -> Result<(), LinkError> {
        let full = self.lines.iter().filter(|lines| lines.count > 0);
        let heads = full.clone().map(|lines| RecordLines {
            kind: lines.kind.to_owned(),
            count: lines.count,
            bytes: lines.text.len(),
        });
        let message = ToServe::Records(heads.collect());
        let texts = full.map(|lines| lines.text.as_slice());
        self.link.send_with(&message, texts)?;
        for lines in &mut self.lines {
            lines.count = 0;
            lines.text.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tapir_message::{Response, ResponseState, Timestamp};

    use super::*;

    fn notice(text: &str) -> Notice {
        Notice::Response(Box::new(Response {
            ts: Timestamp::default(),
            decision: text.into(),
            breach: String::new(),
            state: ResponseState::Sent,
            frames_sent: 0,
            frames_refused: 0,
            latency_ns: None,
            latency_max_ns: None,
            bytes_after: 0,
            redials: 0,
            text: String::new(),
        }))
    }

    fn last() -> Final {
        Final {
            devices: vec![],
            services: vec![],
            stats: tapir_message::Stats::default(),
            traffic: vec![],
            learning: String::new(),
            site_days: 0.0,
            models_hash: String::new(),
            models: 0,
        }
    }

    /// Notices wait for numbers, are told again to a new `serve`, and the last word waits for all.
    #[test]
    fn nothing_is_forgotten_before_it_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = link::pair().unwrap();
        let (_, mut serve) = link::open(b);
        let used = NumberFile::open(folder.path()).unwrap();
        let (outbox, writer) = outbox(link::open(a).0, used, "tapir");
        let thread = std::thread::spawn(|| writer.run());
        let mut next = || serve.receive::<ToServe>(Some(10_000)).unwrap().unwrap();
        outbox.notice(notice("a"));
        outbox.notice(notice("b"));
        outbox.numbers(7, 8);
        let ToServe::Notice(first) = next() else {
            panic!()
        };
        assert_eq!((first.number, &first.notice), (7, &notice("a")));
        assert_eq!(NumberFile::read(folder.path()).unwrap(), Some(7));
        outbox.numbers(8, 100);
        let ToServe::Notice(second) = next() else {
            panic!()
        };
        assert_eq!((second.number, &second.notice), (8, &notice("b")));
        outbox.journalled(7);
        outbox.resend();
        assert_eq!(next(), ToServe::Notice(second));
        outbox.end(last());
        outbox.journalled(8);
        assert_eq!(next(), ToServe::Final(Box::new(last())));
        thread.join().unwrap().unwrap();
        assert_eq!(outbox.figures.notices_waiting(), 0);
    }
}
