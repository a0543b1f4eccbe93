//! `explain`: one breach in plain words, from what is usual to what to do next.
//!
//! Every sentence has a field of the breach or its decisions behind it.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::{Breach, Mode, Term};

use super::responses::{mode_words, next_steps, one, waits};
use super::{breaches::mark, short_id};
use crate::control::{Explanation, Site};
use crate::report::band::Band;
use crate::report::findings::sure;
use crate::report::screen::{Screen, short_title};
use crate::report::words::{count, how_often, number, plural, second, short, short_span};

/// Where the text of a field begins.
const FIELD: usize = 10;
/// Where the text of a term begins.
const TERM: usize = 8;
/// Highest score that each impact allows (design §5).
const CAPS: [u8; 5] = [39, 59, 79, 94, 100];

pub(super) fn show(screen: &mut Screen, site: &Site, zone: &TimeZone, all: &Explanation) {
    let breach = &all.breach;
    let (score, asks, color) = mark(breach);
    let title = format!("  {}", escaped(short_title(&breach.title)));
    let head = match breach.score {
        Some(_) => format!("{score} {asks}"),
        None => "sensor".to_owned(),
    };
    screen.line(&[(color, &head), ("1", &title)]);
    screen.paragraph("", 0, &breach.text, 6);
    screen.blank();
    screen.paragraph("When", FIELD, &when(breach, zone), 3);
    screen.paragraph("Who", FIELD, &device(all, zone), 4);
    if let Some(flow) = flow(breach) {
        screen.paragraph("Flow", FIELD, &flow, 3);
    }
    screen.paragraph("Seen", FIELD, &breach.detail, 6);
    screen.paragraph("Model", FIELD, &model(breach), 3);
    if let Some(incident) = &all.incident {
        let text = format!(
            "{} ({}), {}",
            incident.title,
            plural(incident.timeline.len(), "breach", "breaches"),
            short_id(&incident.id)
        );
        screen.paragraph("Incident", FIELD, &text, 3);
    }
    if breach.loss >= 0.000_05 {
        let text = format!(
            "{} % of the packets around it were lost",
            number(breach.loss * 100.0)
        );
        screen.paragraph("Missing", FIELD, &text, 2);
    }
    screen.blank();
    if breach.score.is_some() {
        score_of(screen, site, breach);
        screen.blank();
    }
    decided(screen, zone, all);
    screen.blank();
    heading(screen, "What to do next");
    for (number, step) in (1_u8..).zip(next(all, zone)) {
        screen.paragraph(&format!("  {number}."), 5, &step, 4);
    }
}

fn heading(screen: &mut Screen, text: &str) {
    screen.line(&[("1", text)]);
}

fn when(breach: &Breach, zone: &TimeZone) -> String {
    let mut text = short_span(breach.first_ts, breach.last_ts, zone);
    text.push_str(&format!("; judged {}", second(breach.ts, zone)));
    if breach.count > 1 {
        text.push_str(&format!(
            "; {} firings folded into one",
            count(breach.count)
        ));
    }
    text
}

/// The device with what it is known by.
fn device(all: &Explanation, zone: &TimeZone) -> String {
    let mut text = all.breach.device_name.clone();
    let Some(device) = &all.device else {
        return text;
    };
    let address = device
        .addresses
        .iter()
        .max_by_key(|address| address.last_ts);
    let parts: Vec<String> = [
        address.map(|address| address.addr.to_string()),
        device.mac.map(|mac| mac.to_string()),
        device.vendor.clone(),
        Some(format!("known since {}", short(device.first_ts, zone))),
    ]
    .into_iter()
    .flatten()
    .collect();
    text.push_str(&format!(" ({})", parts.join(", ")));
    text
}

fn flow(breach: &Breach) -> Option<String> {
    let end = |host: Option<std::net::IpAddr>, port: Option<u16>| {
        host.map(|host| match port {
            Some(port) => std::net::SocketAddr::new(host, port).to_string(),
            None => host.to_string(),
        })
    };
    let orig = end(breach.orig_h, breach.orig_p);
    let resp = end(breach.resp_h, breach.resp_p);
    let mut text = match (orig, resp) {
        (Some(orig), Some(resp)) => format!("{orig} > {resp}"),
        (one, other) => one.or(other)?,
    };
    if let Some(peer) = &breach.peer {
        text.push_str(&format!(" ({peer})"));
    }
    for part in [&breach.proto, &breach.uid, &breach.community_id]
        .into_iter()
        .flatten()
    {
        text.push_str(&format!(", {part}"));
    }
    Some(text)
}

fn model(breach: &Breach) -> String {
    let attack: Vec<&str> = breach
        .attack
        .iter()
        .map(String::as_str)
        .filter(|a| !a.is_empty())
        .collect();
    let attack = if attack.is_empty() {
        String::new()
    } else {
        format!(", ATT&CK {}", attack.join(" "))
    };
    format!(
        "{} {}{attack}; breach {}",
        breach.model, breach.title, breach.id
    )
}

