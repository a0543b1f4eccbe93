//! `tapir run`: checks, prepares, starts `sense` and `serve`, and starts each again when it dies.
//!
//! This process holds the privileges the two others give up: it installs the egress filter before
//! `sense` starts and sets it to drop everything when a person stops all responses. It parses no packet
//! and no message from the wire.
//!
//! It holds both ends of their socket pair, so neither sees the other go. What it has to say to `serve`
//! goes over a pair of its own, JSON lines: [`ToServer`] one way, [`FromServer`] the other.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::RunError;
use super::guard::{Guard, Lock};
use super::link;
use crate::config::Settings;

/// Time between two looks at the children and the egress filter.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A child that lived this long is started again at once; one that did not waits longer each time.
const LIVED_LONG: Duration = Duration::from_secs(10);
const RESTART_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long both may take to finish what is open.
const STOP_WAIT: Duration = Duration::from_secs(30);
/// Exit code of a child that would fail again: what it was given is wrong (`EX_CONFIG`).
pub const EXIT_HOPELESS: u8 = 78;
/// Exit code of a child that has said what is wrong.
const EXIT_ERROR: i32 = 1;

/// What the supervisor tells `serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToServer {
    /// Process id of `sense`; 0 while there is none.
    pub(crate) sense_pid: u32,
    /// How often each was started again.
    pub(crate) sense_restarts: u32,
    /// See `sense_restarts`.
    pub(crate) serve_restarts: u32,
    /// How each ended the last time, in words.
    pub(crate) sense_exit: Option<String>,
    /// See `sense_exit`.
    pub(crate) serve_exit: Option<String>,
    /// Frames the egress filter let out, and refused.
    pub(crate) egress: (u64, u64),
    /// What is wrong, if anything.
    pub(crate) degraded: Vec<String>,
    /// Finish what is open and end.
    pub(crate) stop: bool,
}

/// What `serve` tells the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromServer {
    /// A person stopped all responses: nothing may leave.
    StopResponses,
    /// Responses may leave again.
    ResumeResponses,
}

/// What wakes the supervisor.
enum Event {
    Signal(i32),
    Server(FromServer),
}

/// Which child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Sense,
    Serve,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Sense => "sense",
            Self::Serve => "serve",
        }
    }
}

/// Runs until it is told to stop.
///
/// # Errors
/// Something needed is missing or refused, or a child cannot work with what it was given.
pub fn daemon(settings: &Settings, mut arguments: Vec<String>) -> Result<(), RunError> {
    let started = jiff::Timestamp::now();
    arguments.extend([
        "--run".to_owned(),
        started.strftime("%Y%m%dT%H%M%S.%3fZ").to_string(),
    ]);
    let _lock = Lock::take(settings)?;
    let guard = Guard::install(settings)?;
    let (sense_end, serve_end) = link::pair()?;
    let (ours, theirs) = UnixStream::pair().map_err(RunError::System)?;
    let (events, inbox) = mpsc::channel();
    listen_for_signals(events.clone())?;
    listen_to_server(&ours, events)?;
    let mut supervisor = Supervisor {
        sense: Slot::new(Part::Sense, sense_end),
        serve: Slot::new(Part::Serve, serve_end),
        server: ours,
        server_end: theirs.into(),
        arguments,
        program: std::env::current_exe().map_err(RunError::System)?,
        guard,
        told: ToServer::default(),
    };
    let run = supervisor.run(&inbox);
    supervisor.end();
    run
}

/// Signals become events.
fn listen_for_signals(events: Sender<Event>) -> Result<(), RunError> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD]).map_err(RunError::System)?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if events.send(Event::Signal(signal)).is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// What `serve` says becomes events; the stream is the same for every `serve` that is started.
fn listen_to_server(ours: &UnixStream, events: Sender<Event>) -> Result<(), RunError> {
    let reader = BufReader::new(ours.try_clone().map_err(RunError::System)?);
    std::thread::spawn(move || {
        for line in reader.lines() {
            let Ok(line) = line else { break };
            if let Ok(said) = serde_json::from_str(&line)
                && events.send(Event::Server(said)).is_err()
            {
                break;
            }
        }
    });
    Ok(())
}

/// One child and what starting it takes.
struct Slot {
    part: Part,
    end: OwnedFd,
    child: Option<Child>,
    started: Instant,
    restarts: u32,
    /// When it may be started again.
    at: Option<Instant>,
    wait: Duration,
    finished: bool,
    last_exit: Option<String>,
}

