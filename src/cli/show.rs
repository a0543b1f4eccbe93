//! `tapir show …`: what the daemon knows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args as ClapArgs, Subcommand};
use tapir_engine::model::did_you_mean;
use tapir_engine::service::CATEGORIES;
use tapir_message::{ServiceUse, Stats, Timestamp};

use super::daemon::{Daemon, fail};
use crate::control::{Answer, ProtocolEntry, Request, ServiceFilter, Site};

/// Entries of a list that are shown unless told otherwise.
const LIMIT: usize = 50;

/// What can be shown.
#[derive(Debug, Subcommand)]
pub(crate) enum Show {
    /// Who is on the network, the latest seen first.
    Devices(Devices),
    /// Which services on the internet are used and by whom, those that were sent most to first.
    Services(Services),
    /// What was not usual, the newest first.
    Breaches(Listed),
    /// Breaches that belong together, as stories.
    Incidents(Listed),
    /// Whether the sensor is well, and if not, why; exit 1 if it does not watch.
    Status(Status),
    /// How well the mirror port shows the network, graded A to F, and what to change at the switch.
    Mirror(Results),
    /// Which protocols are spoken, how much is understood, and how the parsers fare.
    Protocols(Results),
    /// What was decided and done, and what waits for a person.
    Responses(Responses),
}

/// Which devices.
#[derive(Debug, ClapArgs)]
pub(crate) struct Devices {
    /// Only devices with this in their id, name or hardware address, or of this address.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Which services.
#[derive(Debug, ClapArgs)]
pub(crate) struct Services {
    /// Only services with this in their id or name; if it is one, who uses it is shown as well.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Only those of this category.
    #[arg(long, value_name = "NAME", value_parser = category)]
    category: Option<String>,
    /// Only what devices with this in their id or name use.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Only those first used in the last time, such as 24h, or since a time in UTC.
    #[arg(long, value_name = "TIME", value_parser = since, num_args = 0..=1, default_missing_value = "7d")]
    new: Option<Since>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
    #[command(flatten)]
    results: Results,
}

/// Which breaches or incidents.
#[derive(Debug, ClapArgs)]
pub(crate) struct Listed {
    /// Only those of at least this score.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    score: Option<u8>,
    /// Only those of the last time, such as 30m, 24h or 7d, or since a time in UTC.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only those of devices with this in their id or name, or of this address.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
    #[command(flatten)]
    daemon: Daemon,
}

/// Of which daemon.
#[derive(Debug, ClapArgs)]
pub(crate) struct Status {
    #[command(flatten)]
    daemon: Daemon,
}

/// Of which daemon, or of which capture.
#[derive(Debug, ClapArgs)]
pub(crate) struct Results {
    /// The results of `tapir analyze` in this folder, instead of a daemon.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Which decisions.
#[derive(Debug, ClapArgs)]
pub(crate) struct Responses {
    /// Only those of the last time, such as 30m, 24h or 7d, or since a time in UTC.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
    #[command(flatten)]
    daemon: Daemon,
}

/// The earliest time of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// So many seconds ago.
    Ago(i64),
    /// At a time.
    At(Timestamp),
}

impl Since {
    /// The time that is meant; the only place where the machine's clock is read.
    fn time(self) -> Timestamp {
        match self {
            Self::At(ts) => ts,
            Self::Ago(secs) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                Timestamp::from_secs(now.saturating_sub(secs))
            }
        }
    }
}

/// Runs the command.
pub(crate) fn run(show: Show) -> ExitCode {
    match show {
        Show::Devices(args) => {
            let filtered = args.device.is_some();
            let request = Request::Devices {
                device: args.device,
                limit: args.limit,
            };
            args.daemon.show(&request, filtered)
        }
        Show::Services(args) => args.show(),
        Show::Breaches(args) => {
            let filtered = args.filtered();
            let request = Request::Breaches {
                min_score: args.score,
                since: args.since.map(Since::time),
                device: args.device,
                limit: Some(args.limit),
            };
            args.daemon.show(&request, filtered)
        }
        Show::Incidents(args) => {
            let filtered = args.filtered();
            let request = Request::Incidents {
                min_score: args.score,
                since: args.since.map(Since::time),
                device: args.device,
                limit: Some(args.limit),
            };
            args.daemon.show(&request, filtered)
        }
        Show::Status(args) => args.daemon.show(&Request::Status, false),
        Show::Mirror(args) => args.show(&Request::Mirror, |site, stats| Answer::Mirror {
            site,
            mirror: Box::new(stats.mirror),
        }),
        Show::Protocols(args) => args.show(&Request::Protocols, |site, stats| Answer::Protocols {
            site,
            protocols: ProtocolEntry::all(&stats),
        }),
        Show::Responses(args) => {
            let request = Request::Responses {
                since: args.since.map(Since::time),
                limit: Some(args.limit),
            };
            args.daemon.show(&request, false)
        }
    }
}

