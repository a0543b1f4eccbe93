//! Which rule covers a case, or which limit stands against it, in one sentence.
//!
//! Order of the checks: what holds for everybody first (stop, target, never-list), then rule by rule:
//! its time, score, scope, what it allows, its never-list, blast radius, start, shadow, caps. Of
//! several rules that refuse, the one that came farthest gives the reason.

use jiff::tz::TimeZone;
use tapir_message::{Action, Mode};

use super::caps::Acts;
use super::case::Case;
use super::never;
use super::rule::Rule;
use crate::device::Net;
use crate::types::Timestamp;

/// What the checks need beside the case.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) mode: Mode,
    pub(super) rules: &'a [Rule],
    pub(super) never: &'a [Net],
    pub(super) zone: &'a TimeZone,
    pub(super) acts: &'a Acts,
    /// Days in which shadow or confirm ran.
    pub(super) shadow_days: u32,
    /// First frame since the start, or since time leapt.
    pub(super) started: Option<Timestamp>,
    /// Who stopped all responses.
    pub(super) stopped: Option<&'a str>,
}

/// What came of the checks.
#[derive(Debug)]
pub(super) enum Ruling<'a> {
    /// A rule covers the action.
    Covered {
        rule: &'a Rule,
        action: Action,
        reason: String,
    },
    /// Something stands against it.
    Against {
        rule: Option<&'a Rule>,
        action: Action,
        reason: String,
    },
}

impl<'a> Ground<'a> {
    /// Judges `case` at `ts`; with `only`, by that rule alone.
    pub(super) fn rule(&self, case: &Case, ts: Timestamp, only: Option<&str>) -> Ruling<'a> {
        let least = if case.resettable {
            Action::ResetFlow
        } else {
            Action::HoldPair
        };
        let against = |rule, action, reason| Ruling::Against {
            rule,
            action,
            reason,
        };
        if let Err(reason) = self.anybody(case) {
            return against(None, least, reason);
        }
        let mut farthest: Option<(u8, &'a Rule, Action, String)> = None;
        let rules = self.rules.iter();
        for rule in rules.filter(|rule| only.is_none_or(|id| id == rule.id)) {
            match self.covers(rule, case, ts) {
                Ok(action) => {
                    let reason = covered(rule, case);
                    return Ruling::Covered {
                        rule,
                        action,
                        reason,
                    };
                }
                Err((rank, action, reason)) => {
                    if farthest.as_ref().is_none_or(|(best, ..)| rank > *best) {
                        farthest = Some((rank, rule, action.unwrap_or(least), reason));
                    }
                }
            }
        }
        match farthest {
            Some((_, rule, action, reason)) => against(Some(rule), action, reason),
            None => {
                let reason = match only {
                    Some(id) => format!("rule {id} is no longer in force"),
                    None => "no rule of engagement is in force".to_owned(),
                };
                against(None, least, reason)
            }
        }
    }

    /// Checks that no rule can lift.
    fn anybody(&self, case: &Case) -> Result<(), String> {
        if let Some(who) = self.stopped {
            return Err(format!("all responses were stopped by {who}"));
        }
        if case.target.is_none() {
            return Err("no TCP connection stands behind it that could be reset".to_owned());
        }
        never::refusal(&case.parties, self.never).map_or(Ok(()), Err)
    }

    /// Whether `rule` covers the case; else how far the checks came, and what stood against it.
    fn covers(
        &self,
        rule: &Rule,
        case: &Case,
        ts: Timestamp,
    ) -> Result<Action, (u8, Option<Action>, String)> {
        self.in_scope(rule, case, ts)
            .map_err(|(rank, reason)| (rank, None, reason))?;
        let action = allowed(rule, case).map_err(|reason| (7, None, reason))?;
        self.in_bounds(rule, case, action, ts)
            .map_err(|(rank, reason)| (rank, Some(action), reason))?;
        Ok(action)
    }

