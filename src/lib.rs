//! The appliance library; names the rooms in reading order.

mod allocator;

pub use allocator::Allocator;

pub mod config;

pub mod control;

pub mod store;

pub mod forward;

pub mod report;

pub mod run;

pub mod cli;
