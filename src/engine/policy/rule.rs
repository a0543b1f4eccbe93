//! A rule of engagement: what a named person allowed, on whom, how often, until when.

use tapir_message::{Action, Class};

use super::caps::Caps;
use super::hours::Hours;
use super::read;
use super::signature::{self, RuleError, Signer};
use super::whom::Whom;
use crate::types::Timestamp;

/// A rule whose signature was verified.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Short name, for example `R-0007`.
    pub id: String,
    /// Who authorised it, as the rule says.
    pub authorised_by: String,
    /// Whose configured key signed it.
    pub signed_by: String,
    /// Why.
    pub reason: String,
    /// From when it holds.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// No action in the first seconds after the sensor's first frame.
    pub hold_after_start_s: u32,
    /// Whether a breach whose rate is still mostly a prior may act.
    pub allow_provisional: bool,
    /// Days of shadow or confirm before it acts by itself.
    pub shadow_days: u32,
    /// Who waived those days, and why.
    pub shadow_override: Option<ShadowOverride>,
    /// Lowest `score_sure` it covers; at least 80.
    pub score_min: u8,
    /// What it allows, least first.
    pub actions: Vec<Action>,
    /// How long an action lasts.
    pub action_minutes: u32,
    /// How long a question waits for an answer.
    pub ask_minutes: u32,
    /// On what.
    pub scope: Scope,
    /// How much.
    pub caps: Caps,
    /// Whom it never touches.
    pub never: Whom,
}

/// Who waived the days of shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowOverride {
    /// Who.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// On what a rule applies.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Globs over model ids.
    pub models: Whom,
    /// Model classes.
    pub classes: Vec<Class>,
    /// Devices, by name or address.
    pub devices: Whom,
    /// Responders, by name or address.
    pub responders: Whom,
    /// When.
    pub hours: Hours,
}

impl Rule {
    /// Reads a rule that one of `signers` signed; `path` is only for messages.
    ///
    /// # Errors
    /// It is not signed by one of them, or it says something that cannot stand: then all mistakes.
    pub fn load(
        path: &str,
        text: &str,
        signature: &str,
        signers: &[Signer],
    ) -> Result<Self, RuleError> {
        let signer = signature::verify(path, text, signature, signers)?;
        let mut rule = read::read(path, text).map_err(RuleError::Mistakes)?;
        rule.signed_by.clone_from(&signer.name);
        Ok(rule)
    }

    /// Who answers for it: whom the rule names, and whose key that was if it is called differently.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.authorised_by == self.signed_by {
            self.authorised_by.clone()
        } else {
            format!("{}; signed by {}", self.authorised_by, self.signed_by)
        }
    }
}
