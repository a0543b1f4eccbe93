//! The daemon's end of the control socket.
//!
//! Bounds: see the room's header. A client that is slow, silent, gone or in the wrong group costs one
//!         thread for a bounded time and nothing else.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};
use nix::unistd::Group;

use super::answer::{Answer, Event, Refusal, Why};
use super::desk::{Desk, answer};
use super::line::{self, Line};
use super::peer::{Peer, READERS, Rights};
use super::request::Request;
use super::watch::Next;

/// How long a thread waits before it looks whether the daemon ends.
const TICK: Duration = Duration::from_millis(200);

/// What one daemon grants its clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Longest request in bytes.
    pub(super) request_bytes: usize,
    /// Time for a whole request.
    pub(super) request: Duration,
    /// Time for taking a whole answer.
    pub(super) answer: Duration,
    /// Connections at a time.
    pub(super) clients: usize,
    /// Further connections for those who may do all.
    pub(super) reserved: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 64 * 1024,
            request: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            clients: 32,
            reserved: 8,
        }
    }
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody answers on it.
    #[error("{}: another daemon (process {pid}) answers on this socket; stop it, or give another path in control.socket", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
        /// Who listens.
        pid: i32,
    },
    /// Something else is there.
    #[error("{}: this is not a socket; remove it, or give another path in control.socket", .0.display())]
    NotASocket(PathBuf),
    /// It cannot be made.
    #[error("{}: cannot make the control socket: {error}; give a path in control.socket where this user may write", path.display())]
    Io {
        /// The socket or its folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A control socket that nobody is served on yet.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket: what is removed at the end is ours.
    own: (u64, u64),
    limits: Limits,
}

impl Server {
    /// Makes the socket, after removing one that nobody answers on.
    ///
    /// # Errors
    /// Another daemon answers there, something else is there, or it cannot be made.
    pub fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |error: io::Error| ServerError::Io {
            path: path.to_owned(),
            error,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            make_folder(folder).map_err(failed)?;
        }
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        give_to_readers(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
        let meta = fs::symlink_metadata(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            own: (meta.dev(), meta.ino()),
            limits: Limits::default(),
        })
    }

    /// The same with other limits.
    #[cfg(test)]
    pub(super) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers from here on, in threads of its own.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn serve(self, desk: Arc<dyn Desk>) -> io::Result<Serving> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let (path, own) = (self.path.clone(), self.own);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || self.accept(&desk, &told))?;
        Ok(Serving {
            stop,
            thread: Some(thread),
            path,
            own,
        })
    }

    /// Takes connections until told to stop.
    fn accept(&self, desk: &Arc<dyn Desk>, stop: &Arc<AtomicBool>) {
        let clients = Arc::new(AtomicUsize::new(0));
        while !stop.load(Ordering::Relaxed) {
            if !readable(&self.listener, TICK) {
                continue;
            }
            match self.listener.accept() {
                Ok((stream, _)) => self.begin(stream, desk, stop, &clients),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!(%error, "Could not take a control connection.");
                    std::thread::sleep(TICK);
                }
            }
        }
    }

    /// Gives a connection its thread, or tells it that there is none.
    fn begin(
        &self,
        mut stream: UnixStream,
        desk: &Arc<dyn Desk>,
        stop: &Arc<AtomicBool>,
        clients: &Arc<AtomicUsize>,
    ) {
        let Ok(peer) = Peer::of(&stream) else {
            return;
        };
        let limits = self.limits;
        let room = match peer.rights {
            Rights::All => limits.clients + limits.reserved,
            Rights::Looks => limits.clients,
            Rights::Nothing => {
                tracing::warn!(who = %peer.who, pid = peer.pid, "Refused somebody at the control socket.");
                let text = format!(
                    "{} may not ask this daemon; be root or a member of group {READERS}",
                    peer.who
                );
                return refuse(&mut stream, Why::NotAuthorised, text);
            }
        };
        let place = Place::take(clients);
        if place.number > room {
            let text = "too many connections to the daemon; end a `tapir watch` or try again";
            return refuse(&mut stream, Why::Busy, text.to_owned());
        }
        let (desk, stop) = (Arc::clone(desk), Arc::clone(stop));
        let started = std::thread::Builder::new()
            .name("control client".to_owned())
            .spawn(move || {
                let _place = place;
                // A client that went away has nothing to be told.
                let _gone = converse(stream, &*desk, &peer, &limits, &stop);
            });
        if let Err(error) = started {
            tracing::warn!(%error, "Could not start a thread for a control connection.");
        }
    }
}

