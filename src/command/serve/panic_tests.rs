//! A panic of the engine in a real `serve`: with its hook, its log and its ports, in a process of its own.
//!
//! The test runs itself again, with a configuration in its environment: that one serves until it is told to end. In a test build the
//! scrubber panics on demand and quotes the payload while it does: see `proxy::scrub`.

use super::*;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where the child finds its configuration.
const CONFIG: &str = "TAMIS_TEST_CONFIG";
const CHILD: &str =
    "command::serve::panic_tests::a_panic_is_a_500_is_counted_and_says_nothing_of_the_payload";
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
/// More than any answer has.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// What no text of ours may say.
const SECRET: &str = "ada.lovelace@example.com";

struct Served {
    child: Child,
    ingest: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
}

impl Served {
    fn start(dir: &Path, upstream: SocketAddr) -> Self {
        let [ingest, admin] = [free_port(), free_port()];
        let (config, log, secret) = (dir.join("tamis.toml"), dir.join("log"), dir.join("secret"));
        std::fs::write(&secret, "an-invented-drain-secret").expect("writable");
        let text = format!(
            "version = 1\n[listen]\ningest = '{ingest}'\nadmin = '{admin}'\n\
             [[routes]]\nname = 'drain'\nprotocol = 'vercel'\nmatch = {{ path = '/drain' }}\n\
             platform = {{ secret_file = '{}' }}\nupstream = 'http://{upstream}'\n\
             [[routes]]\nname = 'langfuse'\nprotocol = 'langfuse'\nmatch = {{ path = '/api/public/**' }}\n\
             upstream = 'http://{upstream}'\n\
             [[routes]]\nname = 'kept'\nprotocol = 'generic'\nmatch = {{ path = '/kept' }}\nupstream = 'inbox'\n\
             [[routes]]\nname = 'logs'\nprotocol = 'generic'\nupstream = 'http://{upstream}'\n",
            secret.display()
        );
        std::fs::write(&config, text).expect("writable");
        let file = std::fs::File::create(&log).expect("writable");
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.args(["--exact", CHILD, "--nocapture"]);
        command.env(CONFIG, config).env("TAMIS_LOG", "trace").stdin(Stdio::null());
        command.stderr(file.try_clone().expect("a file")).stdout(file);
        let served = Self { child: command.spawn().expect("it starts"), ingest, admin, log };
        let begun = Instant::now();
        // One port is open a moment before the other.
        while [ingest, admin].iter().any(|port| TcpStream::connect(port).is_err()) {
            assert!(begun.elapsed() < LONG, "{}", served.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        served
    }

    /// Status and whole answer. `head` is the path, and the type with whatever headers follow it.
    fn post(&self, (path, head): (&str, &str), body: &[u8]) -> (u16, String) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: tamis.example.com\r\nconnection: close\r\ncontent-type: {head}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        exchange(self.ingest, &[head.as_bytes(), body].concat())
    }

    fn metrics(&self) -> String {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin);
        exchange(self.admin, request.as_bytes()).1
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("text")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port")
}

fn exchange(to: SocketAddr, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(to).expect("it accepts");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    // What is refused early may close before all is written; the answer is there to be read all the same.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    drop(io::copy(&mut stream.take(ANSWER_BYTES_MAX), &mut answer));
    let text = String::from_utf8_lossy(&answer).into_owned();
    (text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), text)
}

/// A server that keeps the bytes of each connection, and answers nothing.
fn upstream() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = port.local_addr().expect("bound");
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in port.incoming() {
            let (mut stream, keep) = (stream.expect("loopback"), Arc::clone(&keep));
            std::thread::spawn(move || {
                let mut piece = vec![0; 64 << 10];
                while let Ok(read @ 1..) = stream.read(&mut piece) {
                    keep.lock().expect("no panic").extend_from_slice(&piece[..read]);
                }
            });
        }
    });
    (address, kept)
}

