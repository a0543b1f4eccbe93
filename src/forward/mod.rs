//! Forwarding: every notice to every output, in order, over outages and restarts.
//!
//! Input:   a [`Feed`] of notices by sequence number; one [`OutputSettings`] an output.
//! Output:  lines; [`OutputHealth`] for the operator.
//! Bounds:  nothing is queued in memory beyond one batch of 64 notices; the queue is the feed on disk and
//!          a cursor of 32 bytes. What the feed no longer holds is counted as lost.
//! Repeats: before a line is sent, that it may have been sent is on disk. After a reconnect or restart
//!          the lines of the last 60 s of the old connection go out again with their repeat mark,
//!          then those never sent.
//!
//! An output is one file and one line: its file beside this one, its line in [`Target`].

pub mod format;

mod backoff;
mod cursor;
mod syslog;
mod window;
mod worker;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tapir_message::{Decision, Numbered, Timestamp};

use cursor::CursorFile;
use worker::Worker;

pub use cursor::CursorError;
pub use format::cef::Sensor;

/// What notices are read from. Sequence numbers rise by one; a hole is a loss.
pub trait Feed: Send + Sync {
    /// Sequence number of the latest notice.
    fn last(&self) -> u64;

    /// At most `max` notices after `seq`, in order; at least one if there is one.
    ///
    /// # Errors
    /// One sentence saying why nothing can be read.
    fn after(&self, seq: u64, max: usize) -> Result<Vec<(u64, Numbered)>, String>;

    /// Returns when there is a notice after `seq`, or after `timeout`.
    fn wait(&self, seq: u64, timeout: Duration);

    /// The decision of that id, if it is still known; a response names it.
    fn decision(&self, _id: &str) -> Option<Decision> {
        None
    }
}

/// One output.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// Its name: names the cursor file, so it stays the same over restarts. Letters, digits, `-`, `_`.
    pub name: String,
    /// Who reports.
    pub sensor: Sensor,
    /// Where to.
    pub target: Target,
    /// How patient it is.
    pub timing: Timing,
}

/// The outputs there are, each with its own file.
#[derive(Clone, Debug)]
pub enum Target {
    /// CEF in syslog over TCP, to `host:port`.
    SyslogTcp {
        /// `host:port`; an IPv6 address in brackets.
        address: String,
    },
}

impl Target {
    /// The list: one line an output.
    fn open(&self, sensor: Sensor, timing: Timing) -> Box<dyn Output> {
        match self {
            Self::SyslogTcp { address } => {
                Box::new(syslog::SyslogTcp::new(address.clone(), sensor, timing))
            }
        }
    }
}

/// Times of an output. The defaults are for service; tests hurry.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// First pause after a failure; doubles at each.
    pub retry_first: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// A receiver that takes nothing for this long is given up and connected to anew; one that leaves
    /// data unanswered, after a third more. Shorter than `resend`, so that what it never took is always
    /// sent again.
    pub stall: Duration,
    /// Lines sent this long before a connection ended are sent again.
    pub resend: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(15),
            resend: Duration::from_secs(60),
        }
    }
}

/// Whether lines get out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputState {
    /// Not connected so far.
    #[default]
    Starting,
    /// Connected, and everything is sent or being sent.
    Up,
    /// `reason` says why not.
    Degraded,
}

/// How an output is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputHealth {
    /// Its name.
    pub name: String,
    /// Where to, for the operator.
    pub target: String,
    /// Whether lines get out.
    pub state: OutputState,
    /// Why it is degraded, one sentence; empty if it is not.
    pub reason: String,
    /// Notices not sent so far.
    pub depth: u64,
    /// When the oldest of them was true.
    pub oldest_unsent: Option<Timestamp>,
    /// Lines sent since the start, repeats included.
    pub sent: u64,
    /// Of these, lines with the repeat mark.
    pub repeated: u64,
    /// Notices that were gone before they could be sent, over all restarts.
    pub lost: u64,
    /// Connections made since the start.
    pub connections: u64,
    /// Up to this sequence number nothing will be sent again.
    pub done: u64,
}

/// What an output does; queueing, retry, repeats and health are the room's.
trait Output: Send {
    /// Appends the line of a notice.
    fn encode(&self, notice: &Numbered, line: &LineOf<'_>, out: &mut Vec<u8>);
    /// Makes a connection, in place of the old one.
    fn connect(&mut self) -> Result<(), String>;
    /// Writes some of `bytes` and says how many; 0 if the receiver takes nothing at the moment. Returns
    /// within a second.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, String>;
    /// Whether the connection still stands, as far as can be told without writing.
    fn check(&mut self) -> Result<(), String>;
    /// Ends the connection; in order, or at once so that nothing of it arrives later.
    fn close(&mut self, in_order: bool);
    /// Where to, for the operator.
    fn target(&self) -> String;
}

/// What a line says beside its notice.
struct LineOf<'a> {
    seq: u64,
    repeat: bool,
    decision: Option<&'a Decision>,
}

