//! What a parser's fault says on standard error: one line for each place in the code, however often it comes.
//!
//! Not said: the panic's own words, which may quote what was on the wire. Each flow lost is counted
//! (`stats.json`, `tapir show protocols`) and told as `weird: parser_panic`.

use std::collections::BTreeSet;
use std::panic;
use std::sync::Mutex;

/// Lets every other panic speak as before. To be called once, at the start.
pub fn tell_once() {
    let usual = panic::take_hook();
    let told = Told::default();
    panic::set_hook(Box::new(move |panic| {
        if !tapir_engine::proto::is_guarded() {
            return usual(panic);
        }
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        if told.is_new(&place) {
            tracing::error!(
                "a parser failed at {place}: a bug of Tapir's; the flow goes on without it, and \
                 `tapir show protocols` counts such flows"
            );
        }
    }));
}

/// Places in the code that were told.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeSet<String>>);

impl Told {
    fn is_new(&self, place: &str) -> bool {
        // One that failed while it held the lock has told enough.
        self.0
            .lock()
            .is_ok_and(|mut told| told.insert(place.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_told_once() {
        let told = Told::default();
        let news: Vec<bool> = ["a:1", "b:1", "a:1"].map(|place| told.is_new(place)).into();
        assert_eq!(news, [true, true, false]);
    }
}
