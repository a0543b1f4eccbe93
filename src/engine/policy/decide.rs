//! From a case to a decision, and from a person's word to an order.
//!
//! A breach is decided on once; again only if its score has newly reached a rule it was too low for.
//! Approvals are checked anew, against everything, at the time they come.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tapir_message::{Action, Blast, Class, Decision, Mode, Verdict};

use super::authorised::Authorised;
use super::caps::Acts;
use super::case::Case;
use super::read::SCORE_MIN;
use super::rule::Rule;
use super::ruling::{Ground, Ruling, flows_cut};
use crate::device::Net;
use crate::types::{Map, Seed, Timestamp, base32};

/// Breaches remembered as decided; they stay open for a day.
const DECIDED_MAX: usize = 4_096;
const DECIDED_NS: i64 = 25 * 3_600 * 1_000_000_000;
/// Questions open at a time.
const ASKED_MAX: usize = 256;
const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
const DAY_NS: i64 = 24 * 60 * MINUTE_NS;
/// Characters of a sentence at most: names in it come from the wire.
const TEXT_CHARS_MAX: usize = 1_000;

/// What the operator decided about responses.
#[derive(Clone, Debug, Default)]
pub struct PolicySettings {
    /// How far the sensor may go.
    pub mode: Mode,
    /// Rules of engagement, in the order they are asked.
    pub rules: Vec<Rule>,
    /// Networks never touched: management, SIEM, the sensor itself.
    pub never: Vec<Net>,
}

/// Decisions by what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Orders given.
    pub acted: u64,
    /// What shadow would have done.
    pub would_have: u64,
    /// Questions asked.
    pub asked: u64,
    /// Withheld.
    pub withheld: u64,
    /// Cases and questions refused because a table was full.
    pub refused: u64,
}

/// What was said of a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Decided {
    ts: Timestamp,
    score_sure: u8,
    withheld: bool,
}

/// A question that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    decision: Decision,
    case: Case,
}

/// What outlives a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    shadow_days: u32,
    shadow_day: Option<i64>,
    acts: Acts,
    decided: Vec<(String, Decided)>,
    asked: Vec<Asked>,
    stopped: Option<String>,
    counts: Counts,
}

/// What the checks look at, borrowed field by field so that the rest stays free to change.
macro_rules! ground {
    ($policy:ident) => {
        Ground {
            mode: $policy.settings.mode,
            rules: &$policy.settings.rules,
            never: &$policy.settings.never,
            zone: &$policy.zone,
            acts: &$policy.acts,
            shadow_days: $policy.shadow_days,
            started: $policy.started,
            stopped: $policy.stopped.as_deref(),
        }
    };
}

/// Decides. See the room.
#[derive(Debug)]
pub struct Policy {
    settings: PolicySettings,
    sensor_id: String,
    zone: TimeZone,
    started: Option<Timestamp>,
    /// Days in which shadow or confirm ran, and the last of them.
    shadow_days: u32,
    shadow_day: Option<i64>,
    acts: Acts,
    decided: Map<String, Decided>,
    asked: Vec<Asked>,
    /// Who pulled the kill switch.
    stopped: Option<String>,
    counts: Counts,
}

impl Policy {
    /// A policy with what it knew before.
    #[must_use]
    pub fn new(
        settings: PolicySettings,
        sensor_id: &str,
        zone: TimeZone,
        seed: Seed,
        saved: Saved,
    ) -> Self {
        let mut decided = Map::new(DECIDED_MAX, seed);
        for (breach, said) in saved.decided {
            decided.insert(breach, said);
        }
        Self {
            settings,
            sensor_id: sensor_id.to_owned(),
            zone,
            started: None,
            shadow_days: saved.shadow_days,
            shadow_day: saved.shadow_day,
            acts: saved.acts,
            decided,
            asked: saved.asked,
            stopped: saved.stopped,
            counts: saved.counts,
        }
    }

    /// What the next run should know.
    #[must_use]
    pub fn save(&self) -> Saved {
        let decided = self.decided.sorted().into_iter();
        Saved {
            shadow_days: self.shadow_days,
            shadow_day: self.shadow_day,
            acts: self.acts.clone(),
            decided: decided
                .map(|(breach, said)| (breach.clone(), *said))
                .collect(),
            asked: self.asked.clone(),
            stopped: self.stopped.clone(),
            counts: self.counts,
        }
    }

    /// The mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Who stopped all responses, if somebody did.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Decisions so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes note of the time: of the first frame, and of days in shadow.
    pub fn advance(&mut self, ts: Timestamp) {
        self.started.get_or_insert(ts);
        let day = ts.nanos().div_euclid(DAY_NS);
        let counts = matches!(self.settings.mode, Mode::Shadow | Mode::Confirm);
        if counts && self.shadow_day.is_none_or(|last| day > last) {
            self.shadow_day = Some(day);
            self.shadow_days = self.shadow_days.saturating_add(1);
        }
    }

