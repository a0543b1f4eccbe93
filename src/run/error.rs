//! Why a daemon, or a part of it, cannot run.

use std::io;
use std::path::PathBuf;

use tapir_capture::SourceError;

use super::link::LinkError;
use super::{ModelsError, ServicesError};
use crate::store::StateError;

/// See the module; each is one line with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No mirror port was named.
    #[error(
        "no interface to watch; name one with --interface or as capture.interface in the configuration"
    )]
    NoInterface,
    /// Responses are to be sent, and no port to send them by is named.
    #[error(
        "response needs a port to send resets by; name it with --inject or as response.inject in the configuration"
    )]
    NoInjection,
    /// Responses are to be sent, and nobody has authorised any.
    #[error(
        "response mode {0} needs a rule of engagement; name it as response.rules in the configuration (see tapir rule --help)"
    )]
    NoRule(&'static str),
    /// Another daemon uses the same control socket.
    #[error("{}: another daemon (process {pid}) runs with this control socket; stop it first, or give this one its own [control] socket", socket.display())]
    Running {
        /// The socket.
        socket: PathBuf,
        /// Its process id, if it said.
        pid: String,
    },
    /// The lock file cannot be made.
    #[error("{}: cannot lock: {error}; run as root, or give a [control] socket in a folder you may write to", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file or folder of the daemon cannot be used.
    #[error("{}: cannot be used: {error}; give a folder you may write to as [store] folder", path.display())]
    Store {
        /// File or folder.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// A rule of engagement is refused.
    #[error("{0}")]
    Rule(String),
    /// The mirror port cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The injection port or its filter cannot be used.
    #[error("{0}")]
    Response(String),
    /// Models do not load.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The catalogue of services does not load.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// The state that was kept cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The other process cannot be talked to.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A child said what is wrong and would say it again.
    #[error("{0} cannot work with what it was given; its own message is above")]
    Child(&'static str),
    /// The children did not end in time.
    #[error("not everything was finished within {0} s; it was ended, what it had journalled stays")]
    StopTimeout(u64),
    /// A capture queue has ended without being told to.
    #[error("a capture queue has ended; the reason is above")]
    Queue,
    /// There was no time to begin.
    #[error("stopped before the first frame")]
    StoppedBeforeBegin,
    /// The system refused.
    #[error("the system refused: {0}")]
    System(io::Error),
}

impl RunError {
    /// Whether starting again would end the same way, until somebody changes something.
    #[must_use]
    pub const fn is_hopeless(&self) -> bool {
        matches!(
            self,
            Self::NoInterface
                | Self::NoInjection
                | Self::NoRule(_)
                | Self::Rule(_)
                | Self::Models(_)
                | Self::Services(_)
                | Self::Link(LinkError::Version(_))
        )
    }
}
