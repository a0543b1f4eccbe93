//! May we act? The score, the hour, the rule of engagement and its limits; the only maker of orders.
//!
//! Input:  a [`Case`] (a breach with the connection behind it), a person's approval, stop or resume.
//! Output: decisions, and for those to be carried out an [`Authorised`] that nothing else can make.
//! Units:  times are the packets'; minutes, days and seconds as the rule's keys say.
//! Bounds: 4,096 breaches remembered as decided, 256 open questions, the acts of one hour; beyond
//!         that the answer is no.
//! Absent: no clock, no file: rules come as text, and what must outlive a run goes out as [`Saved`].

mod authorised;
mod caps;
mod case;
mod decide;
mod hours;
pub mod never;
mod read;
mod rule;
mod ruling;
mod signature;
mod watch;
mod whom;

pub use authorised::Authorised;
pub use caps::Caps;
pub use case::{Case, Party};
pub use decide::{Counts, Policy, PolicySettings, Saved};
pub use hours::Hours;
pub use read::check;
pub use rule::{Rule, Scope, ShadowOverride};
pub use signature::{RuleError, Signer};
pub use watch::{Live, SavedWatch, Watch};
pub use whom::Whom;

#[cfg(test)]
mod tests;
