//! Files that must load, and every way a file can be wrong, with its place.

use proptest::prelude::*;

use super::*;
use crate::model::{Calibration, DeviceRole, LeastResponse, Models, Source};
use crate::types::{FieldInfo, FieldType};

const FIELDS: &[FieldInfo] = &[
    FieldInfo {
        name: "name",
        field_type: FieldType::Str,
        doc: "",
    },
    FieldInfo {
        name: "size",
        field_type: FieldType::Int,
        doc: "",
    },
];

/// A model with nothing wrong.
const GOOD: &str = r#"id = "EXP-09"
title = "A file"
class = "threat"
attack = ["T1552.001"]
on = "smb_files"
when = '''
size > 0
and name like "*.kdbx"'''
rate_prior = 12
impact = 3
response = "notify"
rarity_text = "{name}"
owner = "{device} opened {name}."
engineer = "{name} ({size:bytes})"
description = "A file."
[[defeat]]
name = "small"
when = "size < 10"
rate_times = 2
text = "It is small."
[[test]]
expect = "breach"
band = [45, 70]
row = { name = "a.kdbx", size = "3KB", device = "pc" }
defeats = []
[[test]]
expect = "no_breach"
row = { name = "a.doc", size = 3 }
[[test]]
expect = "near_miss"
row = { name = "a.kdbx", size = 0 }
"#;

fn load(files: &[(&str, &str)]) -> Result<Models, Vec<String>> {
    let schema = Schema::new(&[("smb_files", FIELDS), ("dns", &[])]);
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(path, text)| Source { path, text })
        .collect();
    let told = |errors: Vec<ModelError>| errors.iter().map(ToString::to_string).collect();
    Models::load(&sources, &schema).map_err(told)
}

/// The mistakes after replacing `from` by `to` in the good file.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    load(&[("m.toml", &GOOD.replacen(from, to, 1))])
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn a_good_file_loads_whole() {
    let models = load(&[("m.toml", GOOD)]).unwrap();
    let model = models.find("EXP-09").unwrap();
    assert_eq!(models.on("smb_files").len(), 1);
    assert!(models.on("dns").is_empty() && models.on("none").is_empty());
    assert_eq!(models.get(models.on("smb_files")[0]).unwrap().id, "EXP-09");
    assert_eq!(
        model.calibration,
        Calibration::Rate {
            prior: 12.0,
            weight: 1.0
        }
    );
    assert_eq!(
        (model.device, model.response),
        (DeviceRole::Orig, LeastResponse::Notify)
    );
    assert_eq!((model.impact, model.cap(), model.priority()), (3, 79, None));
    assert_eq!(model.check_tests(), [""; 0]);
    assert_eq!(model.tests[0].line, 21);
}

#[test]
fn mistakes_point_into_the_expression() {
    // Line 7 is the first of the multi-line condition; the name stands at its column 5 of line 8.
    assert_eq!(
        mistakes("and name", "and nmae"),
        ["m.toml:8:5: unknown field \"nmae\" of smb_files; did you mean \"name\"?"]
    );
    let told = mistakes("size > 0", "size > 'x'");
    assert_eq!(
        told,
        ["m.toml:7:1: \"size > 'x'\": cannot compare int with str"]
    );
    let told = mistakes(
        "\"{device} opened {name}.\"",
        r#""{device} \"opened\" {nam}.""#,
    );
    assert_eq!(
        told,
        ["m.toml:13:31: unknown field \"nam\" of smb_files; did you mean \"name\"?"]
    );
    let told = mistakes("when = \"size < 10\"", "when = 'size < 10m'");
    assert!(
        told[0].starts_with("m.toml:18:9: ") && told[0].contains("cannot compare int"),
        "{told:?}"
    );
}

