//! `tapir run --interface IF`: watch a mirror port, keep watching, act where it is allowed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use tapir_message::Mode;

use crate::config::{Overrides, Settings};
use crate::run;

/// Watch a mirror port: capture, learn, score, respond within signed rules, forward.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Mirror port to watch.
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Port that resets leave by.
    #[arg(long, value_name = "IF")]
    inject: Option<String>,
    /// Configuration file; /etc/tapir/tapir.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How far the sensor may go; off unless the configuration says otherwise.
    #[arg(long, value_name = "MODE")]
    response: Option<ModeName>,
    /// Record every frame to this file (pcapng); `tapir analyze` of it gives the same results.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Which part of the daemon this process is; the supervisor says so.
    #[arg(long, hide = true)]
    part: Option<Part>,
    /// Name of the run; the supervisor says so.
    #[arg(long, hide = true, default_value = "")]
    run: String,
}

/// Modes as they are written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    /// No decision is made.
    Off,
    /// Say what would have been done.
    Shadow,
    /// A person approves each action.
    Confirm,
    /// Act inside the rule of engagement.
    Autonomous,
}

/// Parts of the daemon.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    Sense,
    Serve,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Off => Self::Off,
            ModeName::Shadow => Self::Shadow,
            ModeName::Confirm => Self::Confirm,
            ModeName::Autonomous => Self::Autonomous,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let overrides = Overrides {
        interface: args.interface,
        inject: args.inject,
        mode: args.response.map(Mode::from),
        record: args.record,
        ..Overrides::default()
    };
    let settings = match Settings::load(args.config.as_deref(), &overrides) {
        Ok(settings) => settings,
        Err(errors) => return hopeless(&errors.to_string(), args.part),
    };
    let done = match args.part {
        None => run::daemon(&settings, std::env::args().skip(1).collect()),
        Some(Part::Sense) => run::sense(&settings),
        Some(Part::Serve) => run::serve(settings, &args.run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // One mistake, one line: the part has said it.
        Err(run::RunError::Child(_)) => ExitCode::FAILURE,
        Err(error) if error.is_hopeless() => hopeless(&error.to_string(), args.part),
        Err(error) => super::daemon::fail(&error),
    }
}

/// Says what is wrong; a part of the daemon also says that starting it again would not help.
fn hopeless(text: &str, part: Option<Part>) -> ExitCode {
    let failed = super::daemon::fail(&text);
    match part {
        Some(_) => ExitCode::from(run::EXIT_HOPELESS),
        None => failed,
    }
}
