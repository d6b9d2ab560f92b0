//! One OTLP body as a tree of paths, and where each leaf of it came from.

use super::strings::SharedString;
use super::table::Role;
use super::{Encoding, ReadLimits, Unread};
use crate::outcome::Reason;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// One body as JSON for the engine: what lies around the items, and each item as a document of its own, under the same path
/// as in the whole. It cannot print what a sender sent.
///
/// So a value that one span teaches is looked for in that span, as it is in one event of other protocols.
pub(crate) struct Document {
    /// How the body is written.
    pub(crate) encoding: Encoding,
    /// What is being written: the tree around the items, or in between the items.
    tree: Tree,
    /// The other of the two.
    aside: Tree,
    pub(crate) items: Vec<Item>,
    /// Messages or objects, each after the one around it; the first is the body.
    pub(crate) nodes: Vec<Node>,
    /// Nodes with a role that could not be read; nothing of them is in the tree.
    pub(crate) broken: Vec<(usize, Reason)>,
    /// Values that could not be read.
    pub(crate) opaque: Vec<Opaque>,
    /// What the body refers to by its place in here.
    pub(crate) strings: Vec<SharedString>,
    pub(super) bytes_max: usize,
}

/// The debug form shows no bytes.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.tree.text.len() + self.aside.text.len();
        write!(f, "Document({bytes} bytes, {} items)", self.items.len())
    }
}

/// JSON, and where its leaves come from: attributes as members, no numbers of the protocol.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) text: Vec<u8>,
    /// In the order of `text`.
    pub(crate) leaves: Vec<Leaf>,
    /// Attributes that may be known from here on, in the order of `text`.
    pub(crate) attributes: Vec<Attribute>,
    /// Where in the body the attributes stand that were not read, since they are known to hold nothing. [`LEFT_OUT`] stands for each run
    /// of them.
    pub(crate) left_out: Vec<Extent>,
    /// Those that were not read, and of which something goes. [`TAUGHT`] stands for one that teaches, for others as for the clean ones.
    pub(crate) found: Vec<Found>,
}

/// A member that says nothing, and takes nothing of what stands beside it.
const LEFT_OUT: &[u8] = b"\"\":0";
/// The same, at a place that the walk can tell.
const TAUGHT: &[u8] = b"\"\":{}";
/// Length of the empty container.
const EMPTY: usize = 2;

/// An item in the tree of the items: its parts of [`Tree::text`], [`Tree::leaves`], [`Tree::attributes`], [`Tree::left_out`] and
/// [`Tree::found`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) text: Range<usize>,
    pub(crate) leaves: Range<usize>,
    pub(crate) attributes: Range<usize>,
    pub(crate) left_out: Range<usize>,
    pub(crate) found: Range<usize>,
}

impl Item {
    /// True if something of it was not read.
    pub(crate) fn leaves_out(&self) -> bool {
        !self.left_out.is_empty() || !self.found.is_empty()
    }
}

/// An attribute that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// As [`KnownAttributes::place`] told it.
    pub(crate) place: u16,
    /// It may have come before.
    pub(crate) came: bool,
    /// Its message in the body.
    pub(crate) source: Extent,
    /// Its member in the tree: key, colon and value.
    pub(crate) flat: Extent,
}

/// Attributes that need not be read again, as what is found in them where they stand is known.
pub(crate) trait KnownAttributes {
    /// The place of the attributes in `list` of the message that `trail` leads to; `None` if nothing can be known there.
    fn place(&mut self, trail: &[Step], list: &'static str) -> Option<u16>;
    /// What is known of the message of an attribute at a place.
    fn look_up(&mut self, place: u16, attribute: &[u8]) -> LookedUp;
}

/// What is known of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookedUp {
    /// Nothing; and whether it may have come before.
    Unknown { came: bool },
    /// Nothing was found in it.
    Clean,
    /// Something goes of it, which is known by this number, counted from 0 in every body. It is plain, and a text.
    Found { nth: u32, teaches: bool },
}

