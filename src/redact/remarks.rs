//! What was taken out of a Sentry event, noted in it where its tracker looks for such notes.
//!
//! In: the edits that were applied to an event, and the event that came of them. Out: the same with a member `_meta`, which holds for
//! each text of which something said to a model was replaced a remark at the same path: by which class, how, from
//! which character to which, and how long the text was. The tracker's page then shows that something stood there.
//! Says nothing of the text itself.
//!
//! LEAK: keys that were replaced stand in the paths as they left: where there are some, the paths are those of the event as it leaves.
//!
//! Only content (prompts, answers, what tools got, projects, media) is noted: an address of an e-mail says in its stand-in all that a
//! remark would. SDKs send a `_meta` of their own, of what they cut: it stays but for the remarks on texts that have new ones, since
//! their places count in what is gone. An event whose `_meta` is no object, or that has two, is left as it is.
//!
//! PERF: the scan's own trail knows where each string stood that lost something. Only where it does not, as past replaced keys, the
//! event is swept and walked a second time; always done, that was a sixth of what a body of 32 KB costs in the proxy.
//!
//! Source: <https://getsentry.github.io/relay/relay_protocol/struct.Meta.html>,
//! <https://getsentry.github.io/relay/relay_protocol/struct.Remark.html>

use super::action::Action;
use super::edit::{Edit, Edits};
use super::known::Abridged;
use super::noted::{self, Noted, Remark};
use super::pool::{Pool, is_trail_of};
use crate::pattern::Class;
use crate::scan::context::as_read;
use crate::scan::fields::FieldAutomaton;
use crate::scan::json::{LeftOut, Path, PathStep, Site, Visitor, Walker};
use crate::scan::layer::json_escape;
use crate::scan::sweep::{Reading, Sought, Sweep};
use memchr::memmem;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// The member of an event that holds them.
pub(super) const MEMBER: &[u8] = b"_meta";
/// Texts that are noted; an event that lost more shows it without.
const NOTED_MAX: usize = 1_000;

/// PERF: made once; making it takes as long as to look through a small event with it.
static META: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"_meta\""));
/// Begins every other way to spell one of its letters.
static ESCAPE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\\u00"));

/// An event is walked for its keys alone.
static NO_RULES: LazyLock<FieldAutomaton> =
    LazyLock::new(|| FieldAutomaton::new(&[], &[]).expect("no rules are not too many"));

/// Adds the remarks to `out`, whose bytes from `start` on are the event as it leaves.
///
/// Of the event that `came` only its keys and the lengths of what went are read. Where known sections were left out of it for the scan,
/// `abridged` says so.
pub(super) fn note(
    came: &[u8],
    abridged: Option<&Abridged>,
    pool: &mut Pool,
    sought: Sought<'_>,
    out: &mut Vec<u8>,
    start: usize,
) -> Option<()> {
    let event = &out[start..];
    let edits = &pool.edits;
    if !edits.list.iter().any(is_content) {
        return None;
    }
    // PERF: its own keys are in what was scanned, unless all of it was left out.
    let read =
        abridged.filter(|abridged| !abridged.is_all_left_out()).map_or(came, |abridged| &abridged.text);
    let before = if may_say(read) { Before::read(event)? } else { Before::Nothing };
    let end = event.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
    if event[end] != b'}' {
        return None;
    }
    let list = written(edits);
    let notes =
        by_trail((came, abridged), event, pool, &list).or_else(|| by_walk(came, event, pool, sought, list));
    let notes = notes.filter(|notes| !notes.is_empty())?;
    let noted = noted::object(notes).ok()?;
    let (name, at, said): (&[u8], _, _) = match before {
        Before::Nothing => (b",\"_meta\":", end..end, noted),
        Before::Said(range, mut said) => {
            let Ok(Value::Object(noted)) = serde_json::from_slice(&noted) else { return None };
            merge(&mut said, noted);
            (b"", range, Value::Object(said).to_string().into_bytes())
        }
    };
    let behind = out.split_off(start + at.end);
    out.truncate(start + at.start);
    for part in [name, &said, &behind] {
        out.extend_from_slice(part);
    }
    Some(())
}

