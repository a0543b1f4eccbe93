//! Loading: all files read, checked and sorted, or all mistakes told.

use tapir_message::Class;
use toml::de::DeTable;

use super::error::ModelError;
use super::eval::Condition;
use super::model::{CLASSES, Calibration, DEVICES, Defeat, DeviceRole, Model, RESPONSES, cap};
use super::reader::{Key, Reader, Str};
use super::schema::{Schema, Scope};
use super::suggest::did_you_mean;
use super::template::Template;
use super::trial::{self, EXPECTATIONS, Trial};

/// Most bytes of a model file.
const FILE_BYTES_MAX: usize = 64 * 1024;
const ID_LEN_MAX: usize = 24;
const TITLE_CHARS_MAX: usize = 80;

const MODEL_KEYS: &[Key] = &[
    ("id", true, "a short name such as \"CMD-01\""),
    ("title", true, "a few plain words"),
    ("class", true, "threat, anomaly, compliance or health"),
    ("attack", false, "ATT&CK technique ids"),
    ("on", true, "the kind of row, such as \"smb_files\""),
    (
        "device",
        false,
        "which device it is about: orig, resp, or sensor",
    ),
    ("when", true, "the condition"),
    (
        "rate_prior",
        false,
        "innocent firings per 1,000 device-weeks",
    ),
    ("rate_weight", false, "how many events the prior is worth"),
    ("family", false, "the continuous family it calibrates with"),
    ("priority", false, "0 to 100, class health only"),
    ("impact", true, "1 to 5"),
    (
        "response",
        true,
        "the least worth offering: record, notify, ask or reset",
    ),
    ("rarity_text", true, "the sentence of the first term"),
    ("owner", true, "the sentence for the owner"),
    ("engineer", true, "the sentence for the engineer"),
    ("description", true, "what it is about and what to do"),
    ("defeat", false, "counter-evidence"),
    ("test", true, "one each of breach, no_breach and near_miss"),
];

const DEFEAT_KEYS: &[Key] = &[
    ("name", true, "a few words"),
    ("when", true, "the condition"),
    (
        "rate_times",
        true,
        "how much more often the innocent do it then; at least 1",
    ),
    ("text", true, "the sentence of the term"),
];

/// What people look for in a model and must not find.
const MISPLACED: &[(&str, &str)] = &[(
    "score",
    "a model never contains a score: it follows from rate_prior or family, and impact",
)];

/// Reads one file. Mistakes stay with the reader; the model is there only if there are none.
pub(super) fn read(reader: &mut Reader<'_>, schema: &Schema) -> Option<(Model, usize)> {
    let root = reader.root("a model file", FILE_BYTES_MAX)?;
    let table = root.get_ref();
    reader.misplaced = MISPLACED;
    reader.keys(table, MODEL_KEYS, 0);
    let model = read_model(reader, table, schema);
    let at = table.get("id").map_or(0, |id| id.span().start);
    model
        .filter(|_| reader.errors.is_empty())
        .map(|model| (model, at))
}

/// Reads every key before giving up on one, so that all mistakes are told.
fn read_model(reader: &mut Reader<'_>, table: &DeTable<'_>, schema: &Schema) -> Option<Model> {
    let id = reader
        .string(table, "id")
        .and_then(|id| check_id(reader, &id));
    let title = plain(reader, table, "title", TITLE_CHARS_MAX);
    let class = reader.word(table, "class", CLASSES);
    let attack = read_attack(reader, table);
    let scope = read_scope(reader, table, schema);
    let calibration = class.and_then(|class| read_calibration(reader, table, class));
    let device = read_device(reader, table, class);
    let impact = reader.small(table, "impact", 1..=5);
    let response = reader.word(table, "response", RESPONSES);
    let description = plain(reader, table, "description", usize::MAX);
    // Without its kind no name in a condition can be judged.
    let scope = scope?;
    let when = condition(reader, table, &scope);
    let rarity_text = template(reader, table, "rarity_text", &scope);
    let owner = template(reader, table, "owner", &scope);
    let engineer = template(reader, table, "engineer", &scope);
    let defeats = read_defeats(reader, table, &scope);
    let ceiling = impact.filter(|_| class != Some(Class::Health)).map(cap);
    let tests = read_tests(reader, table, &scope, ceiling);
    Some(Model {
        id: id?,
        title: title?,
        class: class?,
        attack,
        on: scope.kind,
        device: device?,
        when: when?,
        calibration: calibration?,
        impact: impact?,
        defeats,
        rarity_text: rarity_text?,
        response: response?,
        owner: owner?,
        engineer: engineer?,
        description: description?,
        tests,
        path: String::new(),
    })
}

