//! Runs the binary: once with an input, or as a server until it is told to end.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) const TAMIS: &str = env!("CARGO_BIN_EXE_tamis");

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// How a command ended, and what it wrote.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `tamis` with an empty input.
pub(crate) fn tamis(args: &[&str]) -> Ran {
    tamis_reading(args, b"")
}

/// Starts `tamis` with pipes for all that goes in and comes out.
pub(crate) fn piped(args: &[&str]) -> Child {
    let mut command = command(TAMIS);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Runs `tamis` and gives it `input`.
pub(crate) fn tamis_reading(args: &[&str], input: &[u8]) -> Ran {
    let mut child = piped(args);
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // It may write before it has read everything, and may end without reading anything.
    let writes = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writes.join().expect("no panic");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A command whose output does not depend on who runs the tests.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("TAMIS_LOG").env_remove("NO_COLOR").env_remove("COLUMNS");
    command
}

/// Writes a file into `dir`; its path.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("writable");
    path.into_os_string().into_string().expect("a plain path")
}

/// A server with one route of everything to the inbox, on ports of its own, and more in its configuration.
pub(crate) fn to_inbox(more: &str) -> String {
    format!(
        "version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[[routes]]\nname = 'all'\n\
         protocol = 'generic'\nupstream = 'inbox'\n{more}"
    )
}

/// A running `tamis serve`; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    told: Arc<Mutex<String>>,
    reads: Option<JoinHandle<()>>,
    pub(crate) ingest: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts what runs `tamis serve` and waits until it has said where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::of(command.stderr(Stdio::piped()).spawn().expect("it starts"))
    }

    /// The same of one that was started with a pipe for its errors.
    pub(crate) fn of(mut child: Child) -> Self {
        let mut stderr = child.stderr.take().expect("piped");
        let told = Arc::new(Mutex::new(String::new()));
        let reads = thread::spawn({
            let told = Arc::clone(&told);
            move || {
                let mut chunk = [0; 4096];
                while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                    told.lock().expect("no panic").push_str(&String::from_utf8_lossy(&chunk[..read]));
                }
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, told, reads: Some(reads), ingest: nowhere, admin: nowhere };
        server.wait(|told| told.contains("/metrics\n"));
        server.ingest = server.address("listening").or(server.address("JSON, logs")).expect("it listens");
        server.admin = server.address("metrics").expect("it listens");
        server
    }

    /// Starts it with a configuration.
    pub(crate) fn configured(file: &str) -> Self {
        Self::start(command(TAMIS).args(["serve", "--workers", "1", "-c", file]).stdout(Stdio::null()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written to standard error so far.
    pub(crate) fn told(&self) -> String {
        self.told.lock().expect("no panic").clone()
    }

    /// Waits until what it has told is as wanted.
    #[track_caller]
    pub(crate) fn wait(&self, wanted: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !wanted(&self.told()) {
            assert!(begun.elapsed() < LONG, "{}", self.told());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address in the line of the banner that begins with `name`.
    fn address(&self, name: &str) -> Option<SocketAddr> {
        let told = self.told();
        let line = told.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
        line.trim().strip_prefix("http://")?.split('/').next()?.parse().ok()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Waits until it has ended; its exit code, and all that it told.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it is ours").code();
        self.reads.take().expect("once").join().expect("no panic");
        (code, self.told())
    }

    /// Posts a body as JSON; the answer with its head.
    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{headers}\r\n{body}",
            self.ingest,
            body.len()
        );
        exchange(self.ingest, &request)
    }

    /// Asks the admin port; the answer with its head.
    pub(crate) fn ask(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        exchange(self.admin, &request)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is what was wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "the answer of our own process, which closes the connection")]
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("a time");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8(answer).expect("text")
}
