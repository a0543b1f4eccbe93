//! The one integration-test binary: each file beside this one is a module and a topic.

mod alloc;
mod bad_input;
mod demo;
mod determinism;
mod devices;
mod evasion;
mod files;
mod forward;
mod fuzz;
mod golden;
mod honest;
mod licences;
mod live;
mod memory;
mod mutations;
mod operate;
mod oracle;
mod secrets;
mod services;
mod state;
mod support;
mod tidy;
