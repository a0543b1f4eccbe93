//! `tapir revert ID|all`: a person takes back what was done.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::daemon::Daemon;
use crate::control::Request;

/// What is taken back.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Id of the decision, or the beginning of it; `all` takes back everything that stands.
    #[arg(value_name = "ID|all")]
    decision: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let request = Request::Revert {
        decision: (args.decision != "all").then_some(args.decision),
    };
    args.daemon.show(&request, false)
}
