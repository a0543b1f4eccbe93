//! Where rooms are joined: processes, threads, queues, files.
//!
//! [`analyze()`] runs over capture files in one process. [`daemon()`] is the supervisor of [`sense()`] and
//! [`serve()`], which runs over a live port.

pub mod analyze;
mod daemon;
mod dealing;
mod error;
mod faults;
mod guard;
mod latest;
mod link;
mod memory;
mod models;
mod output;
mod pending;
mod pipeline;
mod privilege;
mod record_header;
mod record_line;
mod replay;
mod round;
mod rules;
mod sense;
mod serve;
mod services;
mod tally;
mod worker;
mod writing;

pub use analyze::{AnalyzeError, Options, Outcome, analyze};
pub use daemon::{EXIT_HOPELESS, daemon};
pub use error::RunError;
pub use faults::tell_once as tell_parser_faults_once;
pub use link::LinkError;
pub use models::{ModelsError, load as load_models};
pub use output::OutputError;
pub use record_header::check_record_header;
pub use replay::RecordMismatch;
pub use rules::load_one as load_rule;
pub use sense::sense;
pub use serve::serve;
pub use services::{ServicesError, configured as configured_services};

/// Where notices are sent to, as the configuration says.
fn outputs(settings: &crate::config::Settings) -> Vec<crate::forward::OutputSettings> {
    use crate::forward::{OutputSettings, Sensor, Target, Timing};
    let host = nix::unistd::gethostname().map_or_else(
        |_| settings.sensor.id.clone(),
        |name| name.to_string_lossy().into_owned(),
    );
    let sensor = Sensor {
        id: settings.sensor.id.clone(),
        host,
        interface: settings.capture.interface.clone().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let name = |address: &str| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("syslog-{}", address.chars().map(plain).collect::<String>())
    };
    let outputs = settings.forward.syslog.iter();
    outputs
        .map(|syslog| OutputSettings {
            name: name(&syslog.address),
            sensor: sensor.clone(),
            target: Target::SyslogTcp {
                address: syslog.address.clone(),
            },
            timing: Timing::default(),
        })
        .collect()
}

/// A key nobody can guess from outside: the hasher std seeds from the system.
#[must_use]
pub fn boot_key() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8)
}

/// Names the calling thread, so that tools which count by thread can tell them apart.
fn name_thread(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        let _only_a_name = nix::sys::prctl::set_name(&name);
    }
}

/// How long was learned, in words.
fn learning(site_days: f64) -> String {
    if site_days < 1.0 {
        "less than a day, so nothing is normal yet; prior: unfitted".to_owned()
    } else {
        format!("{site_days:.1} days, prior: unfitted")
    }
}
