//! From TOML to a rule: every key checked, every mistake told with its place.
//!
//! Bounds: 16 KiB a rule.
//! Example: `packaging/rule-of-engagement.toml`, which a test loads.

use tapir_message::{Action, Class};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::caps::Caps;
use super::hours::Hours;
use super::rule::{Rule, Scope, ShadowOverride};
use super::whom::Whom;
use crate::model::{Key, ModelError, Reader, Str};
use crate::types::Timestamp;

const FILE_BYTES_MAX: usize = 16 * 1024;
const ID_CHARS_MAX: usize = 24;
const TEXT_CHARS_MAX: usize = 200;
/// Longest life of a rule; nobody remembers longer what they allowed.
const LIFE_DAYS_MAX: i64 = 366;
const DAY_NS: i64 = 86_400 * 1_000_000_000;
/// Below the band in which design and models promise "act if authorised", nothing acts.
pub(super) const SCORE_MIN: u8 = 80;

const RULE_KEYS: &[Key] = &[
    ("id", true, "a short name such as \"R-0007\""),
    ("authorised_by", true, "who takes responsibility"),
    ("reason", true, "why it is wanted"),
    ("from", true, "a time such as 2026-01-01T00:00:00Z"),
    ("until", true, "a time at most 366 days after from"),
    ("hold_after_start", false, "seconds, 0 to 86400"),
    ("allow_provisional", false, "true or false"),
    ("shadow_days", false, "days, 1 to 365"),
    ("shadow_override", false, "who waived the days, and why"),
    ("score_min", false, "80 to 100"),
    ("actions", false, "reset_flow, hold_pair"),
    ("action_minutes", false, "minutes, 1 to 1440"),
    ("ask_minutes", false, "minutes, 1 to 1440"),
    ("scope", false, "on what it applies"),
    ("caps", false, "how much at most"),
    ("never", false, "whom it never touches"),
];
const OVERRIDE_KEYS: &[Key] = &[
    ("name", true, "who waives the days of shadow"),
    ("reason", true, "why"),
];
const SCOPE_KEYS: &[Key] = &[
    ("models", false, "model ids with * and ?"),
    ("classes", false, "threat, anomaly, compliance"),
    ("devices", false, "names with * and ?, or networks"),
    ("responders", false, "names with * and ?, or networks"),
    ("hours", false, "\"always\" or spans of the week"),
];
const CAPS_KEYS: &[Key] = &[
    ("per_minute", false, "actions, 1 to 60"),
    ("per_hour", false, "actions, 1 to 600"),
    ("devices_per_hour", false, "devices, 1 to 600"),
    ("others_max", false, "devices, 0 to 20000"),
    ("flows_max", false, "connections, 1 to 10000"),
];
const NEVER_KEYS: &[Key] = &[
    ("networks", false, "networks such as 10.0.9.0/24"),
    ("names", false, "names with * and ?"),
];
const ACTIONS: &[(&str, Action)] = &[
    ("reset_flow", Action::ResetFlow),
    ("hold_pair", Action::HoldPair),
];
const CLASSES: &[(&str, Class)] = &[
    ("threat", Class::Threat),
    ("anomaly", Class::Anomaly),
    ("compliance", Class::Compliance),
];

/// All mistakes of a rule's text, signed or not: for whoever writes one.
#[must_use]
pub fn check(path: &str, text: &str) -> Vec<ModelError> {
    read(path, text).err().unwrap_or_default()
}

/// Reads the text; the signature is the caller's business.
pub(super) fn read(path: &str, text: &str) -> Result<Rule, Vec<ModelError>> {
    let mut reader = Reader::new(path, text);
    let Some(root) = reader.root("a rule", FILE_BYTES_MAX) else {
        return Err(reader.errors);
    };
    let table = root.get_ref();
    reader.keys(table, RULE_KEYS, 0);
    let rule = read_rule(&mut reader, table);
    match rule {
        Some(rule) if reader.errors.is_empty() => Ok(rule),
        _ => {
            reader.errors.sort();
            Err(reader.errors)
        }
    }
}

