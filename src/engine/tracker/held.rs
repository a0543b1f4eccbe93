//! Memory that a tracker holds, by what holds it.

use super::Tracker;
use crate::proto::driver::App;
use crate::types::Held;

impl Tracker {
    /// Bytes held now and at the bounds. Looks at every flow.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let attached = self.table.attached().map(App::allocated);
        let flows_max = self.table.flows_max();
        let parsers = Held::new(
            "streams and parsers",
            attached.fold(0, usize::saturating_add),
            flows_max
                .saturating_mul(App::BYTES_MAX)
                .saturating_add(self.room.max),
        );
        let mut held = self.table.held().to_vec();
        held.extend([
            parsers,
            self.fragments.held(),
            self.recent.held(),
            self.carriers.held(),
            self.sightings.held("hardware addresses"),
            self.announcements.held("announcements of ports"),
        ]);
        held
    }
}
