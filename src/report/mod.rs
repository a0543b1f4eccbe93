//! What a person reads: the one-screen answer, the same as JSON, and the HTML report.
//!
//! Input:  a finished run as a [`Summary`]; texts in it may come from the wire and are escaped here.
//! Output: text. The page and the JSON depend on nothing but the summary: no clock, no speed.
//! Bounds: at most [`BREACHES_MAX`] breaches and [`DEVICES_MAX`] devices on the page, the worst and
//!         the earliest; the rest is counted and stays in the `*.jsonl` files.

pub(crate) mod band;
pub(crate) mod findings;
pub(crate) mod screen;
pub(crate) mod words;

mod answer;
mod answer_json;
mod chart;
mod html;
mod mirror;
mod view;

#[cfg(test)]
pub(crate) mod fixture;

use jiff::tz::TimeZone;
use tapir_message::{Breach, Device, Incident, ServiceUse, Stats, Timestamp};

pub use answer::answer;
pub use answer_json::answer_json;
pub(crate) use answer_json::json_line;
pub use html::html;
pub(crate) use mirror::mirror_line;

/// Breaches shown on the page; a browser still opens this many at once.
pub const BREACHES_MAX: usize = 200;
/// Services shown on the page.
pub const SERVICES_MAX: usize = 200;
/// Devices shown on the page.
pub const DEVICES_MAX: usize = 1_000;

/// A finished run, as the report needs it.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Who watched.
    pub sensor_id: &'a str,
    /// Zone in which times are shown.
    pub time_zone: &'a TimeZone,
    /// What was read.
    pub stats: &'a Stats,
    /// The inventory.
    pub devices: &'a [Device],
    /// Who used which service on the internet.
    pub services: &'a [ServiceUse],
    /// Last state of every breach.
    pub breaches: &'a [Breach],
    /// Last state of every incident.
    pub incidents: &'a [Incident],
    /// Bytes per hour: start of the hour and its bytes, ascending; hours without traffic may lack.
    pub traffic: &'a [(Timestamp, u64)],
    /// Version of the program.
    pub version: &'a str,
    /// Hash of the loaded models.
    pub models_hash: &'a str,
    /// How many models were loaded.
    pub models: usize,
    /// Days of traffic that what is normal was learned from.
    pub site_days: f64,
    /// How much was learned, for example `9.5 days, prior: unfitted`.
    pub learning: &'a str,
    /// Where the files went, if any were written.
    pub out_dir: Option<&'a str>,
    /// Files or interfaces that were read.
    pub inputs: &'a [String],
}

/// How the run went; differs from run to run, so it is shown on the terminal only.
#[derive(Clone, Copy, Debug)]
pub struct RunFigures {
    /// Wall time in seconds.
    pub elapsed_s: f64,
    /// Packets per second of CPU time.
    pub packets_per_cpu_s: f64,
}
