//! `show responses`: what was decided, and what became of it.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::{Decision, Mode, Response, ResponseState, Verdict};

use super::{footer, short_id};
use crate::control::ResponseEntry;
use crate::report::screen::Screen;
use crate::report::words::{bytes, clock, cut, plural, second};

/// Where sentences begin.
const INDENT: usize = 4;

pub(super) fn show(
    screen: &mut Screen,
    zone: &TimeZone,
    (mode, stopped): (Mode, bool),
    entries: &[ResponseEntry],
    total: usize,
) {
    screen.paragraph("", 0, &mode_words(mode, stopped), 2);
    if entries.is_empty() {
        let text = match mode {
            Mode::Off => "No decisions: with mode off none is made.",
            _ => "No decisions yet: no breach that a rule of engagement covers.",
        };
        return screen.paragraph("", 0, text, 2);
    }
    for entry in entries {
        screen.blank();
        one(screen, zone, entry, true);
    }
    footer(screen, entries.len(), total);
}

/// The mode in a sentence.
pub(super) fn mode_words(mode: Mode, stopped: bool) -> String {
    let text = match mode {
        Mode::Off => "Response is off: nothing is decided, nothing leaves.",
        Mode::Shadow => "Response is in shadow: it says what it would have done, nothing leaves.",
        Mode::Confirm => "Response asks: a person approves each action.",
        Mode::Autonomous => "Response acts by itself inside the rules of engagement.",
    };
    if stopped {
        format!(
            "ALL RESPONSES ARE STOPPED by a person; `tapir resume-responses` allows them again. {text}"
        )
    } else {
        text.to_owned()
    }
}

/// One decision with its reason, what it touches, and what became of it.
pub(super) fn one(screen: &mut Screen, zone: &TimeZone, entry: &ResponseEntry, commands: bool) {
    let decision = &entry.decision;
    let (state, color) = state(entry);
    let head = format!("{}  ", second(decision.ts, zone));
    let name = escaped(&decision.device_name);
    let room = screen.width.saturating_sub(head.len() + state.len() + 14);
    let what = format!("  {} {}", decision.action.name(), cut(&name, room));
    screen.line(&[("2", &head), (color, state), ("", &what)]);
    if decision.target.is_some() {
        screen.paragraph("", INDENT, &ends(decision), 2);
    }
    screen.paragraph("", INDENT, &decision.reason, 4);
    if !decision.blast.text.is_empty() {
        screen.paragraph("", INDENT, &format!("Touches: {}", decision.blast.text), 3);
    }
    if let Some(response) = &entry.response {
        screen.paragraph("", INDENT, &became(response, zone), 4);
    }
    if !commands {
        return;
    }
    let ids = format!(
        "decision {} on breach {} (score {}){}",
        short_id(&decision.id),
        short_id(&decision.breach),
        decision.score_sure,
        decision.rule.as_ref().map_or_else(String::new, |rule| {
            let by = decision.authorised_by.as_deref().unwrap_or("nobody named");
            format!(", rule {rule} by {by}")
        })
    );
    screen.paragraph("", INDENT, &ids, 2);
    for line in next_steps(entry, zone) {
        screen.paragraph("", INDENT, &line, 2);
    }
}

/// What a person can do about a decision.
pub(super) fn next_steps(entry: &ResponseEntry, zone: &TimeZone) -> Vec<String> {
    let id = short_id(&entry.decision.id);
    let until = clock(entry.decision.expires_ts, zone);
    let acts = entry.response.as_ref().is_some_and(|r| !r.state.is_final());
    match (&entry.code, waits(entry)) {
        (Some(code), true) => vec![format!(
            "Approve until {until} with: tapir approve {id} {}",
            escaped(code)
        )],
        (None, true) => vec![format!(
            "Waits until {until} for somebody who may approve it; root sees the code."
        )],
        _ if acts => vec![format!("Take it back with: tapir revert {id}")],
        _ => Vec::new(),
    }
}

/// Whether a decision waits for a person.
pub(super) fn waits(entry: &ResponseEntry) -> bool {
    entry.decision.verdict == Verdict::Ask && entry.response.is_none()
}

/// One word for where a decision stands, and its colour.
fn state(entry: &ResponseEntry) -> (&'static str, &'static str) {
    match (&entry.response, entry.decision.verdict) {
        (Some(response), _) => response_word(response.state),
        (None, Verdict::Act) => ("ordered", "33"),
        (None, Verdict::WouldAct) => ("would act", "36"),
        (None, Verdict::Ask) => ("ASKS", "1;33"),
        (None, Verdict::Withheld) => ("withheld", "2"),
    }
}

/// One word for the state of an action, and its colour.
pub(super) const fn response_word(state: ResponseState) -> (&'static str, &'static str) {
    match state {
        ResponseState::Armed => ("armed", "33"),
        ResponseState::Sent => ("sent", "33"),
        ResponseState::Reset => ("reset", "1;32"),
        ResponseState::Failed => ("FAILED", "1;31"),
        ResponseState::Unknown => ("unknown", "33"),
        ResponseState::Expired => ("expired", "2"),
        ResponseState::Reverted => ("reverted", "2"),
        ResponseState::Refused => ("refused", "2"),
    }
}

/// `10.77.8.14:49104 > 198.51.100.23:443`; empty if no flow is aimed at.
pub(super) fn ends(decision: &Decision) -> String {
    let end = std::net::SocketAddr::new;
    decision.target.as_ref().map_or_else(String::new, |target| {
        format!(
            "{} > {}",
            end(target.orig_h, target.orig_p),
            end(target.resp_h, target.resp_p)
        )
    })
}

/// What became of an action, in a sentence or two.
fn became(response: &Response, zone: &TimeZone) -> String {
    let mut text = format!("{}: {}", clock(response.ts, zone), response.text);
    let mut parts = vec![format!(
        "{} sent",
        plural(response.frames_sent as usize, "reset", "resets")
    )];
    if response.frames_refused > 0 {
        parts.push(format!(
            "{} refused by the egress filter",
            response.frames_refused
        ));
    }
    if let Some(ns) = response.latency_ns {
        parts.push(format!("the first {} after its packet", micros(ns)));
        if let Some(max) = response.latency_max_ns.filter(|max| *max > ns) {
            parts.push(format!("none later than {}", micros(max)));
        }
    }
    parts.push(format!(
        "{} of data after the order",
        bytes(response.bytes_after)
    ));
    if response.redials > 0 {
        parts.push(format!(
            "{} met",
            plural(response.redials as usize, "new flow", "new flows")
        ));
    }
    text.push_str(&format!(" ({})", parts.join(", ")));
    text
}

/// A latency as people say it: `83 µs`, `4.1 ms`.
fn micros(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => {
            let tenths = ns / 100_000;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        _ => format!("{} s", ns / 1_000_000_000),
    }
}