/// What is replaced by what, and what is told where.
const WRONG: &[(&str, &str, &str, &str)] = &[
    (
        "title =",
        "tittle =",
        "m.toml:2:1:",
        "unknown key \"tittle\"; did you mean \"title\"?",
    ),
    (
        "impact = 3",
        "impact = 3\nscore = 80",
        "m.toml:11:1:",
        "never contains a score",
    ),
    (
        "impact = 3",
        "impact = 6",
        "m.toml:10:10:",
        "from 1 to 5; found 6",
    ),
    (
        "impact = 3",
        "impact = 'high'",
        "m.toml:10:10:",
        "found string",
    ),
    (
        "rate_prior = 12",
        "rate_prior = 0",
        "m.toml:9:14:",
        "above 0",
    ),
    (
        "rate_prior = 12",
        "rate_prior = inf",
        "m.toml:9:14:",
        "finite",
    ),
    (
        "rate_prior = 12",
        "rate_prior = '1'",
        "m.toml:9:14:",
        "must be a number; found string",
    ),
    (
        "rate_prior = 12",
        "",
        "m.toml:1:1:",
        "missing key \"rate_prior\"",
    ),
    (
        "rate_prior = 12",
        "rate_prior = 12\nfamily = 'f'",
        "m.toml:10:10:",
        "exclude each other",
    ),
    (
        "rate_prior = 12",
        "rate_prior = 12\npriority = 5",
        "m.toml:10:12:",
        "only class health",
    ),
    (
        "rate_prior = 12",
        "family = 'f'\nrate_weight = 2",
        "m.toml:10:15:",
        "belongs to rate_prior",
    ),
    (
        "\"threat\"",
        "\"thread\"",
        "m.toml:3:9:",
        "class is one of threat, anomaly",
    ),
    (
        "\"threat\"",
        "\"health\"",
        "m.toml:9:14:",
        "has a priority and no rate_prior",
    ),
    (
        "T1552.001",
        "T1552.1",
        "m.toml:4:11:",
        "written T1234 or T1234.001",
    ),
    ("EXP-09", "exp 9", "m.toml:1:6:", "such as \"CMD-01\""),
    (
        "\"smb_files\"",
        "\"smb_file\"",
        "m.toml:5:6:",
        "did you mean \"smb_files\"?",
    ),
    (
        "\"notify\"",
        "\"kill\"",
        "m.toml:11:12:",
        "record, notify, ask, reset",
    ),
    (
        "\"A file.\"",
        "\" \"",
        "m.toml:15:15:",
        "description must be a text",
    ),
    (
        "rate_times = 2",
        "rate_times = 0.5",
        "m.toml:19:14:",
        "at least 1",
    ),
    ("[45, 70]", "[70, 45]", "m.toml:23:8:", "70 is above 45"),
    (
        "[45, 70]",
        "[80, 90]",
        "m.toml:21:1:",
        "holds the score to 79",
    ),
    (
        "[45, 70]",
        "45",
        "m.toml:23:8:",
        "band must be [lowest, highest]",
    ),
    ("band = [45, 70]", "", "m.toml:21:1:", "needs its band"),
    (
        "size = 3 }",
        "size = 'x' }",
        "m.toml:28:32:",
        "size is int; this string is none",
    ),
    (
        "size = 3 }",
        "sise = 3 }",
        "m.toml:28:25:",
        "did you mean \"size\"?",
    ),
    (
        "\"near_miss\"",
        "\"no_breach\"",
        "m.toml:21:1:",
        "expect = \"near_miss\"",
    ),
    (
        "\"near_miss\"",
        "\"never\"",
        "m.toml:30:10:",
        "breach, no_breach, near_miss",
    ),
    (
        "owner = ",
        "owner = 3 #",
        "m.toml:13:9:",
        "a text in quotes; found integer",
    ),
    ("impact = 3", "impact = = 3", "m.toml:10:10:", ""),
    (
        "impact = 3",
        "impact = 3\nimpact = 3",
        "m.toml:11:1:",
        "duplicate key",
    ),
    (
        "attack = [",
        "device = 'sensor'\nattack = [",
        "m.toml:4:10:",
        "every other about orig or resp",
    ),
];

#[test]
fn every_wrong_key_is_told() {
    for (from, to, place, told) in WRONG {
        let found = mistakes(from, to);
        let hit = found
            .iter()
            .any(|text| text.starts_with(place) && text.contains(told));
        assert!(hit, "{to}: {found:#?}");
    }
}

#[test]
fn all_mistakes_of_all_files_come_at_once_in_order() {
    let first = GOOD.replace("nmae", "").replace("impact = 3", "impact = 9");
    let second = GOOD
        .replace("EXP-09", "EXP-10")
        .replace("size > 0", "sise > 0")
        .replace("[45, 70]", "[99, 100]");
    let told = load(&[("b.toml", &second), ("a.toml", &first)])
        .map(|_| ())
        .unwrap_err();
    let places: Vec<&str> = told
        .iter()
        .map(|text| text.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        ["a.toml:10:10", "b.toml:7:1", "b.toml:21:1"],
        "{told:#?}"
    );
    let twice = load(&[("a.toml", GOOD), ("b.toml", GOOD)])
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        twice,
        ["b.toml:1:6: id \"EXP-09\" is already used by a.toml"]
    );
}