/// An attribute that was not read, and of which something goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The empty container that stands for it in the tree, if it teaches something.
    pub(crate) at: Option<u32>,
    /// Its message in the body.
    pub(crate) source: Extent,
    /// The text that is its value, the length before that, and the message around it.
    pub(crate) value: Extent,
    pub(crate) prefix: u8,
    pub(crate) node: u32,
    /// As [`LookedUp::Found`] told it.
    pub(crate) nth: u32,
}

/// One step of the way from the body to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// It leads to an element of a list.
    pub(crate) many: bool,
}

/// A range of a body or of its tree.
///
/// PERF: a body of many small values has a place for each that is as long as itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    start: u32,
    end: u32,
}

impl Extent {
    pub(crate) fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    pub(crate) fn len(self) -> usize {
        self.end() - self.start()
    }
}

impl From<Range<usize>> for Extent {
    fn from(range: Range<usize>) -> Self {
        Self { start: counted(range.start), end: counted(range.end) }
    }
}

/// A place or a number of things in a body.
pub(super) fn counted(n: usize) -> u32 {
    u32::try_from(n).expect("bodies and their trees are not longer")
}

/// A text or number of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Where it stands in the tree, a text without its quotes.
    pub(crate) flat: Extent,
    /// Where it stands in the body, without what says its length, and without quotes.
    pub(crate) source: Extent,
    /// The message that it belongs to.
    node: u32,
    pub(crate) form: Form,
}

/// How a leaf stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As many bytes as the varint of `prefix` bytes before it says.
    Delimited { prefix: u8, escaped: bool },
    /// The same, of a length that its receiver insists on.
    Sized,
    /// The same, and also a message: the node `inner`. This leaf is the reading as text.
    Ambiguous { prefix: u8, escaped: bool, inner: u32 },
    /// A string of the table, the one of that number, whoever refers to it.
    Shared { string: u32, escaped: bool },
    /// A whole number of a value, as a varint.
    Varint,
    /// A floating-point number of a value.
    Double,
    /// A number of an unknown field, zero of which has `bytes` bytes.
    Binary { bytes: u8 },
    /// JSON, copied as it was.
    Verbatim,
    /// A string of JSON, copied with its escapes.
    Quoted,
    /// Digits in JSON, within quotation marks or without.
    Digits,
    /// Base64 in a string of JSON.
    Base64 { escaped: bool },
    /// Hexadecimal digits in a string of JSON.
    Hex,
}

/// A message on the wire, or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The one around it; of the body itself, itself.
    parent: u32,
    pub(crate) role: Role,
    /// Where its tag begins; of an object its brace.
    start: u32,
    pub(crate) content: Extent,
    /// Bytes of the varint before the content; 0 for the body and for objects.
    pub(crate) prefix: u8,
}

impl Leaf {
    /// The message that it belongs to.
    pub(crate) fn node(&self) -> usize {
        self.node as usize
    }
}

impl Node {
    /// `start` is where its tag begins; `parent` is the one around it.
    pub(super) fn new(parent: usize, role: Role, start: usize, content: Range<usize>, prefix: u8) -> Self {
        Self { parent: counted(parent), role, start: counted(start), content: content.into(), prefix }
    }

    /// The one around it; of the body itself, itself.
    pub(crate) fn parent(&self) -> usize {
        self.parent as usize
    }

    /// All of it, tag and length too.
    pub(crate) fn whole(&self) -> Range<usize> {
        self.start as usize..self.content.end()
    }

    /// Notes where it ends.
    pub(super) fn end_at(&mut self, end: usize) {
        self.content.end = counted(end);
    }

    /// Notes where what it holds begins.
    pub(super) fn begin_at(&mut self, start: usize) {
        self.content.start = counted(start);
    }
}

