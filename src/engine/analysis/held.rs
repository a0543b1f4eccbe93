//! Memory that the analysis holds, by what holds it.

use super::Analysis;
use crate::types::Held;

impl Analysis {
    /// Bytes held now and at the bounds. Looks at every device and every name.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let mut held = vec![self.devices.held()];
        held.extend(self.site.held());
        held.extend([
            self.names.held(),
            self.uses.held(),
            self.announced.held(),
            self.oddities.held(),
            self.secrets.held(),
            self.site.mirror.held(),
            self.ledger.held(),
            self.incidents.held(),
            self.watch.held(),
        ]);
        held
    }
}
