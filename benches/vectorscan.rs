//! Tamis beside Vectorscan on the same bytes, in turn in one process.
//!
//! Vectorscan gets the whole buffer of each payload and reports where matches are: no JSON, no layers, no validators, no
//! context words, no output. Tamis does all of its work, with all embedded packs and policy `strict`: `tamis` keeps nothing, so that each
//! payload is as if it came for the first time; `tamis, again` is as the program runs, with what came before known.
//!
//! Four databases, in block mode. `20, plain` are regexes as scrubbers have them, in ASCII and without the forms that
//! one seldom meets: what suits Vectorscan best, and what Tamis has to beat. `20, ends` are the embedded patterns of
//! `sets::TWENTY`. Both tell whether and where something ends: no flags, the least that it can be asked. `20, starts` tells
//! where it begins too (`SOM_LEFTMOST`), without which nothing can be replaced. `all, ends` are all embedded patterns.
//! Patterns that it does not take are left out and named.
//! Built only with the feature `vectorscan`, which links the system's library.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

#[path = "support/payload.rs"]
mod payload;
#[path = "support/rounds.rs"]
mod rounds;
#[path = "support/sets.rs"]
mod sets;

use hyperscan::prelude::*;
use payload::Input;
use rounds::{Options, Times, alternate, rate};
use std::collections::HashSet;
use std::hint::black_box;
use std::process::ExitCode;
use tamis::pattern::{Pack, embedded};
use tamis::redact::{ItemFormat, ItemScope, Scrubber};

const ROUNDS: usize = 40;

/// What scrubbers look for, as most of them write it.
const PLAIN: [&str; 20] = [
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    r"(?i)\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b|\b(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4})?",
    r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",
    r"\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}\b",
    r"\b(?:4\d{3}|5[1-5]\d{2}|6011|3[47]\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{3,4}\b",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"://[^\s/@:]+:[^\s/@]+@",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
    r"(?i)\bbearer\s+[a-z0-9._~+/=-]{8,}",
    r#"(?i)(?:password|passwd|secret|api_?key|token)["']?\s*[:=]\s*["']?[^\s"',;]{4,}"#,
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----",
    r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\bgh[pousr]_[A-Za-z0-9]{36}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{20}",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("vectorscan: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let options = Options::parse(ROUNDS)?;
    let packs = embedded().expect("the embedded packs parse");
    let mut scrubbers = [payload::scrubber(&packs), payload::remembering_scrubber(&packs)];
    let twenty = sets::only(&packs, &HashSet::from(sets::TWENTY));
    let plain = PLAIN.map(|regex| (regex, regex.to_owned()));
    let databases = [
        Scanner::new("20, plain", &plain, CompileFlags::empty())?,
        Scanner::new("20, ends", &regexes(&twenty), CompileFlags::empty())?,
        Scanner::new("20, starts", &regexes(&twenty), CompileFlags::SOM_LEFTMOST)?,
        Scanner::new("all, ends", &regexes(&packs), CompileFlags::empty())?,
    ];
    println!("Vectorscan {}, {} rounds", hyperscan::version(), options.rounds);
    for database in &databases {
        let Scanner { name, patterns, refused, .. } = database;
        let refused =
            if refused.is_empty() { String::new() } else { format!(", not {}", refused.join(", ")) };
        println!("{name}: {patterns} patterns{refused}");
    }
    println!(
        "\n| input | scanner | MB/s, median | MB/s, best | matches per KB | tamis / it, median | best | tamis, again / it, median |"
    );
    println!("{}", rounds::rule(8));
    for input in payload::inputs(|item| scrub(&mut scrubbers[0], item, &mut Vec::new())) {
        if options.wants(&format!("vectorscan/{}", input.name)) {
            compare(&options, &input, &mut scrubbers, &databases);
        }
    }
    Ok(())
}