impl Slot {
    fn new(part: Part, end: OwnedFd) -> Self {
        Self {
            part,
            end,
            child: None,
            started: Instant::now(),
            restarts: 0,
            at: Some(Instant::now()),
            wait: Duration::ZERO,
            finished: false,
            last_exit: None,
        }
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Whether a child that ended with `code` would end so again. At its first start that is any error
    /// it had words for: a person is there to read them, and nothing was watched yet that a wait could
    /// save. Later the same error may pass, as an interface comes back.
    fn is_refusal(&self, code: Option<i32>) -> bool {
        let first = self.restarts == 0 && self.started.elapsed() < LIVED_LONG;
        code == Some(i32::from(EXIT_HOPELESS)) || (code == Some(EXIT_ERROR) && first)
    }
}

struct Supervisor {
    sense: Slot,
    serve: Slot,
    server: UnixStream,
    server_end: OwnedFd,
    arguments: Vec<String>,
    program: PathBuf,
    guard: Guard,
    told: ToServer,
}

impl Supervisor {
    fn run(&mut self, inbox: &Receiver<Event>) -> Result<(), RunError> {
        let mut stopping: Option<Instant> = None;
        loop {
            self.look(Part::Serve, stopping.is_some())?;
            self.look(Part::Sense, stopping.is_some())?;
            if self.sense.finished && self.serve.finished {
                return Ok(());
            }
            if stopping.is_some_and(|since| since.elapsed() > STOP_WAIT) {
                return Err(RunError::StopTimeout(STOP_WAIT.as_secs()));
            }
            self.tell(stopping.is_some());
            match inbox.recv_timeout(LOOK_EVERY) {
                Ok(Event::Signal(SIGTERM | SIGINT)) => {
                    stopping.get_or_insert_with(Instant::now);
                }
                Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Server(FromServer::StopResponses)) => self.guard.drop_all(),
                Ok(Event::Server(FromServer::ResumeResponses)) => self.guard.allow(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Notices that a child has ended; starts it if it is time to.
    fn look(&mut self, part: Part, stopping: bool) -> Result<(), RunError> {
        let slot = match part {
            Part::Sense => &mut self.sense,
            Part::Serve => &mut self.serve,
        };
        if let Some(child) = &mut slot.child
            && let Some(status) = child.try_wait().map_err(RunError::System)?
        {
            slot.child = None;
            slot.last_exit = Some(status.to_string());
            if status.success() || stopping {
                slot.finished = true;
                return Ok(());
            }
            if slot.is_refusal(status.code()) {
                slot.finished = true;
                return Err(RunError::Child(slot.part.name()));
            }
            let lived = slot.started.elapsed() >= LIVED_LONG;
            slot.wait = if lived {
                Duration::ZERO
            } else {
                (slot.wait * 2).clamp(Duration::from_millis(200), RESTART_WAIT_MAX)
            };
            slot.at = Some(Instant::now() + slot.wait);
            slot.restarts += 1;
            tracing::error!(
                part = slot.part.name(),
                %status,
                wait_ms = slot.wait.as_millis(),
                "A part of the daemon ended and is started again."
            );
        }
        if slot.child.is_none() && !slot.finished && slot.at.is_some_and(|at| at <= Instant::now())
        {
            if stopping {
                slot.finished = true;
            } else {
                self.start(part)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, part: Part) -> Result<(), RunError> {
        let stdout = match part {
            Part::Sense => Stdio::null(),
            Part::Serve => Stdio::from(self.server_end.try_clone().map_err(RunError::System)?),
        };
        let slot = match part {
            Part::Sense => &mut self.sense,
            Part::Serve => &mut self.serve,
        };
        let end = slot.end.try_clone().map_err(RunError::System)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .args(["--part", slot.part.name()])
            .stdin(Stdio::from(end))
            .stdout(stdout)
            .spawn()
            .map_err(RunError::System)?;
        (slot.child, slot.started, slot.at) = (Some(child), Instant::now(), None);
        // A new `serve` has not heard what its predecessor was told.
        self.told = ToServer::default();
        Ok(())
    }

    /// Tells `serve` what has changed.
    fn tell(&mut self, stop: bool) {
        let (egress, degraded) = self.guard.look();
        let now = ToServer {
            sense_pid: self.sense.pid(),
            sense_restarts: self.sense.restarts,
            serve_restarts: self.serve.restarts,
            sense_exit: self.sense.last_exit.clone(),
            serve_exit: self.serve.last_exit.clone(),
            egress,
            degraded,
            stop,
        };
        if now == self.told || self.serve.child.is_none() {
            return;
        }
        let mut line = serde_json::to_string(&now).unwrap_or_default();
        line.push('\n');
        match self.server.write_all(line.as_bytes()) {
            Ok(()) => self.told = now,
            Err(error) => tracing::warn!(%error, "The serving process could not be told."),
        }
    }

    /// Ends what still runs, and takes the filter away once nothing can send any more.
    fn end(&mut self) {
        for slot in [&mut self.sense, &mut self.serve] {
            if let Some(child) = &mut slot.child {
                if let Ok(pid) = i32::try_from(child.id()) {
                    let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                let _reaped = child.wait();
            }
        }
        self.guard.remove();
    }
}

/// The child's side: what the supervisor says, line by line, from the stream given as standard output.
pub(crate) fn supervisor_stream() -> io::Result<UnixStream> {
    use std::os::fd::AsFd as _;
    let fd = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(UnixStream::from(fd))
}

/// The child's end of the pair, given as standard input; the child dies with the supervisor.
pub(crate) fn link_end() -> io::Result<OwnedFd> {
    use std::os::fd::AsFd as _;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::sys::prctl::set_no_new_privs()?;
    // The supervisor is told to stop, and says so in order; whoever signals the whole group means no more.
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    io::stdin().as_fd().try_clone_to_owned()
}
