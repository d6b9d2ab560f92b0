//! Scrubs an item that is held whole: without its known sections where there are some, and all of it where those do not stand.
//!
//! In: the bytes of an item and how they are to be read. Out: the bytes to send on, with remarks on what content went if it is a
//! Sentry event. What is found is `engine`'s work, which sections are known is [`super::known`]'s.

use super::action::Mode;
use super::engine::Engine;
use super::known::{Abridged, KnownSections, Terms, Walk};
use super::learnt::LeftOut;
use super::pool::{Pool, is_trail_of};
use super::remarks;
use super::scrubber::{Found, ItemFormat, ItemScope, Scrubber, Verdict};
use crate::scan::Work;
use std::sync::Arc;

/// Whether an event says what content was taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remarks {
    Unsaid,
    Noted,
}

/// What a scan says of an item.
struct Scanned {
    found: Found,
    given_up: bool,
    broken: bool,
}

impl Scrubber {
    /// Scrubs a whole item and appends the result to `out`.
    pub fn item(&mut self, format: ItemFormat, scope: ItemScope, bytes: &[u8], out: &mut Vec<u8>) -> Verdict {
        self.whole(format, scope, bytes, Remarks::Unsaid, out)
    }

    /// Scrubs a whole Sentry event, and notes in it what content was taken out.
    pub fn event(&mut self, scope: ItemScope, bytes: &[u8], out: &mut Vec<u8>) -> Verdict {
        self.whole(ItemFormat::Json, scope, bytes, Remarks::Noted, out)
    }

    fn whole(
        &mut self,
        format: ItemFormat,
        scope: ItemScope,
        bytes: &[u8],
        said: Remarks,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Some(known) = self.known(format, bytes) else {
            let scanned = self.scan(format, scope, bytes, bytes, None);
            return self.finished(bytes, None, scanned.expect("nothing was left out"), said, out);
        };
        let mut abridged = std::mem::take(&mut self.pool.abridged);
        let mut verdict = None;
        let terms = Terms::new(&self.plan, scope.into(), self.limits, said == Remarks::Noted);
        if known.abridge(terms, bytes, &mut abridged) {
            verdict = self.rest(format, scope, bytes, (&known, terms, &abridged), said, out);
        }
        abridged.clear();
        let verdict = verdict.unwrap_or_else(|| {
            let scanned = self.scan(format, scope, bytes, bytes, Some((&known, terms, &abridged)));
            self.finished(bytes, None, scanned.expect("nothing was left out"), said, out)
        });
        self.pool.abridged = abridged;
        verdict
    }

    /// The sections that may be left out of an item: only what every scan of it would leave as it is, and for nobody who asks why.
    fn known(&self, format: ItemFormat, bytes: &[u8]) -> Option<Arc<KnownSections>> {
        let may_be_short = matches!(format, ItemFormat::Json | ItemFormat::JsonOrText)
            && self.plan.mode() == Mode::Enforce
            && self.trace.is_none()
            && !bytes.starts_with(b"\xef\xbb\xbf");
        self.plan.known.as_ref().filter(|_| may_be_short).map(Arc::clone)
    }

    /// Scrubs an item of which only the rest is scanned. `None`, and nothing done, if what was left out must be looked at again.
    fn rest(
        &mut self,
        format: ItemFormat,
        scope: ItemScope,
        bytes: &[u8],
        known: (&KnownSections, Terms, &Abridged),
        said: Remarks,
        out: &mut Vec<u8>,
    ) -> Option<Verdict> {
        let abridged = known.2;
        let scanned = self.scan(format, scope, &abridged.text, bytes, Some(known))?;
        abridged.restore(&mut self.pool.edits);
        let verdict = self.finished(bytes, Some(abridged), scanned, said, out);
        self.bytes_known += abridged.bytes_left_out() as u64;
        Some(verdict)
    }

    /// Scans `text`: all of an item, or what is left of the `document` without its known sections. `None`, and nothing paid, if those do
    /// not stand.
    fn scan(
        &mut self,
        format: ItemFormat,
        scope: ItemScope,
        text: &[u8],
        document: &[u8],
        known: Option<(&KnownSections, Terms, &Abridged)>,
    ) -> Option<Scanned> {
        self.pool.learnt.clear();
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), document.len());
        engine.left_out = known.map(|(_, _, abridged)| LeftOut::Sections(abridged, document));
        engine.trace = self.trace.as_deref_mut();
        engine.trace_item();
        let mark = engine.trace_mark();
        if text.len() < document.len() {
            // To read it is part of the budget.
            engine.work.spend((document.len() - text.len()) * Work::DECODE);
        }
        let broken = engine.item(format, text);
        let given_up = broken && format == ItemFormat::Json;
        let places = if given_up { None } else { engine.taught_places(text) };
        if let Some((known, terms, abridged)) = known
            && !engine.sections_stand(known, terms, abridged, (text, document), places.as_deref(), broken)
        {
            return None;
        }
        engine.left_out = None;
        let is_document = matches!(format, ItemFormat::Json | ItemFormat::JsonOrText) && !broken;
        if !given_up && engine.begins_again(text, places, is_document) {
            if text.len() < document.len() {
                // All strings are looked at now, those that are left out as well.
                return None;
            }
            engine.trace_undo(mark);
            engine.item(format, text);
        }
        // LEAK: what stands for a section has to be there still, after strings were looked at again as well.
        if known.is_some_and(|(_, _, abridged)| abridged.is_touched(&engine.pool.edits)) {
            return None;
        }
        engine.pool.learnt.clear();
        Some(Scanned { found: engine.found(), given_up, broken })
    }

    /// Ends an item of which all edits are found.
    fn finished(
        &mut self,
        document: &[u8],
        abridged: Option<&Abridged>,
        Scanned { found, given_up, broken }: Scanned,
        said: Remarks,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let start = out.len();
        let verdict = self.finish(document, found, given_up, broken, out);
        if said == Remarks::Noted && verdict.changed && out.len() > start {
            // An event that they cannot be added to is left as it is.
            let _ = remarks::note(document, abridged, &mut self.pool, self.plan.sought(), out, start);
        }
        verdict
    }
}

impl Engine<'_> {
    /// After the first walk of an item, of which `places` are those that [`Engine::taught_places`] says: keeps the sections that it noted.
    /// False if something was left out that does not stand where it did, or in which something may be found this time.
    fn sections_stand(
        &mut self,
        known: &KnownSections,
        terms: Terms,
        abridged: &Abridged,
        (text, document): (&[u8], &[u8]),
        places: Option<&[usize]>,
        broken: bool,
    ) -> bool {
        let mut keys = std::mem::take(&mut self.pool.scratch);
        let Pool { walkers, sweeps, edits, learnt, .. } = &*self.pool;
        let Some(walker) = walkers.last() else { return abridged.is_empty() };
        let sweep = sweeps.last().filter(|sweep| is_trail_of(text, sweep, walker));
        let walk = Walk { text, sweep, sections: walker.sections(), trail: walker.trail() };
        let is_paid = !self.work.is_exhausted();
        let mut stand = !broken && is_paid && known.stand(terms, abridged, walk, &mut keys);
        if stand && let Some(places) = places.filter(|_| !learnt.spelled_too_much()) {
            known.keep(terms, abridged, document, walk, (edits, learnt, places), &mut keys);
        }
        self.pool.scratch = keys;
        if stand
            && !abridged.is_empty()
            && let Some(place) = self.taught_of(abridged, document)
        {
            known.missed_at(abridged, place);
            stand = false;
        }
        stand || abridged.is_empty()
    }
}
