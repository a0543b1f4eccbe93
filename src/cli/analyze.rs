//! `tapir analyze FILE…`: what is in these captures?

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use jiff::tz::TimeZone;
use tapir_engine::device::Net;
use tapir_engine::types::escaped;

use crate::report::{self, RunFigures};
use crate::run::{Options, Outcome, analyze, boot_key};

/// Exit code when a breach reached `--fail-on`.
const SCORE_REACHED: u8 = 5;
/// Columns when the terminal does not say.
const WIDTH: usize = 100;

/// Read capture files and say what is in them.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Capture files (pcap, pcapng, also .gz and .zst) or folders of them.
    #[arg(required = true, value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// Write records, devices, breaches, incidents, counters and the report to this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads that track flows; results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// Use the models of this folder instead of those shipped.
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Use this catalogue of services instead of the one shipped.
    #[arg(long, value_name = "FILE")]
    services: Option<PathBuf>,
    /// Services or categories of the catalogue that the site allows; none, or what the record of a live run says.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    sanctioned: Vec<String>,
    /// Those that it does not allow.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    unsanctioned: Vec<String>,
    /// Carry baselines from run to run in this folder.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Home networks; the private ranges if not given, or what the record of a live run says.
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',')]
    home: Vec<Net>,
    /// Name of this sensor, part of every id; `tapir` if not given, or what the record says.
    #[arg(long, value_name = "NAME", value_parser = sensor_id)]
    sensor_id: Option<String>,
    /// Time zone of hours, workdays and shown times; UTC if not given, or what the record says.
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    time_zone: Option<TimeZone>,
    /// Replay a live run's record even with other models or another starting state.
    #[arg(long)]
    force: bool,
    /// Give the answer as JSON.
    #[arg(long)]
    json: bool,
    /// Exit with 5 if a breach reaches this score.
    #[arg(long, value_name = "SCORE", value_parser = clap::value_parser!(u8).range(0..=100))]
    fail_on: Option<u8>,
    /// Read only packets that match this BPF filter, as tcpdump takes it.
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Merge overlapping files of two taps by time instead of reading one after another.
    #[arg(long)]
    merge: bool,
    /// Which protocols to parse: all, or none for flows alone.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Protocols::All)]
    protocols: Protocols,
    /// Whether programs, archives and documents are hashed; true if not given, or what the record says.
    #[arg(long, value_name = "BOOL")]
    hash_files: Option<bool>,
    /// Key of the hash tables; only for showing that it changes nothing.
    #[arg(long, value_name = "N", hide = true)]
    hash_key: Option<u64>,
}

/// Which protocols are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Protocols {
    All,
    None,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let options = Options {
        inputs: args.inputs,
        out: args.out,
        workers: usize::from(args.workers),
        models: args.models,
        services: args.services,
        sanctioned: (!args.sanctioned.is_empty()).then_some(args.sanctioned),
        unsanctioned: (!args.unsanctioned.is_empty()).then_some(args.unsanctioned),
        state: args.state,
        home: (!args.home.is_empty()).then_some(args.home),
        force: args.force,
        sensor_id: args.sensor_id,
        time_zone: args.time_zone,
        protocols: args.protocols == Protocols::All,
        hash_files: args.hash_files,
        filter: args.filter,
        merge: args.merge,
        hash_key: args.hash_key.unwrap_or_else(boot_key),
        progress: !args.json,
    };
    let outcome = match analyze(&options) {
        Ok(outcome) => outcome,
        Err(error) => return fail(&error.to_string()),
    };
    for warning in &outcome.stats.warnings {
        tracing::warn!("{}: {}", escaped(&warning.subject), escaped(&warning.text));
    }
    let out = options.out.as_ref().map(|path| path.display().to_string());
    let answer = answer(&outcome, out.as_deref(), args.json);
    // A reader that closed the pipe has seen enough.
    let _closed_pipe = std::io::stdout().lock().write_all(answer.as_bytes());
    let worst = outcome
        .breaches
        .iter()
        .filter_map(|breach| breach.score)
        .max();
    match (args.fail_on, worst) {
        (Some(limit), Some(worst)) if worst >= limit => ExitCode::from(SCORE_REACHED),
        _ => ExitCode::SUCCESS,
    }
}

/// The answer for a terminal, a pipe or a program.
fn answer(outcome: &Outcome, out: Option<&str>, json: bool) -> String {
    let summary = outcome.summary(out);
    if json {
        return report::answer_json(&summary);
    }
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let figures = RunFigures {
        packets_per_cpu_s: outcome.figures.packets_per_cpu_s,
        elapsed_s: outcome.figures.wall_s,
    };
    let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
    report::answer(&summary, Some(&figures), width, color)
}

/// Says what went wrong; every line of it stands for itself.
#[expect(clippy::print_stderr, reason = "errors belong on the terminal")]
fn fail(error: &str) -> ExitCode {
    for line in error.lines() {
        eprintln!("tapir: {}", escaped(line));
    }
    ExitCode::FAILURE
}

/// A sensor id goes into file names, lines and hashes: letters, digits and `-_.` only.
fn sensor_id(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fine) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, '-', '_' or '.'".to_owned())
    }
}

fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "not a time zone; write it like Europe/Berlin".to_owned())
}