/// A text of an event, without its quotes, and the names and numbers on the way to it.
pub(super) struct Text<'e> {
    pub(super) range: Range<usize>,
    pub(super) steps: Vec<Cow<'e, str>>,
}

/// The remarks, by what the scan of the event that `came` noted on its way; `None` if a key on the way to one was replaced, or
/// content went with more than a string, or was noted otherwise.
fn by_trail<'e>(
    (came, abridged): (&'e [u8], Option<&'e Abridged>),
    event: &[u8],
    pool: &Pool,
    list: &[Written],
) -> Option<Vec<Noted<'e>>> {
    let edits = &pool.edits.list;
    let (sweep, walker) = (pool.sweeps.last()?, pool.walkers.last()?);
    let walked = abridged.map_or(came, |abridged| &abridged.text);
    if !is_trail_of(walked, sweep, walker) {
        return None;
    }
    let in_text = |place| abridged.map_or(place, |abridged| abridged.in_text(place));
    let came_from = |range: &Range<usize>| {
        let start = abridged.map_or(range.start, |abridged| abridged.in_document(range.start));
        start..start + range.len()
    };
    // LEAK: whatever touches a key, its suffix included, means that it did not stay.
    let stays = |key: &Range<usize>| {
        let key = came_from(key);
        let first = edits.partition_point(|edit| edit.range.end < key.start);
        edits.get(first).is_none_or(|edit| edit.range.start > key.end)
    };
    let is_left_out = |place| abridged.is_some_and(|abridged| abridged.section_at(place).is_some());
    let content = edits.iter().filter(|edit| is_content(edit)).map(|edit| edit.range.start);
    let content: Vec<usize> = content.filter(|place| !is_left_out(*place)).map(in_text).collect();
    let mut texts = match abridged {
        Some(abridged) => abridged.content_left_out(walker.sections(), walker.trail(), stays)?,
        None => Vec::new(),
    };
    for string in sweep.values_around(walked, &content)?.into_iter().take(NOTED_MAX) {
        let place = walker.trail().noted(string.start, NO_RULES.start())?;
        let steps = place.steps(walked, stays)?.into_iter().map(spelled).collect();
        texts.push(Text { range: came_from(&string), steps });
    }
    texts.sort_by_key(|text| text.range.start);
    let mut notes = Vec::new();
    let mut next = 0;
    for Text { range: string, steps } in texts.into_iter().take(NOTED_MAX) {
        next += edits[next..].partition_point(|edit| edit.range.end <= string.start);
        let count = edits[next..].partition_point(|edit| edit.range.start < string.end);
        let (edits, list) = (&edits[next..next + count], &list[next..next + count]);
        let ([first, ..], [.., last]) = (edits, edits) else { return None };
        if first.range.start < string.start || last.range.end > string.end {
            return None;
        }
        let left = list[0].range.start - (first.range.start - string.start)
            ..list[count - 1].range.end + (string.end - last.range.end);
        notes.push(noted(steps, (came, event), &left, list));
    }
    Some(notes)
}

/// The remarks, by another walk of the event as it leaves; `None` if it cannot be walked whole.
fn by_walk(
    came: &[u8],
    event: &[u8],
    pool: &mut Pool,
    sought: Sought<'_>,
    list: Vec<Written>,
) -> Option<Vec<Noted<'static>>> {
    let mut notes = Notes { came, list, next: 0, notes: Vec::new() };
    let mut sweep = pool.sweeps.pop().unwrap_or_else(Sweep::new);
    sweep.run(event, sought, Reading::Json);
    let mut walker = pool.walkers.pop().unwrap_or_else(|| Walker::new(NO_RULES.start()));
    walker.begin(NO_RULES.start(), None);
    let walked = walker.walk(&NO_RULES, usize::MAX, event, sweep.quotes(), true, &mut notes);
    pool.sweeps.push(sweep);
    pool.walkers.push(walker);
    walked.ok().map(|_| notes.notes)
}

