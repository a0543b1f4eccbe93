//! One file per command; this list feeds parsing and help.

mod analyze;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Passive network sensor: finds every device, learns what is normal, scores what is not.
#[derive(Debug, Parser)]
#[command(name = "tapir", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Read capture files and say what is in them.
    Analyze(analyze::Args),
}

impl Cli {
    /// Runs the command and says how it ended: 0 well, 1 failed, 2 wrong usage, 5 score reached.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Analyze(args) => analyze::run(args),
        }
    }
}
