//! What the commands share that ask the daemon: its socket, the answer's form, exit codes.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use tapir_engine::types::escaped;

use super::view::{self, Look};
use crate::config;
use crate::control::{self, Answer, ControlError, Request};
use crate::report::json_line;

/// Exit code when this person may not do that.
const NOT_AUTHORISED: u8 = 3;
/// Columns when the terminal does not say.
const WIDTH: usize = 100;

/// Which daemon, and how to tell what it says.
#[derive(Debug, ClapArgs)]
pub(super) struct Daemon {
    /// Configuration that names the daemon's socket.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's socket; goes before the configuration.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Give the answer as JSON, one object a line.
    #[arg(long)]
    pub(super) json: bool,
}

impl Daemon {
    /// The socket of the daemon that is meant.
    pub(super) fn socket(&self) -> Result<PathBuf, ExitCode> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => config::socket(self.config.as_deref()).map_err(|errors| fail(&errors)),
        }
    }

    /// Asks, and shows the answer; `filtered` if only some of a list was asked for.
    pub(super) fn show(&self, request: &Request, filtered: bool) -> ExitCode {
        let socket = match self.socket() {
            Ok(socket) => socket,
            Err(code) => return code,
        };
        match control::ask(&socket, request) {
            Ok(answer) => self.tell(&answer, filtered),
            Err(error) => refused(&error),
        }
    }

    /// Shows an answer.
    pub(super) fn tell(&self, answer: &Answer, filtered: bool) -> ExitCode {
        let text = if self.json {
            json_line(answer)
        } else {
            view::answer(answer, look(filtered))
        };
        print(&text);
        worst(answer)
    }
}

/// A sensor that does not watch fails the command that asked for its status.
fn worst(answer: &Answer) -> ExitCode {
    match answer {
        Answer::Status { status, .. } if status.state == control::State::Failed => {
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// How this terminal reads.
pub(super) fn look(filtered: bool) -> Look {
    let size = terminal_size::terminal_size();
    Look {
        width: size.map_or(WIDTH, |(width, _)| usize::from(width.0)),
        color: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        filtered,
    }
}

/// Writes to the terminal; false if its reader closed the pipe and so has seen enough.
pub(super) fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Says why the daemon gave no answer.
pub(super) fn refused(error: &ControlError) -> ExitCode {
    let code = fail(error);
    if error.is_not_authorised() {
        ExitCode::from(NOT_AUTHORISED)
    } else {
        code
    }
}

/// Says what went wrong; every line of it stands for itself.
#[expect(clippy::print_stderr, reason = "errors belong on the terminal")]
pub(super) fn fail(error: &impl std::fmt::Display) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("tapir: {}", escaped(line));
    }
    ExitCode::FAILURE
}
