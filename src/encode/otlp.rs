//! What was replaced in an OTLP document, back into the body that it was read from.
//!
//! In: the body, its [`Document`], and the replacements in that. Out: the body with the same bytes but for the leaves that
//! were replaced, the lengths of all messages around them, and what was left out; and what became of each item.
//!
//! An item is a span, log record, data point or profile. Its resource, scope and metric say something about it, so what
//! is replaced there is replaced in each of their items.

use crate::frame::otlp::table::Role;
use crate::frame::otlp::wire::write_varint;
use crate::frame::otlp::{Document, Encoding, Fill, Form, Leaf, Tree};
use crate::outcome::Reason;
use crate::redact::{FoundAttribute, OnError, Replacement, Replacements};
use base64::Engine as _;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

/// What stands for a value that nobody could read.
const UNSCANNED: &[u8] = b"[unscanned]";

/// What became of the items of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// Items in which nothing was replaced.
    pub(crate) clean: u64,
    /// Items in which, or around which, something was.
    pub(crate) redacted: u64,
    /// Items, or containers that could not be read, that are left out.
    pub(crate) dropped: Vec<(Reason, u64)>,
    /// Values that could not be looked at, and were replaced.
    pub(crate) unscanned: u64,
    /// The bytes differ from those that came.
    pub(crate) changed: bool,
}

/// Appends the body with its replacements to `out`: those `around` the items and in them, and what goes of what was `found` before in the
/// attributes that were not read.
///
/// `conduct` says what becomes of what could not be read; `Pass` leaves it as it came.
///
/// # Errors
/// The body is refused: by `conduct`, or by the policy where nothing would be left. Then nothing was appended.
pub(crate) fn rewrite(
    source: &[u8],
    document: &Document,
    (around, of_items, found): (&Replacements, &Replacements, &[Arc<FoundAttribute>]),
    conduct: OnError,
    out: &mut Vec<u8>,
) -> Result<Rewritten, Reason> {
    if around.drop_all || of_items.drop_all {
        return Err(Reason::Policy);
    }
    if around.list.is_empty()
        && of_items.list.is_empty()
        && found.is_empty()
        && document.broken.is_empty()
        && document.opaque.is_empty()
    {
        // PERF: most requests of most senders.
        out.extend_from_slice(source);
        return Ok(Rewritten { clean: document.items.len() as u64, ..Rewritten::default() });
    }
    if conduct == OnError::Reject {
        let opaque = document.opaque.first().map(|_| Reason::Binary);
        if let Some(reason) = document.broken.first().map(|(_, reason)| *reason).or(opaque) {
            return Err(reason);
        }
    }
    let mut rewrite = Rewrite {
        source,
        document,
        nodes: vec![NodeState::default(); document.nodes.len()],
        edits: Vec::new(),
        shared: Vec::new(),
        unscanned: 0,
    };
    rewrite.leaves(document.around(), &around.list)?;
    rewrite.leaves(document.of_items(), &of_items.list)?;
    rewrite.found(document.around(), found);
    rewrite.found(document.of_items(), found);
    rewrite.strings()?;
    if conduct != OnError::Pass {
        rewrite.opaque();
    }
    rewrite.broken(conduct);
    rewrite.leave_out();
    rewrite.lengths();
    let mut rewritten = rewrite.count();
    rewritten.changed = rewrite.splice(out);
    Ok(rewritten)
}

/// One replacement of bytes of the body.
#[derive(Debug)]
struct SourceEdit<'r> {
    range: Range<usize>,
    text: Cow<'r, [u8]>,
    node: usize,
    /// Bytes of the length before it that go with it; the node's own are not among them.
    prefix: u8,
    /// The leaf that it lies in: its length is that of all of it.
    leaf: Range<usize>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Default)]
struct NodeState {
    /// It could not be read.
    broken: bool,
    /// Something was replaced that this message itself says.
    touched: bool,
    /// How much longer its content gets.
    growth: isize,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fate {
    #[default]
    Stay,
    /// Not there any more, with its tag.
    Out(Reason),
    /// There, and empty.
    Emptied,
    /// Its bytes were replaced by somebody else.
    Moot,
}

struct Rewrite<'r> {
    source: &'r [u8],
    document: &'r Document,
    nodes: Vec<NodeState>,
    edits: Vec<SourceEdit<'r>>,
    shared: Vec<SharedEdit<'r>>,
    unscanned: u64,
}

/// What one reading of a string of the table replaces in it.
#[derive(Debug)]
struct SharedEdit<'r> {
    string: usize,
    /// The string as it stands in the tree, the same in every reading.
    flat: &'r [u8],
    /// Bytes of that.
    range: Range<usize>,
    text: &'r [u8],
}

