//! `tapir explain BREACH`: one breach in plain words.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::daemon::Daemon;
use crate::control::Request;

/// Which breach.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Id of the breach, or the beginning of it.
    #[arg(value_name = "BREACH")]
    breach: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let request = Request::Explain {
        breach: args.breach,
    };
    args.daemon.show(&request, false)
}