/// One of the connections that are open, counted until it ends, however it ends.
struct Place {
    clients: Arc<AtomicUsize>,
    number: usize,
}

impl Place {
    fn take(clients: &Arc<AtomicUsize>) -> Self {
        Self {
            clients: Arc::clone(clients),
            number: clients.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A control socket at work; ends when dropped.
#[derive(Debug)]
pub struct Serving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    own: (u64, u64),
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ended = thread.join();
        }
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.own);
        if ours {
            // What stays behind is recognised as stale by the next daemon.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// One request and its answer.
fn converse(
    mut stream: UnixStream,
    desk: &dyn Desk,
    peer: &Peer,
    limits: &Limits,
    stop: &AtomicBool,
) -> io::Result<()> {
    let bad = |text: String| Answer::refused(Refusal::new(Why::BadRequest, text));
    let line = line::read(&mut stream, limits.request_bytes, limits.request)?;
    let answer = match line {
        Line::Whole(line) => match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Watch) => return follow(&mut stream, desk, limits, stop),
            Ok(request) => answer(desk, &request, &peer.who, peer.rights),
            Err(error) => bad(format!(
                "not a request of this version: {error}; use the `tapir` of the daemon's version"
            )),
        },
        Line::Cut => bad("the request ended before its newline".to_owned()),
        Line::TooLong => bad(format!(
            "a request has at most {} bytes",
            limits.request_bytes
        )),
        Line::TooSlow => bad(format!(
            "no whole request came within {} s",
            limits.request.as_secs()
        )),
    };
    say(&mut stream, &answer, limits.answer)
}

/// Lines as things happen, until one side ends.
fn follow(
    stream: &mut UnixStream,
    desk: &dyn Desk,
    limits: &Limits,
    stop: &AtomicBool,
) -> io::Result<()> {
    let watch = desk.subscribe();
    say(
        stream,
        &Answer::Watching { site: desk.site() },
        limits.answer,
    )?;
    while !stop.load(Ordering::Relaxed) {
        let event = match watch.next(TICK) {
            Next::Event(event) => (*event).clone(),
            Next::Missed(lines) => Event::Missed { lines },
            // Nothing more is asked on a watch: what can be read is its end.
            Next::Quiet if readable(stream, Duration::ZERO) => break,
            Next::Quiet => continue,
            Next::Closed => break,
        };
        say(stream, &Answer::Event { event }, limits.answer)?;
    }
    Ok(())
}

/// Writes an answer as a line.
fn say(stream: &mut UnixStream, answer: &Answer, patience: Duration) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(answer).map_err(io::Error::other)?;
    bytes.push(b'\n');
    line::write(stream, &bytes, patience)
}

/// Says no to somebody who gets no thread; a line this short never waits.
fn refuse(stream: &mut UnixStream, why: Why, text: String) {
    let answer = Answer::refused(Refusal::new(why, text));
    let _gone = say(stream, &answer, TICK);
}

/// Whether something can be read, or the other end is gone, within a time.
fn readable(of: &impl std::os::fd::AsFd, at_most: Duration) -> bool {
    let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO);
    let mut waiting = [PollFd::new(of.as_fd(), PollFlags::POLLIN)];
    poll(&mut waiting, timeout).is_ok_and(|ready| ready > 0)
}

/// The socket's folder, for the daemon and the readers only.
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(folder)?;
    give_to_readers(folder);
    Ok(())
}

/// Hands a path to the readers' group, if there is one; without it only the owner and root get in,
/// which is the safe side.
fn give_to_readers(path: &Path) {
    if let Ok(Some(group)) = Group::from_name(READERS) {
        let _refused = nix::unistd::chown(path, None, Some(group.gid));
    }
}

/// Removes a socket that nobody answers on.
fn clear(path: &Path) -> Result<(), ServerError> {
    let failed = |error: io::Error| ServerError::Io {
        path: path.to_owned(),
        error,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ServerError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    // Without waiting: a daemon that stands still with a full queue is there all the same.
    let probe = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )
    .map_err(|error| failed(error.into()))?;
    let address = UnixAddr::new(path).map_err(|error| failed(error.into()))?;
    match connect(probe.as_raw_fd(), &address) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        },
        Ok(()) | Err(Errno::EAGAIN) => Err(ServerError::Taken {
            path: path.to_owned(),
            pid: getsockopt(&probe.as_fd(), sockopt::PeerCredentials).map_or(0, |told| told.pid()),
        }),
        Err(error) => Err(failed(error.into())),
    }
}
