//! What policy says to cases: each limit by its sentence, and that only a covered case is acted on.

use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::tz::TimeZone;
use tapir_message::{Action, Class, Mode, Target, Verdict};

use super::*;
use crate::types::{MacAddr, Seed, Timestamp};

/// 2026-01-05, a Monday, at noon.
const NOON: i64 = 1_767_614_400;

const RULE: &str = r#"
id = "R-1"
authorised_by = "Jane"
reason = "a test"
from = 2026-01-01T00:00:00Z
until = "2026-02-01T00:00:00Z"
hold_after_start = 0
actions = ["reset_flow", "hold_pair"]
shadow_override = { name = "Jane", reason = "a test" }
"#;

fn load(text: &str) -> Result<Rule, RuleError> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let signers = [Signer {
        name: "Jane".to_owned(),
        key: key.verifying_key().to_bytes(),
    }];
    let signature = key.sign(text.as_bytes()).to_bytes();
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    Rule::load("rule.toml", text, &signature, &signers)
}

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(NOON + s)
}

fn policy_of(mode: Mode, texts: &[&str]) -> Policy {
    let settings = PolicySettings {
        mode,
        rules: texts.iter().map(|text| load(text).unwrap()).collect(),
        never: vec!["198.51.100.9".parse().unwrap()],
    };
    let saved = Saved::default();
    let mut policy = Policy::new(settings, "tapir", TimeZone::UTC, Seed(1), saved);
    policy.advance(at(0));
    policy
}

fn party(addr: &str, name: &str) -> Party {
    Party {
        addr: addr.parse().unwrap(),
        name: name.to_owned(),
        infrastructure: None,
    }
}

fn case(breach: &str, s: i64) -> Case {
    Case {
        ts: at(s),
        breach: breach.to_owned(),
        model: "CAN-01".to_owned(),
        class: Class::Threat,
        score_sure: 90,
        provisional: false,
        device: "d-1".to_owned(),
        device_name: "pc-1".to_owned(),
        device_addr: "10.0.0.5".parse().ok(),
        target: Some(Target {
            orig_h: "10.0.0.5".parse().unwrap(),
            orig_p: 50_000,
            resp_h: "203.0.113.7".parse().unwrap(),
            resp_p: 80,
            vlan: 0,
            orig_mac: MacAddr([2, 0, 0, 0, 0, 5]),
            resp_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            uid: "C".to_owned(),
        }),
        resettable: true,
        parties: vec![
            party("10.0.0.5", "pc-1"),
            party("203.0.113.7", "evil.example"),
        ],
        flows: 1,
        others: 0,
    }
}

/// What is said of one case by a fresh policy.
fn said(mode: Mode, rule: &str, case: &Case) -> (Verdict, String) {
    let (decision, order) = policy_of(mode, &[rule]).decide(case).unwrap();
    assert_eq!(order.is_some(), decision.verdict == Verdict::Act);
    (decision.verdict, decision.reason)
}

#[test]
fn each_mode_says_its_own_word() {
    let words = [
        (Mode::Shadow, Verdict::WouldAct),
        (Mode::Confirm, Verdict::Ask),
        (Mode::Autonomous, Verdict::Act),
    ];
    for (mode, verdict) in words {
        let (told, reason) = said(mode, RULE, &case("B", 1));
        assert_eq!(told, verdict);
        assert!(
            reason.contains("rule R-1 covers model CAN-01 on pc-1"),
            "{reason}"
        );
        assert!(reason.contains("waived by Jane: a test"), "{reason}");
    }
    assert_eq!(policy_of(Mode::Off, &[RULE]).decide(&case("B", 1)), None);
}

#[test]
fn an_order_is_the_decisions() {
    let mut policy = policy_of(Mode::Autonomous, &[RULE]);
    let (decision, order) = policy.decide(&case("B", 1)).unwrap();
    let order = order.unwrap();
    assert_eq!(decision.id.len(), 26);
    assert_eq!(order.decision(), decision.id);
    assert_eq!(Some(order.target()), decision.target.as_ref());
    assert_eq!(order.expires_ts(), at(601));
    assert_eq!(decision.authorised_by.as_deref(), Some("Jane"));
    assert_eq!(decision.blast.flows, 1);
    assert_eq!(policy.counts().acted, 1);
}