#[test]
fn health_has_a_priority_and_speaks_of_the_sensor() {
    let health = GOOD
        .replace("\"threat\"", "\"health\"")
        .replace("rate_prior = 12", "priority = 60")
        .replace("[45, 70]", "[30, 90]");
    let models = load(&[("m.toml", &health)]).unwrap();
    let model = models.iter().next().unwrap();
    assert_eq!(
        (model.priority(), model.device),
        (Some(60), DeviceRole::Sensor)
    );
    let outside = health.replace("priority = 60", "priority = 20");
    let models = load(&[("m.toml", &outside)]).unwrap();
    let told = models.iter().next().unwrap().check_tests();
    assert!(
        told[0].contains("priority 20 is outside 30 to 90"),
        "{told:?}"
    );
}

#[test]
fn tests_of_a_model_find_what_is_wrong_with_it() {
    for (from, to, told) in [
        (
            "a.kdbx\", size = \"3KB\"",
            "a.kdb\", size = \"3KB\"",
            "must breach and does not",
        ),
        ("a.doc", "b.kdbx", "this row breaches and must not"),
        ("size = 0 }", "size = 1 }", "this near miss breaches"),
        ("defeats = []", "defeats = [\"small\"]", "were expected"),
        (
            ", device = \"pc\"",
            "",
            "needs \"device\", which the row lacks",
        ),
    ] {
        let models = load(&[("m.toml", &GOOD.replacen(from, to, 1))]).unwrap();
        let found = models.iter().next().unwrap().check_tests();
        assert!(
            found.len() == 1 && found[0].contains(told),
            "{to}: {found:?}"
        );
    }
}

#[test]
fn size_and_number_are_bounded() {
    let large = format!("{GOOD}#{}", "x".repeat(70_000));
    assert!(
        load(&[("m.toml", &large)]).map(|_| ()).unwrap_err()[0].contains("at most 65536 bytes")
    );
    let texts: Vec<String> = (0..1_001)
        .map(|n| GOOD.replace("EXP-09", &format!("EXP-{n:04}")))
        .collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|text| ("m.toml", text.as_str())).collect();
    assert_eq!(load(&files[..1_000]).unwrap().len(), 1_000);
    let told = load(&files).map(|_| ()).unwrap_err();
    assert_eq!(
        told,
        ["m.toml:1:1: there are 1001 models; at most 1000 are allowed"]
    );
}

#[test]
fn nesting_without_end_is_refused() {
    for deep in [
        "k = ".to_owned() + &"[".repeat(60_000),
        "k = ".to_owned() + &"{a=".repeat(20_000),
    ] {
        assert!(load(&[("m.toml", &deep)]).is_err());
    }
    let dotted = "a.".repeat(30_000) + "a = 1";
    assert!(load(&[("m.toml", &dotted)]).is_err());
}

#[test]
fn the_hash_knows_the_texts_and_not_the_places() {
    let other = GOOD.replace("EXP-09", "ABC-01");
    let one = load(&[("a.toml", GOOD), ("b.toml", &other)]).unwrap();
    let two = load(&[("x/b.toml", &other), ("x/a.toml", GOOD)]).unwrap();
    assert_eq!(one.hash(), two.hash());
    assert_eq!(one.hash().len(), 64);
    assert_ne!(one.hash(), load(&[("a.toml", GOOD)]).unwrap().hash());
    assert_eq!(
        one.iter()
            .map(|model| model.id.as_str())
            .collect::<Vec<_>>(),
        ["ABC-01", "EXP-09"]
    );
}

proptest! {
    /// Any damage to a good file is refused or loads; positions stay inside the file.
    #[test]
    fn damaged_files_never_panic(at in 0..GOOD.len(), cut in 0_usize..40, put in "\\PC{0,6}") {
        let end = (at + cut).min(GOOD.len());
        if let (Some(head), Some(tail)) = (GOOD.get(..at), GOOD.get(end..)) {
            let told = load(&[("m.toml", &format!("{head}{put}{tail}"))]).err().unwrap_or_default();
            prop_assert!(told.iter().all(|text| text.starts_with("m.toml:")), "{told:?}");
        }
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC{0,200}") {
        prop_assert!(load(&[("m.toml", &text)]).is_err());
    }
}
