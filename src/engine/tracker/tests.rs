//! Packets made by hand, through the whole tracker.