#[test]
fn a_breach_is_decided_once_unless_its_score_reaches_the_rule() {
    let mut policy = policy_of(Mode::Shadow, &[RULE]);
    let low = Case {
        score_sure: 79,
        ..case("B", 1)
    };
    assert_eq!(policy.decide(&low), None);
    assert!(policy.decide(&case("B", 2)).is_some());
    assert_eq!(policy.decide(&case("B", 3)), None);
    let health = Case {
        class: Class::Health,
        ..case("H", 3)
    };
    assert_eq!(policy.decide(&health), None);

    let strict = format!("score_min = 95\n{}", RULE.trim_start());
    let mut policy = policy_of(Mode::Shadow, &[&strict]);
    let (first, _) = policy.decide(&case("B", 1)).unwrap();
    assert_eq!(first.verdict, Verdict::Withheld);
    assert!(first.reason.contains("below the 95"), "{}", first.reason);
    let high = Case {
        score_sure: 96,
        ..case("B", 2)
    };
    assert_eq!(policy.decide(&high).unwrap().0.verdict, Verdict::WouldAct);
    assert_eq!(policy.decide(&high), None);
}

/// Each case is withheld under its rule, for the reason given.
fn withheld(cases: Vec<(String, Case, &str)>) {
    for (rule, case, sentence) in cases {
        let (verdict, reason) = said(Mode::Autonomous, &rule, &case);
        assert_eq!(verdict, Verdict::Withheld, "{reason}");
        assert!(reason.contains(sentence), "{reason:?} lacks {sentence:?}");
    }
}

#[test]
fn the_scope_of_a_rule_has_its_sentences() {
    let base = || case("B", 1);
    let swap = |from: &str, to: &str| RULE.replace(from, to);
    let scope = |line: &str| format!("{RULE}[scope]\n{line}\n");
    let provisional = Case {
        provisional: true,
        ..base()
    };
    withheld(vec![
        (
            swap("2026-02-01", "2026-01-05"),
            base(),
            "rule R-1 expired at 2026-01-05",
        ),
        (
            swap("from = 2026-01-01", "from = 2026-01-06"),
            base(),
            "holds from 2026-01-06",
        ),
        (
            scope("models = [\"CMD-*\"]"),
            base(),
            "does not cover model CAN-01",
        ),
        (
            scope("classes = [\"anomaly\"]"),
            base(),
            "does not cover model CAN-01",
        ),
        (
            scope("devices = [\"10.1.0.0/16\"]"),
            base(),
            "does not cover device pc-1",
        ),
        (
            scope("responders = [\"*.test\"]"),
            base(),
            "responder evil.example",
        ),
        (
            scope("hours = \"mon-fri 18:00-08:00\""),
            base(),
            "only in its hours",
        ),
        (RULE.into(), provisional, "provisional"),
        (
            format!("score_min = 91\n{}", RULE.trim_start()),
            base(),
            "90 is below the 91",
        ),
    ]);
}

#[test]
fn the_bounds_of_a_rule_have_their_sentences() {
    let base = || case("B", 1);
    let swap = |from: &str, to: &str| RULE.replace(from, to);
    let bare = swap(
        "shadow_override = { name = \"Jane\", reason = \"a test\" }\n",
        "",
    );
    let over = |flows: u32| Case {
        resettable: false,
        flows,
        ..base()
    };
    let aimless = Case {
        target: None,
        ..base()
    };
    let used = Case {
        others: 4,
        ..base()
    };
    withheld(vec![
        (RULE.into(), aimless, "no TCP connection"),
        (swap(", \"hold_pair\"", ""), over(1), "handshake"),
        (RULE.into(), used, "4 other devices"),
        (RULE.into(), over(11), "11 connections would be cut"),
        (swap("start = 0", "start = 5"), base(), "holds back for 5"),
        (
            bare,
            base(),
            "after 14 days of shadow or confirm; there were 0",
        ),
    ]);
    let (decision, _) = policy_of(Mode::Autonomous, &[]).decide(&base()).unwrap();
    assert_eq!(decision.reason, "no rule of engagement is in force");
}

