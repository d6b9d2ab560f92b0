//! Child processes that are waited for, watched through `/proc`, and always ended.
//!
//! In: a command. Out: its CPU time and memory, its children's included (nginx works in a child).
//! Its own output goes to a file in the directory of the run; the end of it is shown when it fails.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a process may take until it listens, and how long to end after SIGTERM.
const START_SECONDS_MAX: u64 = 20;
const STOP_SECONDS_MAX: u64 = 12;
/// SPEC: `USER_HZ`, the unit of times in `/proc/<pid>/stat` (proc(5)); 100 on every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A port of the loopback that was free a moment ago. Another process may take it in between: the start then fails.
///
/// # Errors
/// When the loopback has no free port.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// A running child process. Ended by SIGTERM, then SIGKILL, when it goes out of scope.
pub(crate) struct Watched {
    child: Child,
    log: PathBuf,
}

impl Watched {
    /// Starts `command` with its standard error, and its output unless `command` says otherwise, in `log`.
    ///
    /// # Errors
    /// When the log cannot be made or the program cannot be run.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let file = File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Starts `command` as [`Watched::start`] does, but leaves its input and output as pipes.
    ///
    /// # Errors
    /// As for [`Watched::start`].
    pub(crate) fn start_filter(command: &mut Command, log: &Path) -> io::Result<Self> {
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(log)?).spawn()?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// The child itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until somebody listens at `address`.
    ///
    /// # Errors
    /// When the process ends or the time is over first; the message holds the end of its log.
    pub(crate) fn wait_until_open(&mut self, address: SocketAddr) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended with {status} before it listened")));
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("did not listen within {START_SECONDS_MAX} s")));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// CPU time, user and system, of the process and its children, in seconds. Steps of 10 ms.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        self.sum(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // SPEC: the name in brackets may hold anything; utime and stime are fields 14 and 15 (proc(5)).
            let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let ticks: f64 =
                after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
            Ok(ticks / TICKS_PER_SECOND)
        })
    }

    /// The most memory that was resident at once (`VmHWM`), of the process and its children, in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn peak_mib(&self) -> io::Result<f64> {
        self.sum(|pid| status_mib(pid, "VmHWM:"))
    }

    /// The memory that is resident now (`VmRSS`), of the process and its children, in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn resident_mib(&self) -> io::Result<f64> {
        self.sum(|pid| status_mib(pid, "VmRSS:"))
    }

    /// `what` went wrong, with the end of the log.
    pub(crate) fn failure(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(10)..].join("\n    ");
        io::Error::other(format!("{what}; the end of {}:\n    {tail}", self.log.display()))
    }

    fn sum(&self, of: impl Fn(u32) -> io::Result<f64>) -> io::Result<f64> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        std::iter::once(pid).chain(children).map(of).sum()
    }

    /// Asks the process to end: SIGKILL at once would leave the children of nginx behind.
    fn stop(&mut self) -> io::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status()?;
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A process that is gone already needs no stopping, and there is nobody left to tell.
        if self.stop().is_err() {
            drop(self.child.kill());
        }
    }
}

/// SPEC: "VmHWM:     12345 kB", in KiB whatever the label says (proc(5)).
fn status_mib(pid: u32, key: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse::<f64>().ok());
    value.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("process {pid} has ended")))
}
