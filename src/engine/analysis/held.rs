//! Memory that the analysis holds, by what holds it.

use std::net::IpAddr;

use super::{Analysis, NAMES_MAX};
use crate::types::{Held, Map};

/// Longest name of an address (RFC 1035 §2.3.4).
const NAME_LEN_MAX: usize = 255;

impl Analysis {
    /// Bytes held now and at the bounds. Looks at every device and every name.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let names = self.names.sum(|_, name| name.capacity());
        let names = Held::new(
            "names of addresses",
            names.saturating_add(self.names.table_bytes()),
            Map::<IpAddr, String>::table_bound(NAMES_MAX)
                .saturating_add(NAMES_MAX.saturating_mul(NAME_LEN_MAX)),
        );
        let mut held = vec![self.devices.held()];
        held.extend(self.site.held());
        held.extend([
            names,
            self.site.mirror.held(),
            self.ledger.held(),
            self.incidents.held(),
            self.watch.held(),
        ]);
        held
    }
}
