//! An order that `policy` gave. Nothing else can make one, and it is used up by carrying it out.

use tapir_message::{Action, Decision, Target, Timestamp};

/// Leave to act on one connection, once. Neither `Clone` nor `Copy`: one decision, one action.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorised {
    decision: String,
    breach: String,
    action: Action,
    target: Target,
    ts: Timestamp,
    expires_ts: Timestamp,
}

impl Authorised {
    /// The order a decision stands for; `None` if it names no target.
    pub(super) fn of(decision: &Decision) -> Option<Self> {
        Some(Self {
            decision: decision.id.clone(),
            breach: decision.breach.clone(),
            action: decision.action,
            target: decision.target.clone()?,
            ts: decision.ts,
            expires_ts: decision.expires_ts,
        })
    }

    /// An order without a decision, for tests of what follows from one.
    #[cfg(test)]
    pub(crate) fn for_test(
        action: Action,
        target: Target,
        ts: Timestamp,
        expires_ts: Timestamp,
    ) -> Self {
        Self {
            decision: "D".to_owned(),
            breach: "B".to_owned(),
            action,
            target,
            ts,
            expires_ts,
        }
    }

    /// Id of the decision.
    #[must_use]
    pub fn decision(&self) -> &str {
        &self.decision
    }

    /// Id of the breach it answers.
    #[must_use]
    pub fn breach(&self) -> &str {
        &self.breach
    }

    /// What may be done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// To whom.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// When it was given.
    #[must_use]
    pub fn ts(&self) -> Timestamp {
        self.ts
    }

    /// When it ends.
    #[must_use]
    pub fn expires_ts(&self) -> Timestamp {
        self.expires_ts
    }
}
