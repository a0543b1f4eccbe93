//! Conditions over a hand-made kind: what they say, what is refused, what absence does.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::model::schema::{Common, Row, Schema};
use crate::types::{FieldInfo, Text, Timestamp};

const fn field(name: &'static str, field_type: FieldType) -> FieldInfo {
    FieldInfo {
        name,
        field_type,
        doc: "",
    }
}

const FIELDS: &[FieldInfo] = &[
    field("name", FieldType::Str),
    field("size", FieldType::Int),
    field("ratio", FieldType::Num),
    field("home", FieldType::Bool),
    field("period", FieldType::Interval),
    field("seen", FieldType::Time),
    field("answers", FieldType::StrList),
    field("addrs", FieldType::AddrList),
    field("gone", FieldType::Int),
    field("lost", FieldType::Str),
    field("zero", FieldType::Int),
];

struct Sample {
    answers: Vec<Text>,
    addrs: Vec<IpAddr>,
}

impl Row for Sample {
    fn field(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::Str("Finance\\Passwords.XLS"),
            1 => Value::Int(4_096),
            2 => Value::Num(0.25),
            3 => Value::Bool(true),
            4 => Value::Interval(Interval(90_000_000_000)),
            5 => Value::Time(Timestamp::from_secs(100)),
            6 => Value::StrList(&self.answers),
            7 => Value::AddrList(&self.addrs),
            10 => Value::Int(0),
            _ => Value::None,
        }
    }

    fn common(&self, common: Common) -> Value<'_> {
        match common {
            Common::OrigH => Value::Addr(IpAddr::from([10, 0, 0, 5])),
            Common::RespP => Value::Int(445),
            _ => Value::None,
        }
    }
}

fn sample() -> Sample {
    Sample {
        answers: vec!["a.example".into(), "10.1.1.1".into()],
        addrs: vec![IpAddr::from([192, 0, 2, 1])],
    }
}

fn compile(text: &str) -> Result<Condition, Vec<Fault>> {
    let schema = Schema::new(&[("sample", FIELDS)]);
    Condition::compile(text, &schema.scope("sample").unwrap())
}

fn truth(text: &str) -> Option<bool> {
    compile(text)
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
        .test
        .truth(&sample())
}

#[test]
fn conditions_say_what_they_seem_to_say() {
    for (text, expected) in [
        ("size > 4KB and size <= 4KiB", true),
        ("size == 4096.0", true),
        ("ratio * 4 == 1", true),
        ("size / 8192 == 0.5", true),
        ("-size < 0", true),
        ("home", true),
        ("not home", false),
        ("home == (size > 0)", true),
        ("name == 'finance\\passwords.xls'", false),
        ("lower(name) == 'finance\\passwords.xls'", true),
        ("basename(name) == 'Passwords.XLS'", true),
        ("lower(basename(name)) starts_with 'pass'", true),
        ("name like ['*.kdbx', '*passw*']", true),
        ("name contains 'Pass'", true),
        ("name contains ['x', 'y']", false),
        ("name ends_with ['.doc', '.XLS']", true),
        ("len(name) == 21", true),
        ("len(answers) == 2", true),
        ("name not in ['a', 'b']", true),
        ("resp_p in [139, 445]", true),
        ("period >= 1m and period < 1.6m", true),
        ("period in [90s]", true),
        (
            "period * 2 == 3m and period / 2 == 45s and period / 1m == 1.5",
            true,
        ),
        ("seen - seen == 0s and seen + 1s > seen", true),
        ("orig_h in 10.0.0.0/8", true),
        ("orig_h in [192.168.0.0/16, 10.0.0.5]", true),
        ("orig_h == ::ffff:10.0.0.5", true),
        ("orig_h != 10.0.0.6", true),
        ("'a.example' in answers", true),
        ("answers contains 'example'", false),
        ("answers contains 'a.example'", true),
        ("answers like '*.EXAMPLE'", true),
        ("addrs in 192.0.2.0/24", true),
        ("192.0.2.1 in addrs and addrs contains 192.0.2.1", true),
        ("exists(name) and not exists(gone)", true),
    ] {
        assert_eq!(truth(text), Some(expected), "{text}");
    }
}

