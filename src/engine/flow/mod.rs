//! Flows: both directions of one 5-tuple while alive.
//!
//! Input:  decoded packets, one at a time, from a `Tracker`.
//! Output: flow events, `conn` records, stream bytes in order for whoever parses them.
//! Bounds: see `table` (flows), `stream` (bytes held out of order), `fragment` (pieces of packets).

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod carrier;
mod community_id;
mod conn;
mod control;
mod digest;
mod dir;
mod duplicate;
mod event;
mod fragment;
mod history;
mod key;
mod places;
mod rank;
mod recent;
mod state;
mod stream;
mod table;
mod tcp;
mod weird;
mod wheel;

pub use carrier::{Carrier, Carriers};
pub use community_id::{CommunityId, community_id};
pub use conn::Conn;
pub use digest::{NonIp, digest};
pub use dir::Dir;
pub use duplicate::{Checksum, Copied};
pub use event::{conn, ends, event};
pub use fragment::{Datagram, Fragments, Outcome as FragmentOutcome};
pub use history::{History, Letters};
pub use key::{Key, counterpart, is_likely_server};
pub use rank::Rank;
pub use recent::{Look, Recent};
pub use state::{Flow, Side, Tcp as TcpState, bit};
pub use stream::{Room, Stream};
pub use table::{Index, Table};
pub use tcp::Step;
pub use weird::Weirds;