/// Reads every key before giving up on one, so that all mistakes are told.
fn read_rule(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<Rule> {
    let id = plain(reader, table, "id", ID_CHARS_MAX);
    let authorised_by = plain(reader, table, "authorised_by", TEXT_CHARS_MAX);
    let reason = plain(reader, table, "reason", TEXT_CHARS_MAX);
    let life = read_life(reader, table);
    let hold_after_start_s = reader.whole(table, "hold_after_start", 0..=86_400);
    let allow_provisional = reader.flag(table, "allow_provisional");
    let shadow_days = reader.whole(table, "shadow_days", 1..=365);
    let shadow_override = read_override(reader, table);
    let score_min = reader.small(table, "score_min", SCORE_MIN..=100);
    let actions = read_actions(reader, table);
    let action_minutes = reader.whole(table, "action_minutes", 1..=1_440);
    let ask_minutes = reader.whole(table, "ask_minutes", 1..=1_440);
    let scope = read_scope(reader, table);
    let caps = read_caps(reader, table);
    let never = read_never(reader, table);
    let (from, until) = life?;
    Some(Rule {
        id: id?,
        authorised_by: authorised_by?,
        signed_by: String::new(),
        reason: reason?,
        from,
        until,
        hold_after_start_s: hold_after_start_s.unwrap_or(600),
        allow_provisional: allow_provisional.unwrap_or(false),
        shadow_days: shadow_days.unwrap_or(14),
        shadow_override,
        score_min: score_min.unwrap_or(SCORE_MIN),
        actions,
        action_minutes: action_minutes.unwrap_or(10),
        ask_minutes: ask_minutes.unwrap_or(15),
        scope,
        caps,
        never,
    })
}

/// A text of 1 to `chars_max` characters on one line.
fn plain(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
    chars_max: usize,
) -> Option<String> {
    let found = reader.string(table, key)?;
    let text = found.text.trim();
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        let message = format!("{key} is one line of 1 to {chars_max} characters");
        reader.error(found.span.start, message);
        return None;
    }
    Some(text.to_owned())
}

