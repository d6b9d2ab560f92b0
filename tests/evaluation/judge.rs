//! Looks at what came out: is the value gone from every reading, and is all around it as it came?

use super::carrier::{Item, around_all};
use super::layers::readings;
use super::plant::Plant;
use memchr::memmem;
use std::ops::Range;

/// How deep the output is read: deeper than anything was hidden in an event, or in an item of its own.
pub(crate) const EVENT_DEPTH: usize = 7;
pub(crate) const DEPTH: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A needle of the value can be read.
    Survives(String),
    /// Something outside of the value changed; the word of the stand-in that is there instead.
    Strays(String),
    /// The value went, and more beside it, in one piece.
    Wide,
}

/// What is wrong with `out`, which came of an item that hides `plant`.
pub(crate) fn judge(item: &Item, plant: &Plant, out: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(needle) = survivor(plant, &readings(out, DEPTH)) {
        findings.push(Finding::Survives(needle));
    }
    match unwrapped(item, out) {
        Err(stray) => findings.push(stray),
        Ok(middle) => match middle.strip_prefix(plant.lead.as_bytes()) {
            None => findings.push(stray(item.text.as_bytes(), &middle, plant.lead.len()..item.text.len())),
            Some(rest) if findings.is_empty() && !is_covered(plant, rest) => {
                findings.push(Finding::Survives(String::from_utf8_lossy(rest).into_owned()));
            }
            Some(_) => {}
        },
    }
    findings
}

/// A needle that can still be found in one of the readings.
pub(crate) fn survivor(plant: &Plant, readings: &[Vec<u8>]) -> Option<String> {
    plant
        .needles()
        .find(|needle| readings.iter().any(|reading| memmem::find(reading, needle).is_some()))
        .map(|needle| String::from_utf8_lossy(needle).into_owned())
}

/// The middle of the output, if all that lies around it is as it was.
fn unwrapped(item: &Item, out: &[u8]) -> Result<Vec<u8>, Finding> {
    let mut now = out.to_vec();
    for (at, wrap) in item.wraps.iter().enumerate() {
        let inner = now
            .strip_prefix(wrap.before.as_bytes())
            .and_then(|rest| rest.strip_suffix(wrap.after.as_bytes()))
            .and_then(|inner| wrap.layers.iter().try_fold(inner.to_vec(), |text, layer| layer.undo(&text)));
        now = inner.ok_or_else(|| {
            let was = around_all(&item.wraps[at..], &item.text);
            stray(was.as_bytes(), &now, wrap.before.len()..was.len() - wrap.after.len())
        })?;
    }
    Ok(now)
}

/// What to call it that a text which holds a value in `inner` became another.
fn stray(was: &[u8], is: &[u8], inner: Range<usize>) -> Finding {
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut was.iter().zip(is));
    let tail = same(&mut was.iter().rev().zip(is.iter().rev()));
    let stand_ins = |text: &[u8]| readings(text, DEPTH).iter().map(|text| stand_ins(text)).max();
    if head < inner.end && inner.start + tail < was.len() && stand_ins(is) == Some(1) {
        Finding::Wide
    } else {
        Finding::Strays(word(&is[head.min(is.len())..]).to_owned())
    }
}

fn stand_ins(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    text.split('[')
        .skip(1)
        .filter(|part| part.split_once(']').is_some_and(|(name, _)| is_stand_in(name)))
        .count()
}

/// Whether what took the place of the value is stand-ins and, of the value, only what may stay.
fn is_covered(plant: &Plant, rest: &[u8]) -> bool {
    let rest = String::from_utf8_lossy(rest);
    let mut kept = plant.text.clone();
    for core in &plant.cores {
        kept = kept.replacen(core.as_str(), "\u{0}", 1);
    }
    // Every run of letters and digits that is no stand-in must be one of those beside the core.
    let mut left = String::new();
    let mut inside = rest.as_ref();
    while let Some((before, tail)) = inside.split_once('[') {
        left.push_str(before);
        match tail.split_once(']') {
            Some((name, after)) if is_stand_in(name) => {
                left.push(' ');
                inside = after;
            }
            _ => {
                left.push(' ');
                inside = tail;
            }
        }
    }
    left.push_str(inside);
    left.split(|c: char| !c.is_alphanumeric())
        .filter(|run| run.len() > 2)
        .all(|run| kept.contains(run) || word(run.as_bytes()) != "other")
}

const WORDS: &[&str] = &[
    "ip",
    "email",
    "phone",
    "person",
    "address",
    "payment",
    "national_id",
    "credential",
    "prompt",
    "completion",
    "tool",
    "project",
    "media",
    "media_link",
    "vector",
    "user",
    "unscanned",
];

fn is_stand_in(name: &str) -> bool {
    WORDS.contains(&name.split(' ').next().unwrap_or_default())
}

/// The word of the first stand-in that can be read in `text`.
pub(crate) fn word(text: &[u8]) -> &'static str {
    for reading in readings(text, DEPTH) {
        let reading = String::from_utf8_lossy(&reading).into_owned();
        for part in reading.split('[').skip(1) {
            let name = part.split([']', ' ']).next().unwrap_or_default();
            if let Some(word) = WORDS.iter().find(|word| **word == name) {
                return word;
            }
        }
    }
    "other"
}
