//! The appliance library; names the rooms in reading order.

<<<<<<< HEAD
pub mod store;

pub mod report;

pub mod run;

pub mod cli;
=======
pub mod report;
>>>>>>> report
