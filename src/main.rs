//! Arguments to command; exit codes.

fn main() {}
