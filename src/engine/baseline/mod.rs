//! What is normal: per device, for its peers, for the site; and the detectors that watch for more.
//!
//! Input:  flow events and records with the devices they belong to, in order of time.
//! Output: verdicts: rows that models are evaluated on.
//! Bounds: a watch (contacts seen, scan walk) for every device, 8 KiB; a baseline (levels, edges) of
//!         at most 20 KiB after ten minutes and one answered exchange; 65,536 endpoints outside.

mod beacon;
mod contact;
mod counts;
mod device;
mod features;
mod held;
mod hours;
mod negbin;
mod novelty;
mod scan;
mod site;
mod tail;

pub use beacon::Beacon;
pub use contact::{Contact, NameHash, Named};
pub use features::{Feature, Upload, Window};
pub use novelty::{StableHash, stable_hash};
pub use scan::Scan;
pub use site::{Family, Saved, Site, SiteSettings, Span, Verdict};
