//! `tapir rule keygen --name NAME --out FILE`: a key pair for somebody who authorises.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::super::daemon::{fail, print};
use super::key::{self, Key};
use crate::report::json_line;

/// Whose key, and where it goes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Who signs with it, as rules and logs will name them.
    #[arg(long, value_name = "NAME", value_parser = key::name)]
    name: String,
    /// File for the private key; made new, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Give the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let made = Key::generate(&args.name).and_then(|key| key.write(&args.out).map(|()| key));
    let key = match made {
        Ok(key) => key,
        Err(error) => return fail(&error),
    };
    let signer = key.signer();
    let text = if args.json {
        json_line(&serde_json::json!({"schema": "tapir.key/1", "signer": signer}))
    } else {
        format!(
            "# Private key in {}; keep it off the sensor. In [response] of tapir.toml:\nsigners = [\"{signer}\"]\n",
            tapir_engine::types::escaped(&args.out.display().to_string())
        )
    };
    print(&text);
    ExitCode::SUCCESS
}