impl<'r> Rewrite<'r> {
    /// Brings what was replaced in the tree to the leaves that it was read from.
    fn leaves(&mut self, tree: &'r Tree, list: &'r [Replacement]) -> Result<(), Reason> {
        let leaves = &tree.leaves;
        let mut rest = list;
        let mut ambiguous = Vec::new();
        while let Some(first) = rest.first() {
            let at = leaves.partition_point(|leaf| leaf.flat.end() < first.range.start);
            let leaf = leaves.get(at).filter(|leaf| lies_in(&first.range, leaf));
            // Nothing but leaves is ever replaced: containers that lie too deep are not in the tree.
            let leaf = leaf.ok_or(Reason::Panic)?;
            let here = rest.iter().take_while(|next| lies_in(&next.range, leaf)).count();
            let (own, behind) = rest.split_at(here);
            rest = behind;
            if own.iter().any(|replacement| replacement.drop_item) {
                let holder = self.holder(leaf.node()).ok_or(Reason::Policy)?;
                self.nodes[holder].fate = Fate::Out(Reason::Policy);
            }
            match leaf.form {
                Form::Ambiguous { .. } => ambiguous.push((leaf, own)),
                Form::Shared { string, .. } => self.shared(tree, leaf, string as usize, own),
                _ => self.leaf(tree, leaf, own)?,
            }
        }
        let mut found: Vec<Range<usize>> = self.edits.iter().map(|edit| edit.range.clone()).collect();
        found.sort_by_key(|range| range.start);
        ambiguous.into_iter().for_each(|(leaf, own)| self.ambiguous(leaf, own, &found));
        Ok(())
    }

    fn leaf(&mut self, tree: &Tree, leaf: &Leaf, own: &'r [Replacement]) -> Result<(), Reason> {
        let whole = |text| (leaf.source.range(), text);
        let edits: Vec<(Range<usize>, Cow<'r, [u8]>)> = match leaf.form {
            Form::Delimited { escaped: false, .. } | Form::Quoted => {
                // JSON of OTLP has no null that all of its receivers take for no text.
                match own {
                    [only] if only.range.start < leaf.flat.start() => vec![whole(Cow::Borrowed(&[][..]))],
                    _ => own
                        .iter()
                        .map(|replacement| (in_source(leaf, replacement), borrowed(replacement)))
                        .collect(),
                }
            }
            Form::Verbatim => {
                own.iter().map(|replacement| (in_source(leaf, replacement), borrowed(replacement))).collect()
            }
            Form::Delimited { escaped: true, .. } | Form::Ambiguous { .. } | Form::Shared { .. } => {
                vec![whole(Cow::Owned(read_back(tree, leaf, own)?))]
            }
            Form::Sized | Form::Hex => {
                let zero = if leaf.form == Form::Hex { b'0' } else { 0 };
                vec![whole(Cow::Owned(vec![zero; leaf.source.len()]))]
            }
            Form::Varint => {
                let mut text = Vec::new();
                write_varint(number(leaf, own), &mut text);
                vec![whole(Cow::Owned(text))]
            }
            // Exactly: what stands for a number stays below 2^53.
            #[allow(clippy::cast_precision_loss)]
            Form::Double => vec![whole(Cow::Owned((number(leaf, own) as f64).to_le_bytes().to_vec()))],
            // How its receiver reads it nobody knows, and none but zero is one number in every way.
            Form::Binary { bytes } => vec![whole(Cow::Owned(vec![0; usize::from(bytes)]))],
            Form::Digits => vec![whole(Cow::Owned(number(leaf, own).to_string().into_bytes()))],
            Form::Base64 { .. } => {
                let text = read_back(tree, leaf, own)?;
                let coded = base64::engine::general_purpose::STANDARD.encode(text);
                vec![whole(Cow::Owned(coded.into_bytes()))]
            }
        };
        let prefix = match leaf.form {
            Form::Delimited { prefix, .. } => prefix,
            _ => 0,
        };
        self.touch(leaf.node());
        self.edits.extend(edits.into_iter().map(|(range, text)| SourceEdit {
            range,
            text,
            node: leaf.node(),
            prefix,
            leaf: leaf.source.range(),
        }));
        Ok(())
    }

    /// Brings what goes of the attributes of a tree that were not read to where they stand.
    fn found(&mut self, tree: &Tree, known: &'r [Arc<FoundAttribute>]) {
        for found in &tree.found {
            let (node, leaf) = (found.node as usize, found.value.range());
            self.touch(node);
            self.edits.extend(known[found.nth as usize].replaced().map(|(range, text)| SourceEdit {
                range: leaf.start + range.start..leaf.start + range.end,
                text: Cow::Borrowed(text),
                node,
                prefix: found.prefix,
                leaf: leaf.clone(),
            }));
        }
    }

