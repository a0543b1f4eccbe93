//! Tests of the crate from outside: whole files in, frames out.

mod corpus;
mod files;
mod written;
