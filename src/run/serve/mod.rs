//! `serve`: files, sockets, people. No packet is parsed here.

mod board;
mod desk;
mod feed;
mod inbox;
mod rulings;
mod run_folder;

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapir_message::{Timestamp, ToSense};

use self::board::Board;
use self::feed::Feed;
use self::inbox::{Inbox, Run};
use self::rulings::Replies;
use self::run_folder::RunFolder;
use super::daemon::{self, ToServer};
use super::{RunError, link, privilege};
use crate::config::Settings;
use crate::control::{Server, Watchers};
use crate::forward::Forwarder;
use crate::store::decisions::{DecisionLog, DecisionsError, LogEntry};
use crate::store::journal::{Journal, JournalSettings};
use crate::store::numbers::Numbers;
use crate::store::rulings::Rulings;
use crate::store::stopped;

/// Days of breaches and decisions that are shown after a restart.
const SHOWN_DAYS: i64 = 30;
/// Bytes of records all runs together may take.
const RECORDS_BYTES_MAX: u64 = 20_000_000_000;

/// What the threads of `serve` share.
struct Serve {
    settings: Settings,
    board: Arc<Mutex<Board>>,
    journal: Arc<Mutex<Journal>>,
    feed: Arc<Feed>,
    decisions: Mutex<DecisionLog>,
    to_sense: Mutex<link::Sender>,
    supervisor: Mutex<UnixStream>,
    /// Who pulled the kill switch, as it stands on disk.
    stopped: Mutex<Option<String>>,
    /// What people said of devices and no saved state knows of.
    rulings: Mutex<Rulings>,
    replies: Replies,
    forwarder: Mutex<Option<Forwarder>>,
    watchers: Watchers,
    stopping: AtomicBool,
    woken: (Mutex<()>, Condvar),
}

/// A lock; what it guards is whole after every statement, so a panic elsewhere does not spoil it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until the supervisor says stop and `sense` has said its last word.
///
/// # Errors
/// Its folders or sockets cannot be used.
pub fn serve(settings: Settings, run: &str) -> Result<(), RunError> {
    let (to_sense, from_sense) = link::open(daemon::link_end().map_err(RunError::System)?);
    let supervisor = daemon::supervisor_stream().map_err(RunError::System)?;
    let listened = supervisor.try_clone().map_err(RunError::System)?;
    let server = Server::bind(&settings.control.socket)
        .map_err(|error| RunError::Response(error.to_string()))?;
    privilege::drop_all()?;
    let serve = Arc::new(open(settings, to_sense, supervisor)?);
    let inbox = Serve::inbox(&serve, from_sense, run)?;
    let threads = Arc::clone(&serve);
    std::thread::spawn(move || threads.listen_to_supervisor(listened));
    let desk = Arc::clone(&serve);
    let server = std::thread::spawn(move || server.serve(desk));
    let done = inbox.run();
    if let Some(forwarder) = held(&serve.forwarder).take() {
        forwarder.stop();
    }
    let reason = match &done {
        Ok(()) => "told to".to_owned(),
        Err(error) => error.to_string(),
    };
    if let Err(error) = serve.log(&LogEntry::Stop { reason }) {
        tracing::error!(%error, "The end could not be logged.");
    }
    serve.watchers.close();
    drop(server);
    done
}