    /// What a rule says of whom, what and when.
    fn in_scope(&self, rule: &Rule, case: &Case, ts: Timestamp) -> Result<(), (u8, String)> {
        let id = &rule.id;
        let scope = &rule.scope;
        let name = &case.device_name;
        if ts >= rule.until {
            return Err((1, format!("rule {id} expired at {}", rule.until)));
        }
        if ts < rule.from {
            return Err((1, format!("rule {id} holds from {} on", rule.from)));
        }
        if !scope.models.holds(None, &case.model) || !scope.classes.contains(&case.class) {
            let model = &case.model;
            return Err((2, format!("rule {id} does not cover model {model}")));
        }
        if !scope.devices.holds(case.device_addr, name) {
            return Err((3, format!("rule {id} does not cover device {name}")));
        }
        let responder = case.responder();
        if !responder.is_some_and(|to| scope.responders.holds(Some(to.addr), &to.name)) {
            let to = responder.map_or("", |to| to.name.as_str());
            return Err((4, format!("rule {id} does not cover responder {to}")));
        }
        if !scope.hours.hold(ts, self.zone) {
            let hours = scope.hours.text();
            return Err((5, format!("rule {id} holds only in its hours: {hours}")));
        }
        let (sure, min) = (case.score_sure, rule.score_min);
        if sure < min {
            return Err((
                6,
                format!("score_sure {sure} is below the {min} of rule {id}"),
            ));
        }
        if case.provisional && !rule.allow_provisional {
            let told = "the breach is provisional: its rate is still mostly a prior";
            return Err((6, format!("{told}; rule {id} does not allow that")));
        }
        Ok(())
    }

    /// What a rule says of how much.
    fn in_bounds(
        &self,
        rule: &Rule,
        case: &Case,
        action: Action,
        ts: Timestamp,
    ) -> Result<(), (u8, String)> {
        let (id, caps) = (&rule.id, &rule.caps);
        if let Some(reason) = never::by_rule(&case.parties, &rule.never, id) {
            return Err((8, reason));
        }
        if case.others > caps.others_max {
            let (others, max) = (case.others, caps.others_max);
            let told = format!("{others} other devices used the same responder in 30 days");
            return Err((9, format!("{told}; rule {id} allows {max}")));
        }
        let flows = flows_cut(case, action);
        if flows > caps.flows_max {
            let max = caps.flows_max;
            let told = format!("{flows} connections would be cut");
            return Err((9, format!("{told}; rule {id} allows {max}")));
        }
        let held = i64::from(rule.hold_after_start_s) * 1_000_000_000;
        if self.started.is_none_or(|started| ts.since(started) < held) {
            let seconds = rule.hold_after_start_s;
            let told = format!("rule {id} holds back for {seconds} seconds after a start");
            return Err((10, format!("{told} or a leap of time")));
        }
        let needs = rule.shadow_days;
        let waived = rule.shadow_override.is_some();
        if self.mode == Mode::Autonomous && !waived && self.shadow_days < needs {
            let had = self.shadow_days;
            let told = format!("rule {id} acts by itself after {needs} days of shadow or confirm");
            return Err((11, format!("{told}; there were {had}")));
        }
        let shadow = self.mode == Mode::Shadow;
        self.acts
            .check(ts, &case.device, shadow, caps)
            .map_err(|reason| (12, format!("rule {id}: {reason}")))
    }
}

/// The least action that is allowed and can be taken.
fn allowed(rule: &Rule, case: &Case) -> Result<Action, String> {
    let possible = |action: &&Action| match action {
        Action::ResetFlow => case.resettable,
        Action::HoldPair => true,
    };
    rule.actions.iter().find(possible).copied().ok_or_else(|| {
        format!(
            "the connection is over, or its handshake was not seen complete both ways, or it is \
             signed; rule {} does not allow holding the pair",
            rule.id
        )
    })
}

/// Connections an action would cut now.
pub(super) fn flows_cut(case: &Case, action: Action) -> u32 {
    match action {
        Action::ResetFlow => 1,
        Action::HoldPair => case.flows,
    }
}

/// Why a rule covers a case.
fn covered(rule: &Rule, case: &Case) -> String {
    let waived = rule.shadow_override.as_ref().map_or_else(String::new, |w| {
        format!(
            "; the days of shadow were waived by {}: {}",
            w.name, w.reason
        )
    });
    format!(
        "rule {} covers model {} on {} with score_sure {} of at least {}, {}{waived}",
        rule.id,
        case.model,
        case.device_name,
        case.score_sure,
        rule.score_min,
        rule.scope.hours.text()
    )
}