/// The waterfall, what the number promises, and how sure it is.
fn score_of(screen: &mut Screen, site: &Site, breach: &Breach) {
    let score = breach.score.unwrap_or(0);
    heading(screen, &format!("Why {score}"));
    for (index, term) in breach.terms.iter().enumerate() {
        let points = points(term.points);
        // What comes first is the surprise itself: it says what is usual.
        let name = if index == 0 {
            format!("{} (against what is usual)", term.name)
        } else {
            term.name.clone()
        };
        let head = format!("{points:>6}");
        screen.paragraph(&head, TERM, &format!("{name}: {}", term.text), 5);
    }
    let sum: i32 = breach.terms.iter().map(|term: &Term| term.points).sum();
    screen.line(&[("2", &format!("{:>6}", "─".repeat(4)))]);
    screen.line(&[("1", &format!("{sum:>6}"))]);
    screen.blank();
    screen.paragraph("Meaning", FIELD, &meaning(site, breach), 5);
    screen.paragraph("Sure", FIELD, &certainty(breach), 5);
}

fn points(points: i32) -> String {
    match points {
        0 => "0".to_owned(),
        n if n > 0 => format!("+{n}"),
        n => format!("−{}", n.unsigned_abs()),
    }
}

/// The rate in words.
fn meaning(site: &Site, breach: &Breach) -> String {
    let rate = number(breach.rate.0);
    let mut text = match how_often(breach.rate.0, site.devices) {
        Some(often) => format!(
            "An innocent network of {} shows something at least this unusual {often}: {rate} in 1,000 device-weeks.",
            plural(site.devices, "device", "devices")
        ),
        None => format!(
            "An innocent network shows something at least this unusual {rate} times in 1,000 device-weeks."
        ),
    };
    let cap = CAPS.get(usize::from(breach.impact).wrapping_sub(1));
    if let Some(cap) = cap.filter(|cap| **cap < 100) {
        text.push_str(&format!(
            " With an impact of {} it could score {cap} at most.",
            breach.impact
        ));
    }
    text
}

/// How far the number can be trusted, and what goes by it.
fn certainty(breach: &Breach) -> String {
    let sure = sure(breach);
    let mut text = format!(
        "Between {} and {} in nine of ten cases; at the worse end the score is {sure}, and that alone decides: {}.",
        number(breach.rate_low.0),
        number(breach.rate_high.0),
        Band::of(sure).words()
    );
    text.push_str(if breach.provisional {
        " PROVISIONAL: the rate is still mostly assumed, not measured here; it acts only if a rule of engagement allows provisional scores."
    } else {
        " The rate was measured."
    });
    text
}

/// What was decided and done about it.
fn decided(screen: &mut Screen, zone: &TimeZone, all: &Explanation) {
    heading(screen, "What was decided");
    for (index, entry) in all.responses.iter().enumerate() {
        if index > 0 {
            screen.blank();
        }
        one(screen, zone, entry, false);
        if let (Some(rule), Some(by)) = (&entry.decision.rule, &entry.decision.authorised_by) {
            screen.paragraph("", 4, &format!("Under rule {rule}, signed by {by}."), 2);
        }
    }
    if all.responses.is_empty() {
        let text = match (all.mode, all.breach.score.is_some()) {
            (_, false) => "Nothing: the sensor's own breaches are not answered.".to_owned(),
            (Mode::Off, _) => mode_words(all.mode, all.stopped),
            _ => format!(
                "Nothing: its score for sure is {}, or no rule of engagement speaks of it.",
                sure(&all.breach)
            ),
        };
        screen.paragraph("", 2, &text, 3);
    } else if all.stopped {
        screen.paragraph("", 2, &mode_words(all.mode, true), 3);
    }
}

/// What a person can do now, the most urgent first.
fn next(all: &Explanation, zone: &TimeZone) -> Vec<String> {
    let breach = &all.breach;
    let mut steps: Vec<String> = Vec::new();
    let (waiting, rest): (Vec<_>, Vec<_>) = all.responses.iter().partition(|e| waits(e));
    for entry in waiting.into_iter().chain(rest) {
        steps.extend(next_steps(entry, zone));
    }
    let band = breach.score.map(|_| Band::of(sure(breach)));
    steps.push(
        match band {
            None => "See whether the sensor is well: tapir show status",
            Some(Band::Act) => {
                "Act now: call who may decide and have the device taken off the network."
            }
            Some(Band::Wake) => "Wake who may decide: this does not wait until morning.",
            Some(Band::Notify) => "Tell the device's owner in office hours and ask what it was.",
            Some(Band::Brief) => "Put it in the brief at nine; nothing is urgent.",
            Some(Band::Note | Band::Record) => "Nothing needs doing; it is kept on record.",
        }
        .to_owned(),
    );
    if let Some(uid) = &breach.uid {
        steps.push(format!(
            "Read what the flow did: the records with uid {uid} in the logs."
        ));
    }
    if !breach.device.is_empty() {
        steps.push(format!(
            "See what else this device did: tapir show breaches --device {}",
            breach.device
        ));
    }
    steps
}
