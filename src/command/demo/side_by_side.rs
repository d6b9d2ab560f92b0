//! One body before and after, as a table for the terminal: only the fields that changed.
//!
//! For looking at, not for deciding: bodies are parsed into trees here, which the engine never does, and
//! widths count characters, so wide scripts may push a column.

use crate::command::terminal::{Paint, printable};
use crate::pattern::Class;
use serde_json::Value;
use std::fmt::Write;

/// Rows shown of one body; the summary counts all.
const ROWS_MAX: usize = 24;

/// Below this many columns, before and after stand under each other.
const TABLE_WIDTH_MIN: usize = 64;

/// What a cell shows in front of the first difference.
const LEAD_CHARS: usize = 12;

/// A field that differs.
struct Change {
    path: String,
    before: String,
    after: String,
}

/// Shows which fields of `before` changed on the way to `after`, in at most `width` columns, and sums up in
/// one line. Both are decoded bodies: JSON, NDJSON, an envelope, a form or lines of text.
#[must_use]
pub fn render_side_by_side(before: &[u8], after: &[u8], width: usize, color: bool) -> String {
    let paint = Paint { color };
    let changes = changes(before, after);
    let mut text = String::new();
    if !changes.is_empty() {
        let shown = &changes[..changes.len().min(ROWS_MAX)];
        if width < TABLE_WIDTH_MIN {
            stack(shown, width, paint, &mut text);
        } else {
            table(shown, width, paint, &mut text);
        }
        if changes.len() > ROWS_MAX {
            line(&mut text, &paint.dim(&fit(&format!("… and {} more", changes.len() - ROWS_MAX), width)));
        }
    }
    line(&mut text, &paint.bold(&fit(&summary(&changes, before.len(), after.len()), width)));
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Path, before and after in three columns. What the values after do not need, those before get.
fn table(changes: &[Change], width: usize, paint: Paint, text: &mut String) {
    let path_width = longest(changes, |change| &change.path).clamp(5, width * 3 / 10);
    let both = width - path_width - 6;
    let after_width = longest(changes, |change| &change.after).clamp(5, both / 2);
    let before_width = longest(changes, |change| &change.before).clamp(6, both - after_width);
    let mut row = |path: &str, before: &str, after: &str| line(text, &format!("{path} │ {before} │ {after}"));
    row(&paint.dim(&pad("field", path_width)), &paint.dim(&pad("before", before_width)), &paint.dim("after"));
    for change in changes {
        let (before, after) = excerpts(change, before_width, after_width);
        let path = pad(&fit_end(&change.path, path_width), path_width);
        row(&path, &paint.red(&pad(&before, before_width)), &paint.green(&after));
    }
}

fn longest(changes: &[Change], text: impl Fn(&Change) -> &String) -> usize {
    changes.iter().map(|change| text(change).chars().count()).max().unwrap_or(0)
}

/// Three lines per field, for a narrow terminal.
fn stack(changes: &[Change], width: usize, paint: Paint, text: &mut String) {
    for change in changes {
        let (before, after) = excerpts(change, width.saturating_sub(2), width.saturating_sub(2));
        line(text, &fit_end(&change.path, width));
        line(text, &paint.red(&format!("- {before}")));
        line(text, &paint.green(&format!("+ {after}")));
    }
}

/// Both values, from shortly before their first difference on if one of them is too long.
fn excerpts(change: &Change, before_width: usize, after_width: usize) -> (String, String) {
    let same = change.before.chars().zip(change.after.chars()).take_while(|(a, b)| a == b).count();
    let fits = change.before.chars().count() <= before_width && change.after.chars().count() <= after_width;
    let from = if fits { 0 } else { same.saturating_sub(LEAD_CHARS) };
    (excerpt(&change.before, from, before_width), excerpt(&change.after, from, after_width))
}

fn excerpt(text: &str, from: usize, width: usize) -> String {
    if from == 0 {
        return fit(text, width);
    }
    let rest: String = text.chars().skip(from).collect();
    fit(&format!("…{rest}"), width)
}

/// The beginning of a text that is longer than `width` characters.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The end of a text that is longer than `width` characters: the last part of a path says most.
fn fit_end(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    ['…'].into_iter().chain(text.chars().skip(count + 1 - width.max(1))).collect()
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}

/// What was put in, and what became of the size.
fn summary(changes: &[Change], before: usize, after: usize) -> String {
    if changes.is_empty() {
        return format!("nothing found: {before} bytes leave as they came");
    }
    let mut text = match changes.len() {
        1 => "1 field changed".to_owned(),
        count => format!("{count} fields changed"),
    };
    let nulls = changes.iter().filter(|change| change.after == "null").count();
    let tokens = Class::ALL.iter().map(|class| (class.token(), added(changes, *class)));
    let mut separator = ": ";
    for (token, count) in tokens.chain([("null", nulls)]).filter(|(_, count)| *count > 0) {
        write!(text, "{separator}{count} {token}").expect("a string takes it");
        separator = ", ";
    }
    write!(text, " ({before} -> {after} bytes)").expect("a string takes it");
    text
}

/// How many more tokens of `class` there are after than before.
fn added(changes: &[Change], class: Class) -> usize {
    let count = |text: &str| {
        let forms =
            [format!("[{}]", class.word()), format!("[{} ", class.word()), format!("%5B{}%5D", class.word())];
        forms.iter().map(|form| text.matches(form.as_str()).count()).sum::<usize>()
    };
    changes.iter().map(|change| count(&change.after).saturating_sub(count(&change.before))).sum()
}

/// A part of a body that can be compared.
enum Document {
    Json(Value),
    Text(String),
}

/// The documents of a body: one of JSON, else one per line that is not empty.
fn documents(body: &[u8]) -> Vec<Document> {
    let text = String::from_utf8_lossy(body);
    if let Ok(value) = serde_json::from_str(&text) {
        return vec![Document::Json(value)];
    }
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| match serde_json::from_str(line) {
            Ok(value) => Document::Json(value),
            Err(_) => Document::Text(line.to_owned()),
        })
        .collect()
}

