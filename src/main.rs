//! Arguments to command; exit codes.

use std::process::ExitCode;

use clap::Parser as _;
use tapir::cli::Cli;

/// Records are made in a tracker's thread and given back in the writer's: the system's allocator locks there.
#[global_allocator]
static ALLOCATOR: tapir::Allocator = tapir::Allocator;

fn main() -> ExitCode {
    ALLOCATOR.keep_no_free_pages();
    let quiet = tracing_subscriber::EnvFilter::try_from_env("TAPIR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(quiet)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
    tapir::run::tell_parser_faults_once();
    Cli::parse().run()
}