fn compare(options: &Options, input: &Input, scrubbers: &mut [Scrubber; 2], databases: &[Scanner; 4]) {
    let mut tamis = scrubbers.each_mut().map(|scrubber| {
        let mut out = Vec::new();
        move || {
            for item in &input.items {
                out.clear();
                black_box(scrub(scrubber, black_box(item), &mut out));
            }
        }
    });
    let mut scans = databases.each_ref().map(|database| {
        || {
            black_box(database.matches(input));
        }
    });
    let [plain, ends, starts, all] = scans.each_mut().map(|scan| scan as &mut dyn FnMut());
    let [anew, again] = tamis.each_mut().map(|tamis| tamis as &mut dyn FnMut());
    let times = alternate(options, &mut [anew, again, plain, ends, starts, all]);
    let row = |name: &str, time: Times, matches: &str| {
        let (median, best) = (rate(input.bytes(), time.median), rate(input.bytes(), time.best));
        let ratio = |of: f64, to: f64| match name.starts_with("tamis") {
            true => "–".to_owned(),
            false => format!("{:.2}", to / of),
        };
        let [median_ratio, best_ratio, again_ratio] = [
            ratio(times[0].median, time.median),
            ratio(times[0].best, time.best),
            ratio(times[1].median, time.median),
        ];
        println!(
            "| {} | {name} | {median:.0} | {best:.0} | {matches} | {median_ratio} | {best_ratio} | {again_ratio} |",
            input.name
        );
    };
    row("tamis", times[0], "–");
    row("tamis, again", times[1], "–");
    for (database, time) in databases.iter().zip(&times[2..]) {
        let matches = database.matches(input) as f64 / input.bytes() as f64 * 1e3;
        row(database.name, *time, &format!("{matches:.1}"));
    }
}

/// True if something was replaced.
fn scrub(scrubber: &mut Scrubber, item: &[u8], out: &mut Vec<u8>) -> bool {
    scrubber.item(ItemFormat::Json, ItemScope::Sentry, item, out).changed
}

/// Names and regexes of patterns.
fn regexes(packs: &[Pack]) -> Vec<(&str, String)> {
    let specs = packs.iter().flat_map(|pack| &pack.patterns);
    specs.map(|spec| (spec.name.as_str(), plain_groups(&spec.regex))).collect()
}

/// Patterns in one database, and the memory that a scan needs.
struct Scanner {
    name: &'static str,
    patterns: usize,
    /// Patterns that Vectorscan does not take.
    refused: Vec<String>,
    database: BlockDatabase,
    scratch: Scratch,
}

impl Scanner {
    fn new(name: &'static str, regexes: &[(&str, String)], flags: CompileFlags) -> Result<Self, String> {
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (named, regex) in regexes {
            let pattern = Pattern::with_flags(regex, flags).map_err(|error| format!("{named}: {error}"))?;
            // One by one first: a database takes all of its patterns or fails.
            if Builder::build::<hyperscan::BlockMode>(&pattern).is_ok() {
                taken.push(Pattern { id: Some(taken.len()), ..pattern });
            } else {
                refused.push((*named).to_owned());
            }
        }
        let patterns = taken.len();
        let database: BlockDatabase = Patterns(taken).build().map_err(|error| format!("{name}: {error}"))?;
        let scratch = database.alloc_scratch().map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, patterns, refused, database, scratch })
    }

    /// Scans every item and counts what is reported.
    fn matches(&self, input: &Input) -> u64 {
        let mut matches = 0;
        for item in &input.items {
            let scanned = self.database.scan(black_box(item), &self.scratch, |_, _, _, _| {
                matches += 1;
                Matching::Continue
            });
            scanned.expect("a scan that nobody ends runs to its end");
        }
        matches
    }
}

/// Groups without names: Vectorscan captures nothing.
fn plain_groups(regex: &str) -> String {
    let mut plain = String::with_capacity(regex.len());
    let mut rest = regex;
    while let Some((before, after)) = rest.split_once("(?P<") {
        plain.push_str(before);
        plain.push_str("(?:");
        rest = after.split_once('>').map_or("", |(_, body)| body);
    }
    plain.push_str(rest);
    plain
}