/// A step as the event's reader reads it.
pub(super) fn spelled(step: PathStep<'_>) -> Cow<'_, str> {
    match step {
        PathStep::Element(nth) => Cow::Owned(nth.to_string()),
        PathStep::Key(key) => match as_read(key) {
            Cow::Borrowed(key) => String::from_utf8_lossy(key),
            Cow::Owned(key) => Cow::Owned(String::from_utf8_lossy(&key).into_owned()),
        },
    }
}

/// What an event said already of what was taken out of it.
enum Before {
    Nothing,
    /// Where the value of its `_meta` lies, and that value.
    Said(Range<usize>, Map<String, Value>),
}

/// Whether an event may have a `_meta`, however that is spelled. Says so of some that have none: its keys are read for it then.
///
/// With two of them a receiver would take one, and its own remarks or ours would be gone.
fn may_say(came: &[u8]) -> bool {
    let spells_letter = |at: usize| {
        let code = came.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok());
        code.and_then(|code| u8::from_str_radix(code, 16).ok()).is_some_and(|code| MEMBER.contains(&code))
    };
    META.find(came).is_some() || ESCAPE.find_iter(came).any(spells_letter)
}

impl Before {
    /// `None` if it said what cannot be added to.
    fn read(event: &[u8]) -> Option<Self> {
        let mut said = members(event).filter(|(key, _)| *as_read(&event[key.clone()]) == *MEMBER);
        match (said.next(), said.next()) {
            (None, _) => Some(Self::Nothing),
            (Some((_, value)), None) => {
                let said: Option<Map<String, Value>> = serde_json::from_slice(&event[value.clone()]).ok()?;
                Some(Self::Said(value, said.unwrap_or_default()))
            }
            _ => None,
        }
    }
}

/// The keys of an object that was walked, without their quotes, and their values.
///
/// What other members hold is passed over, whatever it is: a reader that takes all of it or nothing would find none where a number is `NaN`.
fn members(object: &[u8]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut at = memchr::memchr(b'{', object).map(|open| open + 1);
    std::iter::from_fn(move || {
        let open = at? + memchr::memchr(b'"', &object[at?..])?;
        let close = string_end(object, open)? - 1;
        let colon = close + memchr::memchr(b':', &object[close..])?;
        let end = value_end(object, colon + 1)?;
        at = Some(end);
        let value = object[colon + 1..end].trim_ascii_start();
        let from = end - value.len();
        Some((open + 1..close, from..from + value.trim_ascii_end().len()))
    })
}

