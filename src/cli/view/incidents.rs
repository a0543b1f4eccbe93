//! `show incidents`: breaches that belong together, as stories.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::Incident;

use super::{footer, short_id};
use crate::report::band::Band;
use crate::report::screen::{Screen, ink, short_title};
use crate::report::words::{cut, plural, short, short_span, width};

/// Moments of one incident; the latest are shown.
const MOMENTS_MAX: usize = 6;
/// Where the text of a moment begins.
const INDENT: usize = 26;

pub(super) fn show(
    screen: &mut Screen,
    zone: &TimeZone,
    incidents: &[Incident],
    total: usize,
    filtered: bool,
) {
    if incidents.is_empty() {
        let text = if filtered {
            "No incident matches; leave --score, --since and --device out to see all."
        } else {
            "No incidents yet: an incident ties breaches that share a device, and there is none."
        };
        return screen.paragraph("", 0, text, 3);
    }
    for (index, incident) in incidents.iter().enumerate() {
        if index > 0 {
            screen.blank();
        }
        one(screen, zone, incident);
    }
    footer(screen, incidents.len(), total);
}

fn one(screen: &mut Screen, zone: &TimeZone, incident: &Incident) {
    let when = short_span(incident.first_ts, incident.last_ts, zone);
    let score = incident
        .score
        .map_or_else(|| "–".to_owned(), |s| s.to_string());
    let color = incident.score.map_or("36", |score| ink(Band::of(score)));
    let room = screen.width.saturating_sub(6 + 2 + width(&when));
    let title = cut(&escaped(short_title(&incident.title)), room);
    let gap = " ".repeat(room.saturating_sub(width(&title)) + 2);
    screen.line(&[
        (color, &format!("{score:>4}")),
        ("", "  "),
        ("1", &title),
        ("", &gap),
        ("2", &when),
    ]);
    let mut about = vec![
        incident.device_names.join(", "),
        plural(incident.timeline.len(), "breach", "breaches"),
    ];
    let attack: Vec<&str> = incident
        .attack
        .iter()
        .map(String::as_str)
        .filter(|a| !a.is_empty())
        .collect();
    if !attack.is_empty() {
        about.push(attack.join(" "));
    }
    about.push(format!("incident {}", short_id(&incident.id)));
    screen.paragraph("", 6, &about.join("; "), 2);
    let before = incident.timeline.len().saturating_sub(MOMENTS_MAX);
    if before > 0 {
        screen.line(&[("2", &format!("      and {before} earlier"))]);
    }
    for moment in incident.timeline.iter().skip(before) {
        let score = moment
            .score
            .map_or_else(|| "–".to_owned(), |s| s.to_string());
        let head = format!("      {:<12} {score:>4}", short(moment.ts, zone));
        screen.paragraph(&head, INDENT, &moment.text, 2);
    }
}
