//! `tapir show …`: what the daemon knows.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args as ClapArgs, Subcommand};
use tapir_engine::model::did_you_mean;
use tapir_engine::service::CATEGORIES;
use tapir_message::Timestamp;

use super::daemon::{Daemon, fail};
use super::results::Folder;
use crate::control::{self, Answer, DeviceFilter, ProtocolEntry, Request, ServiceFilter};

/// Entries of a list that are shown unless told otherwise.
const LIMIT: usize = 50;

/// What can be shown.
#[derive(Debug, Subcommand)]
pub(crate) enum Show {
    /// Who is on the network, the latest seen first.
    Devices(Devices),
    /// Everything about one device on one screen: what it is and why, addresses, users, breaches.
    Device(Device),
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
    /// Only devices of a type with this in its name, such as printer or camera.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only devices that do this for others, such as dns or gateway.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Only devices used by accounts with this in their name.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    results: Results,
}

/// Which device.
#[derive(Debug, ClapArgs)]
pub(crate) struct Device {
    /// Id, name, address or hardware address, or a part of id or name that only it has.
    #[arg(value_name = "DEVICE")]
    device: String,
    #[command(flatten)]
    results: Results,
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
        Show::Devices(args) => args.show(),
        Show::Device(args) => args.show(),
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
        Show::Mirror(args) => args.show(&Request::Mirror, false, |folder| {
            Ok(Answer::Mirror {
                site: folder.site(0),
                mirror: Box::new(folder.stats()?.mirror),
            })
        }),
        Show::Protocols(args) => args.show(&Request::Protocols, false, |folder| {
            Ok(Answer::Protocols {
                site: folder.site(0),
                protocols: ProtocolEntry::all(&folder.stats()?),
            })
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

impl Devices {
    fn show(self) -> ExitCode {
        let filter = DeviceFilter {
            device: self.device,
            kind: self.kind,
            role: self.role,
            user: self.user,
            limit: self.limit,
        };
        let all = DeviceFilter {
            limit: filter.limit,
            ..DeviceFilter::default()
        };
        let request = Request::Devices(filter.clone());
        self.results.show(&request, filter != all, |folder| {
            let devices = folder.known()?.devices;
            let site = folder.site(devices.len());
            Ok(control::devices(site, devices, &filter))
        })
    }
}

impl Device {
    fn show(self) -> ExitCode {
        let request = Request::Device {
            device: self.device.clone(),
        };
        self.results.show(&request, false, |folder| {
            let known = folder.known()?;
            let site = folder.site(known.devices.len());
            let portrait = known.portrait(&self.device);
            Ok(Answer::Device {
                site,
                portrait: Box::new(portrait.map_err(|refusal| refusal.text)?),
            })
        })
    }
}

impl Results {
    /// Shows what the daemon answers to `request`, or what `of` makes of the results in the folder.
    fn show(
        self,
        request: &Request,
        filtered: bool,
        of: impl FnOnce(&Folder) -> Result<Answer, String>,
    ) -> ExitCode {
        let Some(folder) = self.from.map(Folder) else {
            return self.daemon.show(request, filtered);
        };
        match of(&folder) {
            Ok(answer) => self.daemon.tell(&answer, filtered),
            Err(error) => fail(&error),
        }
    }
}

impl Services {
    fn show(self) -> ExitCode {
        let filtered = self.service.is_some()
            || self.category.is_some()
            || self.device.is_some()
            || self.new.is_some();
        let filter = |new_since| ServiceFilter {
            service: self.service,
            category: self.category,
            device: self.device,
            new_since,
            limit: Some(self.limit),
        };
        let Some(folder) = self.results.from.as_ref().map(|from| Folder(from.clone())) else {
            let request = Request::Services(filter(self.new.map(Since::time)));
            return self.results.daemon.show(&request, filtered);
        };
        match folder.stats().and_then(|stats| Ok((stats, folder.uses()?))) {
            Ok((stats, uses)) => {
                // Results are as old as their last packet.
                let new_since = self.new.map(|new| match (new, stats.last_ts) {
                    (Since::Ago(secs), Some(last)) => {
                        last.plus(-secs.saturating_mul(1_000_000_000))
                    }
                    _ => new.time(),
                });
                let answer = Answer::services(folder.site(0), uses, &filter(new_since));
                self.results.daemon.tell(&answer, filtered)
            }
            Err(error) => fail(&error),
        }
    }
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
