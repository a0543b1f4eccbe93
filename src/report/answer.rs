//! The answer on one screen: is anything wrong, what, who, since when, and what was not seen.
//!
//! Bounds: [`SHOWN_MAX`] breaches of at least [`SCORE_MIN`], the rest is counted; sentences are
//!         shortened and then left out until the whole fits [`LINES_MAX`] lines.

use tapir_engine::types::escaped;
use tapir_message::Breach;

use super::band::Band;
use super::findings::{Findings, doubts, new_devices, sure};
use super::mirror::mirror_line;
use super::screen::{Screen, ink, short_title};
use super::words::{
    bytes, count, cut, duration, number, plural, share, short_span, span_days, whole, width,
};
use super::{RunFigures, Summary};

/// Breaches shown; more are not read at three in the morning.
const SHOWN_MAX: usize = 8;
/// Below this a breach is kept on record only.
const SCORE_MIN: u8 = 20;
/// Lines of the smallest terminal, one left for the prompt.
const LINES_MAX: usize = 23;
/// Narrower than this and the columns make no sense.
const WIDTH_MIN: usize = 60;
/// Wider than this and the eye loses the line.
const WIDTH_MAX: usize = 120;
/// Where names begin: after the score and the band.
const INDENT: usize = 14;
/// Where sentences begin: after the score.
const SENTENCE: usize = 6;
/// Where the text of a field begins.
const FIELD: usize = 9;
/// Columns of a device's name.
const NAME_MAX: usize = 18;

/// The answer as text for a terminal of `width` columns, with ANSI colours if `color`.
#[must_use]
pub fn answer(
    summary: &Summary<'_>,
    figures: Option<&RunFigures>,
    width: usize,
    color: bool,
) -> String {
    let findings = Findings::new(summary);
    // The fullest form that fits the screen; the last and shortest if none does.
    let mut text = String::new();
    for form in Form::ALL {
        let mut screen = Screen {
            out: String::new(),
            width: width.clamp(WIDTH_MIN, WIDTH_MAX),
            color,
        };
        fill(&mut screen, summary, &findings, figures, form);
        text = screen.out;
        if text.lines().count() <= LINES_MAX {
            break;
        }
    }
    text
}

/// How much room the sentences get.
#[derive(Clone, Copy)]
struct Form {
    /// Breaches whose sentence may take two lines.
    wrapped: usize,
    /// Breaches that get their sentence; the others only their line.
    sentences: usize,
    /// Whether a line stands between incidents.
    gaps: bool,
}

impl Form {
    const ALL: [Self; 11] = [
        Self::new(SHOWN_MAX, SHOWN_MAX, true),
        Self::new(4, SHOWN_MAX, true),
        Self::new(3, SHOWN_MAX, true),
        Self::new(2, SHOWN_MAX, true),
        Self::new(1, SHOWN_MAX, true),
        Self::new(0, SHOWN_MAX, true),
        Self::new(0, SHOWN_MAX, false),
        Self::new(0, 6, false),
        Self::new(0, 4, false),
        Self::new(0, 2, false),
        Self::new(0, 1, false),
    ];

    const fn new(wrapped: usize, sentences: usize, gaps: bool) -> Self {
        Self {
            wrapped,
            sentences,
            gaps,
        }
    }
}

/// Writes the whole answer in one form.
fn fill(
    screen: &mut Screen,
    summary: &Summary<'_>,
    findings: &Findings<'_>,
    figures: Option<&RunFigures>,
    form: Form,
) {
    screen.line(&[(findings.band().map_or("1", ink), &findings.verdict(summary))]);
    let doubts = doubts(summary);
    if !doubts.is_empty() {
        screen.paragraph(
            "",
            0,
            &format!("Incomplete input: {}.", doubts.join("; ")),
            2,
        );
    }
    screen.blank();
    let tied = found(screen, summary, findings, form);
    screen.paragraph("Devices", FIELD, &inventory(summary), 2);
    screen.paragraph("Read", FIELD, &read(summary, figures), 2);
    let missed = missed(summary);
    if !missed.is_empty() {
        screen.paragraph("Missed", FIELD, &missed, 2);
    }
    if summary.stats.packets > 0 {
        screen.paragraph("Mirror", FIELD, &mirror_line(&summary.stats.mirror), 1);
    }
    if let Some(health) = health(findings) {
        screen.paragraph("Sensor", FIELD, &health, 2);
    }
    let provisional = |b: &Breach| b.provisional && b.score >= Some(SCORE_MIN);
    let mut learned = summary.learning.to_owned();
    if findings.breaches().any(provisional) {
        learned.push_str("; ~ marks scores that rest on assumed rates");
    }
    if tied {
        learned.push_str("; + is of the incident above");
    }
    screen.paragraph("Learned", FIELD, &learned, 2);
    if let Some(dir) = summary.out_dir {
        let dir = dir.trim_end_matches('/');
        screen.paragraph("Report", FIELD, &format!("{dir}/report.html"), 2);
    }
}

