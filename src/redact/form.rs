//! Url-encoded forms: names and values, each through its own layer.
//!
//! In: a form. Out: edits in its coordinates. A value is what it would be under that key in JSON.

use super::decision::Decision;
use super::engine::{Context, Engine, looks_like_document};
use crate::scan::context::Keys;
use crate::scan::layer::Layer;

impl Engine<'_> {
    /// A url-encoded form: names and values, each through its own layer.
    pub(super) fn form(&mut self, bytes: &[u8]) {
        let plan = self.plan;
        for pair in crate::frame::form::pairs(bytes) {
            let mut scratch = std::mem::take(&mut self.pool.scratch);
            let mut key = self.pool.views.pop().unwrap_or_default();
            key.read(Layer::Form, &bytes[pair.key.clone()]);
            let state = self.fields.key(self.fields.start(), &key.text, &mut scratch);
            self.pool.scratch = scratch;
            let context = Context { state: self.fields.start(), under: None, depth: 0, keys: &Keys::NONE };
            let first = self.pool.edits.list.len();
            self.trace_at(|| Keys::NONE);
            self.form_text(&bytes[pair.key.clone()], pair.key.start, context);
            // A lone key names nothing, and may be a document that was sent as a form.
            if pair.value.is_some() {
                self.key_suffix(first, bytes, pair.key.end, "%23");
            }
            let name = Keys::name(&key.text);
            let context = Context { state, keys: &name, ..context };
            if let Some(range) = pair.value {
                self.trace_at(|| name);
                let raw = &bytes[range.clone()];
                let mut value = self.pool.views.pop().unwrap_or_default();
                value.read(Layer::Form, raw);
                let rule = self.fields.rule(state).map(|id| (id, &plan.rules[usize::from(id)]));
                match rule.map(|(id, rule)| (id, rule, self.decide(rule, &value.text, None, false, 0))) {
                    None | Some((_, _, Decision::Look)) => self.form_text(raw, range.start, context),
                    Some((_, _, Decision::Leave)) => {}
                    Some((_, rule, Decision::Null)) => {
                        self.learn(rule, &value.text, true, None);
                        self.push_void(range, b"", rule, &value.text);
                    }
                    Some((_, rule, Decision::Exchange(other))) => self.push_text(range, &other, rule),
                    Some((id, rule, Decision::Inside | Decision::Replace)) => {
                        let first = self.pool.edits.list.len();
                        let inside = looks_like_document(&value.text)
                            && self.nested(&value.text, Context { under: Some(id), ..context });
                        if inside {
                            self.note_decoded(&value);
                        } else {
                            self.learn(rule, &value.text, true, None);
                            self.replace_ruled(rule, &value.text);
                        }
                        self.map_back(first, &value, Layer::Form);
                        self.shift(first, range.start);
                    }
                }
                self.pool.views.push(value);
            }
            self.pool.views.push(key);
        }
    }

    fn form_text(&mut self, raw: &[u8], start: usize, context: Context<'_>) {
        let first = self.pool.edits.list.len();
        self.through(Layer::Form, raw, context);
        self.shift(first, start);
    }
}
