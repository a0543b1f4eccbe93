//! `tapir check`: whether a daemon would start with this configuration, without starting one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;
use tapir_engine::types::escaped;

use super::daemon::print;
use super::rule::verified;
use crate::config::{DEFAULT_PATH, Overrides, Settings};
use crate::report::json_line;
use crate::report::words::plural;
use crate::run::{configured_services, load_models};

/// What is checked.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The configuration; the usual one if not given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Give the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Checked {
    what: &'static str,
    ok: bool,
    text: String,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: &'static str,
    ok: bool,
    checks: &'a [Checked],
}

/// Runs the command: one line for each thing that is right, one for each mistake.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut checks = Vec::new();
    let mut note = |what, result: Result<String, String>| {
        match result {
            Ok(text) => checks.push(Checked {
                what,
                ok: true,
                text,
            }),
            Err(lines) => checks.extend(lines.lines().map(|line| Checked {
                what,
                ok: false,
                text: line.to_owned(),
            })),
        };
    };
    let settings = Settings::load(args.config.as_deref(), &Overrides::default());
    match settings {
        Err(errors) => note("configuration", Err(errors.to_string())),
        Ok(settings) => {
            let path = settings
                .path
                .as_ref()
                .map(|path| path.display().to_string());
            let path = path.unwrap_or_else(|| format!("no {DEFAULT_PATH}, the defaults apply"));
            note("configuration", Ok(path));
            for rule in &settings.response.rules {
                let signers = &settings.response.signers;
                let found =
                    verified(rule, signers).map(|said| format!("{}: {said}", rule.display()));
                note("rule", found);
            }
            let models = load_models(settings.models.folder.as_deref());
            note(
                "models",
                models
                    .map(|models| plural(models.len(), "model", "models"))
                    .map_err(|error| error.to_string()),
            );
            let services = configured_services(&settings);
            note(
                "services",
                services
                    .map(|found| plural(found.len(), "service", "services"))
                    .map_err(|error| error.to_string()),
            );
        }
    }
    let ok = checks.iter().all(|check| check.ok);
    let text = if args.json {
        json_line(&Answer {
            schema: "tapir.check/1",
            ok,
            checks: &checks,
        })
    } else {
        let line = |check: &Checked| {
            let word = if check.ok { "OK" } else { "MISTAKE" };
            format!("{word:<8} {}: {}\n", check.what, escaped(&check.text))
        };
        checks.iter().map(line).collect()
    };
    print(&text);
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