#[test]
fn absence_is_unknown_and_never_holds() {
    for text in [
        "gone == 1",
        "gone != 1",
        "not gone == 1",
        "not (gone > 1)",
        "gone in [1, 2]",
        "gone not in [1, 2]",
        "lost like '*'",
        "not lost like '*'",
        "len(lost) >= 0",
        "resp_home",
        "not resp_home",
        "gone + 1 > 0",
        "size / zero > 0",
        "gone == 1 and home",
        "gone == 1 or not home",
        "not (gone == 1 and home)",
        "peer == peer",
    ] {
        assert_eq!(truth(text), None, "{text}");
        assert!(!compile(text).unwrap().eval(&sample()), "{text}");
    }
    for (text, expected) in [
        ("gone == 1 and not home", false),
        ("gone == 1 or home", true),
        ("size in [1, gone, 4096]", true),
    ] {
        assert_eq!(truth(text), Some(expected), "{text}");
    }
}

#[test]
fn arithmetic_stops_at_the_ends() {
    let max = i64::MAX / 1_000_000_000_000;
    assert_eq!(truth(&format!("{max}TB * size * size > 0")), Some(true));
    assert_eq!(truth(&format!("-{max}TB * size * size < 0")), Some(true));
    assert_eq!(truth("period * size * size * size * size > 0s"), Some(true));
    assert_eq!(truth("0 / 0 == 0 / 0"), None);
}

#[test]
fn mistakes_name_what_was_found_and_what_would_be_right() {
    for (text, at, told) in [
        (
            "nmae == 'x'",
            0,
            "unknown field \"nmae\" of sample; did you mean \"name\"?",
        ),
        ("id.orig_h in 10.0.0.0/8", 0, "did you mean \"orig_h\"?"),
        (
            "ratio > 'x'",
            0,
            "\"ratio > 'x'\": cannot compare num with str",
        ),
        (
            "home and ratio > 'x'",
            9,
            "\"ratio > 'x'\": cannot compare num with str",
        ),
        (
            "period > 10",
            0,
            "cannot compare interval with int; write a length of time",
        ),
        (
            "orig_h == 10.0.0.0/8",
            0,
            "cannot compare addr with address block; use in",
        ),
        ("name < 'b'", 0, "only == and != compare texts"),
        ("size", 0, "expected a condition, found int"),
        ("size and home", 0, "expected a condition, found int"),
        ("not name", 4, "expected a condition, found str"),
        ("name + 1 > 2", 0, "cannot add str and int"),
        ("-name == 1", 0, "cannot negate str"),
        (
            "answers == 'a'",
            0,
            "cannot compare list of str with str; use contains",
        ),
        ("answers in ['a']", 0, "use contains or like"),
        ("size in ['a']", 0, "int cannot be in a list with str"),
        ("size in []", 0, "empty list"),
        ("size in name", 0, "int cannot be in str"),
        ("size like '*'", 0, "like needs str on its left, found int"),
        ("name like lost", 0, "needs a text in quotes"),
        ("name like []", 0, "found an empty list"),
        ("lower(size) == 'a'", 6, "lower takes str, found int"),
        ("len(size) == 1", 4, "len takes str or a list"),
        ("lowr(name) == 'a'", 0, "did you mean \"lower\"?"),
        ("exists(1)", 7, "exists takes the name of a field"),
        ("exists(nam)", 7, "did you mean \"name\"?"),
        ("lower(name) == 'A'", 0, "no capitals"),
        ("[1] == 1", 0, "a list stands only to the right"),
    ] {
        let faults = compile(text).map(|_| ()).unwrap_err();
        assert_eq!(faults[0].at, at, "{text}: {faults:?}");
        assert!(faults[0].message.contains(told), "{text}: {faults:?}");
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
    }
    let both = compile("nmae == 'x' or sise > 3").map(|_| ()).unwrap_err();
    assert_eq!(
        both.iter().map(|fault| fault.at).collect::<Vec<_>>(),
        [0, 15]
    );
}

proptest! {
    #[test]
    fn random_conditions_are_compiled_or_refused_and_evaluate_without_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "name", "size", "ratio", "home", "period", "seen", "answers", "addrs", "gone", "not",
                "and", "or", "in", "like", "contains", "==", "!=", "<", ">=", "(", ")", "[", "]", ",",
                "-", "*", "/", "+", "1", "2.5", "3MB", "5s", "'x'", "10.0.0.0/8", "10.0.0.1", "true",
                "len(", "exists(", "lower(", "orig_h", "zero",
            ]),
            1..12,
        ),
    ) {
        if let Ok(condition) = compile(&words.join(" ")) {
            std::hint::black_box(condition.eval(&sample()));
        }
    }
}