#[test]
fn the_never_lists_hold_both_ends() {
    let base = || case("B", 1);
    let never = |line: &str| format!("{RULE}[never]\n{line}\n");
    let infra = |at: usize, why: &str| {
        let mut case = base();
        case.parties[at].infrastructure = Some(why.to_owned());
        case
    };
    let mut listed = base();
    listed.parties[1] = party("198.51.100.9", "siem");
    withheld(vec![
        (
            RULE.into(),
            infra(0, "is a router"),
            "never-list: it is a router",
        ),
        (
            RULE.into(),
            infra(1, "serves dns"),
            "never-list: it serves dns",
        ),
        (
            never("names = [\"EVIL*\"]"),
            base(),
            "never-list of rule R-1",
        ),
        (
            never("networks = [\"10.0.0.0/24\"]"),
            base(),
            "never-list of rule R-1",
        ),
        (RULE.into(), listed, "never-list of the configuration"),
    ]);
}

#[test]
fn the_least_possible_action_is_taken_and_a_later_rule_may_cover() {
    let over = Case {
        resettable: false,
        ..case("B", 1)
    };
    let narrow = RULE.replace("R-1", "R-0") + "[scope]\nmodels = [\"CMD-*\"]\n";
    let mut policy = policy_of(Mode::Autonomous, &[&narrow, RULE]);
    let (decision, order) = policy.decide(&over).unwrap();
    assert_eq!(decision.action, Action::HoldPair);
    assert_eq!(decision.rule.as_deref(), Some("R-1"));
    assert_eq!(order.unwrap().action(), Action::HoldPair);
}

#[test]
fn caps_hold_over_breaches_and_restarts_and_shadow_does_not_use_them_up() {
    let rule = format!("{RULE}[caps]\nper_minute = 1\ndevices_per_hour = 1\n");
    let mut policy = policy_of(Mode::Autonomous, &[&rule]);
    assert_eq!(
        policy.decide(&case("A", 1)).unwrap().0.verdict,
        Verdict::Act
    );
    let (decision, order) = policy.decide(&case("B", 2)).unwrap();
    assert!(order.is_none() && decision.reason.contains("last minute"));
    let text = serde_json::to_string(&policy.save()).unwrap();
    let settings = PolicySettings {
        mode: Mode::Autonomous,
        rules: vec![load(&rule).unwrap()],
        never: vec![],
    };
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let mut policy = Policy::new(settings, "tapir", TimeZone::UTC, Seed(2), saved);
    policy.advance(at(3));
    assert_eq!(
        policy.decide(&case("A", 4)),
        None,
        "decided before the restart"
    );
    let other = Case {
        device: "d-2".to_owned(),
        ..case("C", 100)
    };
    let (decision, _) = policy.decide(&other).unwrap();
    assert!(
        decision.reason.contains("device number 2"),
        "{}",
        decision.reason
    );
}

#[test]
fn days_of_shadow_add_up_over_restarts() {
    let bare = RULE.replace(
        "shadow_override = { name = \"Jane\", reason = \"a test\" }",
        "shadow_days = 2",
    );
    let mut policy = policy_of(Mode::Shadow, &[&bare]);
    policy.advance(at(60));
    policy.advance(at(86_400));
    let settings = PolicySettings {
        mode: Mode::Autonomous,
        rules: vec![load(&bare).unwrap()],
        never: vec![],
    };
    let mut policy = Policy::new(settings, "tapir", TimeZone::UTC, Seed(1), policy.save());
    let (decision, order) = policy.decide(&case("B", 90_000)).unwrap();
    assert!(order.is_some(), "{}", decision.reason);
}

