//! Looks behind the layers of a text that its escapes do not show: HTML references, base64, data URIs and printed
//! structures.
//!
//! In: a text that the engine has searched. Out: more edits, in the coordinates of that text. HTML and words of MIME are one more
//! recursion of [`Engine::text`] over a mapped view, and so are UTF-16 that was read as bytes and characters that nobody sees. Base64 is opaque: what it says is scrubbed for itself, written
//! again in the same style, and takes the place of the run as one edit, which counts as all that was found inside.

use super::action::Action;
use super::edit::{Edit, gravity};
use super::engine::{Context, Engine};
use super::finds::UNSCANNED;
use crate::pattern::DetectorIndex;
use crate::scan::Work;
use crate::scan::layer::base64::{self, Style};
use crate::scan::layer::data_uri::{Content, data_uris};
use crate::scan::layer::dump::php_strings;
use crate::scan::layer::{self, Layer, wide};
use crate::scan::search::Hidden;
use memchr::memmem;
use std::ops::Range;

impl Engine<'_> {
    /// Looks behind the layers of `text` that its triggers point at.
    pub(super) fn look_behind(&mut self, text: &[u8], hidden: Hidden, context: Context<'_>) {
        let deeper = Context { depth: context.depth + 1, ..context };
        if hidden.html {
            self.through(Layer::Html, text, deeper);
        }
        if hidden.mime_word {
            self.through(Layer::MimeWord, text, deeper);
        }
        // LEAK: past the budget the whole text is replaced, so nothing of it need be looked at any more.
        // What is no text in the end was decoded too.
        if hidden.base64 && self.work.spend(text.len()) {
            let mut runs = base64::runs(text);
            loop {
                runs = runs.within(self.work.room());
                let Some(run) = runs.next() else { break };
                let begin = if run.style.is_packed() { Work::UNPACK } else { 0 };
                if !self.work.spend(begin + run.plain.as_ref().map_or(0, Vec::len) * Work::DECODE) {
                    return;
                }
                self.opaque(run.range, run.plain.as_deref(), run.style, deeper);
            }
        }
        if hidden.data_uri && self.work.spend(text.len()) {
            self.declared_texts(text, deeper);
        }
        if hidden.pairs || hidden.row {
            self.dumped(text, hidden.row, context);
        }
        self.look_beside(text, context);
    }

    /// Reads `text` once more without what parts its letters and nobody sees. Neither reading is a layer of its own: each is shorter than the
    /// text, so they come to an end, and what stands at the edge of a word is found by the text as it stands.
    fn look_beside(&mut self, text: &[u8], context: Context<'_>) {
        if let Some(order) = wide::order_of(text) {
            self.through(Layer::Wide(order), text, context);
        }
        if layer::holds_unseen(text) {
            self.through(Layer::Unseen, text, context);
        }
    }

    /// Payloads of data URIs that are said to be text and are no UTF-8, so that they look like any other bytes.
    fn declared_texts(&mut self, text: &[u8], context: Context<'_>) {
        for uri in data_uris(text).filter(|uri| uri.is_base64 && uri.content == Content::Text) {
            let letters = &text[uri.payload.clone()];
            if let Some(plain) = base64::decode(letters)
                && std::str::from_utf8(&plain).is_err()
            {
                self.opaque(uri.payload, Some(&plain), base64::style_of(letters), context);
            }
        }
    }

    /// A run of base64 that says `plain`; `None` if it is packed in a way that does not unpack within the bounds.
    fn opaque(&mut self, range: Range<usize>, plain: Option<&[u8]>, style: Style, context: Context<'_>) {
        let readable = match plain {
            None => Err(DetectorIndex::UNSCANNED),
            Some(_) if context.depth > self.limits.layers_max => Err(DetectorIndex::UNSCANNED_LAYERS),
            Some(plain) if !self.work.spend(plain.len()) => Err(DetectorIndex::UNSCANNED_WORK),
            Some(plain) => Ok(plain),
        };
        let plain = match readable {
            Ok(plain) => plain,
            Err(by) => {
                let at = self.pool.edits.arena.len();
                self.pool.edits.arena.extend(base64::encode(UNSCANNED, style));
                return self.push(range, at, by, None, Action::Token);
            }
        };
        let first = self.pool.edits.list.len();
        self.note_unpacked(plain);
        self.trace_enter_inside(if style.is_packed() { "base64 of packed bytes" } else { "base64" });
        self.text(plain, None, context);
        self.trace_leave();
        let edits = &mut self.pool.edits;
        edits.settle(first);
        let inside = edits.list.split_off(first);
        let changes = |edit: &Edit| edits.text(edit) != &plain[edit.range.clone()];
        let inside: Vec<Edit> = inside.into_iter().filter(changes).collect();
        let Some(gravest) = inside.iter().min_by_key(|edit| gravity(edit)).cloned() else { return };
        let mut scrubbed = Vec::with_capacity(plain.len());
        let mut end = 0;
        for edit in &inside {
            scrubbed.extend_from_slice(&plain[end..edit.range.start]);
            scrubbed.extend_from_slice(edits.text(edit));
            end = edit.range.end;
        }
        scrubbed.extend_from_slice(&plain[end..]);
        let at = edits.arena.len();
        edits.arena.extend(base64::encode(&scrubbed, style));
        let counted = edits.note_inner(&inside);
        let text = at..edits.arena.len();
        edits.list.push(Edit { range, text, inner: counted, ..gravest });
    }

    /// Corrects the lengths that serialised PHP has before its strings, where an edit from place `first` on has
    /// changed one. The edits are settled before and after.
    pub(super) fn correct_lengths(&mut self, first: usize, text: &[u8]) {
        if self.pool.edits.list.len() == first || memmem::find(text, b"s:").is_none() {
            return;
        }
        let edits = &self.pool.edits.list[first..];
        let grown = |list: &[Edit]| -> (usize, usize) {
            let (more, less) =
                list.iter().map(|edit| (edit.text.len(), edit.range.len())).unzip::<_, _, Vec<_>, Vec<_>>();
            (more.iter().sum(), less.iter().sum())
        };
        // From the last to the first, so that the lengths inside a string are known before its own.
        let mut lengths: Vec<(Range<usize>, String)> = Vec::new();
        for string in php_strings(text).into_iter().rev() {
            let from = edits.partition_point(|edit| edit.range.end <= string.content.start);
            let to = edits.partition_point(|edit| edit.range.start < string.content.end);
            let within = &edits[from..to.max(from)];
            let crosses = within
                .iter()
                .any(|edit| edit.range.start < string.content.start || edit.range.end > string.content.end);
            if crosses {
                continue;
            }
            let (mut more, mut less) = grown(within);
            for (number, digits) in lengths.iter().rev().take_while(|(n, _)| n.start < string.content.end) {
                more += digits.len();
                less += number.len();
            }
            let length = (string.content.len() + more).saturating_sub(less).to_string();
            if length.as_bytes() != &text[string.number.clone()] {
                lengths.push((string.number, length));
            }
        }
        let any = !lengths.is_empty();
        for (number, digits) in lengths {
            let at = self.pool.edits.arena.len();
            self.pool.edits.arena.extend(digits.bytes());
            self.push(number, at, DetectorIndex::UNSCANNED, None, Action::Token);
            self.pool.edits.list.last_mut().expect("pushed just now").counted = false;
        }
        if any {
            self.pool.edits.settle(first);
        }
    }
}
