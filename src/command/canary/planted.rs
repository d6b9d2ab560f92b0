//! What the canary plants: invented values, the bodies they lie in, and the search for them in what came out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Shortest run of base64 that is decoded in the search.
const BASE64_CHARS_MIN: usize = 16;
/// Codings inside codings that the search looks through.
const LAYERS: usize = 3;

/// One request to post.
pub(super) struct Body {
    /// What it is, in words.
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) gzip: bool,
    /// A word that is nobody's and stays, by which it is found again.
    pub(super) marker: String,
    pub(super) bytes: Vec<u8>,
}

/// The values and bodies of one run.
pub(super) struct Planted {
    /// Kind and value.
    values: Vec<(&'static str, String)>,
    bodies: Vec<Body>,
}

impl Planted {
    /// New values, that no other run has.
    pub(super) fn new() -> Self {
        let mut dice = Dice::new();
        let words = ["heron", "lantern", "orchard", "velvet", "compass", "thistle", "granite", "saffron"];
        let mut word = || words[dice.place(words.len())];
        let prompt =
            format!("Draw a {} behind the {}, under a {} made of {}", word(), word(), word(), word());
        let values = vec![
            ("an e-mail address", format!("canary.{}@example.com", dice.letters(10))),
            ("an IPv4 address", format!("198.51.100.{}", dice.below(200) + 20)),
            (
                "an IPv6 address",
                format!(
                    "2001:db8:{:x}:{:x}::{:x}",
                    dice.below(60_000) + 4_096,
                    dice.below(60_000) + 4_096,
                    dice.below(60_000) + 4_096
                ),
            ),
            ("a card number", dice.card()),
            ("a token", format!("ghp_{}", dice.alphanumeric(36))),
            ("a session cookie", dice.alphanumeric(32)),
            ("prompt text", prompt),
        ];
        let value = |at: usize| values[at].1.as_str();
        let event = |marker: &str| {
            json!({
                "kind": "canary", "marker": marker,
                "message": format!("Login of {} from {} failed", value(0), value(1)),
                "user": { "email": value(0), "ip_address": value(2) },
                "request": {
                    "url": format!("https://shop.example.org/?mail={}", value(0).replace('@', "%40")),
                    "headers": { "Authorization": format!("Bearer {}", value(4)), "Cookie": format!("session={}", value(5)) },
                },
                "payment": format!("card {}", value(3)),
                "prompt": value(6),
            })
        };
        let mut bodies = Vec::new();
        let mut add = |name, content_type, gzip: bool, make: &dyn Fn(&str) -> String, dice: &mut Dice| {
            let marker = dice.letters(14);
            let plain = make(&marker).into_bytes();
            let bytes = if gzip { gzipped(&plain) } else { plain };
            bodies.push(Body { name, content_type, gzip, marker, bytes });
        };
        let (json_type, text) = ("application/json", "text/plain");
        add("a JSON document", json_type, false, &|marker| event(marker).to_string(), &mut dice);
        add("a gzip body", json_type, true, &|marker| event(marker).to_string(), &mut dice);
        add(
            "JSON in a string of JSON",
            json_type,
            false,
            &|marker| json!({ "marker": marker, "inner": event("inner").to_string() }).to_string(),
            &mut dice,
        );
        add(
            "base64 in JSON",
            json_type,
            false,
            &|marker| {
                json!({ "marker": marker, "data": STANDARD.encode(event("inner").to_string()) }).to_string()
            },
            &mut dice,
        );
        add(
            "NDJSON",
            "application/x-ndjson",
            false,
            &|marker| format!("{}\n{{\"level\":\"info\",\"client_ip\":\"{}\"}}\n", event(marker), value(1)),
            &mut dice,
        );
        add(
            "lines of text",
            text,
            false,
            &|marker| {
                let mut lines = format!("info canary {marker} begins\n");
                writeln!(lines, "warn login {} from {} and {}", value(0), value(1), value(2))
                    .expect("a string takes it");
                writeln!(lines, "error token={} card {}", value(4), value(3)).expect("a string takes it");
                writeln!(lines, "debug prompt=\"{}\"", value(6)).expect("a string takes it");
                lines
            },
            &mut dice,
        );
        add(
            "a form",
            "application/x-www-form-urlencoded",
            false,
            &|marker| format!("marker={marker}&email={}&ip={}", value(0).replace('@', "%40"), value(1)),
            &mut dice,
        );
        Self { values, bodies }
    }