impl Results {
    /// Shows what the daemon answers to `request`, or what `of` makes of the results in the folder.
    fn show(&self, request: &Request, of: impl FnOnce(Site, Stats) -> Answer) -> ExitCode {
        match &self.from {
            None => self.daemon.show(request, false),
            Some(folder) => match results(folder) {
                Ok((site, stats)) => self.daemon.tell(&of(site, stats), false),
                Err(error) => fail(&error),
            },
        }
    }
}

impl Services {
    /// Shows what the daemon answers, or what the results in the folder say.
    fn show(self) -> ExitCode {
        let filtered = self.service.is_some()
            || self.category.is_some()
            || self.device.is_some()
            || self.new.is_some();
        let mut filter = ServiceFilter {
            service: self.service,
            category: self.category,
            device: self.device,
            new_since: None,
            limit: Some(self.limit),
        };
        let daemon = &self.results.daemon;
        let Some(folder) = &self.results.from else {
            filter.new_since = self.new.map(Since::time);
            return daemon.show(&Request::Services(filter), filtered);
        };
        match results(folder).and_then(|(site, stats)| Ok((site, stats, uses(folder)?))) {
            Ok((site, stats, uses)) => {
                // Results are as old as their last packet.
                filter.new_since = self.new.map(|new| match (new, stats.last_ts) {
                    (Since::Ago(secs), Some(last)) => {
                        last.plus(-secs.saturating_mul(1_000_000_000))
                    }
                    _ => new.time(),
                });
                daemon.tell(&Answer::services(site, uses, &filter), filtered)
            }
            Err(error) => fail(&error),
        }
    }
}

/// The text of a file of the results in `folder`.
fn read(folder: &Path, name: &str) -> Result<String, String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).map_err(|error| unread(&path, &error))
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> String {
    let path = path.display();
    format!("{path}: {error}; give a folder that `tapir analyze --out` wrote")
}

/// The uses of services among the results in `folder`.
fn uses(folder: &Path) -> Result<Vec<ServiceUse>, String> {
    const NAME: &str = "services.jsonl";
    let text = read(folder, NAME)?;
    let uses = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    uses.map_err(|error| unread(&folder.join(NAME), &error))
}

/// The counters of the results in `folder`.
fn results(folder: &Path) -> Result<(Site, Stats), String> {
    const NAME: &str = "stats.json";
    let text = read(folder, NAME)?;
    let stats = serde_json::from_str(&text).map_err(|error| unread(&folder.join(NAME), &error))?;
    let site = Site {
        sensor_id: folder.display().to_string(),
        time_zone: "UTC".to_owned(),
        devices: 0,
    };
    Ok((site, stats))
}

impl Listed {
    const fn filtered(&self) -> bool {
        self.score.is_some() || self.since.is_some() || self.device.is_some()
    }
}

/// A category of services.
fn category(text: &str) -> Result<String, String> {
    let all = || CATEGORIES.iter().map(|(category, _)| *category);
    if all().any(|category| category == text) {
        return Ok(text.to_owned());
    }
    let hint = did_you_mean(text, all());
    let all: Vec<&str> = all().collect();
    Err(format!(
        "no such category{hint} (there are: {})",
        all.join(", ")
    ))
}

/// `24h`, or `2026-01-31T06:00:00Z`.
fn since(text: &str) -> Result<Since, String> {
    let wanted = || "write 30m, 24h or 7d, or a time like 2026-01-31T06:00:00Z".to_owned();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let nanos = i64::try_from(at.as_nanosecond()).map_err(|_| wanted())?;
        return Ok(Since::At(Timestamp::from_nanos(nanos)));
    }
    let unit = text.chars().last().ok_or_else(wanted)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: i64 = number.parse().map_err(|_| wanted())?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wanted()),
    };
    let ago = number.checked_mul(secs).filter(|ago| *ago > 0);
    ago.map(Since::Ago).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        assert_eq!(since("24h"), Ok(Since::Ago(86_400)));
        assert_eq!(since("7d"), Ok(Since::Ago(604_800)));
        // `date -u -d @1763456789` prints 2025-11-18T09:06:29.
        let at = Since::At(Timestamp::from_secs(1_763_456_789));
        assert_eq!(since("2025-11-18T09:06:29Z"), Ok(at));
        assert_eq!(since("2025-11-18T10:06:29+01:00"), Ok(at));
        for text in ["", "h", "24", "-3h", "0m", "3y", "9999999999999999d", "3µ"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
