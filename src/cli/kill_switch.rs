//! `tapir stop-responses` and `tapir resume-responses`: the one switch over all responses.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::daemon::Daemon;
use crate::control::Request;

/// Of which daemon.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
}

/// Nothing leaves any more.
pub(crate) fn stop(args: &Args) -> ExitCode {
    args.daemon.show(&Request::StopResponses, false)
}

/// Responses are allowed again.
pub(crate) fn resume(args: &Args) -> ExitCode {
    args.daemon.show(&Request::ResumeResponses, false)
}
