//! The answer on one screen: is anything wrong, what, who, since when, and what was not seen.
//!
//! Bounds: [`SHOWN_MAX`] breaches of at least [`SCORE_MIN`], two lines each; the rest is counted. With
//!         the lines around them a run fits 24 lines of 80 columns.

use tapir_engine::types::escaped;
use tapir_message::Breach;

use super::band::Band;
use super::findings::{Findings, doubts, new_devices, sure};
use super::words::{bytes, count, cut, duration, number, plural, share, short, span, whole, width};
use super::{RunFigures, Summary};

/// Breaches shown; eight of two lines leave eight lines for the rest of a 24-line screen.
pub(super) const SHOWN_MAX: usize = 8;
/// Below this a breach is kept on record only.
pub(super) const SCORE_MIN: u8 = 20;
/// Narrower than this and the columns make no sense.
const WIDTH_MIN: usize = 60;
/// Wider than this and the eye loses the line.
const WIDTH_MAX: usize = 120;
/// Where sentences begin: after the score and the band.
const INDENT: usize = 13;

/// The answer as text for a terminal of `width` columns, with ANSI colours if `color`.
#[must_use]
pub fn answer(
    summary: &Summary<'_>,
    figures: Option<&RunFigures>,
    width: usize,
    color: bool,
) -> String {
    let findings = Findings::new(summary);
    let mut screen = Screen {
        out: String::new(),
        width: width.clamp(WIDTH_MIN, WIDTH_MAX),
        color,
    };
    let bold = findings.band().map_or("1", ink);
    screen.line(&[(bold, &findings.verdict(summary))]);
    let doubts = doubts(summary);
    if !doubts.is_empty() {
        screen.wrapped("", &format!("Incomplete input: {}.", doubts.join("; ")));
    }
    screen.blank();
    found(&mut screen, summary, &findings);
    screen.field("Devices", &inventory(summary));
    screen.field("Read", &read(summary, figures));
    let missed = missed(summary);
    if !missed.is_empty() {
        screen.field("Not read", &missed);
    }
    if let Some(health) = health(&findings) {
        screen.field("Sensor", &health);
    }
    screen.field("Learned", summary.learning);
    if let Some(dir) = summary.out_dir {
        let dir = dir.trim_end_matches('/');
        screen.field("Report", &format!("{dir}/report.html"));
    }
    screen.out
}

/// The breaches, incident by incident, and how many are not shown.
fn found(screen: &mut Screen, summary: &Summary<'_>, findings: &Findings<'_>) {
    let all: Vec<(usize, &Breach)> = findings
        .groups
        .iter()
        .enumerate()
        .flat_map(|(group, g)| g.breaches.iter().map(move |b| (group, *b)))
        .collect();
    let worth = |b: &Breach| b.score >= Some(SCORE_MIN);
    let shown: Vec<_> = all
        .iter()
        .filter(|(_, b)| worth(b))
        .take(SHOWN_MAX)
        .collect();
    let low = all.iter().filter(|(_, b)| !worth(b)).count();
    let more = all.len() - low - shown.len();
    let mut last_group = None;
    for (group, breach) in &shown {
        // A line between incidents, as long as the screen has room for it.
        if last_group.is_some_and(|last| last != *group) && shown.len() < 7 {
            screen.blank();
        }
        let same = last_group == Some(*group);
        last_group = Some(*group);
        item(screen, summary, breach, same);
    }
    if more > 0 {
        let place = if summary.out_dir.is_some() {
            "report.html"
        } else {
            "the report"
        };
        screen.line(&[(
            "",
            &format!("{:INDENT$}and {} more, see {place}", "", count(more as u64)),
        )]);
    }
    if low > 0 {
        let what = plural(low, "breach", "breaches");
        let text = format!("{:INDENT$}{what} below {SCORE_MIN} on record only", "");
        screen.line(&[("2", &text)]);
    }
    if !all.is_empty() {
        screen.blank();
    }
}

