//! One file per command; this list feeds parsing and help.

mod daemon;
pub(crate) mod view;

mod analyze;
mod approve;
mod check;
mod device;
mod explain;
mod kill_switch;
mod results;
mod revert;
mod rule;
mod run;
mod show;
mod watch;

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
    /// Watch a mirror port: capture, learn, score, respond within signed rules, forward.
    Run(run::Args),
    /// Ask the daemon for devices, breaches, incidents, responses or its status.
    #[command(subcommand)]
    Show(show::Show),
    /// Say why a breach got its score, what was done about it and what to do next.
    Explain(explain::Args),
    /// Say which devices are one machine, and which are not.
    #[command(subcommand)]
    Device(device::Device),
    /// Follow breaches, decisions and responses as they happen, a line each.
    Watch(watch::Args),
    /// Approve a decision that asks, with its one-time code.
    Approve(approve::Args),
    /// Take back one action, or all.
    Revert(revert::Args),
    /// The kill switch: nothing leaves any more until `resume-responses`.
    StopResponses(kill_switch::Args),
    /// Allow responses again after `stop-responses`.
    ResumeResponses(kill_switch::Args),
    /// Make keys for rules of engagement, sign rules, check them.
    #[command(subcommand)]
    Rule(rule::Rule),
    /// Check the configuration, the rules of engagement and the models; start nothing.
    Check(check::Args),
}

impl Cli {
    /// Runs the command and says how it ended: 0 well, 1 failed or refused, 2 wrong usage, 3 not
    /// authorised, 5 score reached.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Analyze(args) => analyze::run(args),
            Command::Run(args) => run::run(args),
            Command::Show(show) => show::run(show),
            Command::Explain(args) => explain::run(args),
            Command::Device(device) => device::run(device),
            Command::Watch(args) => watch::run(&args),
            Command::Approve(args) => approve::run(args),
            Command::Revert(args) => revert::run(args),
            Command::StopResponses(args) => kill_switch::stop(&args),
            Command::ResumeResponses(args) => kill_switch::resume(&args),
            Command::Rule(rule) => rule::run(rule),
            Command::Check(args) => check::run(&args),
        }
    }
}
