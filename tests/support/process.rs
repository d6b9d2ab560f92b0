//! `tamis serve` as a process of its own, asked over sockets and watched from outside.

use super::{Answer, LONG, read_answer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// The binary under test.
pub(crate) const TAMIS: &str = env!("CARGO_BIN_EXE_tamis");

/// Starts of one process, each on other ports.
const STARTS_MAX: usize = 5;

/// A running `tamis serve`.
pub(crate) struct Served {
    child: Child,
    pub(crate) ingest: SocketAddr,
    pub(crate) admin: SocketAddr,
    dir: PathBuf,
}

impl Served {
    /// Starts it on free ports and waits until it accepts. `config` is what stands behind `[listen]` in `tamis.toml`.
    pub(crate) async fn start(dir: &Path, config: &str) -> Self {
        Self::start_with(logged(dir), dir, config).await
    }

    /// The same by a command that takes the arguments, and whose output goes where it says.
    pub(crate) async fn start_with(mut command: Command, dir: &Path, config: &str) -> Self {
        command.args(["serve", "--workers", "2", "-c"]).arg(dir.join("tamis.toml")).stdin(Stdio::null());
        // A port that was free a moment ago may be somebody else's when the process wants it.
        for _ in 0..STARTS_MAX {
            let (ingest, admin) = (free_port().await, free_port().await);
            write_config(dir, ingest, admin, config);
            let child = command.spawn().expect("it starts");
            let mut served = Self { child, ingest, admin, dir: dir.to_owned() };
            if served.accepts().await {
                return served;
            }
        }
        drop(log(dir));
        panic!("it ends at once: {}", std::fs::read_to_string(dir.join("log")).expect("text"));
    }

    /// Waits until it accepts; false if it ended before.
    async fn accepts(&mut self) -> bool {
        let opened = async {
            // One port is open a moment before the other.
            for port in [self.ingest, self.admin] {
                while TcpStream::connect(port).await.is_err() {
                    if !self.runs() {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            self.runs()
        };
        let opened = tokio::time::timeout(2 * LONG, opened).await;
        opened.unwrap_or_else(|_| panic!("{}", self.log()))
    }

    /// Writes another configuration behind the same `[listen]`; nothing reads it before a SIGHUP.
    pub(crate) fn configure(&self, config: &str) {
        write_config(&self.dir, self.ingest, self.admin, config);
    }

    /// Sends a whole request that asks for the connection to be closed.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(self.ingest).await.expect("it accepts");
        // What is refused early may close before all is written; the answer is there to be read all the same.
        drop(stream.write_all(request.as_ref()).await);
        read_answer(stream).await
    }

    /// Asks the admin port.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.admin).await.expect("admin accepts");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        stream.write_all(request.as_bytes()).await.expect("admin reads");
        read_answer(stream).await
    }

    /// The value of one sample, as it is written: name and labels.
    pub(crate) async fn metric(&self, sample: &str) -> Option<u64> {
        let answer = self.ask("/metrics").await;
        let line = answer.body.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
    }

    /// Waits for a sample to have a value.
    pub(crate) async fn wait_for(&self, sample: &str, value: u64) {
        let reached = async {
            while self.metric(sample).await != Some(value) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(4 * LONG, reached).await.is_ok();
        assert!(in_time, "{sample} is {:?}, not {value}", self.metric(sample).await);
    }

    /// Items that were received, and those that ended in each way; checks that none is left over.
    pub(crate) async fn ended(&self) -> (u64, serde_json::Value) {
        let mut totals = serde_json::Value::Null;
        let settled = async {
            loop {
                totals = serde_json::from_str(&self.ask("/api/v1/ledger").await.body).expect("JSON");
                if totals["in_flight"] == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, settled).await.expect("every item ends");
        let received = totals["received"].as_u64().expect("a number");
        let ended = totals["ended"].as_object().expect("outcomes").values();
        let in_spool = totals["in_spool"].as_u64().expect("a number");
        let ended: u64 = ended.filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(received, ended + in_spool, "{totals}");
        (received, totals["ended"].take())
    }

    /// Waits until every item is accounted for: received = outcomes + in flight + in spool. While it sends, one is between two places
    /// for a moment.
    pub(crate) async fn accounted(&self) -> serde_json::Value {
        let agree = async {
            loop {
                let ledger: serde_json::Value =
                    serde_json::from_str(&self.ask("/api/v1/ledger").await.body).expect("JSON");
                if ledger["unaccounted"] == 0 {
                    return ledger;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, agree).await.expect("the sums agree")
    }

    /// Most bytes that were resident at once since it began.
    pub(crate) fn resident_peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// SPEC: proc_pid_status(5); in KiB.
    fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux has the field");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Its number as a process.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// Waits for its end; the exit code, and all that it said.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it is ours").code();
        (code, self.log())
    }

    /// Sends SIGTERM and waits; the exit code, and all that it said.
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.wait()
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// All that it said so far.
    pub(crate) fn log(&self) -> String {
        drop(log(&self.dir));
        std::fs::read_to_string(self.dir.join("log")).expect("text")
    }
}

/// A failing test leaves nothing running.
impl Drop for Served {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program, with all that it says going into a file of `dir`.
pub(crate) fn logged(dir: &Path) -> Command {
    let log = log(dir);
    let mut command = Command::new(TAMIS);
    command.stderr(log.try_clone().expect("a file")).stdout(log);
    command
}

fn log(dir: &Path) -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(dir.join("log")).expect("writable")
}

fn write_config(dir: &Path, ingest: SocketAddr, admin: SocketAddr, config: &str) {
    let text = format!("version = 1\n[listen]\ningest = \"{ingest}\"\nadmin = \"{admin}\"\n{config}");
    std::fs::write(dir.join("tamis.toml"), text).expect("writable");
}

/// A port that nobody listens on, nor will before its test does: the kernel hands out higher ones for port 0, so that another test's
/// upstream could come up where this one's is away, and each is given once. Processes that run at once begin at different ones.
pub(crate) async fn free_port() -> SocketAddr {
    const PORTS: std::ops::Range<u32> = 20_000..32_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in PORTS {
        let nth = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let port = u16::try_from(PORTS.start + nth).expect("a port");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return listener.local_addr().expect("bound");
        }
    }
    panic!("no port is free");
}
