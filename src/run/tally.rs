//! What is counted while frames are read, and all counters of a run in one place.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tapir_capture::{InputReport, LinkType};
use tapir_engine::types::Timestamp;
use tapir_engine::{Analysis, TrackerStats};
use tapir_message::{Mirror, Stats, Warning};

use super::memory::Resident;
use super::pipeline::Watcher;

/// Progress is shown at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
const HOUR_NS: i64 = 3_600 * 1_000_000_000;

/// What is counted while frames are read.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    packets: u64,
    /// Bytes of the hours before the one that is being counted.
    bytes: u64,
    first: Option<i64>,
    last: i64,
    /// The hour that is being counted, from its first nanosecond to behind its last.
    hour: Range<i64>,
    hour_bytes: u64,
    hours: BTreeMap<i64, u64>,
    shown: Option<Instant>,
    /// What was in memory when the last frame had been read.
    pub(super) resident: Resident,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Tally {
    pub(super) fn new(progress: bool) -> Self {
        let shown = (progress && std::io::stderr().is_terminal()).then(Instant::now);
        Self {
            packets: 0,
            bytes: 0,
            first: None,
            last: 0,
            hour: 0..0,
            hour_bytes: 0,
            hours: BTreeMap::new(),
            shown,
            resident: Resident::default(),
        }
    }

    /// What several queues read, together.
    pub(super) fn sum(tallies: Vec<Self>) -> Self {
        let mut sum = Self::new(false);
        for mut one in tallies {
            one.close_hour();
            sum.packets += one.packets;
            sum.bytes += one.bytes;
            sum.last = if sum.first.is_some() {
                sum.last.max(one.last)
            } else {
                one.last
            };
            sum.first = match (sum.first, one.first) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            for (hour, bytes) in one.hours {
                *sum.hours.entry(hour).or_default() += bytes;
            }
        }
        sum
    }

    /// Frames counted.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Books the bytes of the hour that is being counted.
    fn close_hour(&mut self) {
        if self.hour_bytes > 0 {
            let hour = self.hour.start.div_euclid(HOUR_NS);
            *self.hours.entry(hour).or_default() += self.hour_bytes;
            self.bytes += self.hour_bytes;
            self.hour_bytes = 0;
        }
    }

    /// Begins to count the hour of `ts_ns`.
    #[cold]
    fn turn(&mut self, ts_ns: i64) {
        self.close_hour();
        let start = ts_ns.saturating_sub(ts_ns.rem_euclid(HOUR_NS));
        self.hour = start..start.saturating_add(HOUR_NS);
        self.first.get_or_insert(ts_ns);
    }

    /// Shows where reading is, if it is time to.
    #[expect(clippy::print_stderr, reason = "progress belongs on the terminal")]
    fn show(&mut self) {
        let Some(shown) = self.shown.filter(|at| at.elapsed() >= PROGRESS_EVERY) else {
            return;
        };
        let at = Timestamp::from_nanos(self.last).to_string();
        let at = at.get(..16).unwrap_or(&at).replace('T', " ");
        eprint!("\r\x1b[Kreading … {} packets, at {at} UTC", self.packets);
        self.shown = Some(shown + shown.elapsed());
    }

    /// Takes the progress line off the terminal.
    #[expect(clippy::print_stderr, reason = "progress belongs on the terminal")]
    pub(super) fn clear(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }

    pub(super) fn traffic(&self) -> Vec<(Timestamp, u64)> {
        let mut hours = self.hours.clone();
        if self.hour_bytes > 0 {
            let hour = self.hour.start.div_euclid(HOUR_NS);
            *hours.entry(hour).or_default() += self.hour_bytes;
        }
        hours
            .iter()
            .map(|(h, b)| (Timestamp::from_nanos(h.saturating_mul(HOUR_NS)), *b))
            .collect()
    }
}

impl Watcher for Tally {
    #[inline]
    fn frame(&mut self, ts_ns: i64, wire_len: u32) {
        if !self.hour.contains(&ts_ns) {
            self.turn(ts_ns);
        }
        self.packets += 1;
        self.hour_bytes += u64::from(wire_len);
        self.last = ts_ns;
        if self.packets.is_multiple_of(16_384) {
            self.show();
        }
    }

    fn over(&mut self) {
        self.resident = Resident::now();
    }
}

/// All counters of the run in one place.
pub(super) fn stats(
    input: &InputReport,
    tally: &Tally,
    trackers: &[TrackerStats],
    analysis: &Analysis,
    records: &BTreeMap<String, u64>,
    mirror: Mirror,
) -> Stats {
    let mut stats = Stats {
        first_ts: tally.first.map(Timestamp::from_nanos),
        last_ts: tally.first.map(|_| Timestamp::from_nanos(tally.last)),
        records: records.clone(),
        clamped: input.clamped,
        epochs: input.epochs,
        mirror,
        ..Stats::default()
    };
    for tracker in trackers {
        tracker.add_to(&mut stats);
    }
    (stats.packets, stats.bytes) = (tally.packets, tally.bytes + tally.hour_bytes);
    for (table, refused) in analysis.refused() {
        if refused > 0 {
            *stats.refused.entry(table.to_owned()).or_default() += refused;
        }
    }
    stats.bounded |= !stats.refused.is_empty();
    for (name, count) in analysis.oddities() {
        stats.weird.insert(name.to_owned(), count);
    }
    if input.weird_time > 0 {
        stats
            .weird
            .insert("time_ran_backwards".into(), input.weird_time);
    }
    for file in &input.files {
        stats.filtered += file.filtered;
        let name = shown(&file.path);
        if let Some(damage) = &file.damage {
            stats.cut_at_byte.insert(name.clone(), damage.at_byte);
            stats.warnings.push(Warning {
                subject: name,
                text: damage.to_string(),
            });
        }
    }
    warn_of_input(input, &mut stats);
    stats
}

/// Warnings about files that were passed over, overlaps and link types.
fn warn_of_input(input: &InputReport, stats: &mut Stats) {
    for skipped in &input.skipped {
        let text = format!("passed over: {}", skipped.why);
        stats.warnings.push(Warning {
            subject: shown(&skipped.path),
            text,
        });
    }
    if input.overlaps > 0 {
        stats.warnings.push(Warning {
            subject: "input".into(),
            text: format!(
                "{} files overlap in time; read them together with --merge",
                input.overlaps
            ),
        });
    }
    for (link, packets) in &stats.not_decoded {
        let name = link.parse().ok().and_then(|number| LinkType(number).name());
        let name = name.map_or_else(|| link.clone(), str::to_owned);
        stats.warnings.push(Warning {
            subject: "input".into(),
            text: if *packets == 1 {
                format!("1 packet of link type {name} was counted, not decoded")
            } else {
                format!("{packets} packets of link type {name} were counted, not decoded")
            },
        });
    }
}

/// A path as it may be shown: the last part only, so that results do not depend on the folder.
fn shown(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