fn check_id(reader: &mut Reader<'_>, id: &Str<'_>) -> Option<String> {
    let sound = id.text.len() <= ID_LEN_MAX
        && id.text.starts_with(|c: char| c.is_ascii_uppercase())
        && id.text.contains('-')
        && id
            .text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    if !sound {
        let found = id.text.escape_debug();
        let message =
            format!("an id is capitals, digits and a dash, such as \"CMD-01\"; found \"{found}\"");
        reader.error(id.span.start, message);
    }
    sound.then(|| id.text.to_owned())
}

/// A text that is not empty and not too long.
fn plain(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
    chars_max: usize,
) -> Option<String> {
    let found = reader.string(table, key)?;
    let text = found.text.trim();
    if text.is_empty() || text.chars().count() > chars_max {
        let most = if chars_max == usize::MAX {
            String::new()
        } else {
            format!(" of at most {chars_max} characters")
        };
        reader.error(
            found.span.start,
            format!("{key} must be a text{most}, not an empty one"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn read_attack(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Vec<String> {
    let found = reader.strings(table, "attack");
    for id in &found {
        if !is_technique(id.text) {
            let text = id.text.escape_debug();
            let message = format!("a technique is written T1234 or T1234.001; found \"{text}\"");
            reader.error(id.span.start, message);
        }
    }
    found.into_iter().map(|id| id.text.to_owned()).collect()
}

fn is_technique(id: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    id.strip_prefix('T')
        .is_some_and(|rest| match rest.split_once('.') {
            Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
            None => digits(rest, 4),
        })
}

fn read_scope(reader: &mut Reader<'_>, table: &DeTable<'_>, schema: &Schema) -> Option<Scope> {
    let on = reader.string(table, "on")?;
    let scope = schema.scope(on.text);
    if scope.is_none() {
        let kinds: Vec<&str> = schema.kinds().map(|(kind, _)| kind).collect();
        let hint = did_you_mean(on.text, kinds.iter().copied());
        let (found, all) = (on.text.escape_debug(), kinds.join(", "));
        reader.error(
            on.span.start,
            format!("unknown kind \"{found}\"{hint} (there are: {all})"),
        );
    }
    scope
}

fn read_device(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    class: Option<Class>,
) -> Option<DeviceRole> {
    let health = class == Some(Class::Health);
    let Some(value) = table.get("device") else {
        return Some(if health {
            DeviceRole::Sensor
        } else {
            DeviceRole::Orig
        });
    };
    let role = reader.word(table, "device", DEVICES)?;
    if class.is_some() && health != (role == DeviceRole::Sensor) {
        reader.error(
            value.span().start,
            "class health is about the sensor, every other about orig or resp",
        );
    }
    Some(role)
}

/// Exactly one of rate, family and priority, as the class wants it.
fn read_calibration(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    class: Class,
) -> Option<Calibration> {
    let place = |key: &str| table.get(key).map(|value| value.span().start);
    if class == Class::Health {
        for key in ["rate_prior", "rate_weight", "family"] {
            if let Some(at) = place(key) {
                reader.error(at, format!("class health has a priority and no {key}"));
            }
        }
        if place("priority").is_none() {
            reader.error(
                0,
                "missing key \"priority\": 0 to 100, which class health has instead of a rate",
            );
        }
        let priority = reader.small(table, "priority", 0..=100)?;
        return Some(Calibration::Priority { priority });
    }
    if let Some(at) = place("priority") {
        reader.error(
            at,
            "only class health has a priority; the others have rate_prior or family",
        );
    }
    let prior = positive(reader, table, "rate_prior");
    let weight = positive(reader, table, "rate_weight");
    let family = plain(reader, table, "family", ID_LEN_MAX);
    match (place("rate_prior"), place("family")) {
        (Some(_), Some(at)) => {
            reader.error(at, "rate_prior and family exclude each other");
            None
        }
        (None, None) => {
            let wanted = "innocent firings per 1,000 device-weeks; or \"family\"";
            reader.error(0, format!("missing key \"rate_prior\": {wanted}"));
            None
        }
        (None, Some(_)) => {
            if let Some(at) = place("rate_weight") {
                reader.error(at, "rate_weight belongs to rate_prior");
            }
            family.map(|name| Calibration::Family { name })
        }
        (Some(_), None) => Some(Calibration::Rate {
            prior: prior?,
            weight: if place("rate_weight").is_some() {
                weight?
            } else {
                1.0
            },
        }),
    }
}

/// A finite number above 0.
fn positive(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str) -> Option<f64> {
    let (number, at) = reader.number(table, key)?;
    let sound = number.is_finite() && number > 0.0;
    if !sound {
        reader.error(
            at,
            format!("{key} must be above 0 and finite; found {number}"),
        );
    }
    sound.then_some(number)
}

fn condition(reader: &mut Reader<'_>, table: &DeTable<'_>, scope: &Scope) -> Option<Condition> {
    let source = reader.string(table, "when")?;
    Condition::compile(source.text, scope)
        .map_err(|faults| reader.faults(&source, faults))
        .ok()
}

fn template(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
    scope: &Scope,
) -> Option<Template> {
    let source = reader.string(table, key)?;
    Template::compile(source.text, scope)
        .map_err(|faults| reader.faults(&source, faults))
        .ok()
}

fn read_defeats(reader: &mut Reader<'_>, table: &DeTable<'_>, scope: &Scope) -> Vec<Defeat> {
    let mut defeats: Vec<Defeat> = Vec::new();
    for (defeat, at) in reader.tables(table, "defeat") {
        reader.keys(defeat, DEFEAT_KEYS, at);
        let name = plain(reader, defeat, "name", TITLE_CHARS_MAX);
        let when = condition(reader, defeat, scope);
        let rate_times = reader
            .number(defeat, "rate_times")
            .and_then(|(number, at)| {
                let sound = number.is_finite() && number >= 1.0;
                if !sound {
                    reader.error(at, format!("rate_times must be at least 1; found {number}"));
                }
                sound.then_some(number)
            });
        let text = template(reader, defeat, "text", scope);
        if let (Some(name), Some(when), Some(rate_times), Some(text)) =
            (name, when, rate_times, text)
        {
            if defeats.iter().any(|other| other.name == name) {
                reader.error(at, format!("a defeat \"{name}\" is already there"));
            }
            defeats.push(Defeat {
                name,
                when,
                rate_times,
                text,
            });
        }
    }
    defeats
}

/// All tests; one of each kind must be there.
fn read_tests(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    scope: &Scope,
    cap: Option<u8>,
) -> Vec<Trial> {
    let tables = reader.tables(table, "test");
    if tables.is_empty() {
        return Vec::new();
    }
    let count = tables.len();
    let tests: Vec<Trial> = tables
        .into_iter()
        .filter_map(|(test, at)| trial::read(reader, test, at, scope, cap))
        .collect();
    for (word, expect) in EXPECTATIONS {
        if tests.len() == count && !tests.iter().any(|test| test.expect == *expect) {
            let first = table.get("test").map_or(0, |value| value.span().start);
            reader.error(
                first,
                format!("no [[test]] has expect = \"{word}\"; each kind is needed"),
            );
        }
    }
    tests
}

/// The mistake of an id that another file has.
pub(super) fn id_taken(path: &str, text: &str, at: usize, id: &str, other: &str) -> ModelError {
    ModelError::at(
        path,
        text,
        at,
        format!("id \"{id}\" is already used by {other}"),
    )
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
