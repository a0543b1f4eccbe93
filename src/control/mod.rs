//! The control socket: how a person at the prompt asks the daemon, and tells it.
//!
//! Protocol: a Unix stream socket. One [`Request`] as a line of JSON, then one [`Answer`] as a line of
//!           JSON, and the connection ends; `watch` gets lines until one side has enough. Every answer
//!           carries its shape in `schema`, for example `tapir.breaches/1`.
//! Who may:  decided by the daemon from SO_PEERCRED, never by the command: root and the daemon's own
//!           user may do all; members of the group `tapir` may look, and see no one-time codes. Finer
//!           roles (viewer, analyst, responder, admin) are not there.
//! Bounds:   64 KiB a request, 10 s to send it, 60 s to take the answer; 32 connections, 8 more for
//!           those who may do all, so that lookers never shut out the kill switch; beyond that a
//!           connection is told `busy`.

mod answer;
mod client;
mod desk;
mod device;
mod line;
mod merge;
mod peer;
mod request;
mod server;
mod status;
mod watch;

#[cfg(test)]
pub(crate) mod tests;

pub use answer::{
    Answer, Event, Explanation, MergeEntry, ProtocolEntry, Refusal, ResponseEntry, Site, Why,
};
pub use client::{ControlError, Lines, ask, watch};
pub use desk::{Desk, Ruled, devices};
pub use device::{Known, OPEN_NS, Portrait, Router};
pub use peer::{READERS, Rights};
pub use request::{DeviceFilter, Request, ServiceFilter};
pub use server::{Server, ServerError, Serving};
pub use status::{JournalStatus, OutputStatus, ProcessStatus, State, Status};
pub use watch::{Next, Watch, Watchers};
