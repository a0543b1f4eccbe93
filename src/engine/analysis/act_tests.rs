//! From frames to an order and from the order to resets: a download is met while it runs.
//!
//! How: a handshake, a request that the test's own model fires on, and the head of a long answer go
//! through `Tracker` and `Analysis`; the order goes into a kill table that sees the next segment.

use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::tz::TimeZone;
use tapir_message::{Decision, Mode, Verdict};

use crate::device::Home;
use crate::model::{Models, Schema, Source};
use crate::policy::{Authorised, PolicySettings, Rule, Signer};
use crate::respond::{KillEntry, KillTable, Resets};
use crate::service::Catalogue;
use crate::types::{MacAddr, Seed, Timestamp};
use crate::{Analysis, AnalysisSettings, Effect, SavedState, Tracker, TrackerConfig};

const MODEL: &str = r#"id = "CAN-01"
title = "Canary"
class = "threat"
on = "http"
device = "orig"
when = 'uri like "*canary*"'
rate_prior = 0.001
impact = 5
response = "reset"
rarity_text = "{uri}"
owner = "{device} asked for {uri}."
engineer = "{uri}"
description = "A test."
[[test]]
expect = "breach"
band = [95, 100]
row = { uri = "/canary", device = "pc" }
[[test]]
expect = "no_breach"
row = { uri = "/" }
[[test]]
expect = "near_miss"
row = { uri = "/can" }
"#;

const RULE: &str = r#"id = "R-1"
authorised_by = "Jane"
reason = "a test"
from = 2026-01-01T00:00:00Z
until = 2026-02-01T00:00:00Z
hold_after_start = 0
allow_provisional = true
shadow_override = { name = "Jane", reason = "a test" }
"#;

const CLIENT: (u8, u16, [u8; 4]) = (5, 50_000, [10, 0, 0, 5]);
const SERVER: (u8, u16, [u8; 4]) = (7, 80, [10, 0, 0, 7]);
const NOON: i64 = 1_767_614_400;

/// An Ethernet frame with a TCP segment; checksums are 0 and not looked at but on SYN, where the
/// sender has shown no valid one.
fn frame(
    from: (u8, u16, [u8; 4]),
    to: (u8, u16, [u8; 4]),
    (flags, seq, ack): (u8, u32, u32),
    data: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(40 + data.len()).unwrap();
    let mut out = vec![2, 0, 0, 0, 0, to.0, 2, 0, 0, 0, 0, from.0, 8, 0, 0x45, 0];
    out.extend(len.to_be_bytes());
    out.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    out.extend([from.2, to.2].concat());
    out.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
    out.extend([seq.to_be_bytes(), ack.to_be_bytes()].concat());
    out.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(data);
    out
}

fn settings(mode: Mode) -> AnalysisSettings {
    let key = SigningKey::from_bytes(&[3; 32]);
    let signers = [Signer {
        name: "Jane".to_owned(),
        key: key.verifying_key().to_bytes(),
    }];
    let signature = key.sign(RULE.as_bytes()).to_bytes();
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    AnalysisSettings {
        own: Vec::new(),
        services: Catalogue::default(),
        sensor_id: "tapir".to_owned(),
        home: Home::new(vec![]),
        time_zone: TimeZone::UTC,
        seed: Seed(1),
        response: PolicySettings {
            mode,
            rules: vec![Rule::load("r.toml", RULE, &signature, &signers).unwrap()],
            never: vec![],
        },
    }
}

/// Runs the conversation up to the answer's head; `handshake` says whether its start is seen.
fn decide(mode: Mode, handshake: bool) -> (Analysis, Vec<(Decision, Option<Authorised>)>) {
    let source = Source {
        path: "canary.toml",
        text: MODEL,
    };
    let models = Models::load(&[source], &Schema::new(&crate::schemas())).unwrap();
    let mut analysis = Analysis::new(settings(mode), models, SavedState::default());
    let mut tracker = Tracker::new(TrackerConfig {
        flows_max: 64,
        reassembly_bytes_max: 1 << 20,
        seed: Seed(1),
        ..TrackerConfig::default()
    });
    let request = b"GET /canary HTTP/1.1\r\nHost: h\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n0123";
    let asked = 101 + u32::try_from(request.len()).unwrap();
    let mut frames = vec![
        frame(CLIENT, SERVER, (2, 100, 0), b""),
        frame(SERVER, CLIENT, (0x12, 500, 101), b""),
        frame(CLIENT, SERVER, (0x10, 101, 501), b""),
        frame(CLIENT, SERVER, (0x18, 101, 501), request),
        frame(SERVER, CLIENT, (0x18, 501, asked), answer),
    ];
    if !handshake {
        frames.drain(..3);
    }
    let (mut seen, mut decided) = (Vec::new(), Vec::new());
    for (n, bytes) in (0..).zip(&frames) {
        let ts = Timestamp::from_nanos(NOON * 1_000_000_000 + n * 1_000_000);
        let wire_len = u32::try_from(bytes.len()).unwrap();
        tracker.packet(ts, 1, wire_len, bytes, &mut seen);
        seen.drain(..)
            .for_each(|mut observation| analysis.observe(&mut observation));
    }
    while let Some(effect) = analysis.poll() {
        if let Effect::Decision(decision, order) = effect {
            decided.push((*decision, order.map(|order| *order)));
        }
    }
    (analysis, decided)
}

