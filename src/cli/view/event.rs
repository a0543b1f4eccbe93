//! `watch`: what happens, a line each.

use jiff::tz::TimeZone;
use tapir_engine::types::escaped;
use tapir_message::{Timestamp, Verdict};

use super::breaches::mark;
use super::responses::{ends, response_word};
use super::{Look, short_id};
use crate::control::{Event, State, Status};
use crate::report::band::Band;
use crate::report::screen::{Screen, ink};
use crate::report::words::clock;

/// Columns of the kind of event.
const KIND: usize = 9;

/// One event as one line, whole however narrow the terminal: a stream is also searched.
pub(crate) fn event(event: &Event, zone: &TimeZone, look: Look) -> String {
    let mut screen = Screen {
        out: String::new(),
        width: look.width,
        color: look.color,
    };
    let mut line = |ts: Option<Timestamp>, kind: &str, color: &str, head: &str, text: &str| {
        let time = ts.map_or_else(|| "--:--:--".to_owned(), |ts| clock(ts, zone));
        let head = if head.is_empty() {
            String::new()
        } else {
            format!("{head}  ")
        };
        screen.line(&[
            ("2", &time),
            ("", &format!("  {kind:<KIND$} ")),
            (color, &head),
            ("", &escaped(text)),
        ]);
    };
    match event {
        Event::Breach { breach } => {
            let (score, asks, color) = mark(breach);
            let text = format!("{}  ({})", breach.text, short_id(&breach.id));
            line(
                Some(breach.last_ts),
                "breach",
                color,
                &format!("{score} {asks}"),
                &text,
            );
        }
        Event::Incident { incident } => {
            let score = incident
                .score
                .map_or_else(|| "–".to_owned(), |s| s.to_string());
            let color = incident.score.map_or("36", |score| ink(Band::of(score)));
            let names = incident.device_names.join(", ");
            let text = format!("{}: {names}  ({})", incident.title, short_id(&incident.id));
            line(Some(incident.last_ts), "incident", color, &score, &text);
        }
        Event::Decision { decision } => {
            let (word, color) = match decision.verdict {
                Verdict::Act => ("act", "1;33"),
                Verdict::WouldAct => ("would act", "36"),
                Verdict::Ask => ("ASKS", "1;33"),
                Verdict::Withheld => ("withheld", "2"),
            };
            let (action, id) = (decision.action.name(), short_id(&decision.id));
            let (name, ends) = (&decision.device_name, ends(decision));
            let gap = if ends.is_empty() { "" } else { " " };
            let text = format!("{action} {name}{gap}{ends}: {}  ({id})", decision.reason);
            line(Some(decision.ts), "decision", color, word, &text);
        }
        Event::Response { response } => {
            let (word, color) = response_word(response.state);
            let text = format!("{}  ({})", response.text, short_id(&response.decision));
            line(Some(response.ts), "response", color, word, &text);
        }
        Event::Health { status } => {
            let (color, text) = health(status);
            let ts = status.health.as_ref().and_then(|health| health.ts);
            line(ts, "health", color, status.state.word(), &text);
        }
        Event::Command { who, text } => line(None, "command", "1", who, text),
        Event::Missed { lines } => {
            let text = format!("{lines} lines were left out here: this terminal was too slow");
            line(None, "missed", "1;33", "", &text);
        }
    }
    screen.out
}

fn health(status: &Status) -> (&'static str, String) {
    match status.state {
        State::Ok => ("1;32", "all is well".to_owned()),
        State::Degraded => ("1;33", status.reasons.join(" ")),
        State::Failed => ("1;31", status.reasons.join(" ")),
    }
}
