//! `tapir approve ID CODE`: a person says yes.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::daemon::Daemon;
use crate::control::Request;

/// What is approved.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Id of the decision, or the beginning of it.
    #[arg(value_name = "ID")]
    decision: String,
    /// The one-time code that `tapir show responses` gives.
    #[arg(value_name = "CODE")]
    code: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let request = Request::Approve {
        decision: args.decision,
        code: args.code,
    };
    args.daemon.show(&request, false)
}
