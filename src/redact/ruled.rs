//! Values that a field rule names: what the rule says about each, and the edit that comes of it.
//!
//! In: a string with its site, as the walk found it. Out: edits in the document's coordinates, values learnt; a string about which
//! no rule has anything to say goes to the engine as any other. Never decides which rule names a value: that is the walk's.

use super::action::Action;
use super::decision::{Decision, address_decision, is_identity, is_kept, may_be_address, redacts, yields};
use super::engine::{Context, Engine, looks_like_document};
use super::plan::Rule;
use super::replacements::Alike;
use crate::pattern::{Class, FieldKind};
use crate::scan::context::{Keys, as_read};
use crate::scan::json::Site;
use crate::scan::layer::Layer;
use crate::scan::{is_no_secret_of, is_public_key, is_stand_in};

impl Engine<'_> {
    /// What a rule says about a value, which it names itself or (`inherited`) by a container around it.
    pub(super) fn decide(
        &self,
        rule: &Rule,
        value: &[u8],
        key: Option<&[u8]>,
        inherited: bool,
        depth: usize,
    ) -> Decision {
        if !rule.rewrite.is_empty()
            && let Some(other) = std::str::from_utf8(value).ok().and_then(|value| rule.rewrite.get(value))
        {
            return Decision::Exchange(other.clone().into_bytes());
        }
        match rule.kind {
            FieldKind::Exempt if is_identity(value) => Decision::Leave,
            FieldKind::Id if is_identity(value) && !may_be_address(value) => Decision::Leave,
            FieldKind::Exempt | FieldKind::Id | FieldKind::Grouping | FieldKind::Scan | FieldKind::Turns => {
                Decision::Look
            }
            FieldKind::Address => match address_decision(rule, value, inherited) {
                // A receiver takes an address there or nothing; what tells series apart is a text.
                Decision::Null
                    if self.alike == Alike::Told && self.told(rule.action) == Action::Pseudonym =>
                {
                    Decision::Replace
                }
                decision => decision,
            },
            FieldKind::Value if !redacts(rule) || is_kept(rule, key, value) => Decision::Look,
            FieldKind::Value if !rule.fits(value) => Decision::Look,
            // Nothing, and nothing between quotes, as a variable is printed.
            FieldKind::Value if matches!(value, b"" | b"''" | b"\"\"") || is_stand_in(value) => {
                Decision::Leave
            }
            // What ingest is authenticated by, in the body of some protocols: under `api_key`, and no secret.
            FieldKind::Value if rule.class == Some(Class::Credential) && is_public_key(value) => {
                Decision::Leave
            }
            FieldKind::Value
                if matches!(rule.class, Some(Class::Credential | Class::Email))
                    && is_no_secret_of(key, value) =>
            {
                Decision::Look
            }
            FieldKind::Value if depth < self.limits.layers_max && looks_like_document(value) => {
                Decision::Inside
            }
            FieldKind::Value => Decision::Replace,
        }
    }

    /// The rules to ask about a value, in order: its own, then its container's, which alone counts if its
    /// own takes nothing away or is a fallback.
    pub(super) fn rules_for(
        &self,
        own: Option<u16>,
        under: Option<u16>,
    ) -> impl Iterator<Item = u16> + use<> {
        let spares = |id: u16| under.is_some() && yields(&self.plan.rules[usize::from(id)]);
        own.filter(|id| !spares(*id)).into_iter().chain(under)
    }

    /// A string that a rule names. Without a `map` it has no trigger, and is looked at no further.
    ///
    /// LEAK: a rule that has nothing to say about this value, as one for addresses about a sentence, does not
    /// end the reach of the container's rule.
    pub(super) fn ruled(
        &mut self,
        bytes: &[u8],
        site: &Site<'_>,
        map: Option<&[u64]>,
        depth: usize,
        outer: &Keys<'_>,
    ) {
        let groups = site.rule.is_some_and(|id| self.plan.rules[usize::from(id)].kind == FieldKind::Grouping);
        let before = self.groups;
        self.groups |= groups;
        self.ruled_string(bytes, site, map, depth, outer);
        self.groups = before;
    }

    fn ruled_string(
        &mut self,
        bytes: &[u8],
        site: &Site<'_>,
        map: Option<&[u64]>,
        depth: usize,
        outer: &Keys<'_>,
    ) {
        let plan = self.plan;
        let raw = &bytes[site.range.clone()];
        let mut view = self.pool.views.pop().unwrap_or_default();
        let escaped = memchr::memchr(b'\\', raw).is_some();
        if escaped {
            view.read(Layer::JsonString, raw);
        }
        let value = if escaped { view.text.as_slice() } else { raw };
        let key = site.path.key().map(as_read);
        self.trace_at(|| Keys::walked(site.path, outer));
        // An element stands under the key of its array.
        let near = site.path.keys().next().map(as_read);
        let decided = self.rules_for(site.rule, site.under).find_map(|id| {
            let rule = &plan.rules[usize::from(id)];
            match self.decide(rule, value, near.as_deref(), site.rule != Some(id), depth) {
                Decision::Look => None,
                decision => Some((id, decision)),
            }
        });
        let Some((id, decision)) = decided else {
            self.trace_spared(site.rule, site.under, near.as_deref(), value);
            self.pool.views.push(view);
            let keys = Keys::walked(site.path, outer);
            let context = Context { state: site.state, under: None, depth, keys: &keys };
            if let Some(map) = map {
                self.string(bytes, site.range.clone(), map, context);
            }
            return;
        };
        let rule = &plan.rules[usize::from(id)];
        self.trace_left(&decision, rule, value);
        let quoted = site.range.start - 1..site.range.end + 1;
        let first = self.pool.edits.list.len();
        let under = if redacts(rule) { Some(id) } else { site.under };
        let is_own = site.rule == Some(id);
        let keys = Keys::walked(site.path, outer);
        let context = Context { state: site.state, under: None, depth, keys: &keys };
        match decision {
            Decision::Leave | Decision::Look => {}
            Decision::Null => {
                self.learn(rule, value, is_own, key.as_deref());
                self.push_void(quoted, b"null", rule, value);
            }
            Decision::Exchange(other) => self.push_text(site.range.clone(), &other, rule),
            Decision::Inside if self.nested(value, Context { under, ..context }) => {
                if escaped {
                    self.note_decoded(&view);
                    self.map_back(first, &view, Layer::JsonString);
                }
                self.shift(first, site.range.start);
            }
            Decision::Inside | Decision::Replace => {
                self.learn(rule, value, is_own, key.as_deref());
                self.replace_ruled(rule, value);
                if escaped {
                    self.map_back(first, &view, Layer::JsonString);
                }
                self.shift(first, site.range.start);
            }
        }
        self.pool.views.push(view);
    }
}
