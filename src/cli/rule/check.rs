//! `tapir rule check FILE`: whether a rule of engagement would be taken.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use tapir_engine::policy::Signer;
use tapir_engine::types::escaped;

use super::super::daemon::{fail, print};
use crate::config::{Overrides, Settings};
use crate::report::json_line;
use crate::run::load_rule;

/// Which rule, by whose configuration.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The rule of engagement; its signature is in FILE.sig.
    #[arg(value_name = "FILE")]
    rule: PathBuf,
    /// Configuration that names who may sign.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Give the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let settings = match Settings::load(args.config.as_deref(), &Overrides::default()) {
        Ok(settings) => settings,
        Err(errors) => return fail(&errors),
    };
    match verified(&args.rule, &settings.response.signers) {
        Ok(said) => {
            let path = args.rule.display().to_string();
            print(&if args.json {
                json_line(
                    &serde_json::json!({"schema": "tapir.check/1", "ok": true, "file": path, "text": said}),
                )
            } else {
                format!("{}: OK, {}\n", escaped(&path), escaped(&said))
            });
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Checks a rule with its signature; says in a sentence what it is.
///
/// # Errors
/// One line for each mistake.
pub(crate) fn verified(path: &Path, signers: &[Signer]) -> Result<String, String> {
    let rule = load_rule(path, signers)?;
    let until = rule.until;
    let day = until.to_string();
    let day = day.get(..10).unwrap_or(&day);
    let now = jiff::Timestamp::now().as_nanosecond();
    if i128::from(until.nanos()) <= now {
        return Err(format!(
            "{}: key \"until\": expired {day}; set a later time and have it signed again",
            path.display()
        ));
    }
    Ok(format!(
        "{} of {}, in force until {day}",
        rule.id,
        rule.authority()
    ))
}