/// A value that nobody here can read, and that therefore may not stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opaque {
    pub(crate) node: usize,
    pub(crate) source: Range<usize>,
    pub(crate) prefix: u8,
    pub(crate) fill: Fill,
}

/// What may stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Nothing.
    Empty,
    /// `[unscanned]`.
    StandIn,
    /// That in base64.
    StandInBase64,
}

/// How far a document has been written, to come back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    tree: TreeMark,
    aside: TreeMark,
    items: usize,
    nodes: usize,
    broken: usize,
    opaque: usize,
}

/// How far a tree has been written.
#[derive(Debug, Clone, Copy, Default)]
struct TreeMark {
    text: usize,
    leaves: usize,
    attributes: usize,
    left_out: usize,
    found: usize,
}

impl Tree {
    /// What it holds, with its places.
    fn bytes(&self) -> usize {
        self.text.len()
            + self.leaves.len() * size_of::<Leaf>()
            + self.attributes.len() * size_of::<Attribute>()
            + self.left_out.len() * size_of::<Extent>()
            + self.found.len() * size_of::<Found>()
    }

    fn mark(&self) -> TreeMark {
        TreeMark {
            text: self.text.len(),
            leaves: self.leaves.len(),
            attributes: self.attributes.len(),
            left_out: self.left_out.len(),
            found: self.found.len(),
        }
    }

    fn back_to(&mut self, mark: TreeMark) {
        self.text.truncate(mark.text);
        self.leaves.truncate(mark.leaves);
        self.attributes.truncate(mark.attributes);
        self.left_out.truncate(mark.left_out);
        self.found.truncate(mark.found);
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Item {
        self.since(TreeMark::default())
    }

    /// All of it that was written since.
    fn since(&self, mark: TreeMark) -> Item {
        Item {
            text: mark.text..self.text.len(),
            leaves: mark.leaves..self.leaves.len(),
            attributes: mark.attributes..self.attributes.len(),
            left_out: mark.left_out..self.left_out.len(),
            found: mark.found..self.found.len(),
        }
    }
}

/// What stands beside a value in its container: what nobody knows is put there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Members,
    Elements,
}

impl Document {
    pub(super) fn new(encoding: Encoding, source: &[u8], limits: ReadLimits) -> Self {
        let body = Node::new(0, Role::Part, 0, 0..source.len(), 0);
        Self {
            tree: Tree::default(),
            aside: Tree::default(),
            items: Vec::new(),
            encoding,
            nodes: vec![body],
            broken: Vec::new(),
            opaque: Vec::new(),
            strings: Vec::new(),
            bytes_max: limits.bytes_max,
        }
    }

