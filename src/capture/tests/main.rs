//! Tests of the crate from outside: whole files in, frames out.

mod armed;
mod corpus;
mod files;
mod inject;
mod live;
mod namespace;
mod record;
mod veth;
mod wire;
mod written;
