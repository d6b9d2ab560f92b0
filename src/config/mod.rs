//! The configuration file: read, checked whole, resolved.
//!
//! In: a TOML file, and the files and variables it names for secrets. Out: a [`Config`] that nobody
//! checks again, or [`Problems`]: all of them at once, each with line and column.
//! Holds nothing. Opens no port, and never quotes a URL, a path or a secret in a message.
//!
//! `raw` is the file as written, `resolved` what runs; `resolve` is the one way between them. Which
//! keys there are is the table in [`schema`], every number with its bounds the one in `number`.
//! Paths in the file are relative to the directory that the process runs in.

mod headers;
mod hints;
mod matcher;
mod number;
mod policy;
mod problem;
mod raw;
mod resolve;
mod resolved;
mod route;
mod routes;
pub mod schema;
mod traces;
mod units;
mod upstream;

#[cfg(test)]
mod tests;

pub use matcher::{HostPattern, Match, PathGlob};
pub use problem::{Problem, Problems};
pub use resolved::{
    Admin, Config, Limits, Listen, LogFormat, Origin, Patterns, Reload, Secret, Spool, Timeouts,
};
pub use route::{Platform, Protocol, Route};
pub use traces::{SAMPLES_OF, Traces};
pub use upstream::{HttpUpstream, Scheme, Upstream, UpstreamCoding};

use problem::Findings;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use toml::de::DeTable;

/// Most bytes of the configuration file, and of each file that it names.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The file itself cannot be read (exit code 74). The path is the user's own argument.
    Unreadable {
        /// As it was given.
        origin: String,
        /// Why.
        source: io::Error,
    },
    /// The file was read and is not right (exit code 78).
    Wrong(Problems),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { origin, .. } => write!(f, "{origin}: cannot read the configuration"),
            Self::Wrong(problems) => write!(f, "{problems}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Wrong(_) => None,
        }
    }
}

/// Reads and checks a configuration file, with the process's own environment and file system.
///
/// # Errors
/// [`LoadError::Unreadable`] when the file itself cannot be read, is longer than 1 MiB or is not UTF-8;
/// [`LoadError::Wrong`] with every problem in it otherwise.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let origin = path.display().to_string();
    let text = read_file(path).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
    });
    match text {
        Ok(text) => {
            parse(&text, &origin, &|name| std::env::var(name).ok(), &read_file).map_err(LoadError::Wrong)
        }
        Err(source) => Err(LoadError::Unreadable { origin, source }),
    }
}

/// Checks a configuration that has been read. `origin` names it in messages; `env` and `read` give the
/// variables and files that it names.
///
/// # Errors
/// Every problem, by place. Of a file that is no TOML only the syntax is reported: what follows from a
/// table that was cut short would mislead.
pub fn parse(
    text: &str,
    origin: &str,
    env: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<Config, Problems> {
    let mut findings = Findings::new(origin, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // LEAK: the parser's message says what it expected and never quotes the file; its `Display`
        // would show the line.
        let at = error.span().map_or(0, |span| span.start);
        findings.note(at, format!("not TOML: {}", error.message()));
    }
    if !findings.is_empty() {
        return Err(findings.into_problems(None));
    }
    let raw = raw::read(&document, &mut findings);
    let config = resolve::resolve(&raw, &mut resolve::World { findings: &mut findings, env, read });
    if findings.is_empty() {
        return Ok(config);
    }
    Err(findings.into_problems(raw.patterns_hold.then_some(config.pattern)))
}

/// A whole file of at most [`FILE_BYTES_MAX`] bytes.
#[expect(clippy::disallowed_methods, reason = "capped by `take` at FILE_BYTES_MAX")]
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB"));
    }
    Ok(bytes)
}
