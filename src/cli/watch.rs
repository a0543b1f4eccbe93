//! `tapir watch`: what happens, a line each, until one side ends.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::daemon::{Daemon, fail, look, print, refused};
use super::view::{event, zone};
use crate::control::{self, Answer};
use crate::report::json_line;

/// Of which daemon.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
}

/// Runs the command. Each line is flushed, so that a pipe has it at once.
pub(crate) fn run(args: &Args) -> ExitCode {
    let socket = match args.daemon.socket() {
        Ok(socket) => socket,
        Err(code) => return code,
    };
    let (site, lines) = match control::watch(&socket) {
        Ok(begun) => begun,
        Err(error) => return refused(&error),
    };
    let (zone, look) = (zone(&site), look(false));
    if args.daemon.json && !print(&json_line(&Answer::Watching { site })) {
        return ExitCode::SUCCESS;
    }
    for line in lines {
        let happened = match line {
            Ok(happened) => happened,
            Err(error) => return refused(&error),
        };
        let text = if args.daemon.json {
            json_line(&Answer::Event { event: happened })
        } else {
            event(&happened, &zone, look)
        };
        if !print(&text) {
            return ExitCode::SUCCESS;
        }
    }
    fail(&"the daemon ended; start `tapir watch` again when it is back")
}
