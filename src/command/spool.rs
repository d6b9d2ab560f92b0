//! `tamis spool`: what waits on disk, whether it is sound, and the requests themselves.

use super::serve::spooled;
use super::setup;
use super::{Exit, tell};
use crate::config::Config;
use crate::inbox::rfc3339;
use crate::spool::{Inspection, Letter, QueueReport, dir_name, inspect};
use base64::Engine as _;
use clap::Args;
use hyper::header::{self, HeaderMap, HeaderName};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Headers that say what a body is, and nothing about who sent it. No others are exported: credentials are among them.
const SHOWN: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::USER_AGENT];

/// Ends an inspection of which nobody wants to see more.
const NO_READER: io::ErrorKind = io::ErrorKind::BrokenPipe;

/// Where the spool is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Place {
    /// Configuration file with a table `spool`.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory itself.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A spool, and which of its queues somebody sends from.
struct Known {
    dir: PathBuf,
    /// Directories of the upstreams that the configuration names. `None`: there is no configuration to tell.
    claimed: Option<Vec<String>>,
}

impl Known {
    fn of(config: &Config) -> Option<Self> {
        let dir = config.spool.as_ref()?.dir.clone();
        Some(Self { dir, claimed: Some(spooled::names(config).map(|name| dir_name(&name)).collect()) })
    }

    /// Whether a route names the upstream of a queue. `None`: that is not known, or these are dead letters.
    fn is_claimed(&self, queue: &QueueReport) -> Option<bool> {
        self.claimed.as_ref().filter(|_| !queue.dead).map(|dirs| dirs.contains(&queue.dir))
    }
}

impl Place {
    fn known(&self) -> Result<Known, Exit> {
        if let Some(dir) = &self.dir {
            return Ok(Known { dir: dir.clone(), claimed: None });
        }
        Known::of(&setup::read(self.config.as_deref())?).ok_or_else(|| {
            tell("the configuration has no `[spool]`");
            Exit::Config
        })
    }

    /// Reads the spool.
    fn inspect(&self, each: &mut dyn FnMut(Letter) -> io::Result<()>) -> Result<Inspection, Exit> {
        self.known()?.inspect(each)
    }
}

impl Known {
    fn inspect(&self, each: &mut dyn FnMut(Letter) -> io::Result<()>) -> Result<Inspection, Exit> {
        match inspect(&self.dir, each) {
            Ok(inspection) => Ok(inspection),
            // Whoever reads us has seen enough.
            Err(error) if error.kind() == NO_READER => Err(Exit::Ok),
            Err(error) => {
                tell(&format!("cannot read the spool {}: {error}", self.dir.display()));
                Err(Exit::Io)
            }
        }
    }
}

/// Prints a line per upstream.
pub(super) fn ls(place: &Place, json: bool) -> Exit {
    let inspected = place.known().and_then(|known| Ok((known.inspect(&mut |_| Ok(()))?, known)));
    let (inspection, known) = match inspected {
        Ok(inspected) => inspected,
        Err(exit) => return exit,
    };
    let queues: Vec<Row<'_>> =
        inspection.queues.iter().map(|queue| (queue, known.is_claimed(queue))).collect();
    let text = if json {
        let list: Value = queues.iter().map(as_json).collect();
        format!("{list}\n")
    } else {
        table(&queues)
    };
    super::say(&text)
}

/// Checks every record.
pub(super) fn verify(place: &Place) -> Exit {
    let inspection = match place.inspect(&mut |_| Ok(())) {
        Ok(inspection) => inspection,
        Err(exit) => return exit,
    };
    let mut text = String::new();
    for queue in &inspection.queues {
        let name = name(queue);
        if queue.damaged > 0 {
            text.push_str(&format!(
                "{name}: damaged in {} places, a record or more in each\n",
                queue.damaged
            ));
        }
        if queue.later > 0 {
            text.push_str(&format!("{name}: {} files of a later version, not read\n", queue.later));
        }
        if queue.torn_bytes > 0 {
            text.push_str(&format!(
                "{name}: {} bytes cut short by a crash, never acknowledged\n",
                queue.torn_bytes
            ));
        }
        text.push_str(&format!("{name}: {} whole records wait\n", queue.records));
    }
    text.push_str(if inspection.is_sound() { "sound\n" } else { "NOT sound\n" });
    match super::say(&text) {
        Exit::Ok if !inspection.is_sound() => Exit::No,
        exit => exit,
    }
}

