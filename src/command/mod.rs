//! What the command line shows and does, one module per subcommand.
//!
//! stdout is data, stderr is for people. [`run`] turns arguments into an exit code; nothing else in the
//! library knows that there is a process around it.

pub mod banner;
mod canary;
mod check;
mod client;
pub mod demo;
mod examples;
mod explain;
mod health;
mod log;
mod man;
mod patterns;
mod reload;
mod resources;
mod scrub;
mod serve;
mod setup;
mod spool;
pub mod terminal;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ended. The numbers above 1 are those of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// The answer of the command is no.
    No,
    /// Input or output failed.
    Io,
    /// Another process has it now.
    Busy,
    /// The configuration, or a pack, is wrong.
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::No => 1,
            Exit::Io => 74,
            Exit::Busy => 75,
            Exit::Config => 78,
        })
    }
}

/// Telemetry privacy proxy: forwards error reports, logs and analytics without the people in them.
#[derive(Debug, Parser)]
#[command(
    name = "tamis",
    version,
    arg_required_else_help = true,
    after_help = "Try it without any set-up:\n  tamis demo                     invented events, before and after side by side\n  tamis serve                    a proxy on 127.0.0.1:8080 with an inbox instead of a vendor\n  tamis scrub app.log            a file to stdout, scrubbed\n\nExit codes: 0 done, 1 the answer is no, 2 wrong usage, 74 input or output failed, 75 spool in use, 78 bad configuration"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy.
    ///
    /// Without -c it listens on 127.0.0.1:8080, applies the strict preset, and keeps what would have
    /// left in an inbox at http://127.0.0.1:9464. No file is read and nothing is forwarded.
    ///
    /// Log records go to standard error. With TAMIS_LOG=debug in the environment each request is among them: its
    /// route, status, items and time.
    #[command(after_help = examples::SERVE)]
    Serve {
        /// Configuration file.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Threads that serve requests; as many as there are cores if not given.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        workers: Option<u16>,
    },
    /// Check a configuration and all packs, as `serve` would, without opening a port.
    #[command(after_help = examples::CHECK)]
    Check {
        /// Configuration file; without one, what `serve` runs with by default.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Scrub files, or standard input, to standard output.
    ///
    /// Works in constant memory. gzip, zstd, zlib, LZ4 and framed Snappy input is recognised and leaves in the coding it
    /// came in. A summary goes to standard error.
    #[command(after_help = examples::SCRUB)]
    Scrub {
        /// Configuration file: its policy `default` and its packs are used.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How the input is read.
        #[arg(short, long, value_enum, default_value_t = Format::Auto)]
        format: Format,
        /// No progress and no summary.
        #[arg(short, long)]
        quiet: bool,
        /// Files to read; `-` or none is standard input.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Tell why things in a payload were replaced, or were not.
    ///
    /// One line for each hit and each near miss: the field path, the encodings around it, the pattern, and
    /// what decided: action, validator, context, stand-in, exemption, policy. Values are not shown.
    #[command(after_help = examples::EXPLAIN)]
    Explain {
        /// Configuration file: its policy `default` and its packs are used.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How the input is read.
        #[arg(short, long, value_enum, default_value_t = Format::Auto)]
        format: Format,
        /// Show the values, and all keys. They are what you want to keep out of logs and tickets.
        #[arg(long)]
        reveal: bool,
        /// Files to read; `-` or none is standard input.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List the patterns and field rules, test them, or compare what packs would do.
    #[command(subcommand, after_help = examples::PATTERNS)]
    Patterns(PatternsCommand),
    /// Look at the spool: what waits, whether it is sound, the requests themselves.
    ///
    /// Works while a proxy runs with the same spool, and changes nothing.
    #[command(subcommand, after_help = examples::SPOOL)]
    Spool(SpoolCommand),
    /// Serve with an inbox, send invented events through it, and show before and after side by side.
    #[command(after_help = examples::DEMO)]
    Demo {
        /// Stop after this many events; without it, until Ctrl-C.
        #[arg(short = 'n', long, value_name = "N")]
        count: Option<u64>,
    },
    /// Send planted personal data through a running instance and look for it in what left.
    ///
    /// The route that it is posted to must have the inbox as its upstream, and the policy that is to be proved.
    /// Exit code 1 if anything came through, 74 if it cannot be told.
    #[command(after_help = examples::CANARY)]
    Canary(canary::Options),
    /// Ask a running instance whether it takes requests.
    #[command(after_help = examples::HEALTH)]
    Health {
        /// Configuration file of the running instance, for the address of its admin port.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Address of the admin port; 127.0.0.1:9464 if neither says.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
        admin: Option<String>,
    },
    /// Print the manual page, or write those of all commands.
    #[command(after_help = examples::MAN)]
    Man {
        /// Write `tamis.1` and a page for each command there.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the version and what it was built with.
    #[command(after_help = examples::VERSION)]
    Version,
    /// Print a completion script for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum PatternsCommand {
    /// One line per pattern and field rule: name, class, stability, whether it counts, who wrote it and why.
    #[command(after_help = examples::PATTERNS_LIST)]
    List {
        #[command(flatten)]
        packs: patterns::Packs,
        /// Print JSON: an array of objects.
        #[arg(long)]
        json: bool,
    },
    /// Run every example of every pack against its own entry.
    #[command(after_help = examples::PATTERNS_TEST)]
    Test {
        #[command(flatten)]
        packs: patterns::Packs,
    },
    /// Tell what other packs would replace more or less in some files, by pattern and field path.
    ///
    /// Only counts are printed. The policy is `default` of the configuration, or `strict`.
    #[command(after_help = examples::PATTERNS_DIFF)]
    Diff {
        /// Directory with packs, used beside the embedded ones; or the word `embedded`.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The same, for after the change.
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// Configuration file: its policy `default` is used.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How the input is read.
        #[arg(short, long, value_enum, default_value_t = Format::Auto)]
        format: Format,
        /// Files to read.
        #[arg(value_name = "FILE", required = true, value_parser = twice)]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of packs, for editors.
    #[command(after_help = examples::PATTERNS_SCHEMA)]
    Schema,
}

#[derive(Debug, Subcommand)]
enum SpoolCommand {
    /// One line per upstream: items, records, bytes, age of the oldest; then the dead letters.
    #[command(after_help = examples::SPOOL_LS)]
    Ls {
        #[command(flatten)]
        place: spool::Place,
        /// Print JSON: an array of objects.
        #[arg(long)]
        json: bool,
    },
    /// Check every record; exit code 1 if any is damaged.
    #[command(after_help = examples::SPOOL_VERIFY)]
    Verify {
        #[command(flatten)]
        place: spool::Place,
    },
    /// Print what waits as NDJSON, one scrubbed request per line, without the credentials in its headers.
    #[command(after_help = examples::SPOOL_EXPORT)]
    Export {
        #[command(flatten)]
        place: spool::Place,
        /// Print the dead letters instead: what an upstream refused for good.
        #[arg(long)]
        dead: bool,
    },
}

/// A file that can be read more than once.
fn twice(file: &str) -> Result<PathBuf, String> {
    match file {
        "-" => Err("standard input can be read only once, and this reads twice".to_owned()),
        _ => Ok(PathBuf::from(file)),
    }
}

/// Input formats of `scrub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each line for itself: JSON if it is, else text.
    Auto,
    /// One JSON document.
    Json,
    /// One JSON document per line; other lines are scanned as text and counted.
    Ndjson,
    /// Lines of text.
    Text,
    /// A Sentry envelope.
    Sentry,
}

/// Runs the program on its arguments.
pub fn run() -> ExitCode {
    resources::forbid_core_dumps();
    let exit = match Arguments::parse().command {
        Command::Serve { config, workers } => serve::run(config.as_deref(), workers),
        Command::Check { config } => check::run(config.as_deref()),
        Command::Scrub { config, format, quiet, files } => {
            scrub::run(config.as_deref(), format, quiet, &files)
        }
        Command::Patterns(PatternsCommand::List { packs, json }) => patterns::list(&packs, json),
        Command::Explain { config, format, reveal, files } => {
            explain::run(config.as_deref(), format, reveal, &files)
        }
        Command::Patterns(PatternsCommand::Diff { old, new, config, format, files }) => {
            patterns::diff(&old, &new, config.as_deref(), format, &files)
        }
        Command::Patterns(PatternsCommand::Schema) => say(&crate::pattern::schema::schema()),
        Command::Patterns(PatternsCommand::Test { packs }) => patterns::test(&packs),
        Command::Spool(SpoolCommand::Ls { place, json }) => spool::ls(&place, json),
        Command::Spool(SpoolCommand::Verify { place }) => spool::verify(&place),
        Command::Spool(SpoolCommand::Export { place, dead }) => spool::export(&place, dead),
        Command::Demo { count } => demo::run(count),
        Command::Canary(options) => canary::run(&options),
        Command::Health { config, admin } => health::run(config.as_deref(), admin.as_deref()),
        Command::Man { dir } => man::run(&Arguments::command(), dir.as_deref()),
        Command::Version => say(&version()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "tamis", &mut script);
            say(&String::from_utf8_lossy(&script))
        }
    };
    exit.into()
}

fn version() -> String {
    format!(
        "tamis {}\ntarget {}-{}\nlicence {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        env!("CARGO_PKG_LICENSE")
    )
}

/// Writes data to standard output. A reader that has gone away is no error.
fn say(text: &str) -> Exit {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            tell(&format!("cannot write to standard output: {error}"));
            Exit::Io
        }
    }
}

/// Writes a line for a person to standard error. If that fails, there is nobody left to tell.
fn tell(text: &str) {
    let written = writeln!(std::io::stderr().lock(), "tamis: {text}");
    drop(written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }
}