    /// Makes room for a whole body.
    pub(super) fn reserve(&mut self, source: &[u8]) {
        self.aside.text.reserve(source.len() + source.len() / 4);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            tree: self.tree.mark(),
            aside: self.aside.mark(),
            items: self.items.len(),
            nodes: self.nodes.len(),
            broken: self.broken.len(),
            opaque: self.opaque.len(),
        }
    }

    pub(super) fn back_to(&mut self, mark: Mark) {
        self.tree.back_to(mark.tree);
        self.aside.back_to(mark.aside);
        self.items.truncate(mark.items);
        self.nodes.truncate(mark.nodes);
        self.broken.truncate(mark.broken);
        self.opaque.truncate(mark.opaque);
    }

    /// What lies around the items. Once all is written.
    pub(crate) fn around(&self) -> &Tree {
        &self.tree
    }

    /// The items, one document behind the other. Once all is written.
    pub(crate) fn of_items(&self) -> &Tree {
        &self.aside
    }

    /// Notes that items, the `nths` of those in the tree in ascending order, are no JSON: what stands in them for a value may be anything.
    ///
    /// PERF: one pass for all: there may be as many as the body has room for.
    pub(crate) fn break_items(&mut self, nths: &[usize]) {
        let unread: HashSet<usize> = self.broken.iter().map(|(node, _)| *node).collect();
        let is_in_tree = |at: &usize| self.nodes[*at].role == Role::Item && !unread.contains(at);
        let mut nths = nths.iter().peekable();
        let items = (0..self.nodes.len()).filter(is_in_tree).enumerate();
        let broken = items.filter(|(nth, _)| nths.next_if_eq(&nth).is_some());
        self.broken.extend(broken.map(|(_, node)| (node, Reason::NotJson)));
        assert!(nths.next().is_none(), "each item of the tree has its message");
    }

    /// Begins an item, to which `trail` leads. Between this and its end no other begins.
    pub(super) fn begin_item(&mut self, trail: &[Step]) -> Mark {
        std::mem::swap(&mut self.tree, &mut self.aside);
        let mark = self.mark();
        for step in trail {
            self.raw("{");
            // A document begins, whatever stands before it.
            self.tree.text.push(b'"');
            self.raw(step.name);
            self.raw(if step.many { "\":[" } else { "\":" });
        }
        mark
    }

    /// Ends the item that began at `mark`.
    pub(super) fn end_item(&mut self, trail: &[Step], mark: Mark) {
        for step in trail.iter().rev() {
            self.raw(if step.many { "]}" } else { "}" });
        }
        self.items.push(self.tree.since(mark.tree));
        std::mem::swap(&mut self.tree, &mut self.aside);
    }

    /// Forgets the item that began at `mark`.
    pub(super) fn forget_item(&mut self, mark: Mark) {
        self.back_to(mark);
        std::mem::swap(&mut self.tree, &mut self.aside);
    }

    /// Adds a node and returns its place.
    ///
    /// # Errors
    /// `TooLarge` past the bound.
    pub(super) fn node(&mut self, node: Node) -> Result<usize, Unread> {
        self.check_size()?;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// # Errors
    /// `TooLarge` past the bound.
    pub(super) fn check_size(&self) -> Result<(), Unread> {
        let nodes = self.nodes.len() * size_of::<Node>();
        let bytes = self.tree.bytes() + self.aside.bytes() + nodes;
        if bytes > self.bytes_max { Err(Unread::TooLarge) } else { Ok(()) }
    }

    /// Writes the comma that the next member or element needs.
    pub(super) fn separate(&mut self) {
        if !matches!(self.tree.text.last(), None | Some(b'{' | b'[' | b':')) {
            self.tree.text.push(b',');
        }
    }

    /// Notes an attribute that is not read, and in which nothing is.
    pub(super) fn leave_out(&mut self, attribute: Range<usize>) {
        self.stand_in();
        self.tree.left_out.push(attribute.into());
    }

    /// Writes what stands for attributes that are not read, if it is not there yet: with fewer members an object may be read otherwise.
    fn stand_in(&mut self) {
        if !self.tree.text.ends_with(LEFT_OUT) {
            self.separate();
            self.tree.text.extend_from_slice(LEFT_OUT);
        }
    }

    /// Notes an attribute that is not read, of which something goes. `value` is its text, with the bytes of its length and the message around it.
    pub(super) fn leave_out_found(
        &mut self,
        (nth, teaches): (u32, bool),
        source: Range<usize>,
        (value, prefix, node): (Range<usize>, u8, usize),
    ) {
        let mut at = None;
        if teaches {
            self.separate();
            self.tree.text.extend_from_slice(TAUGHT);
            at = Some(counted(self.tree.text.len() - EMPTY));
        } else {
            self.stand_in();
        }
        let (source, value, node) = (source.into(), value.into(), counted(node));
        self.tree.found.push(Found { at, source, value, prefix, node, nth });
    }

    /// Notes an attribute that was read, and written since the tree had `from` bytes.
    pub(super) fn note_attribute(&mut self, (place, came): (u16, bool), source: Range<usize>, from: usize) {
        let from = from + usize::from(self.tree.text.get(from) == Some(&b','));
        let flat = (from..self.tree.text.len()).into();
        self.tree.attributes.push(Attribute { place, came, source: source.into(), flat });
    }

    /// Bytes of the tree that is being written.
    pub(super) fn text_bytes(&self) -> usize {
        self.tree.text.len()
    }

    /// True if the object that is being written counts its members from 0 so far: with others it may be the bytes of a file.
    pub(super) fn counts(&self, opened: usize) -> bool {
        self.tree.text[opened..].starts_with(b"{\"0\":")
    }

    /// Begins another member or element of no name.
    pub(super) fn beside(&mut self, beside: Beside) {
        self.separate();
        if beside == Beside::Members {
            self.tree.text.extend_from_slice(b"\"\":");
        }
    }

    /// Begins the member of a field.
    pub(super) fn name(&mut self, name: &str) {
        self.separate();
        self.tree.text.push(b'"');
        self.tree.text.extend_from_slice(name.as_bytes());
        self.tree.text.extend_from_slice(b"\":");
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.tree.text.extend_from_slice(text.as_bytes());
    }

    fn leaf(&mut self, flat: Range<usize>, source: Range<usize>, node: usize, form: Form) {
        let (flat, source, node) = (flat.into(), source.into(), counted(node));
        self.tree.leaves.push(Leaf { flat, source, node, form });
    }

    /// Writes a string and escapes what JSON needs; `form` is told whether something was.
    pub(super) fn text_leaf(
        &mut self,
        text: &[u8],
        source: Range<usize>,
        node: usize,
        form: impl FnOnce(bool) -> Form,
    ) {
        self.tree.text.push(b'"');
        let start = self.tree.text.len();
        let escaped = needs_escape(text);
        if escaped {
            escape(text, &mut self.tree.text);
        } else {
            self.tree.text.extend_from_slice(text);
        }
        let flat = start..self.tree.text.len();
        self.tree.text.push(b'"');
        self.leaf(flat, source, node, form(escaped));
    }

    /// Writes bytes of JSON as they are; `quotes` are added around them and belong to no leaf.
    pub(super) fn copied_leaf(
        &mut self,
        bytes: &[u8],
        quotes: bool,
        source: Range<usize>,
        node: usize,
        form: Form,
    ) {
        if quotes {
            self.tree.text.push(b'"');
        }
        let start = self.tree.text.len();
        self.tree.text.extend_from_slice(bytes);
        self.leaf(start..self.tree.text.len(), source, node, form);
        if quotes {
            self.tree.text.push(b'"');
        }
    }

    /// A floating-point number.
    pub(super) fn double_leaf(&mut self, number: f64, source: Range<usize>, node: usize, form: Form) {
        match json_number(number) {
            Some(number) => self.number_leaf(number, source, node, form),
            None => self.raw("null"),
        }
    }

    pub(super) fn number_leaf(
        &mut self,
        number: impl fmt::Display,
        source: Range<usize>,
        node: usize,
        form: Form,
    ) {
        use std::io::Write as _;
        let start = self.tree.text.len();
        write!(self.tree.text, "{number}").expect("a vector takes everything");
        self.leaf(start..self.tree.text.len(), source, node, form);
    }
}

/// PERF: no early end, so that it is done many bytes at a time.
fn needs_escape(text: &[u8]) -> bool {
    text.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(*byte),
        }
    }
}

/// A floating-point number in the tree: a whole one by its digits, others as JSON of other protocols has them; none if JSON has no such number.
pub(super) fn json_number(number: f64) -> Option<serde_json::Number> {
    whole(number).map(serde_json::Number::from).or_else(|| serde_json::Number::from_f64(number))
}

/// A number whose digits say something: a whole one that is not negative.
pub(super) fn whole(number: f64) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2^53
    let fits = (0.0..=EXACT_MAX).contains(&number) && number.fract() == 0.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it fits, exactly
    fits.then_some(number as u64)
}
