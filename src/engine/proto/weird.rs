//! Protocol oddities, for the engineer; which of them are written, the analysis decides.

use crate::record;
use crate::types::Text;

record! {
    /// Something on the wire that should not be so (Zeek's `weird.log`).
    pub struct Weird = "weird" {
        /// Name of the oddity.
        pub name: &'static str = "name",
        /// More about it.
        pub addl: Option<Text> = "addl",
        /// Whether it was turned into a notice; always false.
        pub notice: bool = "notice",
        /// Which part of the engine saw it.
        pub source: Option<&'static str> = "source",
    }
}