#[test]
fn a_person_approves_and_everything_is_checked_again() {
    let ask = |policy: &mut Policy, breach: &str| policy.decide(&case(breach, 1)).unwrap().0;
    let mut policy = policy_of(Mode::Confirm, &[RULE]);
    let asked = ask(&mut policy, "A");
    assert_eq!((asked.verdict, asked.expires_ts), (Verdict::Ask, at(901)));
    let (decision, order) = policy.approve(&asked.id, "Ann", at(60)).unwrap();
    assert_eq!(
        (decision.verdict, decision.id.as_str()),
        (Verdict::Act, asked.id.as_str())
    );
    assert!(decision.reason.starts_with("approved by Ann; rule R-1"));
    assert_eq!(order.unwrap().expires_ts(), at(660));
    assert_eq!(policy.approve(&asked.id, "Ann", at(61)), None, "only once");

    let late = ask(&mut policy, "B");
    let (decision, order) = policy.approve(&late.id, "Ann", at(901)).unwrap();
    assert!(order.is_none() && decision.reason.contains("after the question had ended"));

    let stopped = ask(&mut policy, "C");
    policy.stop("Bob");
    let (decision, order) = policy.approve(&stopped.id, "Ann", at(60)).unwrap();
    assert!(
        order.is_none() && decision.reason.contains("stopped by Bob"),
        "{}",
        decision.reason
    );
    let saved = policy.save();
    assert!(
        serde_json::to_string(&saved).unwrap().contains("Bob"),
        "a stop outlives a restart"
    );
    policy.resume();

    let taken = ask(&mut policy, "D");
    let [withheld] = &policy.revert(Some(&taken.id), "Eve", at(70))[..] else {
        panic!("one question")
    };
    assert_eq!(withheld.reason, "taken back by Eve");
    assert_eq!(policy.approve(&taken.id, "Ann", at(71)), None);
}

#[test]
fn a_leap_of_time_holds_responses() {
    let rule = RULE.replace("hold_after_start = 0", "hold_after_start = 10");
    let mut policy = policy_of(Mode::Autonomous, &[&rule]);
    policy.epoch(at(1_000));
    assert!(policy.decide(&case("A", 1_009)).unwrap().1.is_none());
    assert!(policy.decide(&case("B", 1_010)).unwrap().1.is_some());
}

#[test]
fn the_example_file_loads_with_the_values_it_shows() {
    let rule = load(include_str!("../../../packaging/rule-of-engagement.toml")).unwrap();
    assert_eq!(rule.authority(), "Jane Smith, head of IT; signed by Jane");
    assert_eq!((rule.hold_after_start_s, rule.shadow_days), (600, 14));
    assert_eq!(
        (rule.score_min, rule.action_minutes, rule.ask_minutes),
        (80, 10, 15)
    );
    assert_eq!(rule.actions, [Action::ResetFlow, Action::HoldPair]);
    assert_eq!(rule.caps, Caps::default());
    assert!(rule.never.holds("10.0.9.1".parse().ok(), ""));
    assert!(rule.never.holds(None, "plc-3") && !rule.never.holds(None, "pc-3"));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = r#"id = ""
authorised_by = "Jane"
from = 2026-01-01T00:00:00
until = 2027-06-01T00:00:00Z
score_min = 79
action_minuts = 5
actions = ["hold_pair", "reset_flow", "nuke"]
[scope]
classes = ["health"]
devices = ["10.0.0.0/33"]
hours = ["noon"]
[caps]
per_minute = 0
[never]
networks = ["x"]
"#;
    let told = load(text).unwrap_err().to_string();
    for (line, sentence) in [
        (1, "missing key \"reason\""),
        (1, "id is one line"),
        (3, "from must be a time with its offset"),
        (5, "score_min is a whole number from 80 to 100; found 79"),
        (
            6,
            "unknown key \"action_minuts\"; did you mean \"action_minutes\"?",
        ),
        (7, "found \"nuke\""),
        (7, "least first"),
        (
            9,
            "classes are of threat, anomaly, compliance; found \"health\"",
        ),
        (10, "is no network"),
        (11, "\"noon\" is no span"),
        (13, "per_minute is a whole number from 1 to 60; found 0"),
        (15, "is not a network"),
    ] {
        let found = told
            .lines()
            .any(|told| told.starts_with(&format!("rule.toml:{line}:")) && told.contains(sentence));
        assert!(found, "line {line}: {sentence}\n{told}");
    }
    let long = RULE.replace("2026-02-01", "2027-06-01");
    assert!(
        load(&long)
            .unwrap_err()
            .to_string()
            .contains("at most 366 days")
    );
    assert_eq!(check("rule.toml", RULE), []);
}
