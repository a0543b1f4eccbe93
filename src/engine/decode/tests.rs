//! Frames worked out by hand.

use super::*;

#[test]
fn an_unknown_link_type_is_refused() {
    assert_eq!(decode(147, 1, &[0]).err(), Some(Refused::LinkType));
}
