//! Notes on texts of an event, as the one JSON object in which its tracker reads them.
//!
//! In: notes, each with the path of its text. Out: an object that is nested as the event is, with the note on a text behind an
//! empty name: `{"extra":{"prompt":{"":{"len":10,"rem":[["@prompt","s",0,25]]}}}}`. Knows nothing of the event itself.
//!
//! PERF: written as it stands. A tree of maps made of it, and that read out again, was a third of what remarks cost.
//!
//! Source: <https://getsentry.github.io/relay/relay_protocol/struct.Meta.html>

use std::borrow::Cow;
use std::ops::Range;

/// What is noted of one text, and where it stands.
#[derive(Debug, PartialEq)]
pub(super) struct Noted<'e> {
    /// The names and numbers on the way to it, as the event's reader reads them.
    pub(super) steps: Vec<Cow<'e, str>>,
    /// How many characters it had.
    pub(super) len: usize,
    pub(super) remarks: Vec<Remark>,
}

/// `["@prompt", "s", 0, 25]`: class, way, and from which character to which the stand-in lies.
#[derive(Debug, PartialEq)]
pub(super) struct Remark {
    pub(super) class: &'static str,
    pub(super) way: &'static str,
    pub(super) shown: Range<usize>,
}

/// The notes as one object, sorted by their paths. Of two on one text the last counts.
///
/// # Errors
/// None: what is written are strings and numbers, and it is written to memory.
pub(super) fn object(mut notes: Vec<Noted<'_>>) -> serde_json::Result<Vec<u8>> {
    notes.sort_by(|a, b| a.steps.cmp(&b.steps));
    let mut out = Vec::with_capacity(OBJECT_BYTES);
    out.push(b'{');
    let mut open: &[Cow<'_, str>] = &[];
    for (nth, note) in notes.iter().enumerate() {
        let steps = note.steps.as_slice();
        // An event that says a key twice may have a text there and an object with an empty key, which is where the note stands.
        let is_taken = !open.is_empty() && steps.strip_prefix(open).is_some_and(|rest| is_note(rest.first()));
        if is_taken || notes.get(nth + 1).is_some_and(|next| next.steps == steps) {
            continue;
        }
        let shared = open.iter().zip(steps).take_while(|(open, step)| open == step).count();
        out.extend(std::iter::repeat_n(b'}', open.len() - shared));
        if out.len() > 1 {
            out.push(b',');
        }
        for step in &steps[shared..] {
            serde_json::to_writer(&mut out, step)?;
            out.extend_from_slice(b":{");
        }
        write(note, &mut out)?;
        open = steps;
    }
    out.extend(std::iter::repeat_n(b'}', open.len() + 1));
    Ok(out)
}

/// Most events lose few texts.
const OBJECT_BYTES: usize = 256;

/// Whether a name below a text is the one that its note has.
fn is_note(name: Option<&Cow<'_, str>>) -> bool {
    name.is_some_and(|name| name.is_empty())
}

/// Writes the note on a text as the first member of an object.
fn write(note: &Noted<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.extend_from_slice(b"\"\":{\"len\":");
    serde_json::to_writer(&mut *out, &note.len)?;
    out.extend_from_slice(b",\"rem\":[");
    for (nth, Remark { class, way, shown }) in note.remarks.iter().enumerate() {
        let open: &[u8] = if nth == 0 { b"[\"@" } else { b",[\"@" };
        for part in [open, class.as_bytes(), b"\",\"", way.as_bytes(), b"\","] {
            out.extend_from_slice(part);
        }
        serde_json::to_writer(&mut *out, &shown.start)?;
        out.push(b',');
        serde_json::to_writer(&mut *out, &shown.end)?;
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The notes on texts at `paths`, whose lengths are their places in the list.
    fn written(paths: &[&[&'static str]]) -> Value {
        let note = |(len, path): (usize, &&[&'static str])| Noted {
            steps: path.iter().copied().map(Cow::Borrowed).collect(),
            len,
            remarks: Vec::new(),
        };
        let object = object(paths.iter().enumerate().map(note).collect()).expect("memory");
        serde_json::from_slice(&object).expect("JSON")
    }

    fn note(len: usize) -> Value {
        json!({"len": len, "rem": []})
    }

    #[test]
    fn notes_are_nested_as_their_texts_are() {
        assert_eq!(written(&[&["a"]]), json!({"a": {"": note(0)}}));
        assert_eq!(
            written(&[&["b", "2", "x"], &["a"], &["b", "10"], &["b", "2", "y\"\n"], &["c", "x"]]),
            json!({
                "a": {"": note(1)},
                "b": {"10": {"": note(2)}, "2": {"x": {"": note(0)}, "y\"\n": {"": note(3)}}},
                "c": {"x": {"": note(4)}},
            })
        );
    }

    #[test]
    fn a_text_has_its_classes_ways_and_places() {
        let remark = |class, way, shown| Remark { class, way, shown };
        let remarks = vec![remark("email", "s", 3..10), remark("redacted", "x", 19..19)];
        let object = object(vec![Noted { steps: vec![Cow::Borrowed("a")], len: 40, remarks }]);
        let want = r#"{"a":{"":{"len":40,"rem":[["@email","s",3,10],["@redacted","x",19,19]]}}}"#;
        assert_eq!(String::from_utf8(object.expect("memory")).expect("text"), want);
    }

    /// As readers differ in what such an event says, it is enough that no name stands twice.
    #[test]
    fn an_event_that_says_a_key_twice_gets_no_note_twice() {
        assert_eq!(written(&[&["a"], &["b"], &["a"]]), json!({"a": {"": note(2)}, "b": {"": note(1)}}));
        let both: &[&[&str]] = &[&["a", ""], &["a"], &["a", "", "x"], &["a", "b"]];
        assert_eq!(written(both), json!({"a": {"": note(1), "b": {"": note(3)}}}));
        let text = serde_json::to_string(&written(&[&["", ""], &[""]])).expect("JSON");
        assert_eq!(text, r#"{"":{"":{"len":1,"rem":[]}}}"#);
    }
}
