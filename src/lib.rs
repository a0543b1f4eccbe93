//! The appliance library; names the rooms in reading order.

pub mod store;

pub mod report;

pub mod run;

pub mod cli;
