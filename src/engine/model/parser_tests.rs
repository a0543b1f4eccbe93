//! Binding, bounds and messages by hand; printing and random text as properties.

use proptest::prelude::*;

use super::*;

/// Prints a tree with every bracket there can be.
fn print(expr: &Expr) -> String {
    let all = |items: &[Expr], glue: &str| {
        let texts: Vec<String> = items
            .iter()
            .map(|item| format!("({})", print(item)))
            .collect();
        texts.join(glue)
    };
    match &expr.kind {
        ExprKind::Bool(v) => v.to_string(),
        ExprKind::Int(v) => v.to_string(),
        ExprKind::Num(v) => format!("{v:?}"),
        ExprKind::Interval(v) => format!("{v}ns"),
        ExprKind::Str(v) => format!("'{v}'"),
        ExprKind::Addr(v) => v.to_string(),
        ExprKind::Net(v) => v.to_string(),
        ExprKind::Name(v) => v.clone(),
        ExprKind::List(items) => {
            format!(
                "[{}]",
                items.iter().map(print).collect::<Vec<_>>().join(", ")
            )
        }
        ExprKind::Call(name, inner) => format!("{name}({})", print(inner)),
        ExprKind::Not(inner) => format!("not ({})", print(inner)),
        ExprKind::Negative(inner) => format!("-({})", print(inner)),
        ExprKind::And(items) => all(items, " and "),
        ExprKind::Or(items) => all(items, " or "),
        ExprKind::Binary(operator, left, right) => {
            format!(
                "({}) {} ({})",
                print(left),
                operator.spelling(),
                print(right)
            )
        }
    }
}

/// The shape of a text: all brackets written out.
fn shape(text: &str) -> String {
    print(&parse(text).unwrap())
}

#[test]
fn operators_bind_as_documented() {
    for (text, expected) in [
        ("a or b and c", "(a) or ((b) and (c))"),
        ("a and b and c or d", "((a) and (b) and (c)) or (d)"),
        ("not a == 1 and b", "(not ((a) == (1))) and (b)"),
        ("a + b * -c > 2", "((a) + ((b) * (-(c)))) > (2)"),
        ("a - b - c", "((a) - (b)) - (c)"),
        ("a not in [1, 2,]", "not ((a) in ([1, 2]))"),
        (
            "name like '*x*' or len(name) > 3",
            "((name) like ('*x*')) or ((len(name)) > (3))",
        ),
        ("orig_h in 10.0.0.0/8", "(orig_h) in (10.0.0.0/8)"),
        ("a / 8 == 1", "((a) / (8)) == (1)"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, at, told) in [
        ("", 0, "expected a field or a value, found the end"),
        ("a ==", 4, "found the end"),
        ("a == == b", 5, "found \"==\""),
        ("a < b < c", 6, "do not chain"),
        ("(a", 2, "expected \")\", found the end"),
        ("a b", 2, "expected an operator or the end, found \"b\""),
        ("[1, 2", 5, "expected \"]\""),
        ("and", 0, "found \"and\""),
        ("len(a, b)", 5, "expected \")\""),
    ] {
        let fault = parse(text).unwrap_err();
        assert_eq!(fault.at, at, "{text}: {fault}");
        assert!(fault.message.contains(told), "{text}: {fault}");
    }
}

#[test]
fn nesting_and_length_are_bounded() {
    for deep in [
        format!("{}a{}", "(".repeat(40), ")".repeat(40)),
        format!("{}a", "not ".repeat(40)),
        format!("{}a", "- ".repeat(40)),
        format!("a{}", " + a".repeat(40)),
        "[".repeat(2_000),
        "len(".repeat(900),
    ] {
        let fault = parse(&deep).unwrap_err();
        assert!(fault.message.contains("deeper than 32"), "{fault}");
    }
    assert!(parse(&format!("a{}", " and a".repeat(600))).is_ok());
    let long = parse(&"a ".repeat(3_000)).unwrap_err();
    assert!(long.message.contains("4096"), "{long}");
}

/// A tree without positions, as `parse` would build it from its print.
fn tree() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(ExprKind::Bool),
        (0..i64::MAX / 10).prop_map(ExprKind::Int),
        (0_u32..1_000_000).prop_map(|n| ExprKind::Num(f64::from(n) / 64.0)),
        (0..i64::MAX / 10).prop_map(ExprKind::Interval),
        "[a-z*?\" ]{0,8}".prop_map(ExprKind::Str),
        any::<u32>().prop_map(|n| ExprKind::Addr(IpAddr::from(n.to_be_bytes()))),
        any::<u128>().prop_map(|n| ExprKind::Addr(IpAddr::from(n.to_be_bytes()))),
        "f[a-z_.]{1,6}".prop_map(ExprKind::Name),
    ]
    .prop_map(node);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some.clone().prop_map(ExprKind::And),
            some.clone().prop_map(ExprKind::Or),
            some.prop_map(ExprKind::List),
            ("f[a-z]{2}", inner.clone()).prop_map(|(name, e)| ExprKind::Call(name, Box::new(e))),
            inner.clone().prop_map(|e| ExprKind::Not(Box::new(e))),
            inner.clone().prop_map(|e| ExprKind::Negative(Box::new(e))),
            (0..OPERATORS.len(), inner.clone(), inner).prop_map(|(n, l, r)| {
                ExprKind::Binary(OPERATORS[n].0, Box::new(l), Box::new(r))
            }),
        ]
        .prop_map(node)
    })
}

fn node(kind: ExprKind) -> Expr {
    Expr {
        kind,
        start: 0,
        end: 0,
        depth: 0,
    }
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(expr in tree()) {
        let printed = print(&expr);
        if printed.len() <= CONDITION_BYTES_MAX {
            let parsed = parse(&printed);
            prop_assert!(parsed.is_ok(), "{printed}: {parsed:?}");
            prop_assert_eq!(print(&parsed.unwrap()), printed);
        }
    }

    #[test]
    fn random_text_never_panics(text in "\\PC{0,80}") {
        if let Err(fault) = parse(&text) {
            prop_assert!(text.is_char_boundary(fault.at));
        }
    }

    #[test]
    fn random_words_never_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "a", "not", "and", "or", "in", "like", "==", "<", "(", ")", "[", "]", ",", "-", "*",
                "1", "2.5", "3MB", "5s", "'x'", "10.0.0.0/8", "::", "len(", "exists(", "ü", "\n", "#",
            ]),
            0..40,
        ),
    ) {
        let text = words.join(" ");
        if let Err(fault) = parse(&text) {
            prop_assert!(text.is_char_boundary(fault.at));
        }
    }
}
