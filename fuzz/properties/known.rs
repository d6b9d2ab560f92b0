//! A scrubber that remembers sections of what came before, beside one that does not: whatever comes, both say the same.
//!
//! An input is a few documents, one a line. Each is shown twice, so that what can be known of it is; then come documents made of them: a
//! section of one in the place of one of another, another key in front of it, something beside it, a cut. In a line, `#` stands for the number
//! of the document, so that no section with one of its own is ever known.

use super::body::{Kind, SET};
use super::input::{Input, shown};
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use tamis::pattern::Class;
use tamis::pipeline::Count;
use tamis::redact::{
    Action, ItemFormat, ItemScope, KnownSections, Plan, Policy, ScanLimits, Scrubber, Verdict,
};

/// Documents that are made of those of one input.
const MADE: usize = 24;
/// Lines that are taken, and bytes of a document that is made.
const LINES_MAX: usize = 8;
const DOCUMENT_BYTES_MAX: usize = 8 << 10;

/// How an item is read.
const READINGS: [(ItemFormat, ItemScope); 4] = [
    (ItemFormat::Json, ItemScope::Sentry),
    (ItemFormat::JsonOrText, ItemScope::Any),
    (ItemFormat::Json, ItemScope::PostHog),
    (ItemFormat::JsonOrText, ItemScope::Langfuse),
];

/// The last one lies near to what sections are deep.
const LIMITS: [ScanLimits; 2] =
    [ScanLimits { depth_max: 128, layers_max: 4 }, ScanLimits { depth_max: 5, layers_max: 1 }];

/// Keys that say what stands beside or below them, as most of those of events do not.
const KEYS: [&str; 24] = [
    "note",
    "0",
    "1",
    "state",
    "data",
    "role",
    "content",
    "messages",
    "prompt",
    "name",
    "key",
    "value",
    "stringValue",
    "password",
    "user",
    "username",
    "_meta",
    "input",
    "model",
    "op",
    "type",
    "our_social_security_desk",
    "headers",
    "embedding",
];

const VALUES: [&str; 20] = [
    "17",
    "NaN",
    "null",
    "\"user\"",
    "\"password\"",
    "\"prompt\"",
    "\"gen_ai.chat\"",
    "\"gpt-5\"",
    "\"orinoco-42\"",
    "\"by orinoco-42 today\"",
    "\"nothing at all, but some words of no matter\"",
    "\"jane@example.com\"",
    "\"the number is 536 22 6726 here\"",
    "\"\\u006frinoco-42\"",
    "\"b3Jpbm9jby00MiBpcyBoZXJlIGFuZCB0aGVyZQ==\"",
    "\"--password\"",
    "{}",
    "[]",
    "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.11]",
    "{\"0\":137,\"1\":80,\"2\":78,\"3\":71,\"4\":13,\"5\":10,\"6\":26,\"7\":10}",
];

/// A plan that remembers and the same that does not.
struct Pair {
    known: Arc<KnownSections>,
    warm: Arc<Plan>,
    cold: Arc<Plan>,
}

impl Pair {
    fn of(cold: Arc<Plan>) -> Self {
        let known = Arc::new(KnownSections::new(256 << 10));
        let warm = Plan::compile(Arc::clone(&SET), cold.policy().clone()).expect("a plan");
        Self { warm: Arc::new(warm.with_known(Arc::clone(&known))), known, cold }
    }
}

static PAIRS: [LazyLock<Pair>; 3] = [
    LazyLock::new(|| Pair::of(Kind::Strict.plan())),
    LazyLock::new(|| Pair::of(Kind::PiiOnly.plan())),
    // What is counted and stays.
    LazyLock::new(|| {
        let actions = vec![
            (Class::PromptText, Action::Keep),
            (Class::Email, Action::Keep),
            (Class::Credential, Action::DropItem),
            (Class::NationalId, Action::Scan),
        ];
        let policy = Policy { actions, ..Policy::default() };
        Pair::of(Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan")))
    }),
];

/// # Panics
/// What came before changes what comes out.
pub fn holds(data: &[u8]) {
    let [mode, seed, payload @ ..] = data else { return };
    let mut input = Input::read(data).expect("there are two bytes");
    let pair = input.pick(&[0, 0, 1, 2].map(|nth| &PAIRS[nth]));
    let (format, scope) = input.pick(&READINGS);
    let limits = input.pick(&[LIMITS[0], LIMITS[0], LIMITS[1]]);
    let lines: Vec<&[u8]> = payload.split(|byte| *byte == b'\n').take(LINES_MAX).collect();
    pair.known.clear();
    let [mut warm, mut cold] = [&pair.warm, &pair.cold].map(|plan| Scrubber::new(Arc::clone(plan), limits));
    let mut dice = Dice(u64::from(*seed) << 8 | u64::from(*mode));
    let mut came: Vec<Vec<u8>> = Vec::new();
    for nth in 0..2 * lines.len() + MADE {
        let document = match nth.checked_sub(2 * lines.len()) {
            None => lines[nth / 2].to_vec(),
            Some(_) => made(&mut dice, &lines),
        };
        came.push(numbered(&document, nth));
        let document = came.last().expect("it was pushed");
        let [a, b] = [&mut warm, &mut cold].map(|scrubber| scrubbed(scrubber, format, scope, document));
        if a != b {
            let before: Vec<String> = came.iter().map(|document| shown(document)).collect();
            panic!("what came before changes what comes out: {a:?} and not {b:?}\n{}", before.join("\n"));
        }
        // Bodies share a budget; the next one has its own.
        if nth % 8 == 7 {
            [warm, cold] = [&pair.warm, &pair.cold].map(|plan| Scrubber::new(Arc::clone(plan), limits));
        }
    }
}

/// What became of a document.
#[derive(PartialEq)]
struct Scrubbed {
    out: Vec<u8>,
    verdict: Verdict,
    counts: Vec<Count>,
}

impl std::fmt::Debug for Scrubbed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", shown(&self.out), self.verdict, self.counts)
    }
}

