//! The command line as a process: exit codes, what goes to which stream, and how it ends.

#[path = "command/answers.rs"]
mod answers;
#[path = "command/limits.rs"]
mod limits;
#[path = "command/problems.rs"]
mod problems;
#[path = "command/program.rs"]
mod program;
#[path = "command/scrub.rs"]
mod scrub;
#[path = "command/serve.rs"]
mod serve;