/// Prints the requests.
pub(super) fn export(place: &Place, dead: bool) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    // What is passed through the reader of the spool would be told as its own failure.
    let mut unwritten = None;
    let inspected = place.inspect(&mut |letter| {
        if letter.refused.is_some() != dead {
            return Ok(());
        }
        writeln!(out, "{}", line(&letter)).map_err(|error| {
            unwritten = Some(error);
            NO_READER.into()
        })
    });
    let flushed = out.flush();
    match (unwritten, inspected) {
        (Some(error), _) => not_exported(&error),
        (None, Err(exit)) => exit,
        (None, Ok(_)) => flushed.map_or_else(|error| not_exported(&error), |()| Exit::Ok),
    }
}

/// Tells why not everything was written. A reader that has gone away wanted no more.
fn not_exported(error: &io::Error) -> Exit {
    if error.kind() == NO_READER {
        return Exit::Ok;
    }
    tell(&format!(
        "cannot write to standard output: {error}; the export is not whole: make room there, or send it elsewhere, and export again"
    ));
    Exit::Io
}

fn line(letter: &Letter) -> Value {
    let request = &letter.request;
    let mut line = json!({
        "time": rfc3339(letter.time),
        "upstream": letter.upstream,
        "route": request.route,
        "protocol": request.protocol,
        "items": u64::from(request.clean) + u64::from(request.redacted),
        "method": request.method.as_str(),
        "target": request.target.as_str(),
        "headers": shown(&request.headers),
    });
    if let Some(status) = letter.refused {
        line["refused_with"] = status.into();
    }
    match std::str::from_utf8(&request.body) {
        Ok(text) => line["body"] = text.into(),
        Err(_) => line["body_base64"] = base64::prelude::BASE64_STANDARD.encode(&request.body).into(),
    }
    line
}

fn shown(headers: &HeaderMap) -> Value {
    let text = |name: &HeaderName| Some((name.as_str().to_owned(), headers.get(name)?.to_str().ok()?.into()));
    Value::Object(SHOWN.iter().filter_map(text).collect())
}

/// A queue, and whether a route names its upstream, where that is known.
type Row<'q> = (&'q QueueReport, Option<bool>);

fn as_json((queue, claimed): &Row<'_>) -> Value {
    json!({
        "upstream": name(queue),
        "dead": queue.dead,
        "claimed": claimed,
        "items": queue.items,
        "records": queue.records,
        "bytes": queue.bytes,
        "oldest_seconds": queue.oldest.map(|age| age.as_secs()),
        "damaged": queue.damaged,
    })
}

fn name(queue: &QueueReport) -> &str {
    if queue.dead { "dead letters" } else { &queue.upstream }
}

/// Columns wide enough for what they hold.
fn table(queues: &[Row<'_>]) -> String {
    let mut rows = vec![["UPSTREAM", "ITEMS", "RECORDS", "BYTES", "OLDEST", "CLAIMED"].map(str::to_owned)];
    rows.extend(queues.iter().map(|(queue, claimed)| {
        [
            name(queue).to_owned(),
            queue.items.to_string(),
            queue.records.to_string(),
            queue.bytes.to_string(),
            queue.oldest.map_or_else(|| "-".to_owned(), age),
            claimed.map_or("-", |claimed| if claimed { "yes" } else { "no" }).to_owned(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3), width(4), width(5)];
    let mut text = String::new();
    for row in &rows {
        text.push_str(&format!("{:<1$}", row[0], widths[0]));
        row.iter().zip(widths).skip(1).for_each(|(cell, width)| text.push_str(&format!("  {cell:>width$}")));
        text.push('\n');
    }
    text
}

/// An age in its two largest units.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, want) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_720, "1 h 2 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), want);
        }
    }

    #[test]
    fn columns_line_up() {
        let one = QueueReport { upstream: "a".to_owned(), items: 12, ..QueueReport::default() };
        let dead = QueueReport { dead: true, oldest: Some(Duration::from_secs(5)), ..QueueReport::default() };
        let want = "UPSTREAM      ITEMS  RECORDS  BYTES  OLDEST  CLAIMED\n\
                    a                12        0      0       -       no\n\
                    dead letters      0        0      0     5 s        -\n";
        assert_eq!(table(&[(&one, Some(false)), (&dead, None)]), want);
    }

    #[test]
    fn credentials_are_not_shown() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-sentry-auth", "x-api-key", "content-type"] {
            headers.insert(name, "secret".parse().expect("a value"));
        }
        assert_eq!(shown(&headers), json!({ "content-type": "secret" }));
    }
}