/// Opens everything on disk and starts forwarding.
fn open(
    settings: Settings,
    to_sense: link::Sender,
    supervisor: UnixStream,
) -> Result<Serve, RunError> {
    let folder = settings.store.folder.clone();
    let failed = |error: &dyn std::fmt::Display| RunError::Store {
        path: folder.clone(),
        error: error.to_string(),
    };
    let cursors = folder.join("forward");
    let journal = Journal::open(
        &folder.join("journal"),
        JournalSettings {
            bytes_max: u64::from(settings.store.journal_max_mb) * 1_000_000,
            seq_floor: crate::forward::highest_sent(&cursors),
            ..JournalSettings::default()
        },
    )
    .map_err(|error| failed(&error))?;
    let mut decisions = DecisionLog::open(&folder, now()).map_err(|error| failed(&error))?;
    let start = LogEntry::Start {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: settings.response.mode,
    };
    decisions
        .append(now(), &start)
        .map_err(|error| failed(&error))?;
    let rulings = Rulings::open(&folder).map_err(|error| failed(&error))?;
    let mut board = Board::default();
    let since = now().plus(-SHOWN_DAYS * 86_400 * 1_000_000_000);
    journal
        .replay(since, &mut |_, numbered| {
            board.take(&numbered.notice);
        })
        .map_err(|error| failed(&error))?;
    let journal = Arc::new(Mutex::new(journal));
    let board = Arc::new(Mutex::new(board));
    let feed = Arc::new(Feed::new(Arc::clone(&journal), Arc::clone(&board)));
    let outputs = super::outputs(&settings);
    let read: Arc<dyn crate::forward::Feed> = Arc::<Feed>::clone(&feed);
    let forwarder = Forwarder::start(outputs, &read, &cursors).map_err(|error| failed(&error))?;
    Ok(Serve {
        stopped: Mutex::new(stopped::load(&folder)),
        rulings: Mutex::new(rulings),
        replies: Replies::default(),
        settings,
        board,
        journal,
        feed,
        decisions: Mutex::new(decisions),
        to_sense: Mutex::new(to_sense),
        supervisor: Mutex::new(supervisor),
        forwarder: Mutex::new(Some(forwarder)),
        watchers: Watchers::new(),
        stopping: AtomicBool::new(false),
        woken: (Mutex::new(()), Condvar::new()),
    })
}

/// Time by the machine's clock: for the log of what people did, not for what packets said.
fn now() -> Timestamp {
    let now = jiff::Timestamp::now().as_nanosecond();
    Timestamp::from_nanos(i64::try_from(now).unwrap_or(i64::MAX))
}

impl Serve {
    /// The reading side, with the run's files and what the run has told so far.
    fn inbox<'a>(
        serve: &'a Arc<Self>,
        from: link::Receiver,
        run: &str,
    ) -> Result<Inbox<'a>, RunError> {
        let folder = &serve.settings.store.folder;
        let failed = |path: &Path, error: &dyn std::fmt::Display| RunError::Store {
            path: path.to_owned(),
            error: error.to_string(),
        };
        let runs = folder.join("runs");
        let run_folder = RunFolder::open(&runs, run, RECORDS_BYTES_MAX)
            .map_err(|error| failed(&runs, &error))?;
        run_folder
            .reopen()
            .map_err(|error| failed(run_folder.path(), &error))?;
        let journal = held(&serve.journal);
        // What was journalled before the run began belongs to another.
        let first = run_folder
            .first_seq(journal.last_seq())
            .map_err(|error| failed(run_folder.path(), &error))?;
        let mut told = Run::default();
        let mut seq = first;
        loop {
            let batch = journal
                .read_after(seq, 4_096)
                .map_err(|error| failed(folder, &error))?;
            let Some((last, _)) = batch.last() else { break };
            seq = *last;
            for (_, numbered) in &batch {
                told.take(&numbered.notice);
            }
        }
        let numbers = Numbers::open(folder, journal.highest_number())
            .map_err(|error| failed(folder, &error))?;
        Ok(Inbox {
            serve,
            from,
            folder: run_folder,
            until: numbers.until(),
            unlogged: false,
            numbers,
            run: told,
        })
    }

    /// Hears what the supervisor says until it ends.
    fn listen_to_supervisor(&self, stream: UnixStream) {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let Ok(told) = serde_json::from_str::<ToServer>(&line) else {
                continue;
            };
            let stop = told.stop;
            held(&self.board).supervised(told);
            if stop && !self.stopping.swap(true, Relaxed) {
                self.woken.1.notify_all();
                if let Err(error) = held(&self.to_sense).send(&ToSense::Stop) {
                    tracing::error!(%error, "The end could not be announced.");
                }
            }
        }
    }

    /// Writes to the decision log; on disk when this returns.
    fn log(&self, entry: &LogEntry) -> Result<(), DecisionsError> {
        held(&self.decisions).append(now(), entry)
    }

    /// There is something new to forward.
    fn appended(&self) {
        self.feed.appended();
    }

    /// Waits, but not beyond the word to stop.
    fn wait(&self, at_most: Duration) {
        let (lock, woken) = &self.woken;
        let guard = held(lock);
        let _either_way =
            woken.wait_timeout_while(guard, at_most, |()| !self.stopping.load(Relaxed));
    }
}
