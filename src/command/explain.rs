//! `tamis explain`: for a payload, each hit and each near miss, and what decided about it.

use super::scrub::{body_format, limits, name, told};
use super::terminal::printable;
use super::{Exit, Format, say, setup, tell};
use crate::pipeline::{BodyLimits, Coding, Pipeline};
use crate::redact::{Event, Fate, Plan};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a value that are shown.
const VALUE_BYTES_MAX: usize = 120;

pub(super) fn run(config: Option<&Path>, format: Format, reveal: bool, files: &[PathBuf]) -> Exit {
    let ready = match setup::ready(config) {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    let plan = ready.plan("default");
    let limits = limits(format, &ready.config.limits);
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin } else { files };
    let mut exit = Exit::Ok;
    let (mut hits, mut misses) = (0_u64, 0_u64);
    for file in files {
        let mut tell_events = |events: Vec<Event>| -> Result<(), Exit> {
            let mut text = String::new();
            for event in &events {
                match event.fate {
                    Fate::Hit(_) | Fate::Learnt(_) | Fate::Unscanned => hits += 1,
                    Fate::Miss(_) => misses += 1,
                }
                text.push_str(&line(event, &plan, (files.len() > 1).then(|| name(file)).as_deref()));
            }
            match say(&text) {
                Exit::Ok => Ok(()),
                exit => Err(exit),
            }
        };
        match events_of(file, &plan, limits, format, reveal, &mut tell_events) {
            Ok(()) => {}
            Err(Stop::Output(told)) => return told,
            Err(Stop::Input(message)) => {
                tell(&format!("{}: {message}", name(file)));
                exit = Exit::Io;
            }
        }
    }
    tell(&format!("{hits} replaced, {misses} looked at and left"));
    exit
}

/// Why the events of an input were not told to the end.
pub(super) enum Stop {
    /// The input could not be read, or not as this format.
    Input(String),
    /// The output is gone.
    Output(Exit),
}

/// Runs an input through a plan and hands on what the engine notes, as it comes.
pub(super) fn events_of(
    file: &Path,
    plan: &Arc<Plan>,
    limits: BodyLimits,
    format: Format,
    reveal: bool,
    take: &mut dyn FnMut(Vec<Event>) -> Result<(), Exit>,
) -> Result<(), Stop> {
    let (mut input, _) = super::scrub::open(file).map_err(|error| Stop::Input(told(&error)))?;
    let mut pipeline = Pipeline::new(Arc::clone(plan), limits, body_format(format), Coding::Identity);
    pipeline.explain(reveal);
    let (mut chunk, mut out) = (vec![0; super::scrub::CHUNK_BYTES], Vec::new());
    loop {
        let read = super::scrub::read(&mut input, &mut chunk).map_err(|error| Stop::Input(told(&error)))?;
        let step = match read {
            0 => pipeline.finish(&mut out),
            _ => pipeline.push(&chunk[..read], &mut out),
        };
        out.clear();
        take(pipeline.take_events()).map_err(Stop::Output)?;
        if let Err(refusal) = step {
            return Err(Stop::Input(told(&super::scrub::Failure::Refused(refusal))));
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// One event on one line: where, by whom, and what became of it.
fn line(event: &Event, plan: &Plan, file: Option<&str>) -> String {
    let mut line = String::new();
    if let Some(file) = file {
        write!(line, "{file} ").expect("a string takes it");
    }
    let place = if event.path.is_empty() { "(text)" } else { &event.path };
    write!(line, "item {} {}", event.item, printable(place)).expect("a string takes it");
    if !event.layers.is_empty() {
        write!(line, " through {}", event.layers.join(", ")).expect("a string takes it");
    }
    let detector = plan.detector_name(event.detector);
    let class = event.class.map_or(String::new(), |class| format!(" ({class})"));
    let bytes = if event.bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", event.bytes) };
    write!(line, ": {detector}{class}, {bytes}: {}", event.verdict(plan)).expect("a string takes it");
    if let Some(value) = &event.value {
        let cut = &value[..value.len().min(VALUE_BYTES_MAX)];
        let more = if cut.len() < value.len() { "…" } else { "" };
        write!(line, ": {}{more}", printable(&String::from_utf8_lossy(cut))).expect("a string takes it");
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PatternSet, pack};
    use crate::redact::Policy;

    fn told_of(item: &str, reveal: bool) -> String {
        let text = "[[pattern]]\nname='mail'\nclass='email'\nregex='[a-z0-9]+@[a-z0-9.]+'\nvalidate='email'\nwhy='w'\n\
                    hits=[]\nmisses=[]\n[[pattern]]\nname='tax'\nclass='national_id'\nregex='foo[0-9]+'\n\
                    context={before=['tax']}\nwhy='w'\nhits=[]\nmisses=[]\n\
                    [[field]]\nname='name'\nclass='person'\npaths=['**.login']\nwhy='w'\nhits=[]\nmisses=[]\n";
        let set = PatternSet::compile(&[pack::parse(text, "p.toml").expect("a pack")], &[]).expect("a set");
        let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
        let limits = BodyLimits::default();
        let mut pipeline =
            Pipeline::new(Arc::clone(&plan), limits, body_format(Format::Auto), Coding::Identity);
        pipeline.explain(reveal);
        let mut out = Vec::new();
        pipeline.push(item.as_bytes(), &mut out).expect("a body");
        pipeline.finish(&mut out).expect("a body");
        pipeline.take_events().iter().map(|event| line(event, &plan, None)).collect()
    }

    #[test]
    fn each_hit_and_near_miss_is_a_line() {
        let item = "{\"user\":{\"mail\":\"jane@example.com\"}}\nfoo1 logo@2x.png\n";
        let want = "\
item 1 user.mail: mail (email), 16 bytes: replaced, token, validator email agrees
item 2 (text): tax (national_id), 4 bytes: left, no context word near it or in its keys
item 2 (text): mail (email), 11 bytes: left, validator email refuses it
";
        assert_eq!(told_of(item, false), want);
    }

    #[test]
    fn what_is_packed_or_printed_around_a_value_is_told() {
        let item = "{\"a\":\"data amFuZUBleGFtcGxlLmNvbQ==\",\"b\":\"{'login': 'jroe'}\"}\n";
        let want = "\
item 1 a through base64: mail (email), 16 bytes: replaced, token, validator email agrees
item 1 b through printed pairs: name (person), 4 bytes: replaced, token
";
        assert_eq!(told_of(item, false), want);
    }

    #[test]
    fn values_are_shown_only_if_asked_for_and_cannot_drive_the_terminal() {
        let item = "{\"a\\u001b\":\"jane@example.com\"}\n";
        assert_eq!(
            told_of(item, false),
            "item 1 <key of 2 bytes>: mail (email), 16 bytes: replaced, token, validator email agrees\n"
        );
        let want = "item 1 a\\u{1b}: mail (email), 16 bytes: replaced, token, validator email agrees: jane@example.com\n";
        assert_eq!(told_of(item, true), want);
    }
}