fn read_life(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<(Timestamp, Timestamp)> {
    let from = read_time(reader, table, "from");
    let until = read_time(reader, table, "until");
    let (Some((from, _)), Some((until, at))) = (from, until) else {
        return None;
    };
    let life = until.since(from);
    if life <= 0 {
        reader.error(at, "until must lie after from");
    } else if life > LIFE_DAYS_MAX * DAY_NS {
        let message = format!("until lies at most {LIFE_DAYS_MAX} days after from");
        reader.error(at, message);
    }
    Some((from, until))
}

/// A time with its offset, bare or in quotes.
fn read_time(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
) -> Option<(Timestamp, usize)> {
    let value: &Spanned<DeValue<'_>> = table.get(key)?;
    let at = value.span().start;
    let text = match value.get_ref() {
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(text) => text.to_string(),
        other => return reader.wrong(value, key, "a time such as 2026-01-01T00:00:00Z", other),
    };
    let parsed = text.parse::<jiff::Timestamp>().ok();
    let nanos = parsed.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    if nanos.is_none() {
        let found = text.escape_debug();
        let message = format!(
            "{key} must be a time with its offset, such as 2026-01-01T00:00:00Z; found {found}"
        );
        reader.error(at, message);
    }
    nanos.map(|nanos| (Timestamp::from_nanos(nanos), at))
}

fn read_override(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<ShadowOverride> {
    let (inner, at) = reader.table(table, "shadow_override")?;
    reader.keys(inner, OVERRIDE_KEYS, at);
    let name = plain(reader, inner, "name", TEXT_CHARS_MAX);
    let reason = plain(reader, inner, "reason", TEXT_CHARS_MAX);
    Some(ShadowOverride {
        name: name?,
        reason: reason?,
    })
}

fn read_actions(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Vec<Action> {
    let texts = reader.strings(table, "actions");
    let actions = words(reader, "actions", &texts, ACTIONS);
    if let Some(first) = texts.first()
        && !actions.is_sorted_by(|a, b| a < b)
    {
        let at = first.span.start;
        reader.error(
            at,
            "actions stand once each, least first: reset_flow, hold_pair",
        );
    }
    match table.get("actions") {
        None => vec![Action::ResetFlow],
        Some(value) => {
            if texts.is_empty() {
                reader.error(
                    value.span().start,
                    "actions names at least one of reset_flow, hold_pair",
                );
            }
            actions
        }
    }
}

/// Each text as one of a few words.
fn words<T: Copy>(
    reader: &mut Reader<'_>,
    key: &str,
    texts: &[Str<'_>],
    known: &[(&str, T)],
) -> Vec<T> {
    let mut found = Vec::new();
    for text in texts {
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text.text) {
            found.push(*value);
        } else {
            let all: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let (bad, all) = (text.text.escape_debug(), all.join(", "));
            reader.error(
                text.span.start,
                format!("{key} are of {all}; found \"{bad}\""),
            );
        }
    }
    found
}

fn read_scope(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Scope {
    let mut scope = Scope {
        models: Whom::everybody(),
        classes: vec![Class::Threat],
        devices: Whom::everybody(),
        responders: Whom::everybody(),
        hours: Hours::always(),
    };
    let Some((inner, at)) = reader.table(table, "scope") else {
        return scope;
    };
    reader.keys(inner, SCOPE_KEYS, at);
    for (key, whom) in [
        ("models", &mut scope.models),
        ("devices", &mut scope.devices),
        ("responders", &mut scope.responders),
    ] {
        if inner.get(key).is_some() {
            *whom = read_whom(reader, inner, key);
        }
    }
    if inner.get("classes").is_some() {
        let texts = reader.strings(inner, "classes");
        scope.classes = words(reader, "classes", &texts, CLASSES);
    }
    if let Some(value) = inner.get("hours") {
        scope.hours = read_hours(reader, inner, value);
    }
    scope
}

fn read_hours(reader: &mut Reader<'_>, table: &DeTable<'_>, value: &Spanned<DeValue<'_>>) -> Hours {
    if value.get_ref().as_str() == Some("always") {
        return Hours::always();
    }
    let spans = match value.get_ref() {
        DeValue::String(_) => reader.string(table, "hours").into_iter().collect(),
        _ => reader.strings(table, "hours"),
    };
    let mut hours = Hours::default();
    for span in &spans {
        if let Err(message) = hours.add(span.text) {
            reader.error(span.span.start, message);
        }
    }
    if spans.is_empty() {
        reader.error(
            value.span().start,
            "hours is \"always\" or names at least one span",
        );
    }
    hours
}

fn read_whom(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str) -> Whom {
    let texts = reader.strings(table, key);
    // A slash is in no name: what has one and is no network is a network mistyped.
    for text in &texts {
        if text.text.contains('/') && text.text.parse::<crate::device::Net>().is_err() {
            let message = format!("{key}: \"{}\" is no network", text.text.escape_debug());
            reader.error(text.span.start, message);
        }
    }
    let at = texts.first().map_or(0, |text| text.span.start);
    Whom::new(texts.iter().map(|text| text.text)).unwrap_or_else(|message| {
        reader.error(at, message);
        Whom::default()
    })
}

fn read_caps(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Caps {
    let mut caps = Caps::default();
    let Some((inner, at)) = reader.table(table, "caps") else {
        return caps;
    };
    reader.keys(inner, CAPS_KEYS, at);
    for (key, range, cap) in [
        ("per_minute", 1..=60, &mut caps.per_minute),
        ("per_hour", 1..=600, &mut caps.per_hour),
        ("devices_per_hour", 1..=600, &mut caps.devices_per_hour),
        ("others_max", 0..=20_000, &mut caps.others_max),
        ("flows_max", 1..=10_000, &mut caps.flows_max),
    ] {
        if let Some(value) = reader.whole(inner, key, range) {
            *cap = value;
        }
    }
    caps
}

/// `networks` must be networks; `names` are globs; both end in one list.
fn read_never(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Whom {
    let Some((inner, at)) = reader.table(table, "never") else {
        return Whom::default();
    };
    reader.keys(inner, NEVER_KEYS, at);
    let networks = reader.strings(inner, "networks");
    for network in &networks {
        if let Err(error) = network.text.parse::<crate::device::Net>() {
            reader.error(network.span.start, format!("networks: {error}"));
        }
    }
    let names = reader.strings(inner, "names");
    let texts = networks.iter().chain(&names).map(|text| text.text);
    Whom::new(texts).unwrap_or_else(|message| {
        reader.error(at, message);
        Whom::default()
    })
}
