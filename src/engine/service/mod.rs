//! Which services on the internet a site uses: a catalogue of names, and a ledger of who used what.
//!
//! Input:  names that flows give away: TLS and QUIC server names, HTTP hosts, certificates, DNS answers.
//! Output: a flow's service (`cloud_service` of its `conn` record); uses, a line for each service and device.
//! Bounds: 4,096 services of 256 domains; 20,000 uses, the oldest let go; 65,536 flows at a time whose
//!         service is known, a new one is refused; all counted.
//! Not done: a name in an encrypted hello is not seen; behind a shared address DNS may name another
//!         customer of the same provider, so every other evidence goes before it.

mod catalogue;
mod read;
mod uses;

pub use catalogue::{CATEGORIES, Catalogue, Service, ServiceIx, WrongWord};
pub use uses::{Evidence, SavedUses, Use, Uses};