    /// Time leapt to `ts`: responses are held as after a start, and no cap is freed by it. Gives the
    /// questions that end with it.
    pub fn epoch(&mut self, ts: Timestamp) -> Vec<Decision> {
        self.started = Some(ts);
        self.acts.leap(ts);
        self.end(|_| true, Some(ts), "time leapt before anybody answered")
    }

    /// Ends what nobody answered in time up to `ts`: each question is withheld at its own end.
    pub fn expire(&mut self, ts: Timestamp) -> Vec<Decision> {
        let over = |decision: &Decision| decision.expires_ts <= ts;
        self.end(over, None, "nobody answered the question in time")
    }

    /// When a question ends next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let ends = self.asked.iter().map(|asked| asked.decision.expires_ts);
        ends.min()
    }

    /// Decides on a case; `None` if there is nothing to decide.
    pub fn decide(&mut self, case: &Case) -> Option<(Decision, Option<Authorised>)> {
        self.advance(case.ts);
        let mode = self.settings.mode;
        let scored = case.class != Class::Health && case.score_sure >= SCORE_MIN;
        if mode == Mode::Off || !scored || !self.is_news(case) {
            return None;
        }
        self.acts.forget(case.ts);
        let room = self.remember(case);
        let ground = ground!(self);
        let ruling = if room {
            ground.rule(case, case.ts, None)
        } else {
            let reason = "too many breaches were decided on within a day".to_owned();
            let action = Action::ResetFlow;
            Ruling::Against {
                rule: None,
                action,
                reason,
            }
        };
        let mut decision = self.decision(case, &ruling);
        if decision.verdict == Verdict::Ask && self.asked.len() >= ASKED_MAX {
            self.counts.refused = self.counts.refused.saturating_add(1);
            withhold(
                &mut decision,
                "too many questions wait for an answer".to_owned(),
            );
        }
        let order = self.carry(case, &mut decision);
        Some((decision, order))
    }

    /// A person approves the question `id`. `None` if there is no such question.
    pub fn approve(
        &mut self,
        id: &str,
        who: &str,
        ts: Timestamp,
    ) -> Option<(Decision, Option<Authorised>)> {
        let at = self
            .asked
            .iter()
            .position(|asked| asked.decision.id == id)?;
        let Asked { mut decision, case } = self.asked.remove(at);
        let expired = ts >= decision.expires_ts;
        self.acts.forget(ts);
        let mode = self.settings.mode;
        let ground = ground!(self);
        let ruling = ground.rule(&case, ts, decision.rule.as_deref());
        let minutes = match &ruling {
            Ruling::Covered { rule, .. } => rule.action_minutes,
            Ruling::Against { .. } => 0,
        };
        decision.ts = ts;
        decision.mode = mode;
        match ruling {
            _ if expired => {
                let reason = format!("{who} approved it after the question had ended");
                withhold(&mut decision, reason);
            }
            _ if !matches!(mode, Mode::Confirm | Mode::Autonomous) => {
                let reason = format!("{who} approved it, but the mode does not allow actions");
                withhold(&mut decision, reason);
            }
            Ruling::Covered { reason, .. } => {
                decision.verdict = Verdict::Act;
                decision.expires_ts = after(ts, minutes);
                decision.reason = bounded(format!("approved by {who}; {reason}"));
            }
            Ruling::Against { reason, .. } => {
                withhold(&mut decision, format!("{who} approved it, but {reason}"));
            }
        }
        let order = self.carry(&case, &mut decision);
        Some((decision, order))
    }

    /// A person takes back the question `id`, or all of them: what was asked is withheld. Actions
    /// already taken are the kill table's to revert.
    pub fn revert(&mut self, id: Option<&str>, who: &str, ts: Timestamp) -> Vec<Decision> {
        let meant = |decision: &Decision| id.is_none_or(|id| decision.id == id);
        self.end(meant, Some(ts), &format!("taken back by {who}"))
    }

    /// Withholds the questions that are meant, at `ts` or else when each would have ended.
    fn end(
        &mut self,
        meant: impl Fn(&Decision) -> bool,
        ts: Option<Timestamp>,
        reason: &str,
    ) -> Vec<Decision> {
        let ended = self.asked.extract_if(.., |asked| meant(&asked.decision));
        let withheld = ended.map(|Asked { mut decision, .. }| {
            decision.ts = ts.unwrap_or(decision.expires_ts);
            withhold(&mut decision, reason.to_owned());
            decision
        });
        let withheld: Vec<Decision> = withheld.collect();
        let count = u64::try_from(withheld.len()).unwrap_or(u64::MAX);
        self.counts.withheld = self.counts.withheld.saturating_add(count);
        withheld
    }

    /// The kill switch: nothing is authorised any more until [`Self::resume`]. It outlives a restart.
    pub fn stop(&mut self, who: &str) {
        self.stopped = Some(who.to_owned());
    }

    /// Responses are allowed again.
    pub fn resume(&mut self) {
        self.stopped = None;
    }

    /// Whether the breach was not decided on, or was too low for a rule that it now reaches.
    fn is_news(&self, case: &Case) -> bool {
        let Some(said) = self.decided.get(&case.breach) else {
            return true;
        };
        let crossed =
            |rule: &Rule| said.score_sure < rule.score_min && case.score_sure >= rule.score_min;
        said.withheld && self.settings.rules.iter().any(crossed)
    }

    /// Makes room for one more decided breach; false if there is none.
    fn remember(&mut self, case: &Case) -> bool {
        let said = Decided {
            ts: case.ts,
            score_sure: case.score_sure,
            withheld: true,
        };
        if self.decided.len() >= DECIDED_MAX {
            let ts = case.ts;
            self.decided.retain(|_, old| ts.since(old.ts) < DECIDED_NS);
        }
        let kept = self.decided.insert(case.breach.clone(), said);
        if !kept {
            self.counts.refused = self.counts.refused.saturating_add(1);
        }
        kept
    }

    /// Writes down what came of the checks.
    fn decision(&self, case: &Case, ruling: &Ruling<'_>) -> Decision {
        let mode = self.settings.mode;
        let (rule, action, reason) = match ruling {
            Ruling::Covered {
                rule,
                action,
                reason,
            } => (Some(*rule), *action, reason),
            Ruling::Against {
                rule,
                action,
                reason,
            } => (*rule, *action, reason),
        };
        let (verdict, minutes) = match (ruling, mode) {
            (Ruling::Covered { rule, .. }, Mode::Autonomous) => (Verdict::Act, rule.action_minutes),
            (Ruling::Covered { rule, .. }, Mode::Confirm) => (Verdict::Ask, rule.ask_minutes),
            (Ruling::Covered { rule, .. }, Mode::Shadow) => {
                (Verdict::WouldAct, rule.action_minutes)
            }
            _ => (Verdict::Withheld, 0),
        };
        Decision {
            ts: case.ts,
            id: self.id(case, action),
            breach: case.breach.clone(),
            model: case.model.clone(),
            score_sure: case.score_sure,
            device: case.device.clone(),
            device_name: case.device_name.clone(),
            mode,
            action,
            verdict,
            reason: bounded(reason.clone()),
            rule: rule.map(|rule| rule.id.clone()),
            authorised_by: rule.map(Rule::authority),
            target: case.target.clone(),
            blast: blast(case, action),
            expires_ts: after(case.ts, minutes),
        }
    }

    /// Counts a decision, keeps a question, gives the order of one to act.
    fn carry(&mut self, case: &Case, decision: &mut Decision) -> Option<Authorised> {
        let mut order = None;
        if decision.verdict == Verdict::Act {
            order = Authorised::of(decision);
            if order.is_none() {
                withhold(decision, "it names no target".to_owned());
            }
        }
        let counter = match decision.verdict {
            Verdict::Act => &mut self.counts.acted,
            Verdict::WouldAct => &mut self.counts.would_have,
            Verdict::Ask => &mut self.counts.asked,
            Verdict::Withheld => &mut self.counts.withheld,
        };
        *counter = counter.saturating_add(1);
        let withheld = decision.verdict == Verdict::Withheld;
        if let Some(said) = self.decided.get_mut(&case.breach) {
            said.withheld = withheld;
        }
        match decision.verdict {
            Verdict::Act => self.acts.note(decision.ts, &case.device, false),
            Verdict::WouldAct => self.acts.note(decision.ts, &case.device, true),
            Verdict::Ask => self.asked.push(Asked {
                decision: decision.clone(),
                case: case.clone(),
            }),
            Verdict::Withheld => {}
        }
        order
    }

    /// 26 base32 digits over sensor, breach, action and time.
    fn id(&self, case: &Case, action: Action) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.sensor_id, "decision", &case.breach, action.name()] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.update(&case.ts.nanos().to_be_bytes());
        base32(hasher.finalize().as_bytes(), 26)
    }
}

