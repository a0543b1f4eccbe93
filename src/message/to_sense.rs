//! From `serve` to `sense`.

use serde::{Deserialize, Serialize};

use crate::Ruling;

/// What `serve` tells `sense`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSense {
    /// First word of a `serve` that has just started: its message version. `sense` answers with what
    /// was not yet acknowledged.
    Hello {
        /// [`crate::VERSION`] of the sender.
        version: u16,
    },
    /// What the analysis knew before, as JSON text; empty text if nothing. Comes before `Begin`.
    State(String),
    /// Notices are to be numbered from `next` on, below `until`; the lease is on disk.
    Numbers {
        /// First number.
        next: u64,
        /// First number that is not leased.
        until: u64,
    },
    /// Everything was said that must be known before the first frame.
    Begin,
    /// All notices up to this number are on disk.
    Journalled {
        /// The highest such number.
        number: u64,
    },
    /// A person approved a decision that asked.
    Approve {
        /// Decision id.
        decision: String,
        /// Who.
        who: String,
    },
    /// A person takes an action back, or all of them.
    Revert {
        /// Decision id; `None` means all.
        decision: Option<String>,
        /// Who.
        who: String,
    },
    /// A person's word on which devices are one machine. Those that no saved state knows of are said before
    /// every `Begin` and by every new `serve`; one that was heard before is passed over.
    Ruling(Ruling),
    /// The kill switch: nothing leaves any more until `ResumeResponses`. One of the two is said before
    /// every `Begin`.
    StopResponses {
        /// Who.
        who: String,
    },
    /// Responses are allowed again.
    ResumeResponses {
        /// Who.
        who: String,
    },
    /// Finish what is open and end.
    Stop,
}