/// One breach: score, what is asked, who, when; then its sentence.
fn item(screen: &mut Screen, summary: &Summary<'_>, breach: &Breach, same: bool) {
    let band = Band::of(sure(breach));
    let zone = summary.time_zone;
    let when = if breach.last_ts.since(breach.first_ts) < 60_000_000_000 {
        short(breach.first_ts, zone)
    } else {
        format!(
            "{} – {}",
            short(breach.first_ts, zone),
            short(breach.last_ts, zone)
        )
    };
    let sign = if same { '+' } else { ' ' };
    let head = format!("{sign}{:>3}  {:<7}", breach.score.unwrap_or(0), band.word());
    // The device's name gives way first: its address and id are in the report.
    let room = screen.width.saturating_sub(INDENT + width(&when) + 2);
    let name = cut(&escaped(&breach.device_name), room.min(28));
    let title = escaped(short_title(&breach.title));
    let rest = room.saturating_sub(width(&name) + 2);
    let title = if rest >= 12 {
        cut(&title, rest)
    } else {
        String::new()
    };
    let used = width(&name)
        + if title.is_empty() {
            0
        } else {
            2 + width(&title)
        };
    let gap = " ".repeat(room.saturating_sub(used) + 2);
    let between = if title.is_empty() { "" } else { "  " };
    screen.line(&[
        (ink(band), &head),
        ("", " "),
        ("1", &name),
        ("", between),
        ("2", &title),
        ("", &gap),
        ("2", &when),
    ]);
    let mut text = escaped(&breach.text);
    if breach.provisional {
        text = format!("{} (provisional)", text.trim_end_matches('.'));
    }
    let text = cut(&text, screen.width.saturating_sub(INDENT));
    screen.line(&[("", &format!("{:INDENT$}{text}", ""))]);
}

/// A title without its family: `Command / Rhythmic beacon` is `Rhythmic beacon`.
fn short_title(title: &str) -> &str {
    title.split_once(" / ").map_or(title, |(_, rest)| rest)
}

/// How many devices, how many of them new.
fn inventory(summary: &Summary<'_>) -> String {
    let devices = count(summary.devices.len() as u64);
    match new_devices(summary) {
        None => devices,
        Some(0) => format!("{devices}, none new after the first day"),
        Some(new) => format!("{devices}, {} new after the first day", count(new as u64)),
    }
}

/// What was read, and how fast.
fn read(summary: &Summary<'_>, figures: Option<&RunFigures>) -> String {
    let stats = summary.stats;
    let mut parts = vec![
        format!("{} packets", count(stats.packets)),
        bytes(stats.bytes),
        format!("{} flows", count(stats.flows)),
    ];
    if let Some((first, last)) = stats.first_ts.zip(stats.last_ts) {
        let lasted = duration(last.since(first));
        parts.push(format!(
            "{lasted}: {}",
            span(first, last, summary.time_zone)
        ));
    }
    if let Some(figures) = figures {
        parts.push(format!(
            "in {} s, {} packets per CPU second",
            number(figures.elapsed_s),
            count(whole(figures.packets_per_cpu_s)),
        ));
        parts.push(format!(
            "at most {} of memory",
            bytes(figures.peak_memory_bytes)
        ));
    }
    parts.join(", ")
}

/// What was not read or not understood; empty if nothing.
fn missed(summary: &Summary<'_>) -> String {
    let stats = summary.stats;
    let sum = |map: &std::collections::BTreeMap<String, u64>| {
        map.values().fold(0_u64, |sum, n| sum.saturating_add(*n))
    };
    let mut parts = Vec::new();
    for (n, what) in [
        (sum(&stats.not_decoded), "not decoded"),
        (sum(&stats.not_understood), "of unknown protocol"),
        (sum(&stats.malformed), "malformed"),
        (stats.truncated, "truncated"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what} ({})", count(n), share(n, stats.packets)));
        }
    }
    if let Some((file, at)) = stats.cut_at_byte.iter().next() {
        let more = match stats.cut_at_byte.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        parts.push(format!("damage in {file} at byte {}{more}", count(*at)));
    }
    if !stats.refused.is_empty() {
        parts.push(format!(
            "{} table entries refused",
            count(sum(&stats.refused))
        ));
    }
    match stats.warnings.as_slice() {
        [] => {}
        [one] => parts.push(format!(
            "{}: {}",
            one.subject,
            one.text.trim_end_matches('.')
        )),
        many => parts.push(format!("{} warnings in the report", many.len())),
    }
    parts.join(", ")
}

