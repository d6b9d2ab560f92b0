//! `tamis scrub`: files or standard input to standard output, in constant memory.

use super::{Exit, Format, setup, tell};
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline, Refusal, Summary};
use crate::redact::Plan;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes read at once.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Progress shows only for runs that take longer.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);

/// Why an input was not scrubbed to its end.
pub(super) enum Failure {
    Read(io::Error),
    Write(io::Error),
    Refused(Refusal),
}

pub(super) fn run(config: Option<&Path>, format: Format, quiet: bool, files: &[PathBuf]) -> Exit {
    let ready = match setup::ready(config) {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    let plan = ready.plan("default");
    let limits = limits(format, &ready.config.limits);
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin } else { files };
    let mut totals = Totals::default();
    let mut exit = Exit::Ok;
    for file in files {
        match one(file, &plan, limits, body_format(format), quiet, &mut totals) {
            Ok(()) => {}
            // Whoever read our output has enough of it.
            Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Ok,
            Err(failure) => {
                tell(&format!("{}: {}", name(file), told(&failure)));
                exit = Exit::Io;
            }
        }
    }
    if !quiet {
        tell(&totals.render(&plan));
    }
    exit
}

pub(super) fn body_format(format: Format) -> BodyFormat {
    match format {
        Format::Auto => BodyFormat::MixedLines,
        Format::Json => BodyFormat::Json,
        Format::Ndjson => BodyFormat::Ndjson,
        Format::Text => BodyFormat::Text,
        Format::Sentry => BodyFormat::Envelope,
    }
}

/// A file is wanted scrubbed however long it is; what bounds memory stays.
pub(super) fn limits(format: Format, configured: &crate::config::Limits) -> BodyLimits {
    let stream = !matches!(format, Format::Json | Format::Sentry);
    BodyLimits { body_bytes_max: None, ..configured.body_limits(stream) }
}

pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

pub(super) fn told(failure: &Failure) -> String {
    match failure {
        Failure::Read(error) => format!("cannot be read: {error}"),
        Failure::Write(error) => format!("cannot write to standard output: {error}"),
        // What begins as some coding is unpacked whatever the format says.
        Failure::Refused(Refusal { reason: Reason::CodingBroken, .. }) => {
            "is compressed and cannot be unpacked: it is damaged, or cut short".to_owned()
        }
        Failure::Refused(refusal) => {
            format!("cannot be scrubbed as this format ({refusal}); try --format auto or text")
        }
    }
}

/// Opens an input, and tells its length where it has one.
pub(super) fn open(file: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let opened = File::open(file).map_err(Failure::Read)?;
    let length = opened.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(opened), length))
}

/// Reads the next chunk; 0 bytes at the end.
pub(super) fn read(input: &mut dyn Read, chunk: &mut [u8]) -> Result<usize, Failure> {
    loop {
        match input.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(Failure::Read),
        }
    }
}

/// Scrubs one input to standard output.
fn one(
    file: &Path,
    plan: &Arc<Plan>,
    limits: BodyLimits,
    format: BodyFormat,
    quiet: bool,
    totals: &mut Totals,
) -> Result<(), Failure> {
    let (mut input, length) = open(file)?;
    let progress = progress(length, quiet);
    let mut output = io::stdout().lock();
    let mut pipeline = Pipeline::new(Arc::clone(plan), limits, format, Coding::Identity);
    let (mut chunk, mut out) = (vec![0; CHUNK_BYTES], Vec::new());
    let started = Instant::now();
    let result = loop {
        let read = match read(&mut input, &mut chunk) {
            Ok(read) => read,
            Err(failure) => break Err(failure),
        };
        let step = match read {
            0 => pipeline.finish(&mut out),
            _ => pipeline.push(&chunk[..read], &mut out),
        };
        if let Err(refusal) = step {
            break Err(Failure::Refused(refusal));
        }
        if let Err(error) = output.write_all(&out) {
            break Err(Failure::Write(error));
        }
        out.clear();
        progress.inc(read as u64);
        if read == 0 {
            break output.flush().map_err(Failure::Write);
        }
    };
    progress.finish_and_clear();
    totals.add(pipeline.summary(), started.elapsed());
    result
}

/// A bar on a terminal, where a file's length is known; a counter where it is not; nothing in a pipe.
fn progress(length: Option<u64>, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:32} {bytes} of {total_bytes}  {binary_bytes_per_sec}  {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {binary_bytes_per_sec}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    bar.enable_steady_tick(PROGRESS_AFTER);
    bar
}

/// What all inputs together came to.
#[derive(Default)]
struct Totals {
    clean: u64,
    redacted: u64,
    dropped: u64,
    not_json: u64,
    bytes: u64,
    seconds: f64,
    counts: Vec<crate::pipeline::Count>,
}

impl Totals {
    fn add(&mut self, summary: &Summary, took: Duration) {
        self.clean += summary.clean;
        self.redacted += summary.redacted;
        self.dropped += summary.dropped.iter().map(|(_, n)| n).sum::<u64>();
        self.not_json += summary.not_json;
        self.bytes += summary.bytes_in;
        self.seconds += took.as_secs_f64();
        self.counts.extend_from_slice(&summary.counts);
    }

    /// `1,204 items, 33 changed, 0 left out in 0.40 s (52 MiB/s)`, and a line per kind of find.
    fn render(self, plan: &Plan) -> String {
        let mut hits: BTreeMap<(bool, &str, Cow<'_, str>), u64> = BTreeMap::new();
        for count in &self.counts {
            let class = count.class.map_or("none", crate::pattern::Class::as_str);
            *hits.entry((count.shadow, class, plan.detector_name(count.detector))).or_default() += count.hits;
        }
        #[allow(clippy::cast_precision_loss)] // a rate for people
        let rate = self.bytes as f64 / 1_048_576.0 / self.seconds.max(1e-6);
        let items = self.clean + self.redacted + self.dropped;
        let noun = if items == 1 { "item" } else { "items" };
        let mut text = format!(
            "{items} {noun}, {} changed, {} left out in {:.2} s ({rate:.0} MiB/s)",
            self.redacted, self.dropped, self.seconds
        );
        if self.not_json > 0 {
            write!(text, "; not JSON and scanned as text: {}", self.not_json).expect("a string takes it");
        }
        for ((shadow, class, detector), hits) in &hits {
            let left = if *shadow { " (shadow: counted, not replaced)" } else { "" };
            write!(text, "\n  {class:<14} {detector:<22} {hits}{left}").expect("a string takes it");
        }
        text
    }
}
