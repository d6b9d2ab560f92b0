//! `tamis demo`: a stream of invented events, and what becomes of each, side by side.
//!
//! [`samples`] makes the events; `run` sends each through a real instance with an inbox, as a sender
//! would, and shows what the inbox then holds beside what was sent.

mod samples;
mod side_by_side;

pub use samples::{KINDS, Sample, samples};
pub use side_by_side::render_side_by_side;

use super::serve::{Instance, in_runtime, open, signals, with_process_key};
use super::terminal::{Paint, color_wanted};
use super::{Exit, setup, tell};
use crate::config::Config;
use crate::drain::{Drain, EndSignals, Phase};
use crate::inbox::{Inbox, Item};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Between two events, for a reader on a terminal.
const PACE: Duration = Duration::from_millis(1_200);
/// Columns where neither the terminal nor `COLUMNS` says.
const WIDTH: usize = 110;
/// Longest answer of our own proxy that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Runs the demo: `count` events, or until Ctrl-C.
pub(super) fn run(count: Option<u64>) -> Exit {
    let mut config = with_process_key(Config::without_file(), true);
    // Beside a running instance, on whatever ports are free.
    config.listen.ingest.set_port(0);
    config.listen.admin.set_port(0);
    let ready = match setup::compile(config) {
        Ok(ready) => ready,
        Err(wrong) => return wrong.tell(),
    };
    in_runtime(Some(1), async move {
        let instance = match open(&ready, false).await {
            Ok(instance) => instance,
            Err(exit) => return exit,
        };
        let Some(inbox) = instance.inbox.clone() else { return Exit::Config };
        let (ingest, page) = (instance.banner.ingest, instance.banner.admin);
        let mut ends = match EndSignals::caught() {
            Ok(ends) => ends,
            Err(error) => return signals::not_caught(&error),
        };
        let drain = Drain::new();
        let served = tokio::spawn(serve(instance, drain.clone()));
        if let Some(page) = page {
            tell(&format!("events go to http://{ingest}; the page with all of them is http://{page}/"));
        }
        let shown = tokio::select! {
            shown = show(ingest, &inbox, count) => shown,
            () = ends.next() => Ok(()),
        };
        drain.begin();
        drop(served.await);
        match shown {
            Ok(()) => Exit::Ok,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Err(error) => {
                tell(&format!("the demo cannot go on: {error}"));
                Exit::Io
            }
        }
    })
}

async fn serve(instance: Instance, drain: Drain) -> Exit {
    let exit = instance.run(drain.clone()).await;
    debug_assert_ne!(drain.phase(), Phase::Serve, "only the drain ends it");
    exit
}

/// Sends samples one after another and prints each beside what the inbox holds of it.
async fn show(ingest: SocketAddr, inbox: &Inbox, count: Option<u64>) -> io::Result<()> {
    let stdout = io::stdout();
    let color = color_wanted(stdout.is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(WIDTH);
    let paint = Paint { color };
    let total = usize::try_from(count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let mut seen = 0;
    for (nth, sample) in samples().take(total).enumerate() {
        if nth > 0 && stdout.is_terminal() {
            tokio::time::sleep(PACE).await;
        }
        let status = send(ingest, &sample).await?;
        let items = inbox.after(seen, usize::MAX);
        seen = items.last().map_or(seen, |item| item.seq());
        let mut text = String::new();
        writeln!(
            text,
            "\n{}  {}",
            paint.bold(sample.name),
            paint.dim(&format!("{} -> {status}", sample.path))
        )
        .map_err(io::Error::other)?;
        text.push_str(&render_side_by_side(&sample.body, &left(&items), width, color));
        stdout.lock().write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The body that the items in the inbox were taken from, put together again.
fn left(items: &[Arc<Item>]) -> Vec<u8> {
    let mut body = Vec::new();
    for item in items {
        if let Some((envelope, header)) = item.envelope_lines() {
            if body.is_empty() {
                body.extend_from_slice(envelope.as_bytes());
                body.push(b'\n');
            }
            body.extend_from_slice(header.as_bytes());
            body.push(b'\n');
        }
        body.extend_from_slice(item.text().unwrap_or_default().as_bytes());
        body.push(b'\n');
    }
    body
}

/// Posts a sample as any sender would, and returns the status line of the answer.
async fn send(ingest: SocketAddr, sample: &Sample) -> io::Result<String> {
    let mut stream = TcpStream::connect(ingest).await?;
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {ingest}\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
        sample.path,
        sample.content_type,
        sample.body.len()
    );
    for (name, value) in &sample.headers {
        write!(head, "{name}: {value}\r\n").map_err(io::Error::other)?;
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&sample.body).await?;
    let mut answer = Vec::new();
    // The bound is the adapter's: an answer of ours is a few hundred bytes.
    let mut limited = stream.take(ANSWER_BYTES_MAX);
    limited.read_buf(&mut answer).await?;
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_start_matches("HTTP/1.1 ").to_owned())
}