fn scrubbed(scrubber: &mut Scrubber, format: ItemFormat, scope: ItemScope, document: &[u8]) -> Scrubbed {
    let mut out = b"before".to_vec();
    let verdict = match (format, scope) {
        (ItemFormat::Json, ItemScope::Sentry) => scrubber.event(scope, document, &mut out),
        _ => scrubber.item(format, scope, document, &mut out),
    };
    Scrubbed { out, verdict, counts: scrubber.counts().to_vec() }
}

/// With `number` in each of its places.
fn numbered(document: &[u8], number: usize) -> Vec<u8> {
    let parts: Vec<&[u8]> = document.split(|byte| *byte == b'#').collect();
    parts.join(number.to_string().as_bytes())
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's constants for a linear congruence: what matters is only that it is the same each time.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A document made of some that came.
fn made(dice: &mut Dice, lines: &[&[u8]]) -> Vec<u8> {
    let mut document = dice.of(lines).to_vec();
    for _ in 0..dice.below(4) {
        let other = dice.of(lines);
        let (places, others) = (containers(&document), containers(other));
        let Some(place) = picked(dice, &places) else { return document };
        let section = picked(dice, &others).map_or(&b"[]"[..], |range| &other[range]).to_vec();
        change(dice, &mut document, place, section);
        document.truncate(DOCUMENT_BYTES_MAX);
    }
    document
}

fn picked(dice: &mut Dice, of: &[Range<usize>]) -> Option<Range<usize>> {
    (!of.is_empty()).then(|| of[dice.below(of.len())].clone())
}

/// Changes something about the container at `place`.
fn change(dice: &mut Dice, document: &mut Vec<u8>, place: Range<usize>, section: Vec<u8>) {
    let (key, value) = (dice.of(&KEYS), dice.of(&VALUES));
    let text = document[place.clone()].to_vec();
    let is_object = text[0] == b'{';
    let member = if is_object { format!("\"{key}\":{value}") } else { value.to_owned() };
    let (opened, closed) = (place.start + 1, place.end.max(place.start + 2) - 1);
    let is_empty = text.len() <= 2;
    match dice.below(14) {
        0..=2 => replace(document, place, &section),
        3 if !is_empty => replace(document, opened..opened, format!("{member},").as_bytes()),
        4 if !is_empty => replace(document, closed..closed, format!(",{member}").as_bytes()),
        5 => replace_key(document, place.start, key),
        6 => replace(document, place, &[b"[", &text[..], b",", &section, b"]"].concat()),
        7 => replace(document, place, format!("{{\"{key}\":{}}}", String::from_utf8_lossy(&text)).as_bytes()),
        8 => {
            let quoted = String::from_utf8_lossy(&text).replace('\\', "\\\\").replace('"', "\\\"");
            replace(document, place, format!("\"{quoted}\"").as_bytes());
        }
        9 => replace(document, place, format!("[\"{key}\",{}]", String::from_utf8_lossy(&text)).as_bytes()),
        10 => {
            let at = place.start + dice.below(text.len());
            if document[at].is_ascii_alphabetic() {
                let spelled = format!("\\u{:04x}", document[at]);
                replace(document, at..at + 1, spelled.as_bytes());
            }
        }
        11 => document.truncate(place.start + dice.below(text.len() + 2)),
        12 => {
            let at = place.start + dice.below(text.len());
            replace(document, at..at, &[dice.of(b"\"\\{}[], 1@\xef")]);
        }
        _ if is_object && !is_empty => {
            let both = format!("\"{key}\":{},\"more\":", String::from_utf8_lossy(&section));
            replace(document, opened..opened, format!("{both}{value},").as_bytes());
        }
        _ => replace(document, place, &section),
    }
}

fn replace(document: &mut Vec<u8>, range: Range<usize>, with: &[u8]) {
    document.splice(range, with.iter().copied());
}

/// Another key for the container that begins at `start`, if it has one.
fn replace_key(document: &mut Vec<u8>, start: usize, key: &str) {
    let head = &document[..start];
    let Some(head) = head.strip_suffix(b":").and_then(|head| head.strip_suffix(b"\"")) else { return };
    let close = head.len();
    let Some(open) = head.iter().rposition(|byte| *byte == b'"') else { return };
    replace(document, open + 1..close, key.as_bytes());
}

/// Where containers begin and end, as far as brackets outside of strings tell.
fn containers(document: &[u8]) -> Vec<Range<usize>> {
    let (mut open, mut found, mut in_string, mut is_escaped) = (Vec::new(), Vec::new(), false, false);
    for (at, byte) in document.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open.push(at),
            b'}' | b']' if !in_string => found.extend(open.pop().map(|start| start..at + 1)),
            _ => {}
        }
    }
    found
}
