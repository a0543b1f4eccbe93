//! A command's end of the control socket.
//!
//! Bounds: an answer takes at most 512 MB and two minutes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answer::{Answer, Event, Refusal, Site, Why};
use super::request::Request;

/// Longest answer; 20,000 devices with everything known of them are a tenth of it.
const ANSWER_BYTES_MAX: u64 = 512_000_000;
/// Longest silence of a daemon that was asked something.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no daemon answers on {}; start one with `tapir run --interface IF`, or name its socket with --socket", .0.display())]
    NotRunning(PathBuf),
    /// The socket is not for this user.
    #[error("this user may not use {}; be root or a member of group tapir", .0.display())]
    MayNot(PathBuf),
    /// The daemon said no.
    #[error("{}", .0.text)]
    Refused(Refusal),
    /// The daemon answers in another way than this program knows.
    #[error("{}: {why}; use the `tapir` of the daemon's version", path.display())]
    NotAnAnswer {
        /// The socket.
        path: PathBuf,
        /// What came instead.
        why: String,
    },
    /// The conversation broke.
    #[error("{}: {error}; see with `tapir show status` whether the daemon is well", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ControlError {
    /// Whether it failed because this person may not.
    #[must_use]
    pub const fn is_not_authorised(&self) -> bool {
        match self {
            Self::MayNot(_) => true,
            Self::Refused(refusal) => matches!(refusal.why, Why::NotAuthorised),
            _ => false,
        }
    }
}

/// Asks the daemon on a socket; a refusal is an error.
///
/// # Errors
/// No daemon, no permission, a refusal, or an answer that cannot be read.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, ControlError> {
    open(path, request, Some(PATIENCE))?
        .answer()?
        .ok_or_else(|| ControlError::Io {
            path: path.to_owned(),
            error: io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the daemon ended the connection without an answer",
            ),
        })
}

/// Watches the daemon on a socket.
///
/// # Errors
/// No daemon, no permission, or a refusal.
pub fn watch(path: &Path) -> Result<(Site, Lines), ControlError> {
    let mut lines = open(path, &Request::Watch, None)?;
    match lines.answer()? {
        Some(Answer::Watching { site }) => Ok((site, lines)),
        _ => Err(lines.not_an_answer("not the beginning of a watch".to_owned())),
    }
}

/// What the daemon says, line by line.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<UnixStream>,
    path: PathBuf,
}

impl Lines {
    /// The next line; none if the daemon ended.
    fn answer(&mut self) -> Result<Option<Answer>, ControlError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(ANSWER_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut line);
        let got = read.map_err(|error| ControlError::Io {
            path: self.path.clone(),
            error: match error.kind() {
                io::ErrorKind::WouldBlock => {
                    io::Error::new(io::ErrorKind::TimedOut, "the daemon does not answer")
                }
                _ => error,
            },
        })?;
        if got == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(self.not_an_answer("the answer is cut off".to_owned()));
        }
        match serde_json::from_slice(&line) {
            Ok(Answer::Refused { refusal }) => Err(ControlError::Refused(refusal)),
            Ok(answer) => Ok(Some(answer)),
            Err(error) => Err(self.not_an_answer(format!("an answer of another shape ({error})"))),
        }
    }

    fn not_an_answer(&self, why: String) -> ControlError {
        ControlError::NotAnAnswer {
            path: self.path.clone(),
            why,
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Event, ControlError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.answer() {
            Ok(None) => None,
            Ok(Some(Answer::Event { event })) => Some(Ok(event)),
            Ok(Some(_)) => Some(Err(self.not_an_answer("not an event".to_owned()))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Connects and asks.
fn open(path: &Path, request: &Request, patience: Option<Duration>) -> Result<Lines, ControlError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning(path.to_owned())
        }
        io::ErrorKind::PermissionDenied => ControlError::MayNot(path.to_owned()),
        _ => ControlError::Io {
            path: path.to_owned(),
            error,
        },
    };
    let mut stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(patience).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = serde_json::to_vec(request).map_err(|e| failed(io::Error::other(e)))?;
    line.push(b'\n');
    match stream.write_all(&line) {
        // A daemon that refuses at once has said why before it closed.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        done => done.map_err(failed)?,
    }
    Ok(Lines {
        reader: BufReader::new(stream),
        path: path.to_owned(),
    })
}