fn changes(before: &[u8], after: &[u8]) -> Vec<Change> {
    let (before, after) = (documents(before), documents(after));
    let envelope = is_envelope(&before);
    let mut changes = Vec::new();
    for (at, old) in before.iter().enumerate() {
        let prefix = if envelope || before.len() == 1 { String::new() } else { format!("line {}", at + 1) };
        match (old, after.get(at)) {
            (Document::Json(old), Some(Document::Json(new))) => compare(&prefix, old, new, &mut changes),
            (Document::Text(old), Some(Document::Text(new))) => compare_text(&prefix, old, new, &mut changes),
            (old, new) => {
                let new = new.map_or_else(|| "(left out)".to_owned(), document_text);
                push(&prefix, &document_text(old), &new, &mut changes);
            }
        }
    }
    if envelope {
        // Rewritten with the payload: bookkeeping, not content.
        changes.retain(|change| !matches!(change.path.as_str(), "length" | "item_count" | "meta_length"));
    }
    changes
}

/// Whether the lines are those of an envelope: a header that names an event, then an item header.
fn is_envelope(documents: &[Document]) -> bool {
    let has = |at: usize, keys: &[&str]| match documents.get(at) {
        Some(Document::Json(value)) => keys.iter().any(|key| value.get(key).is_some()),
        _ => false,
    };
    has(0, &["event_id", "sent_at", "dsn"]) && has(1, &["type"])
}

fn document_text(document: &Document) -> String {
    match document {
        Document::Json(value) => value.to_string(),
        Document::Text(text) => text.clone(),
    }
}

/// Compares the pairs of a form, or the line as a whole.
fn compare_text(prefix: &str, before: &str, after: &str, changes: &mut Vec<Change>) {
    let (old, new): (Vec<_>, Vec<_>) = (before.split('&').collect(), after.split('&').collect());
    let form = !before.contains(' ') && old.len() == new.len() && old.iter().all(|pair| pair.contains('='));
    if !form {
        return push(prefix, before, after, changes);
    }
    for (old, new) in old.iter().zip(new) {
        let ((key, old), (_, new)) =
            (old.split_once('=').unwrap_or((old, "")), new.split_once('=').unwrap_or((new, "")));
        push(&join(prefix, key), old, new, changes);
    }
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                match new.get(key) {
                    Some(kept) => compare(&join(path, key), value, kept, changes),
                    None => push(&join(path, key), &value_text(value), "(key replaced)", changes),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{at}]"), old, new, changes);
            }
        }
        (Value::String(old), Value::String(new)) => match (inner(old), inner(new)) {
            (Some(old), Some(new)) => compare(path, &old, &new, changes),
            _ => push(path, old, new, changes),
        },
        _ => push(path, &value_text(before), &value_text(after), changes),
    }
}

/// The JSON inside a string, if it is an object or an array.
fn inner(text: &str) -> Option<Value> {
    let container = text.starts_with(['{', '[']);
    container.then(|| serde_json::from_str(text).ok()).flatten()
}

fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn join(path: &str, key: &str) -> String {
    let separator = if path.is_empty() { "" } else { "." };
    format!("{path}{separator}{key}")
}

fn push(path: &str, before: &str, after: &str, changes: &mut Vec<Change>) {
    if before != after {
        changes.push(Change { path: printable(path), before: printable(before), after: printable(after) });
    }
}

#[cfg(test)]
mod tests;
