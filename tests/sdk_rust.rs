//! The real `sentry` crate in front of the built `tamis`, and a recording server behind it.
//!
//! The program is the one whose reports lie in `tests/corpus/sentry/rust-*.envelope`. The other SDKs need
//! more than cargo and are tested from `tests/sdk/`.

#[path = "sdk_rust/otlp.rs"]
mod otlp;
#[allow(dead_code, reason = "shared with `command`, which uses all of it")]
#[path = "command/program.rs"]
mod program;
#[path = "corpus/capture/studio.rs"]
mod studio;

use program::Server;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Longer than anything here takes; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(30);

const DSN_KEY: &str = "5f1e0c9a7b3d4286a1c0e5d7b9f34812";

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn small_event_arrives_without_what_was_planted() -> Outcome {
    let event = through_tamis("small")?;
    assert_eq!(event["release"], "studio-api@2.14.0");
    assert_eq!(event["user"]["id"], "user-48151");
    let message = event["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("render queue is full, told "), "the message keeps its words");
    Ok(())
}

#[test]
fn clean_event_arrives_whole() -> Outcome {
    let event = through_tamis("small-clean")?;
    assert_eq!(event["message"], "render queue is full");
    assert_eq!(event["tags"]["model"], "gpt-image-1");
    Ok(())
}

#[test]
fn error_arrives_with_its_structure() -> Outcome {
    let event = through_tamis("error")?;
    let values = event["exception"]["values"].as_array().ok_or("no exceptions")?;
    assert_eq!(values.len(), 2, "both causes");
    assert_eq!(event["contexts"]["job"]["id"], "job-7c19f2");
    assert_eq!(event["breadcrumbs"]["values"].as_array().map(Vec::len), Some(30));
    let body: Value = serde_json::from_str(event["request"]["data"].as_str().ok_or("no request body")?)?;
    assert_eq!(body["model"], "gpt-image-1", "JSON in a string is JSON still");
    Ok(())
}

#[test]
fn transaction_arrives_with_all_spans() -> Outcome {
    let event = through_tamis("transaction")?;
    let spans = event["spans"].as_array().ok_or("no spans")?;
    assert_eq!(spans.len(), 20);
    assert_eq!(spans[19]["data"]["gen_ai.usage.input_tokens"], 431);
    Ok(())
}

/// What the tests above would find without a proxy: the planted values must be there.
#[test]
fn without_tamis_the_planted_values_arrive() -> Outcome {
    let (address, arrived) = record()?;
    studio::run(&format!("http://{DSN_KEY}@{address}/42"), "small")?;
    let request = arrived.recv_timeout(LONG)?;
    assert!(!residue("small", &request.body)?.is_empty());
    Ok(())
}

/// Runs a scenario through the proxy, checks that nothing planted is left, gives the first item's payload.
fn through_tamis(scenario: &str) -> Result<Value, Box<dyn Error>> {
    let (upstream, arrived) = record()?;
    let directory = tempfile::tempdir()?;
    let route = format!(
        "name = 'sentry'\nprotocol = 'sentry'\nmatch = {{ path = '/api/**' }}\nupstream = 'http://{upstream}'"
    );
    let tamis = serve_by(directory.path(), &route);
    studio::run(&format!("http://{DSN_KEY}@{}/42", tamis.ingest), scenario)?;
    let request = arrived.recv_timeout(LONG)?;
    assert_eq!(request.line, "POST /api/42/envelope/ HTTP/1.1");
    assert!(request.headers.get("x-sentry-auth").is_some_and(|auth| auth.contains(DSN_KEY)));
    assert_eq!(
        residue(scenario, &request.body)?,
        Vec::<usize>::new(),
        "planted values that are left, by place"
    );

    let mut lines = request.body.splitn(3, |&byte| byte == b'\n');
    let (head, item) = (lines.next().ok_or("no header")?, lines.next().ok_or("no item")?);
    let rest = lines.next().ok_or("no payload")?;
    let (head, item): (Value, Value) = (serde_json::from_slice(head)?, serde_json::from_slice(item)?);
    let length = usize::try_from(item["length"].as_u64().ok_or("no length")?)?;
    let payload: Value = serde_json::from_slice(rest.get(..length).ok_or("length past the end")?)?;
    let id = |value: &Value| value.as_str().unwrap_or_default().replace('-', "");
    assert_eq!(id(&head["event_id"]), id(&payload["event_id"]));
    Ok(payload)
}

/// Places in `planted.json`'s list of the captured twin whose string `body` still holds.
fn residue(scenario: &str, body: &[u8]) -> Result<Vec<usize>, Box<dyn Error>> {
    let planted: Value = serde_json::from_str(include_str!("corpus/sentry/planted.json"))?;
    let list = planted[format!("rust-{scenario}.envelope")].as_array().ok_or("not a captured scenario")?;
    let text = String::from_utf8_lossy(body);
    let left = |value: &Value| value.as_str().is_some_and(|planted| text.contains(planted));
    Ok((0..list.len()).filter(|&place| left(&list[place])).collect())
}

/// The built program with one route, under the strict policy.
fn serve_by(directory: &Path, route: &str) -> Server {
    let listen = "version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'";
    Server::configured(&program::write(directory, "tamis.toml", &format!("{listen}\n[[routes]]\n{route}\n")))
}

/// A request as it reached the upstream, its body without the chunked framing.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Starts a server that takes every request, answers as Sentry does, and passes it on.
fn record() -> io::Result<(SocketAddr, Receiver<Request>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, arrived) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            // A connection that breaks is seen by the test as a request that never came.
            thread::spawn(move || serve(stream, &sender).ok());
        }
    });
    Ok((address, arrived))
}

/// Serves one connection until the other side closes it.
fn serve(mut stream: TcpStream, arrived: &Sender<Request>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read_request(&mut reader)? {
        if arrived.send(request).is_err() {
            return Ok(()); // the test is over
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")?;
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let line = read_line(reader)?;
    if line.is_empty() {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let header = read_line(reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.contains_key("transfer-encoding") {
        loop {
            let size = read_line(reader)?;
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            read_into(reader, &mut body, size)?;
            read_line(reader)?;
            if size == 0 {
                break;
            }
        }
    } else {
        let length = headers.get("content-length").map_or("0", String::as_str);
        let length = length.parse().map_err(io::Error::other)?;
        read_into(reader, &mut body, length)?;
    }
    Ok(Some(Request { line, headers, body }))
}

/// Appends the next `length` bytes to `body`.
fn read_into(reader: &mut impl BufRead, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let start = body.len();
    body.resize(start + length, 0);
    reader.read_exact(&mut body[start..])
}

/// A line without its end; empty at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