    /// One reading of a string of the table.
    fn shared(&mut self, tree: &'r Tree, leaf: &'r Leaf, string: usize, own: &'r [Replacement]) {
        self.touch(leaf.node());
        self.touch(self.document.strings[string].node);
        let flat = &tree.text[leaf.flat.range()];
        self.shared.extend(own.iter().map(|replacement| {
            // One that takes the quotes too leaves null, which a string cannot be.
            let (range, text) = match replacement.range.start.checked_sub(leaf.flat.start()) {
                Some(start) => (start..replacement.range.end - leaf.flat.start(), &replacement.text[..]),
                None => (0..flat.len(), &[][..]),
            };
            SharedEdit { string, flat, range, text }
        }));
    }

    /// Brings together what all readings of each string replace. Of those that overlap, the longest of the first says what stands there.
    fn strings(&mut self) -> Result<(), Reason> {
        let mut all = std::mem::take(&mut self.shared);
        all.sort_by_key(|edit| (edit.string, edit.range.start, Reverse(edit.range.end)));
        for of_one in all.chunk_by(|one, next| one.string == next.string) {
            let mut merged: Vec<(Range<usize>, &'r [u8])> = Vec::new();
            for SharedEdit { range, text, .. } in of_one {
                match merged.last_mut() {
                    // What is put in between, behind a key, is put there once.
                    Some((last, _)) if range.start < last.end || *range == *last => {
                        last.end = last.end.max(range.end);
                    }
                    _ => merged.push((range.clone(), *text)),
                }
            }
            let (flat, string) = (of_one[0].flat, &self.document.strings[of_one[0].string]);
            let leaf = string.source.clone();
            let edits = if flat.len() == leaf.len() {
                let at = |range: Range<usize>| leaf.start + range.start..leaf.start + range.end;
                merged.into_iter().map(|(range, text)| (at(range), Cow::Borrowed(text))).collect()
            } else {
                let edits = merged.iter().map(|(range, text)| (range.clone(), *text));
                vec![(leaf.clone(), Cow::Owned(unescaped(flat, edits)?))]
            };
            self.edits.extend(edits.into_iter().map(|(range, text)| SourceEdit {
                range,
                text,
                node: string.node,
                prefix: string.prefix,
                leaf: leaf.clone(),
            }));
        }
        Ok(())
    }

    /// A field that is a message and text at once. If reading it as text finds what reading it as a message did not, nobody
    /// can say what it is, and it goes. `found` is sorted.
    fn ambiguous(&mut self, leaf: &'r Leaf, own: &'r [Replacement], found: &[Range<usize>]) {
        let Form::Ambiguous { prefix, escaped, inner } = leaf.form else { return };
        let is_found = |range: Range<usize>| {
            let at = found.partition_point(|other| other.end < range.end);
            found.get(at).is_some_and(|other| other.start <= range.start && range.end <= other.end)
        };
        if escaped || !own.iter().all(|replacement| is_found(in_source(leaf, replacement))) {
            self.nodes[inner as usize].fate = Fate::Moot;
            self.unscanned += 1;
            self.replace_whole(leaf.node(), leaf.source.range(), prefix, UNSCANNED);
        }
    }

    /// Values that could not be read.
    fn opaque(&mut self) {
        static STAND_IN_BASE64: &[u8] = b"W3Vuc2Nhbm5lZF0=";
        for opaque in &self.document.opaque {
            let text = match opaque.fill {
                Fill::Empty => &[][..],
                Fill::StandIn => UNSCANNED,
                Fill::StandInBase64 => STAND_IN_BASE64,
            };
            self.unscanned += 1;
            self.replace_whole(opaque.node, opaque.source.clone(), opaque.prefix, text);
        }
    }

    fn replace_whole(&mut self, node: usize, range: Range<usize>, prefix: u8, text: &'r [u8]) {
        self.touch(node);
        let leaf = range.clone();
        self.edits.push(SourceEdit { range, text: Cow::Borrowed(text), node, prefix, leaf });
    }

    /// Messages that could not be read.
    fn broken(&mut self, conduct: OnError) {
        for (node, reason) in &self.document.broken {
            self.nodes[*node].broken = true;
            self.nodes[*node].fate = match conduct {
                OnError::Pass => Fate::Stay,
                OnError::Replace => Fate::Emptied,
                OnError::DropItem | OnError::Reject => Fate::Out(*reason),
            };
        }
    }

    /// The item or container that a node is a part of.
    fn holder(&self, mut node: usize) -> Option<usize> {
        loop {
            let known = &self.document.nodes[node];
            if known.role != Role::Part {
                return Some(node);
            }
            if known.parent() == node {
                return None;
            }
            node = known.parent();
        }
    }

    /// What lies around all items, as a dictionary does, says something about each.
    fn touch(&mut self, node: usize) {
        let holder = self.holder(node).unwrap_or_default();
        self.nodes[holder].touched = true;
    }

    /// Passes the fate of each message on to those in it, and forgets edits in what is not there any more.
    fn leave_out(&mut self) {
        for (at, node) in self.document.nodes.iter().enumerate().skip(1) {
            let around = self.nodes[node.parent()].fate;
            if around != Fate::Stay {
                self.nodes[at].fate = match around {
                    Fate::Out(reason) => Fate::Out(reason),
                    other => other,
                };
            }
        }
        let nodes = &self.nodes;
        self.edits.retain(|edit| nodes[edit.node].fate == Fate::Stay);
        let mut out = Vec::new();
        for (at, node) in self.document.nodes.iter().enumerate().skip(1) {
            if self.nodes[node.parent()].fate != Fate::Stay {
                continue;
            }
            match self.nodes[at].fate {
                Fate::Stay | Fate::Moot => {}
                Fate::Out(_) => out.push((node.whole(), node.parent())),
                Fate::Emptied => {
                    let mut emptied = gone(node.content.range(), node.parent(), node.prefix);
                    if self.document.encoding == Encoding::Json {
                        emptied.text = Cow::Borrowed(b"{}");
                    }
                    self.edits.push(emptied);
                }
            }
        }
        if self.document.encoding == Encoding::Json {
            out = self.with_commas(out);
        }
        self.edits.extend(out.into_iter().map(|(range, node)| gone(range, node, 0)));
        self.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        // A number that was read in two ways: the same bytes.
        self.edits.dedup_by(|next, kept| next.range == kept.range);
    }

    /// Elements that are left out of arrays, in runs, each with a comma.
    fn with_commas(&self, mut out: Vec<(Range<usize>, usize)>) -> Vec<(Range<usize>, usize)> {
        let source = self.source;
        let is_blank = |byte: &&u8| byte.is_ascii_whitespace();
        out.sort_by_key(|(range, _)| range.start);
        let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
        for (range, node) in out {
            match runs.last_mut() {
                Some((run, _))
                    if source[run.end..range.start].iter().all(|byte| *byte == b',' || is_blank(&byte)) =>
                {
                    run.end = range.end;
                }
                _ => runs.push((range, node)),
            }
        }
        for (run, _) in &mut runs {
            let behind = run.end + source[run.end..].iter().take_while(is_blank).count();
            let before = run.start - source[..run.start].iter().rev().take_while(is_blank).count();
            if source.get(behind) == Some(&b',') {
                run.end = behind + 1;
            } else if before > 0 && source[before - 1] == b',' {
                run.start = before - 1;
            }
        }
        runs
    }

    /// Adds the lengths of all messages around what changed.
    fn lengths(&mut self) {
        let mut lengths = Vec::new();
        let mut at = 0;
        while let Some(first) = self.edits.get(at) {
            let (leaf, node, prefix) = (first.leaf.clone(), first.node, first.prefix);
            let mut growth = 0;
            while let Some(edit) = self.edits.get(at).filter(|edit| edit.leaf == leaf) {
                growth += edit.text.len().cast_signed() - edit.range.len().cast_signed();
                at += 1;
            }
            let of_prefix = self.length(&leaf, prefix, growth, node, &mut lengths);
            self.nodes[node].growth += growth + of_prefix;
        }
        if self.document.encoding == Encoding::Json {
            return;
        }
        // Each message stands after the one around it.
        for at in (1..self.document.nodes.len()).rev() {
            let growth = self.nodes[at].growth;
            if growth == 0 || self.nodes[at].fate != Fate::Stay {
                continue;
            }
            let node = &self.document.nodes[at];
            let of_prefix =
                self.length(&node.content.range(), node.prefix, growth, node.parent(), &mut lengths);
            self.nodes[node.parent()].growth += growth + of_prefix;
        }
        self.edits.extend(lengths);
        self.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    }

    /// Notes the new length of something that grows, and returns how much longer that itself gets.
    fn length(
        &self,
        content: &Range<usize>,
        prefix: u8,
        growth: isize,
        node: usize,
        lengths: &mut Vec<SourceEdit<'r>>,
    ) -> isize {
        if prefix == 0 || growth == 0 {
            return 0;
        }
        let prefix = usize::from(prefix);
        let mut text = Vec::with_capacity(prefix);
        let length = content.len().checked_add_signed(growth).expect("no more goes than is there");
        write_varint(length as u64, &mut text);
        let grown = text.len().cast_signed() - prefix.cast_signed();
        let range = content.start - prefix..content.start;
        lengths.push(SourceEdit { leaf: range.clone(), range, text: Cow::Owned(text), node, prefix: 0 });
        grown
    }

    fn count(&self) -> Rewritten {
        let mut rewritten = Rewritten { unscanned: self.unscanned, ..Rewritten::default() };
        let mut drop_item =
            |reason: Reason| match rewritten.dropped.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, n)) => *n += 1,
                None => rewritten.dropped.push((reason, 1)),
            };
        let mut around = vec![false; self.nodes.len()];
        for (at, node) in self.document.nodes.iter().enumerate() {
            let state = &self.nodes[at];
            around[at] = around[node.parent()] || state.touched || state.fate == Fate::Emptied;
            match (node.role, state.fate) {
                (Role::Item, Fate::Out(reason)) => drop_item(reason),
                (Role::Container, Fate::Out(reason)) if state.broken => drop_item(reason),
                (Role::Container, Fate::Emptied) if state.broken => rewritten.redacted += 1,
                (Role::Container, Fate::Stay) if state.broken => rewritten.clean += 1,
                (Role::Item, _) if around[at] => rewritten.redacted += 1,
                (Role::Item, _) => rewritten.clean += 1,
                (Role::Container | Role::Part, _) => {}
            }
        }
        rewritten
    }

    /// Appends the body with its edits; true if there are any.
    fn splice(&self, out: &mut Vec<u8>) -> bool {
        out.reserve(self.source.len());
        let mut at = 0;
        for edit in &self.edits {
            out.extend_from_slice(&self.source[at..edit.range.start]);
            out.extend_from_slice(&edit.text);
            at = edit.range.end;
        }
        out.extend_from_slice(&self.source[at..]);
        !self.edits.is_empty()
    }
}

