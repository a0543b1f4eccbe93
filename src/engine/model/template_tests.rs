//! Sentences worked out by hand, mistakes with their places, hostile values.

use proptest::prelude::*;

use super::*;
use crate::model::schema::{Common, Schema};
use crate::types::{FieldInfo, Interval};

const fn field(name: &'static str, field_type: FieldType) -> FieldInfo {
    FieldInfo {
        name,
        field_type,
        doc: "",
    }
}

const FIELDS: &[FieldInfo] = &[
    field("name", FieldType::Str),
    field("bytes", FieldType::Int),
    field("share", FieldType::Num),
    field("period", FieldType::Interval),
    field("gone", FieldType::Str),
];

struct Sample<'a>(&'a str, i64, f64, i64);

impl Row for Sample<'_> {
    fn field(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::Str(self.0),
            1 => Value::Int(self.1),
            2 => Value::Num(self.2),
            3 => Value::Interval(Interval(self.3)),
            _ => Value::None,
        }
    }

    fn common(&self, common: Common) -> Value<'_> {
        match common {
            Common::Workday => Value::Bool(true),
            Common::OrigH => Value::Addr([10, 0, 0, 5].into()),
            _ => Value::None,
        }
    }
}

fn compile(text: &str) -> Result<Template, Vec<Fault>> {
    Template::compile(
        text,
        &Schema::new(&[("sample", FIELDS)]).scope("sample").unwrap(),
    )
}

fn render(text: &str, row: &Sample<'_>) -> String {
    compile(text)
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
        .render(row)
}

#[test]
fn sentences_read_like_sentences() {
    let row = Sample("finance\\passwords.xls", 26_214_400, 0.043, 17_000_000_000);
    for (text, expected) in [
        (
            "{name:basename} in {name}",
            "passwords.xls in finance\\passwords.xls",
        ),
        ("{bytes} are {bytes:bytes}", "26214400 are 26.2 MB"),
        ("jitter {share:percent}, {share}", "jitter 4.3 %, 0.043"),
        ("each {period}", "each 17 s"),
        ("{gone or 'nobody }'}; {gone}", "nobody }; unknown"),
        ("{workday} {orig_h} {{x}}", "yes 10.0.0.5 {x}"),
        ("{ share : percent }", "4.3 %"),
    ] {
        assert_eq!(render(text, &row), expected, "{text}");
    }
}

#[test]
fn numbers_have_the_unit_a_person_would_choose() {
    for (bytes, expected) in [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 KB"),
        (999_999, "1 MB"),
        (1_500_000_000, "1.5 GB"),
        (-2_000, "-2 KB"),
        (i64::MAX, "9223372 TB"),
    ] {
        assert_eq!(
            render("{bytes:bytes}", &Sample("", bytes, 0.0, 0)),
            expected,
            "{bytes}"
        );
    }
    for (ns, expected) in [
        (0, "0 s"),
        (1_500, "1.5 µs"),
        (250_000_000, "250 ms"),
        (90_000_000_000, "90 s"),
        (1_020_000_000_000, "17 min"),
        (10_800_000_000_000, "3 h"),
        (1_209_600_000_000_000, "14 days"),
    ] {
        assert_eq!(
            render("{period}", &Sample("", 0, 0.0, ns)),
            expected,
            "{ns}"
        );
    }
    for (share, expected) in [
        (0.0, "0 %"),
        (0.000_03, "0.003 %"),
        (1.0, "100 %"),
        (-1e-9, "0 %"),
    ] {
        assert_eq!(
            render("{share:percent}", &Sample("", 0, share, 0)),
            expected,
            "{share}"
        );
    }
}

#[test]
fn values_from_the_wire_are_raw_and_bounded() {
    let long = "ü".repeat(5_000);
    let shown = render("<{name}>", &Sample(&long, 0, 0.0, 0));
    assert_eq!(shown.chars().count(), 2 + VALUE_CHARS_MAX);
    assert!(shown.ends_with("ü…>"));
    let exact = "x".repeat(VALUE_CHARS_MAX);
    assert_eq!(render("{name}", &Sample(&exact, 0, 0.0, 0)), exact);
    assert_eq!(
        render("{name}", &Sample("{bytes}\u{1b}[31m", 0, 0.0, 0)),
        "{bytes}\u{1b}[31m"
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, at, told) in [
        ("a {nmae} b", 3, "did you mean \"name\"?"),
        ("a {bytes:byts}", 9, "did you mean \"bytes\"?"),
        ("a {name:bytes}", 8, "str cannot be written as bytes"),
        ("a {name", 2, "has no \"}\""),
        ("a } b", 2, "a lone \"}\""),
        ("a {name or x}", 11, "a text in quotes"),
        ("  ", 0, "an empty sentence"),
    ] {
        let faults = compile(text).map(|_| ()).unwrap_err();
        assert_eq!(faults[0].at, at, "{text}: {faults:?}");
        assert!(faults[0].message.contains(told), "{text}: {faults:?}");
    }
    assert!(compile(&"x".repeat(2_000)).is_err());
    assert!(compile(&"{name}".repeat(33)).is_err());
}

proptest! {
    #[test]
    fn random_templates_and_values_never_panic(
        text in "[a-z{}: '\"ü]{0,40}|\\PC{0,40}|(\\{name\\}|\\{bytes:bytes\\}|\\{share\\}|\\{period\\}){0,3}",
        name in "\\PC{0,300}", bytes in any::<i64>(), share in any::<f64>(), ns in any::<i64>(),
    ) {
        if let Ok(template) = compile(&text) {
            std::hint::black_box(template.render(&Sample(&name, bytes, share, ns)));
        }
    }
}
