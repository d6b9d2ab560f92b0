//! The command line: see `tamis --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tamis::command::run()
}