/// Bytes that go for nothing.
fn gone<'r>(range: Range<usize>, node: usize, prefix: u8) -> SourceEdit<'r> {
    SourceEdit { leaf: range.clone(), range, text: Cow::Borrowed(&[][..]), node, prefix }
}

/// What stands for a number: another one, under a key, or else 0.
fn number(leaf: &Leaf, own: &[Replacement]) -> u64 {
    match own {
        [only] if only.range == leaf.flat.range() => {
            std::str::from_utf8(&only.text).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// A leaf's text as its receiver reads it, with the replacements in it.
fn read_back(tree: &Tree, leaf: &Leaf, own: &[Replacement]) -> Result<Vec<u8>, Reason> {
    if own.iter().any(|replacement| replacement.range.start < leaf.flat.start()) {
        return Ok(Vec::new());
    }
    let start = leaf.flat.start();
    let edits = own.iter().map(|replacement| {
        (replacement.range.start - start..replacement.range.end - start, &replacement.text[..])
    });
    unescaped(&tree.text[leaf.flat.range()], edits)
}

/// The text of a JSON string, without its quotes, with replacements in it.
fn unescaped<'e>(
    flat: &[u8],
    edits: impl Iterator<Item = (Range<usize>, &'e [u8])>,
) -> Result<Vec<u8>, Reason> {
    let mut written = vec![b'"'];
    let mut at = 0;
    for (range, text) in edits {
        written.extend_from_slice(&flat[at..range.start]);
        written.extend_from_slice(text);
        at = range.end;
    }
    written.extend_from_slice(&flat[at..]);
    written.push(b'"');
    // Both its text and its stand-ins are JSON; were they not, nothing of the body goes on.
    serde_json::from_slice::<String>(&written).map(String::into_bytes).map_err(|_| Reason::Panic)
}

/// True if a replacement lies in a leaf, or takes its quotes too.
fn lies_in(range: &Range<usize>, leaf: &Leaf) -> bool {
    let flat = leaf.flat.range();
    range.start + 1 >= flat.start && range.start <= flat.end && range.end <= flat.end + 1
}

/// The bytes of the body that a replacement within a leaf takes, where those were copied.
fn in_source(leaf: &Leaf, replacement: &Replacement) -> Range<usize> {
    let start = leaf.source.start() + (replacement.range.start - leaf.flat.start());
    start..start + replacement.range.len()
}

fn borrowed(replacement: &Replacement) -> Cow<'_, [u8]> {
    Cow::Borrowed(&replacement.text)
}