/// Where a value ends, up to the comma or bracket behind it.
fn value_end(object: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        match object.get(at)? {
            b'"' => {
                at = string_end(object, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// The end of the string whose quote stands at `open`, with its quotes.
fn string_end(object: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', object.get(at..)?)?;
        match object[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Adds remarks to those that were there: of one text the new ones count, and the greater length.
fn merge(into: &mut Map<String, Value>, notes: Map<String, Value>) {
    for (key, note) in notes {
        match (into.get_mut(&key), note) {
            (Some(Value::Object(said)), Value::Object(note)) if key.is_empty() => {
                let length =
                    [said.get("len"), note.get("len")].into_iter().flatten().filter_map(Value::as_u64).max();
                said.extend(note);
                said.extend(length.map(|length| ("len".to_owned(), length.into())));
            }
            (Some(Value::Object(said)), Value::Object(note)) => merge(said, note),
            (_, note) => {
                into.insert(key, note);
            }
        }
    }
}

/// An edit where it stands in the event that leaves.
struct Written {
    range: Range<usize>,
    /// What went for it, in the event that came.
    came: Range<usize>,
    class: Option<Class>,
    action: Action,
    is_content: bool,
}

fn written(edits: &Edits) -> Vec<Written> {
    let (mut old, mut new) = (0, 0);
    let place = |edit: &Edit| {
        let start = edit.range.start + new - old;
        (old, new) = (old + edit.range.len(), new + edit.text.len());
        let (class, action) = (edit.class, edit.action);
        let came = edit.range.clone();
        Written { range: start..start + edit.text.len(), came, class, action, is_content: is_content(edit) }
    };
    edits.list.iter().map(place).collect()
}

/// True for an edit of what was said to a model, or came from one.
pub(super) fn is_content(edit: &Edit) -> bool {
    use Class as C;
    let content =
        [C::PromptText, C::CompletionText, C::ToolIo, C::Project, C::Media, C::MediaLink, C::Vector];
    edit.counted && edit.class.is_some_and(|class| content.contains(&class))
}

/// The walk's visitor.
struct Notes<'e> {
    came: &'e [u8],
    list: Vec<Written>,
    /// The first edit that may lie in a string to come.
    next: usize,
    notes: Vec<Noted<'static>>,
}

impl Notes<'_> {
    /// The edits that lie in a string, by their places in the list.
    fn within(&mut self, range: &Range<usize>) -> Range<usize> {
        let list = &self.list;
        while list.get(self.next).is_some_and(|edit| edit.range.end < range.start) {
            self.next += 1;
        }
        let inside =
            list[self.next..].iter().take_while(|edit| edit.range.start < range.end.max(range.start + 1));
        self.next..self.next + inside.count()
    }
}

impl Visitor for Notes<'_> {
    fn wants_key(&mut self, _: &[u8], _: &Range<usize>, _: Option<u16>) -> bool {
        false
    }

    fn key(&mut self, _: &[u8], _: Range<usize>, _: Path<'_>, _: Option<u16>) {}

    fn wants_string(&mut self, _: &[u8], range: &Range<usize>, _: Option<u16>, _: Option<u16>) -> bool {
        let within = self.within(range);
        self.notes.len() < NOTED_MAX && self.list[within].iter().any(|edit| edit.is_content)
    }

    fn string(&mut self, bytes: &[u8], site: Site<'_>) {
        let within = self.within(&site.range);
        let mut steps = Vec::new();
        site.path.each(|step| steps.push(Cow::Owned(spelled(step).into_owned())));
        self.notes.push(noted(steps, (self.came, bytes), &site.range, &self.list[within]));
    }

    fn wants_scalar(&mut self, _: &Range<usize>, _: Option<u16>, _: Option<u16>) -> bool {
        false
    }

    fn scalar(&mut self, _: &[u8], _: Site<'_>) {}

    fn enter(&mut self, _: Option<u16>, _: Option<u16>) -> Option<u16> {
        None
    }

    fn takes_turns(&self, _: u16) -> bool {
        false
    }

    fn array(&mut self, _: &[u8], _: Range<usize>, _: u16) {}

    fn numbered(&mut self, _: &[u8], _: Range<usize>) {}

    fn found_to(&self) -> usize {
        usize::MAX
    }

    fn work_left(&self) -> usize {
        0
    }

    fn left_out(&mut self, _: LeftOut) {}

    fn too_deep(&mut self, _: Range<usize>, _: Option<u8>) {}
}

/// What is noted of a string that lost what `edits` say: a remark for each, and how many characters it had.
fn noted<'e>(
    steps: Vec<Cow<'e, str>>,
    (came, event): (&[u8], &[u8]),
    string: &Range<usize>,
    edits: &[Written],
) -> Noted<'e> {
    let (mut at, mut shown, mut len) = (string.start, 0, 0);
    let mut remarks = Vec::with_capacity(edits.len());
    for edit in edits {
        let class = edit.class.map_or("redacted", Class::word);
        let way = match edit.action {
            Action::Remove => "x",
            Action::Mask => "m",
            Action::Pseudonym => "p",
            _ => "s",
        };
        let between = chars(&event[at..edit.range.start.max(at)]);
        let stand_in = chars(&event[edit.range.clone()]);
        (shown, len) = (shown + between, len + between + chars(&came[edit.came.clone()]));
        remarks.push(Remark { class, way, shown: shown..shown + stand_in });
        shown += stand_in;
        at = edit.range.end;
    }
    Noted { steps, remarks, len: len + chars(&event[at.min(string.end)..string.end]) }
}

/// Characters of a JSON string as its receiver reads it.
fn chars(raw: &[u8]) -> usize {
    // PERF: nearly all is UTF-8, of which characters are counted without a look at each.
    let count = |text: &[u8]| match std::str::from_utf8(text) {
        Ok(text) => text.chars().count(),
        Err(_) => String::from_utf8_lossy(text).chars().count(),
    };
    let (mut chars, mut rest, mut spelled) = (0, raw, Vec::new());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        // An escape is one character, whatever it spells; so is a backslash that begins none.
        let escape = json_escape(&rest[at..], &mut spelled);
        spelled.clear();
        chars += count(&rest[..at]) + 1;
        rest = &rest[at + escape..];
    }
    chars + count(rest)
}

#[cfg(test)]
mod tests {
    use super::{Noted, by_trail, by_walk, chars, written};
    use crate::pattern::{PatternSet, embedded};
    use crate::redact::{ItemFormat, ItemScope, KnownSections, Plan, Policy, ScanLimits, Scrubber, Verdict};
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn plan() -> Plan {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        Plan::compile(Arc::new(set), Policy::default()).expect("a plan")
    }

    fn scrubber() -> Scrubber {
        Scrubber::new(Arc::new(plan()), ScanLimits::default())
    }

    fn scrubbed(event: &str) -> String {
        let mut scrubber = scrubber();
        let mut out = b"before".to_vec();
        let verdict: Verdict = scrubber.event(ItemScope::Sentry, event.as_bytes(), &mut out);
        assert!(!verdict.broken && !verdict.drop_item, "{event}");
        String::from_utf8(out[6..].to_vec()).expect("text")
    }

    #[test]
    fn each_text_that_lost_content_has_a_remark_at_its_path() {
        let event = r#"{"request":{"data":{"prompt":"a t\u00e9al fox","n":1,"a.b":["x",{"negative_prompt":"fog"}]}},"user":{"email":"jane@example.com"} } "#;
        let got: Value = serde_json::from_str(&scrubbed(event)).expect("JSON");
        let want = json!({"request": {"data": {
            "prompt": {"": {"rem": [["@prompt", "s", 0, 25]], "len": 10}},
            "a.b": {"1": {"negative_prompt": {"": {"rem": [["@prompt", "s", 0, 24]], "len": 3}}}},
        }}});
        assert_eq!(got["_meta"], want, "{got}");
        assert_eq!(got["request"]["data"]["prompt"], "[prompt chars=10 words=3]");
    }

    /// The remarks by the trail, if it tells them, and by a walk of the event as it left. Both are the same.
    fn both<'e>(scrubber: &mut Scrubber, event: &'e [u8]) -> [Option<Vec<Noted<'e>>>; 2] {
        let mut out = Vec::new();
        scrubber.item(ItemFormat::Json, ItemScope::Sentry, event, &mut out);
        let list = || written(&scrubber.pool.edits);
        let by_trail = by_trail((event, None), &out, &scrubber.pool, &list());
        let list = list();
        let by_walk = by_walk(event, &out, &mut scrubber.pool, scrubber.plan.sought(), list);
        assert!(by_trail.is_none() || by_trail == by_walk, "{}", String::from_utf8_lossy(event));
        [by_trail, by_walk]
    }

    #[test]
    fn the_trail_tells_what_a_walk_of_the_event_as_it_left_tells() {
        let mut scrubber = scrubber();
        let (mut events, mut told) = (0, 0);
        for file in std::fs::read_dir("tests/corpus/sentry").expect("the corpus") {
            let body = std::fs::read(file.expect("an entry").path()).expect("a file");
            let is_event = |line: &&[u8]| line.starts_with(b"{") && line.ends_with(b"}");
            for event in body.split(|byte| *byte == b'\n').filter(is_event) {
                let [by_trail, by_walk] = both(&mut scrubber, event);
                let has_content = by_walk.is_some_and(|notes| !notes.is_empty());
                events += usize::from(has_content);
                told += usize::from(has_content && by_trail.is_some());
            }
        }
        assert!(events > 20 && told == events, "{told} of {events}");
    }

    #[test]
    fn what_the_trail_does_not_know_as_it_left_is_walked_for() {
        let mut scrubber = scrubber();
        for (event, want) in [
            (r#"{"extra":{"prompt":"a teal fox","a":["b",{"prompt":"c"}]}}"#, true),
            (r#"{"extra":{"prompt":"[{\"text\":\"a teal fox\"}]"},"n":1}"#, true),
            (r#"{"extra":{"prompt":"a teal fox","jane@example.com":1}}"#, true),
            // A key that was replaced; a name that is read as the key; content that is no string.
            (r#"{"extra":{"jane@example.com":{"prompt":"a teal fox"}}}"#, false),
            (r#"{"extra":[{"key":"prompt","value":"a teal fox"}]}"#, false),
            (r#"{"extra":[{"value":"a teal fox","key":"prompt"}]}"#, false),
            ("\u{feff}{\"extra\":{\"prompt\":\"a teal fox\"}}", false),
        ] {
            assert_eq!(both(&mut scrubber, event.as_bytes())[0].is_some(), want, "{event}");
        }
    }

    /// Keys that were replaced stand in the paths as they left.
    #[test]
    fn no_key_that_was_replaced_comes_back() {
        let event =
            r#"{"extra":{"jane@example.com":{"prompt":"a teal fox"},"by 192.0.2.7":[{"prompt":"b"}]}}"#;
        let out = scrubbed(event);
        assert!(out.contains("\"rem\"") && !out.contains("jane") && !out.contains("192.0.2"), "{out}");
        let got: Value = serde_json::from_str(&out).expect("JSON");
        assert!(got["_meta"]["extra"]["[email]#1"]["prompt"].is_object(), "{out}");
    }

    #[test]
    fn characters_are_those_that_a_reader_sees() {
        for (raw, want) in [
            ("", 0),
            ("caf\u{e9} \u{1f98a}", 6),
            (r#"a \"b\" \\ \n\/"#, 10),
            (r"caf\u00e9 \ud83e\udd8a \ud83e!", 9),
            (r"\u00 \q \", 9),
        ] {
            assert_eq!(chars(raw.as_bytes()), want, "{raw}");
        }
        assert_eq!(chars(b"caf\xe9"), 4);
    }

    #[test]
    fn places_are_counted_in_what_is_left() {
        let event = r#"{"message":"by jane@example.com: prompt=\"a teal fox\", é"}"#;
        let got: Value = serde_json::from_str(&scrubbed(event)).expect("JSON");
        let left: Vec<char> = got["message"].as_str().expect("text").chars().collect();
        let remarks = got["_meta"]["message"][""]["rem"].as_array().expect("remarks");
        let shown = |nth: usize| {
            let at = |place: usize| remarks[nth][place].as_u64().and_then(|at| usize::try_from(at).ok());
            left[at(2).expect("a place")..at(3).expect("a place")].iter().collect::<String>()
        };
        assert_eq!([shown(0), shown(1)], ["[email]", "[prompt chars=10 words=3]"], "{got}");
    }

    /// SDKs note what they cut.
    #[test]
    fn what_an_event_said_of_itself_stays() {
        let event = r#"{"_meta":{"extra":{"":{"len":9},"prompt":{"":{"len":5000,"rem":[["!limit","x",1021,1024]]}}},"n":{"":{"err":["x"]}}},"extra":{"prompt":"a teal fox","more":{"prompt":"b"}},"a":"_meta"}"#;
        let got: Value = serde_json::from_str(&scrubbed(event)).expect("JSON");
        let want = json!({
            "extra": {
                "": {"len": 9},
                "prompt": {"": {"len": 5000, "rem": [["@prompt", "s", 0, 25]]}},
                "more": {"prompt": {"": {"len": 1, "rem": [["@prompt", "s", 0, 24]]}}},
            },
            "n": {"": {"err": ["x"]}},
        });
        assert_eq!(got["_meta"], want, "{got}");
        assert_eq!(got["a"], "_meta");
        let once = scrubbed(event);
        assert_eq!(scrubbed(&once), once, "a second time");
    }

    /// What Python writes for a number that is none, and what no reader takes beside it, is no matter of the remarks.
    #[test]
    fn what_an_event_said_of_itself_is_read_beside_anything() {
        for (event, want) in [
            (
                r#"{"a":NaN,"b":{"_meta":1,"c":"}\""},"_meta" : {"n":{"":{"len":9}}} ,"prompt":"a teal fox"}"#,
                r#"{"a":NaN,"b":{"_meta":1,"c":"}\""},"_meta" : {"n":{"":{"len":9}},"prompt":{"":{"len":10,"rem":[["@prompt","s",0,25]]}}} ,"prompt":"[prompt chars=10 words=3]"}"#,
            ),
            (
                r#"{"prompt":"a teal fox","_meta":null}"#,
                r#"{"prompt":"[prompt chars=10 words=3]","_meta":{"prompt":{"":{"len":10,"rem":[["@prompt","s",0,25]]}}}}"#,
            ),
        ] {
            assert_eq!(scrubbed(event), want);
        }
    }

    /// By whatever way the remarks are found, and with known sections left out.
    #[test]
    fn an_event_whose_own_remarks_are_spelled_with_an_escape_has_them_once() {
        let known = Arc::new(KnownSections::new(1 << 20));
        let mut known = Scrubber::new(Arc::new(plan().with_known(known)), ScanLimits::default());
        let frame = format!(r#"[{{"function":"run","lineno":7,"note":"{}"}}]"#, "some words ".repeat(20));
        for (key, is_one) in [
            ("_meta", true),
            (r"_m\u0065ta", true),
            (r"\u005fmeta", true),
            (r"\u005Fmeta", true),
            (r"_met\u0061", true),
            (r"\u005f\u006d\u0065\u0074\u0061", true),
            (r"_m\\u0065ta", false),
            (r"_m\u0065ta ", false),
            (r"_m\u0045ta", false),
        ] {
            // By the trail; by another walk, behind a key that was replaced.
            for extra in [r#"{"prompt":"a teal fox"}"#, r#"{"jane@example.com":{"prompt":"a teal fox"}}"#] {
                // The last ones are known whole.
                for round in [0, 1, 2, 3, 4, 4, 4, 4] {
                    let event = format!(
                        r#"{{"{key}":{{"n":{{"":{{"len":9}}}}}},"id":{round},"stack":{frame},"extra":{extra}}}"#
                    );
                    let out = scrubbed(&event);
                    assert_eq!(out.matches("\"rem\"").count(), 1, "{out}");
                    assert_eq!(out.contains(",\"_meta\":"), !is_one, "{out}");
                    assert!(out.contains(&format!("{{\"{key}\":{{\"")), "as it was spelled: {out}");
                    let got: Value = serde_json::from_str(&out).expect("JSON");
                    let own = if is_one { &got["_meta"]["n"] } else { &Value::Null };
                    assert_eq!(own.is_object(), is_one, "{out}");
                    assert!(got["_meta"]["extra"].is_object(), "{out}");
                    let mut warm = Vec::new();
                    let left_out = known.bytes_known;
                    known.event(ItemScope::Sentry, event.as_bytes(), &mut warm);
                    assert_eq!(String::from_utf8_lossy(&warm), out, "round {round}");
                    assert!(round < 4 || known.bytes_known > left_out, "{key}: nothing was known");
                }
            }
        }
    }

    #[test]
    fn an_event_is_left_alone_that_lost_no_content_or_whose_remarks_cannot_be_read() {
        for event in [
            r#"{"user":{"email":"jane@example.com"}}"#,
            r#"{"prompt":"a teal fox","_meta":[{"extra":{"":{"len":9}}}]}"#,
            r#"{"prompt":"a teal fox","_meta":{},"_meta":{}}"#,
            r#"{"prompt":"a teal fox","_meta":{},"_m\u0065ta":{}}"#,
            r#"{"prompt":"a teal fox","_m\u0065ta":{},"\u005fmeta":{}}"#,
            r#"{"prompt":"a teal fox","_m\u0065ta":[{"extra":{"":{"len":9}}}]}"#,
            "{}",
        ] {
            assert!(!scrubbed(event).contains("\"rem\""), "{event}");
        }
        let once = scrubbed(r#"{"extra":{"prompt":"a teal fox"}}"#);
        assert_eq!(scrubbed(&once), once, "a second time");
    }
}