#[test]
fn a_running_download_is_cut() {
    let (analysis, decided) = decide(Mode::Autonomous, true);
    let [(decision, Some(order))] = &decided[..] else {
        panic!("{decided:?}")
    };
    let target = decision.target.as_ref().unwrap();
    assert_eq!(decision.verdict, Verdict::Act);
    assert_eq!(target.orig_mac, MacAddr([2, 0, 0, 0, 0, 5]));
    assert_eq!(target.resp_mac, MacAddr([2, 0, 0, 0, 0, 7]));
    assert_eq!(order.decision(), decision.id);
    assert_eq!(analysis.responses().2.acted, 1);
    let (_, order) = decided.into_iter().next().unwrap();
    let mut table = KillTable::new();
    let ts = Timestamp::from_secs(NOON + 1);
    let own = MacAddr([2, 9, 9, 9, 9, 9]);
    assert!(table.insert(ts, KillEntry::new(order.unwrap(), own, false)));
    let mut out = Resets::new();
    let next = frame(SERVER, CLIENT, (0x10, 600, 150), &[0; 100]);
    table.on_frame(ts, &next, &mut out);
    assert_eq!(out.len(), 2);
}

#[test]
fn shadow_only_says_so_and_confirm_waits_for_a_person() {
    let (_, decided) = decide(Mode::Shadow, true);
    assert_eq!(decided[0].0.verdict, Verdict::WouldAct);
    assert!(decided[0].1.is_none());
    assert!(decide(Mode::Off, true).1.is_empty());
    let (mut analysis, decided) = decide(Mode::Confirm, true);
    let asked = &decided[0].0;
    assert_eq!(asked.verdict, Verdict::Ask);
    assert!(!analysis.approve("none such", "Ann"));
    assert!(analysis.approve(&asked.id, "Ann"));
    let Some(Effect::Decision(decision, Some(_))) = analysis.poll() else {
        panic!("an order")
    };
    assert_eq!((decision.verdict, &decision.id), (Verdict::Act, &asked.id));
}

/// The question ends by itself, at its own time, and cannot be approved any more.
#[test]
fn a_question_nobody_answers_ends_at_its_time() {
    let (mut analysis, decided) = decide(Mode::Confirm, true);
    let asked = &decided[0].0;
    let before = Timestamp::from_nanos(asked.expires_ts.nanos() - 1);
    analysis.advance(before);
    assert!(analysis.poll().is_none());
    analysis.advance(asked.expires_ts.plus(3_600_000_000_000));
    let ended = std::iter::from_fn(|| analysis.poll()).find_map(|effect| match effect {
        Effect::Decision(decision, order) => Some((decision, order)),
        _ => None,
    });
    let Some((decision, None)) = ended else {
        panic!("an end without an order: {ended:?}")
    };
    assert_eq!((&decision.id, decision.ts), (&asked.id, asked.expires_ts));
    assert_eq!(decision.verdict, Verdict::Withheld);
    assert!(decision.reason.contains("nobody"), "{}", decision.reason);
    assert!(!analysis.approve(&asked.id, "Ann"));
}

#[test]
fn a_flow_met_in_its_middle_is_not_reset() {
    let (_, decided) = decide(Mode::Autonomous, false);
    let [(decision, None)] = &decided[..] else {
        panic!("{decided:?}")
    };
    assert_eq!(decision.verdict, Verdict::Withheld);
    assert!(decision.reason.contains("handshake"), "{}", decision.reason);
}
