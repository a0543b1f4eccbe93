//! Numbers of the secrets that were shown: the same secret has the same number, and nothing else is known of it.
//!
//! Order:  records come in one order, so the numbers are the same whatever the process's key.
//! Bounds: 65,536 secrets; further ones have no number.

use crate::proto::Secret;
use crate::types::{Held, Map, Seed};

/// Secrets told apart.
const SECRETS_MAX: usize = 65_536;

/// What the process's key makes of each secret, and its number.
#[derive(Debug)]
pub(super) struct Secrets(Map<u64, u64>);

impl Secrets {
    pub(super) fn new(seed: Seed) -> Self {
        Self(Map::new(SECRETS_MAX, seed))
    }

    /// Puts the number in the place of what the key made.
    pub(super) fn number(&mut self, secret: &mut Secret) {
        let Secret::Keyed(keyed) = *secret else {
            return;
        };
        let next = u64::try_from(self.0.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        *secret = match self.0.entry(keyed, || next) {
            Some(number) => Secret::Number(*number),
            None => Secret::Unseen,
        };
    }

    /// Secrets refused at the bound.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// Bytes of the table.
    pub(super) fn held(&self) -> Held {
        let bound = Map::<u64, u64>::table_bound(SECRETS_MAX);
        Held::new("secrets told apart", self.0.table_bytes(), bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_secret_has_the_same_number() {
        let mut secrets = Secrets::new(Seed(1));
        let numbers = [7, 8, 7].map(|keyed| {
            let mut secret = Secret::Keyed(keyed);
            secrets.number(&mut secret);
            secret
        });
        assert_eq!(numbers, [1, 2, 1].map(Secret::Number));
        for keyed in 100..100_000 {
            secrets.number(&mut Secret::Keyed(keyed));
        }
        let mut late = Secret::Keyed(u64::MAX);
        secrets.number(&mut late);
        assert_eq!(late, Secret::Unseen);
        assert!(secrets.refused() > 0);
    }
}
