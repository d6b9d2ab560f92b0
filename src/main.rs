//! The command line: arguments, exit codes, nothing else.

fn main() {}
