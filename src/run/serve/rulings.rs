//! A person's word on which devices are one machine: logged, on disk, passed on, answered.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapir_message::{Says, ToSense};

use super::{Serve, held, now};
use crate::control::{Event, Refusal, Ruled, Why};
use crate::run::link::LinkError;
use crate::store::rulings::{Rulings, RulingsError};

/// How long the answer of `sense` is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `sense` answered to those who wait; by the number of their ruling.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: Mutex<BTreeMap<u64, Option<Reply>>>,
    told: Condvar,
}

/// Done, or why not.
type Reply = Result<(), String>;

impl Replies {
    fn expect(&self, number: u64) {
        held(&self.waiting).insert(number, None);
    }

    fn tell(&self, number: u64, reply: Reply) {
        if let Some(place) = held(&self.waiting).get_mut(&number) {
            *place = Some(reply);
            self.told.notify_all();
        }
    }

    /// The answer; none if it does not come in time.
    fn wait(&self, number: u64, at_most: Duration) -> Option<Reply> {
        let open = |all: &mut BTreeMap<u64, Option<Reply>>| all.get(&number) == Some(&None);
        let waited = self
            .told
            .wait_timeout_while(held(&self.waiting), at_most, open);
        let (mut all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        all.remove(&number).flatten()
    }
}

impl Serve {
    /// Keeps a ruling, passes it on and says what became of it; `command` is what was typed.
    pub(super) fn rule(&self, who: &str, command: &str, says: Says) -> Result<Ruled, Refusal> {
        let refused = |error: &dyn std::fmt::Display| {
            Refusal::new(Why::Refused, format!("not done: {error}"))
        };
        let number = {
            let mut rulings = held(&self.rulings);
            self.log_command(who, command)
                .map_err(|error| refused(&error))?;
            let ruling = rulings
                .add(now(), who, says)
                .map_err(|error| refused(&error))?;
            let number = ruling.number;
            self.replies.expect(number);
            if let Err(error) = held(&self.to_sense).send(&ToSense::Ruling(ruling)) {
                tracing::warn!(%error, "A ruling on devices waits for the next start of sense.");
            }
            number
        };
        self.watchers.publish(Event::Command {
            who: who.to_owned(),
            text: command.to_owned(),
        });
        match self.replies.wait(number, PATIENCE) {
            Some(Ok(())) => Ok(Ruled::Done),
            Some(Err(why)) => Err(refused(&why)),
            None => Ok(Ruled::Kept),
        }
    }

    /// Tells `sense` what no saved state knows of; nobody rules while what this returns is held.
    pub(super) fn tell_rulings(&self) -> Result<MutexGuard<'_, Rulings>, LinkError> {
        let rulings = held(&self.rulings);
        let mut to_sense = held(&self.to_sense);
        for ruling in rulings.waiting() {
            to_sense.send(&ToSense::Ruling(ruling.clone()))?;
        }
        Ok(rulings)
    }

    /// `sense` has carried out a ruling, or says why not.
    pub(super) fn ruled(&self, number: u64, refused: Option<String>) {
        if refused.is_some() {
            self.kept(held(&self.rulings).refused(number));
        }
        self.replies.tell(number, refused.map_or(Ok(()), Err));
    }

    /// The state on disk knows of all rulings up to `number`.
    pub(super) fn rulings_saved(&self, number: u64) {
        self.kept(held(&self.rulings).saved(number));
    }

    fn kept(&self, done: Result<(), RulingsError>) {
        if let Err(error) = done {
            tracing::warn!(%error, "A ruling on devices is kept longer than needed.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_answered_and_who_does_not_leaves_nothing() {
        let replies = Replies::default();
        replies.expect(1);
        replies.expect(2);
        replies.tell(2, Err("no".to_owned()));
        replies.tell(3, Ok(()));
        assert_eq!(replies.wait(2, PATIENCE), Some(Err("no".to_owned())));
        assert_eq!(replies.wait(1, Duration::ZERO), None);
        assert!(held(&replies.waiting).is_empty());
        // An answer that comes while it is waited for.
        replies.expect(4);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| replies.wait(4, PATIENCE));
            replies.tell(4, Ok(()));
            assert_eq!(waiting.join().expect("an answer"), Some(Ok(())));
        });
    }
}
