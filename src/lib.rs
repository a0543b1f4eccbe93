//! The appliance library; names the rooms in reading order.

pub mod report;
