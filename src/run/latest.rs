//! Things that are told again and again, each kept in its latest state.

use std::collections::BTreeMap;

/// The latest state of things with an id, in order of first appearance.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    pub(crate) items: Vec<T>,
    places: BTreeMap<String, usize>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            places: BTreeMap::new(),
        }
    }
}

impl<T> Latest<T> {
    /// Puts a state in the place of the older one.
    pub(crate) fn put(&mut self, id: String, item: T) {
        let place = *self.places.entry(id).or_insert(self.items.len());
        if let Some(old) = self.items.get_mut(place) {
            *old = item;
        } else {
            self.items.push(item);
        }
    }
}