/// All outputs, each with its own thread.
#[derive(Debug)]
pub struct Forwarder {
    outputs: Vec<(Arc<Shared>, JoinHandle<()>)>,
}

impl Forwarder {
    /// Starts one thread an output; cursors are kept in `folder`.
    ///
    /// # Errors
    /// A name cannot be a file's or is there twice, a cursor cannot be kept, or a thread not started.
    pub fn start(
        outputs: Vec<OutputSettings>,
        feed: &Arc<dyn Feed>,
        folder: &Path,
    ) -> Result<Self, CursorError> {
        let mut forwarder = Self {
            outputs: Vec::new(),
        };
        for settings in outputs {
            let path = cursor_path(folder, &settings.name)?;
            let taken = |(shared, _): &(Arc<Shared>, _)| shared.health().name == settings.name;
            if forwarder.outputs.iter().any(taken) {
                return Err(CursorError::name(&path, "two outputs have the same name"));
            }
            let cursor = CursorFile::open(&path)?;
            let shared = Arc::new(Shared::new(&settings.name));
            let output = settings.target.open(settings.sensor, settings.timing);
            let mine = Arc::clone(&shared);
            let worker = Worker::new(output, Arc::clone(feed), cursor, mine, settings.timing);
            let thread = std::thread::Builder::new()
                .name(format!("forward-{}", settings.name))
                .spawn(move || worker.run())
                .map_err(|error| CursorError::io(&path, error))?;
            forwarder.outputs.push((shared, thread));
        }
        Ok(forwarder)
    }

    /// How each output is doing.
    #[must_use]
    pub fn health(&self) -> Vec<OutputHealth> {
        let one = |(shared, thread): &(Arc<Shared>, JoinHandle<()>)| {
            let mut health = shared.health();
            if thread.is_finished() && !shared.is_stopped() {
                health.state = OutputState::Degraded;
                "its thread has failed; restart serve".clone_into(&mut health.reason);
            }
            health
        };
        self.outputs.iter().map(one).collect()
    }

    /// Up to which sequence number all outputs are done; the highest there is without an output.
    #[must_use]
    pub fn passed(&self) -> u64 {
        let done = self.health().into_iter().map(|health| health.done);
        done.min().unwrap_or(u64::MAX)
    }

    /// Ends all threads; what was not sent is sent after the next start.
    pub fn stop(self) {
        for (shared, _) in &self.outputs {
            shared.stop();
        }
        for (_, thread) in self.outputs {
            if thread.join().is_err() {
                tracing::error!("A forwarding thread had failed.");
            }
        }
    }
}

/// Highest sequence number that any output with a cursor in `folder` may have sent: the journal must
/// not give such a number again.
#[must_use]
pub fn highest_sent(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let cursors = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "cursor"))
        .filter_map(|path| CursorFile::open(&path).ok());
    cursors
        .map(|cursor| cursor.position().high)
        .max()
        .unwrap_or(0)
}

fn cursor_path(folder: &Path, name: &str) -> Result<PathBuf, CursorError> {
    let path = folder.join(format!("{name}.cursor"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(CursorError::name(
            &path,
            "an output's name is letters, digits, `-` and `_`, at most 64",
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| CursorError::io(folder, error))?;
    Ok(path)
}

/// What a thread and the one who asks about it share.
#[derive(Debug)]
struct Shared {
    health: Mutex<OutputHealth>,
    stopped: Mutex<bool>,
    stopping: Condvar,
}

impl Shared {
    fn new(name: &str) -> Self {
        Self {
            health: Mutex::new(OutputHealth {
                name: name.to_owned(),
                ..OutputHealth::default()
            }),
            stopped: Mutex::new(false),
            stopping: Condvar::new(),
        }
    }

    fn health(&self) -> OutputHealth {
        lock(&self.health).clone()
    }

    fn update(&self, change: impl FnOnce(&mut OutputHealth)) {
        change(&mut lock(&self.health));
    }

    fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stopping.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Pauses, but not beyond a stop.
    fn pause(&self, time: Duration) {
        let guard = lock(&self.stopped);
        let waited = self
            .stopping
            .wait_timeout_while(guard, time, |stopped| !*stopped);
        drop(waited);
    }
}

/// What a thread that failed left behind a lock is still the latest that is known.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