/// The breaches, incident by incident, and how many are not shown. Whether a plus ties some of them.
fn found(screen: &mut Screen, summary: &Summary<'_>, findings: &Findings<'_>, form: Form) -> bool {
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
    let names = shown.iter().map(|(_, b)| width(&escaped(&b.device_name)));
    let name_width = names.max().unwrap_or(0).min(NAME_MAX);
    let (mut last_group, mut any_tied) = (None, false);
    for (index, (group, breach)) in shown.iter().enumerate() {
        let same = last_group == Some(*group);
        if form.gaps && !same && index > 0 {
            screen.blank();
        }
        let tied = same && !form.gaps;
        any_tied |= tied;
        item(screen, summary, breach, tied, name_width);
        last_group = Some(*group);
        if index < form.sentences {
            let lines = if index < form.wrapped { 2 } else { 1 };
            screen.paragraph("", SENTENCE, &breach.text, lines);
        }
    }
    if more > 0 {
        let place = if summary.out_dir.is_some() {
            "report.html"
        } else {
            "the report"
        };
        let text = format!("and {} more, see {place}", count(more as u64));
        screen.line(&[("", &format!("{:SENTENCE$}{text}", ""))]);
    }
    if low > 0 {
        let what = plural(low, "breach", "breaches");
        let text = format!("{:SENTENCE$}{what} below {SCORE_MIN} on record only", "");
        screen.line(&[("2", &text)]);
    }
    if !all.is_empty() {
        screen.blank();
    }
    any_tied
}

/// One breach on one line: score, what is asked, who, what, when. A plus ties it to the one above
/// where no empty line sets incidents apart; a tilde says that the score rests on a prior.
fn item(
    screen: &mut Screen,
    summary: &Summary<'_>,
    breach: &Breach,
    tied: bool,
    name_width: usize,
) {
    let band = Band::of(sure(breach));
    let when = short_span(breach.first_ts, breach.last_ts, summary.time_zone);
    let sign = if tied { '+' } else { ' ' };
    let guess = if breach.provisional { '~' } else { ' ' };
    let score = breach.score.unwrap_or(0);
    let head = format!("{sign}{score:>3}{guess} {:<6}", band.word());
    let name = cut(&escaped(&breach.device_name), name_width);
    let name_gap = " ".repeat(name_width.saturating_sub(width(&name)) + 2);
    let room = screen
        .width
        .saturating_sub(INDENT + name_width + 2 + width(&when) + 2);
    let title = cut(&escaped(short_title(&breach.title)), room);
    let gap = " ".repeat(room.saturating_sub(width(&title)) + 2);
    screen.line(&[
        (ink(band), &head),
        ("", "  "),
        ("1", &name),
        ("", &name_gap),
        ("", &title),
        ("", &gap),
        ("2", &when),
    ]);
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
    let packets = plural(
        usize::try_from(stats.packets).unwrap_or(usize::MAX),
        "packet",
        "packets",
    );
    let mut text = format!("{packets}, {}", bytes(stats.bytes));
    if let Some((first, last)) = stats.first_ts.zip(stats.last_ts) {
        let days = span_days(first, last, summary.time_zone);
        text.push_str(&format!(", {days} ({})", duration(last.since(first))));
    }
    if let Some(figures) = figures {
        text.push_str(&format!(
            "; {} s, {} packets/CPU s",
            number(figures.elapsed_s),
            count(whole(figures.packets_per_cpu_s)),
        ));
    }
    text
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
            // A share that rounds to nothing says nothing.
            let part = if n >= stats.packets / 10_000 {
                format!(" ({})", share(n, stats.packets))
            } else {
                String::new()
            };
            parts.push(format!("{} {what}{part}", count(n)));
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
    if !stats.warnings.is_empty() {
        let warnings = plural(stats.warnings.len(), "warning", "warnings");
        parts.push(format!("{warnings} in the report"));
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{Office, hostile, same_as_file};
    use super::*;

    const FIGURES: RunFigures = RunFigures {
        elapsed_s: 3.42,
        packets_per_cpu_s: 1_412_300.0,
    };

    #[test]
    fn the_office_on_one_screen() {
        let office = Office::new();
        for width in [80, 100] {
            let text = answer(&office.summary(), Some(&FIGURES), width, false);
            assert!(text.lines().count() <= LINES_MAX, "{text}");
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
        assert!(text.lines().count() <= LINES_MAX, "{text}");
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