    pub(super) fn values(&self) -> &[(&'static str, String)] {
        &self.values
    }

    pub(super) fn bodies(&self) -> &[Body] {
        &self.bodies
    }

    /// What of the values is in what came out: the body and the kind of each.
    pub(super) fn found_in(&self, texts: &[String]) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        for text in texts {
            let body = self.bodies.iter().find(|body| text.contains(&body.marker));
            let body = body.map_or("an item beside them", |body| body.name);
            let seen = seen_through(text);
            let is_in = |value: &str| seen.iter().any(|layer| layer.contains(value));
            found.extend(self.values.iter().filter(|(_, value)| is_in(value)).map(|(kind, _)| (body, *kind)));
        }
        found
    }
}

/// A text as it is and with its codings taken off, a layer at a time.
fn seen_through(text: &str) -> Vec<String> {
    let mut seen = vec![text.to_owned()];
    let mut from = 0;
    for _ in 0..LAYERS {
        let mut next = Vec::new();
        for layer in &seen[from..] {
            next.push(without_percent(layer));
            next.push(layer.replace("\\\"", "\"").replace("\\/", "/"));
            next.extend(without_base64(layer));
        }
        next.retain(|layer| !seen.contains(layer));
        from = seen.len();
        seen.append(&mut next);
    }
    seen
}

fn without_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let coded = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match coded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                plain.push(byte);
                at += 3;
            }
            _ => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn without_base64(text: &str) -> impl Iterator<Item = String> {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let runs = text.split(move |c| !is_base64(c)).filter(|run| run.len() >= BASE64_CHARS_MIN);
    runs.filter_map(|run| {
        let decoded = STANDARD_NO_PAD.decode(run).or_else(|_| URL_SAFE_NO_PAD.decode(run)).ok()?;
        Some(String::from_utf8_lossy(&decoded).into_owned())
    })
}

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Numbers that differ from run to run; nothing depends on nobody guessing them. SplitMix64.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        Self(
            now.as_secs()
                ^ u64::from(now.subsec_nanos()).rotate_left(32)
                ^ u64::from(std::process::id())
                ^ run.rotate_left(48),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A place in a list of so many.
    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a usize")
    }

    fn pick(&mut self, from: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(from[self.place(from.len())])).collect()
    }

    /// Letters in pairs of consonant and vowel: a word that no pattern takes for a secret.
    fn letters(&mut self, count: usize) -> String {
        (0..count.div_ceil(2)).map(|_| self.pick(b"bdfgklmnprstvz", 1) + &self.pick(b"aeiou", 1)).collect()
    }

    fn alphanumeric(&mut self, count: usize) -> String {
        self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count)
    }

    /// A number in a range that issuers keep for tests, with its check digit.
    fn card(&mut self) -> String {
        let digits = format!("424242424{}", self.pick(b"0123456789", 6));
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, digit)| {
                let digit = u32::from(digit - b'0');
                if at % 2 == 1 {
                    digit
                } else if digit > 4 {
                    2 * digit - 9
                } else {
                    2 * digit
                }
            })
            .sum();
        format!("{digits}{}", (10 - sum % 10) % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PatternSet, embedded};
    use crate::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline};
    use crate::redact::{Plan, Policy};
    use std::sync::Arc;

    /// Without any redaction each value is found in each body that holds it, whatever it is wrapped in.
    #[test]
    fn what_is_planted_is_found_in_what_was_not_touched() {
        let planted = Planted::new();
        for body in planted.bodies().iter().filter(|body| !body.gzip) {
            let text = String::from_utf8(body.bytes.clone()).expect("text");
            let found = planted.found_in(std::slice::from_ref(&text));
            let most = match body.name {
                "a form" => 2,
                "lines of text" => 6,
                _ => 7,
            };
            assert_eq!(found.len(), most, "{}: {found:?}", body.name);
            assert!(found.iter().all(|(name, _)| *name == body.name));
        }
    }

    #[test]
    fn the_default_policy_lets_none_of_it_through_and_keeps_the_markers() {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
        for _ in 0..50 {
            let planted = Planted::new();
            let mut texts = Vec::new();
            for body in planted.bodies() {
                let format = match body.content_type {
                    "application/json" => BodyFormat::Json,
                    "application/x-ndjson" => BodyFormat::Ndjson,
                    "text/plain" => BodyFormat::Text,
                    _ => BodyFormat::Form,
                };
                let coding = if body.gzip { Coding::Gzip } else { Coding::Identity };
                let mut pipeline = Pipeline::new(Arc::clone(&plan), BodyLimits::default(), format, coding);
                pipeline.set_coding_out(Coding::Identity);
                let mut out = Vec::new();
                pipeline.push(&body.bytes, &mut out).expect("a body");
                pipeline.finish(&mut out).expect("a body");
                let text = String::from_utf8(out).expect("text");
                assert!(text.contains(&body.marker), "{}: {text}", body.name);
                texts.push(text);
            }
            assert_eq!(planted.found_in(&texts), [], "{texts:#?}");
        }
    }

    #[test]
    fn no_two_runs_plant_the_same() {
        let (first, second) = (Planted::new(), Planted::new());
        assert_ne!(first.values()[0], second.values()[0]);
        assert_ne!(first.bodies()[0].marker, second.bodies()[0].marker);
    }
}