/// Turns a decision into one against acting.
fn withhold(decision: &mut Decision, reason: String) {
    decision.verdict = Verdict::Withheld;
    decision.reason = bounded(reason);
    decision.expires_ts = decision.ts;
}

fn after(ts: Timestamp, minutes: u32) -> Timestamp {
    ts.plus(i64::from(minutes) * MINUTE_NS)
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// What an action would touch, in numbers and one sentence.
fn blast(case: &Case, action: Action) -> Blast {
    let flows = flows_cut(case, action);
    let to = case.responder().map_or("", |to| to.name.as_str());
    let (name, others) = (&case.device_name, case.others);
    let used = match others {
        0 => "no other device used it in 30 days".to_owned(),
        1 => "1 other device used it in 30 days and is not touched".to_owned(),
        n => format!("{n} other devices used it in 30 days and are not touched"),
    };
    let text = match (action, flows) {
        (Action::ResetFlow, _) => format!("cuts 1 connection of {name} to {to}; {used}"),
        (Action::HoldPair, 1) => {
            format!("cuts 1 connection of {name} to {to} and every new one until it ends; {used}")
        }
        (Action::HoldPair, n) => format!(
            "cuts {n} connections of {name} to {to} and every new one until it ends; {used}"
        ),
    };
    Blast {
        flows,
        others,
        text: bounded(text),
    }
}