/// Small, so that it is scrubbed on the spot; longer, so that it leaves the async threads; longer than what is held, so that
/// its request at the upstream has begun.
#[test]
fn a_panic_is_a_500_is_counted_and_says_nothing_of_the_payload() {
    if let Some(config) = std::env::var_os(CONFIG) {
        // The child: nothing but `tamis serve -c FILE`.
        assert_eq!(run(Some(Path::new(&config)), Some(2)), Exit::Ok);
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (address, arrived) = upstream();
    let served = Served::start(dir.path(), address);
    let last = format!("login of {SECRET}, {}\n", crate::proxy::PANICS_ON);
    // What is read before the scrubber reads it: a signature's bytes, on the spot and elsewhere, and an announcement's.
    let drain =
        ("/drain", "application/json\r\nx-vercel-signature: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    let (logs, media) = (("/logs/x", "text/plain"), ("/api/public/media", "application/json"));
    // And what is read once it is scrubbed: by the inbox, held whole and piece by piece.
    let (kept, last_kept) =
        (("/kept", "text/plain"), format!("login of {SECRET}, {}\n", crate::inbox::PANICS_ON));
    let scrubbed = [(logs, 0), (logs, 3_000), (logs, 40_000), (drain, 0), (drain, 3_000), (media, 0)];
    let sent = scrubbed.map(|sent| (sent, &last)).into_iter();
    let sent = sent.chain([(kept, 0), (kept, 40_000)].map(|sent| (sent, &last_kept)));
    for (nth, ((head, lines_before), last)) in sent.enumerate() {
        let body = ["a line that names nobody\n".repeat(lines_before), last.clone()].concat();
        let (status, answer) = served.post(head, body.as_bytes());
        assert_eq!(status, 500, "{answer}");
        assert!(answer.contains("\"panic\"") && !answer.contains(SECRET), "{answer}");
        let metrics = served.metrics();
        assert!(metrics.contains(&format!("\ntamis_panics_total {}\n", nth + 1)), "{metrics}");
        assert!(!metrics.contains(SECRET) && !metrics.contains(crate::proxy::PANICS_ON));
    }
    // It goes on, and what can be scrubbed is: the upstream answers nothing, so nobody waits for it here.
    let mut next = TcpStream::connect(served.ingest).expect("it accepts");
    let request = "POST /logs/x HTTP/1.1\r\nhost: tamis.example.com\r\ncontent-type: text/plain\r\n\
                   content-length: 31\r\n\r\nnext: ada.lovelace@example.com\n";
    next.write_all(request.as_bytes()).expect("it reads");
    let begun = Instant::now();
    let bytes = loop {
        let bytes = String::from_utf8_lossy(&arrived.lock().expect("no panic")).into_owned();
        if bytes.contains("next: [email]") {
            break bytes;
        }
        assert!(begun.elapsed() < LONG, "{} bytes arrived", bytes.len());
        std::thread::sleep(Duration::from_millis(5));
    };
    // The one that had begun was never ended: no last chunk, and none of the line at which it broke.
    assert_eq!(bytes.matches("POST ").count(), 2, "the one that had begun, and the next");
    assert!(bytes.contains("transfer-encoding: chunked") && !bytes.contains("\r\n0\r\n\r\n"));
    assert!(!bytes.contains(SECRET) && !bytes.contains(crate::proxy::PANICS_ON));
    let metrics = served.metrics();
    let items = metrics
        .lines()
        .filter(|line| line.starts_with("tamis_items_total{") && line.contains("reason=\"panic\""));
    assert!(items.clone().all(|line| line.contains("outcome=\"rejected\"")), "{metrics}");
    for route in ["logs", "drain", "langfuse", "kept"] {
        let label = format!("route=\"{route}\"");
        assert!(items.clone().any(|line| line.contains(&label)), "{route}: {metrics}");
    }

    let log = served.log();
    // The place stands there, once for each; the message, which quotes the payload, does not.
    for (file, count) in [("proxy/scrub", 3), ("proxy/platform", 2), ("proxy/announced", 1), ("inbox", 2)] {
        assert_eq!(log.matches(&format!("panic place=\"src/{file}.rs:")).count(), count, "{log}");
    }
    assert!(!log.contains(SECRET) && !log.contains(crate::proxy::PANICS_ON), "{log}");
}
