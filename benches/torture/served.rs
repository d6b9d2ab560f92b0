//! A Tamis that is tortured, with what it says of itself.

use super::options::Options;
use crate::proxy::peer::PROXY_CORE;
use crate::support::process::{Watched, free_address};
use crate::support::tamis;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the admin port may take.
const ADMIN_SECONDS_MAX: u64 = 20;

pub(crate) struct Served {
    pub(crate) process: Watched,
    pub(crate) ingest: SocketAddr,
    admin: SocketAddr,
}

impl Served {
    /// Starts it with one route for Sentry to `upstream`, and the tables `more` in its configuration. `command` makes what it is run by.
    ///
    /// # Errors
    /// It does not come up.
    pub(crate) fn start(
        command: impl FnOnce(&Path) -> Command,
        options: &Options,
        dir: &Path,
        upstream: SocketAddr,
        more: &str,
    ) -> io::Result<Self> {
        let (ingest, admin) = (free_address()?, free_address()?);
        let config = dir.join("tamis.toml");
        fs::write(&config, tamis::config("sentry", ingest, admin, upstream) + more)?;
        let mut command = command(&options.tamis);
        command.args(["serve", "--workers", "1", "-c"]).arg(&config);
        let mut process = Watched::start(&mut command, &dir.join("log"))?;
        process.wait_until_open(ingest)?;
        Ok(Self { process, ingest, admin })
    }

    /// The sum of all samples of a metric whose name and labels begin with `name`.
    ///
    /// # Errors
    /// The admin port does not answer.
    pub(crate) fn metric(&self, name: &str) -> io::Result<f64> {
        let text = self.ask("/metrics")?;
        let samples = text.lines().filter(|line| line.starts_with(name));
        Ok(samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }

    /// Waits until a metric is zero; the seconds that it took.
    ///
    /// # Errors
    /// It is not, after `at_most`.
    pub(crate) fn wait_for_zero(&self, name: &str, at_most: Duration) -> io::Result<f64> {
        let begun = Instant::now();
        while self.metric(name)? > 0.0 {
            if begun.elapsed() > at_most {
                return Err(io::Error::other(format!("{name} is {} after {at_most:?}", self.metric(name)?)));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Items that were received and have no outcome, are not in flight and not in the spool: none, unless the books are wrong.
    ///
    /// # Errors
    /// The admin port does not answer.
    pub(crate) fn unaccounted(&self) -> io::Result<i64> {
        let text = self.ask("/api/v1/ledger")?;
        let value = text.rsplit_once("\"unaccounted\":").map(|(_, rest)| rest);
        let digits: String = value
            .unwrap_or_default()
            .chars()
            .skip_while(|c| *c == ' ')
            .take_while(|c| *c == '-' || c.is_ascii_digit())
            .collect();
        digits.parse().map_err(|_| io::Error::other(format!("no ledger in {text}")))
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(ADMIN_SECONDS_MAX)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

/// Tamis on its core, or anywhere in a run in small.
pub(crate) fn pinned(options: &Options) -> impl FnOnce(&Path) -> Command {
    let smoke = options.smoke;
    move |program| {
        if smoke {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", PROXY_CORE]).arg(program);
        command
    }
}