/// The most urgent thing the sensor says of itself.
fn health(findings: &Findings<'_>) -> Option<String> {
    let first = findings.health.first()?;
    Some(match findings.health.len() - 1 {
        0 => first.text.clone(),
        more => format!("{} (and {more} more)", first.text),
    })
}

/// The ANSI code of a band.
const fn ink(band: Band) -> &'static str {
    match band {
        Band::Record => "2",
        Band::Note => "36",
        Band::Brief => "33",
        Band::Notify => "1;33",
        Band::Wake => "1;31",
        Band::Act => "1;97;41",
    }
}

/// Lines under construction.
struct Screen {
    out: String,
    width: usize,
    color: bool,
}

impl Screen {
    /// One line from pieces with their ANSI code; pieces are escaped already or ours.
    fn line(&mut self, pieces: &[(&str, &str)]) {
        for (code, text) in pieces {
            if self.color && !code.is_empty() && !text.is_empty() {
                self.out.push_str("\u{1b}[");
                self.out.push_str(code);
                self.out.push('m');
                self.out.push_str(text);
                self.out.push_str("\u{1b}[0m");
            } else {
                self.out.push_str(text);
            }
        }
        self.blank();
    }

    fn blank(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }

    /// A name in the left column and its text, wrapped once and then cut.
    fn field(&mut self, name: &str, text: &str) {
        self.wrapped(name, text);
    }

    /// At most two lines under a name.
    fn wrapped(&mut self, name: &str, text: &str) {
        let indent = if name.is_empty() { 0 } else { INDENT };
        let room = self.width.saturating_sub(indent);
        let text = escaped(text);
        let (first, rest) = split(&text, room);
        self.line(&[("2", &format!("{name:<indent$}")), ("", first)]);
        if !rest.is_empty() {
            let rest = cut(rest, room);
            self.line(&[("", &format!("{:indent$}{rest}", ""))]);
        }
    }
}

/// Splits at the last space that leaves at most `room` columns before it.
fn split(text: &str, room: usize) -> (&str, &str) {
    if width(text) <= room {
        return (text, "");
    }
    let mut used = 0;
    let mut hard = text.len();
    let mut soft = None;
    for (at, c) in text.char_indices() {
        used += super::words::columns(c);
        if used > room {
            hard = at;
            break;
        }
        if c == ' ' {
            soft = Some(at);
        }
    }
    let at = soft.unwrap_or(hard);
    let (first, rest) = text.split_at(at);
    (first, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Office, hostile, same_as_file};
    use super::*;

    const FIGURES: RunFigures = RunFigures {
        elapsed_s: 3.42,
        packets_per_cpu_s: 1_412_300.0,
        peak_memory_bytes: 96_400_000,
    };

    #[test]
    fn the_office_on_one_screen() {
        let office = Office::new();
        for width in [80, 100] {
            let text = answer(&office.summary(), Some(&FIGURES), width, false);
            assert!(text.lines().count() <= 24, "{text}");
            for line in text.lines() {
                assert!(super::width(line) <= width, "{line}");
            }
            same_as_file(&format!("answer-{width}.txt"), &text);
        }
        let text = answer(&office.summary(), Some(&FIGURES), 100, true);
        same_as_file("answer-color.txt", &text);
    }

    #[test]
    fn a_quiet_hour_on_one_screen() {
        let office = Office::quiet();
        same_as_file(
            "answer-quiet.txt",
            &answer(&office.summary(), None, 80, false),
        );
        let office = Office::empty();
        same_as_file(
            "answer-empty.txt",
            &answer(&office.summary(), None, 80, false),
        );
    }

    /// A hundred breaches still fit: eight are shown, the rest is counted.
    #[test]
    fn long_lists_are_cut_and_counted() {
        let office = Office::new().times(20);
        let text = answer(&office.summary(), None, 80, false);
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.contains("and 92 more, see report.html"), "{text}");
    }

    #[test]
    fn no_byte_from_the_wire_reaches_the_terminal_unescaped() {
        let office = hostile();
        let text = answer(&office.summary(), None, 100, false);
        for c in text.chars() {
            assert!(
                c == '\n' || !tapir_engine::types::is_hostile(c),
                "{c:?} in {text}"
            );
        }
    }
}
