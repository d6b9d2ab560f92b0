//! Packs as written: TOML text to patterns and field rules, with every problem found on the way.
//!
//! In: the text of one pack. Out: its entries as they stand, each with its place in the file. Checks
//! spelling only; whether a regex compiles or an example holds is `set`'s and `selftest`'s to say.

use super::roster::Author;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::de::DeTable;

/// Something wrong in a pack, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackProblem {
    /// File name, as the user gave it.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and, where we know, what to do.
    pub message: String,
}

impl fmt::Display for PackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.origin, self.line, self.column, self.message)
    }
}

/// Where an entry stands, so that later checks can point at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// File name.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.origin, self.line, self.column)
    }
}

impl Place {
    /// A problem at this place.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> PackProblem {
        PackProblem {
            origin: self.origin.clone(),
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

/// Where the value of each key of an entry stands: line and column, from 1.
pub type KeyPlaces = BTreeMap<String, (usize, usize)>;

/// The place of a key's value, or of the entry if it has none.
fn place_of(entry: &Place, keys: &KeyPlaces, key: &str) -> Place {
    let (line, column) = keys.get(key).copied().unwrap_or((entry.line, entry.column));
    Place { origin: entry.origin.clone(), line, column }
}

impl PatternSpec {
    /// Where the value of `key` stands.
    #[must_use]
    pub fn at(&self, key: &str) -> Place {
        place_of(&self.place, &self.keys, key)
    }
}

impl PatternSpec {
    /// What decides over a hit, without what explains it, its examples and where it stands.
    fn effect(&self) -> Self {
        let (why, source, output, hits, misses) = Default::default();
        let (place, keys) = Default::default();
        Self { why, source, output, hits, misses, place, keys, ..self.clone() }
    }

    /// Whether it finds what `other` finds, by what is written.
    #[must_use]
    pub fn says_what(&self, other: &Self) -> bool {
        self.effect() == other.effect()
    }
}

impl FieldSpec {
    /// What decides over a hit, without what explains it, its examples and where it stands.
    fn effect(&self) -> Self {
        let (why, source, hits, misses) = Default::default();
        let (place, keys) = Default::default();
        Self { why, source, hits, misses, place, keys, ..self.clone() }
    }

    /// Whether it finds what `other` finds, by what is written.
    #[must_use]
    pub fn says_what(&self, other: &Self) -> bool {
        self.effect() == other.effect()
    }

    /// Where the value of `key` stands.
    #[must_use]
    pub fn at(&self, key: &str) -> Place {
        place_of(&self.place, &self.keys, key)
    }
}

/// What personal data looks like: one `[[pattern]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternSpec {
    /// Unique name, `ip.v4`.
    pub name: String,
    /// Data class.
    pub class: String,
    /// The regex, bytes not characters; a group named `value` is what gets replaced.
    pub regex: String,
    /// Sweep trigger where the regex does not show one: `dotted`, `colons`, `number`, `lettered` or `assigned`.
    #[serde(default)]
    pub trigger: Option<String>,
    /// Name of a check of the candidate.
    #[serde(default)]
    pub validate: Option<String>,
    /// A JSON string that is this hit and nothing else becomes null.
    #[serde(default)]
    pub null_when_whole: bool,
    /// Words of which one must stand near; absent: none needed.
    #[serde(default)]
    pub context: Option<ContextSpec>,
    /// `stable` (default), `beta`, `shadow`.
    #[serde(default)]
    pub stability: Option<String>,
    /// The reason it is here.
    pub why: String,
    /// Where the shape is documented.
    #[serde(default)]
    pub source: Option<String>,
    /// The first of `hits` as it leaves, with tokens for what is found.
    #[serde(default)]
    pub output: Option<String>,
    /// Texts with what must be found between « and ».
    pub hits: Vec<String>,
    /// Texts in which nothing may be found.
    pub misses: Vec<String>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
    /// Where the values of its keys stand.
    #[serde(skip)]
    pub keys: KeyPlaces,
}

/// The words that make a weak shape a hit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextSpec {
    /// Words before the match, or in a key of its field path.
    #[serde(default)]
    pub before: Vec<String>,
    /// Words behind the match.
    #[serde(default)]
    pub after: Vec<String>,
    /// How far to look on either side.
    #[serde(default)]
    pub bytes: Option<usize>,
}

/// Where personal data always is: one `[[field]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    /// Unique name, `user.ip`.
    pub name: String,
    /// Data class; absent for the kinds that take nothing away.
    #[serde(default)]
    pub class: Option<String>,
    /// Field paths.
    pub paths: Vec<String>,
    /// `value` (default), `address`, `exempt`, `id`, `scan`, `grouping`, `turns`.
    #[serde(default)]
    pub kind: Option<String>,
    /// `any` (default), `sentry`, `envelope_header`, `user_report`, `replay`, `query`, `posthog`, `segment`, `langfuse`, `langsmith`.
    #[serde(default)]
    pub scope: Option<String>,
    /// Numbers here are hits too and become 0.
    #[serde(default)]
    pub numbers: bool,
    /// What stands here names the person of the event, so it is replaced wherever else the event says it.
    #[serde(default)]
    pub learn: bool,
    /// With `learn`: it holds one part of a name, which is not looked for if it is short or a word as well.
    #[serde(default)]
    pub name_part: bool,
    /// Keys of objects below the field with blanks in them are hits too: what was asked, and what came of it.
    #[serde(default)]
    pub keyed: bool,
    /// Keys below the field whose short values stay: `type`, `role`; `*_role` for all that end so, `*` for all.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Says nothing where the rule of a container around it does.
    #[serde(default)]
    pub fallback: bool,
    /// Whole values that stay: what the key says where it means something else.
    #[serde(default)]
    pub words: Vec<String>,
    /// Whole values that are exchanged for others: `auto` for `never`.
    #[serde(default)]
    pub rewrite: BTreeMap<String, String>,
    /// Members that the object around the value must have: `role`, `role=user|assistant`, `op^gen_ai`, `url~api.example.com`.
    #[serde(default)]
    pub beside: Vec<String>,
    /// How many of them; 1 if not given.
    #[serde(default)]
    pub beside_min: Option<usize>,
    /// How many objects further out they may stand; 0 if not given.
    #[serde(default)]
    pub reach: Option<usize>,
    /// Only where the object is an element of an array.
    #[serde(default)]
    pub in_list: bool,
    /// Only text that reads as a sentence: 40 bytes and more, a blank, and mostly letters.
    #[serde(default)]
    pub prose: bool,
    /// Only one word of letters and digits in no order: 20 to 512 bytes that look drawn by chance.
    #[serde(default)]
    pub drawn: bool,
    /// Only arrays of eight numbers and more, which become `[]`.
    #[serde(default)]
    pub vector: bool,
    /// The reason it is here.
    pub why: String,
    /// Where the field is documented.
    #[serde(default)]
    pub source: Option<String>,
    /// JSON documents with the bytes that must be replaced between « and ».
    pub hits: Vec<String>,
    /// JSON documents that must stay as they are.
    pub misses: Vec<String>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
    /// Where the values of its keys stand.
    #[serde(skip)]
    pub keys: KeyPlaces,
}

/// One file's entries, in file order.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// Who wrote it; the operator unless said.
    pub author: Author,
    /// The patterns.
    pub patterns: Vec<PatternSpec>,
    /// The field rules.
    pub fields: Vec<FieldSpec>,
}

/// Reads a pack.
///
/// # Errors
/// Every entry that cannot be read, each with its place; one problem for a file that is no TOML.
pub fn parse(text: &str, origin: &str) -> Result<Pack, Vec<PackProblem>> {
    let lines = Lines::new(text, origin);
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            return Err(vec![lines.place(at).problem(error.message())]);
        }
    };
    let mut pack = Pack::default();
    let mut problems = Vec::new();
    for (key, value) in table {
        let place = lines.place(key.span().start);
        let entries = match value.into_inner() {
            toml::de::DeValue::Array(entries) => entries,
            _ => {
                problems.push(place.problem(format!("`{}` must be a list of tables", key.get_ref())));
                continue;
            }
        };
        for entry in entries {
            let place = lines.place(entry.span().start);
            let keys = lines.key_places(&entry);
            let read = match key.get_ref().as_ref() {
                "pattern" => entry_from(entry)
                    .map(|spec: PatternSpec| pack.patterns.push(PatternSpec { place, keys, ..spec })),
                "field" => entry_from(entry)
                    .map(|spec: FieldSpec| pack.fields.push(FieldSpec { place, keys, ..spec })),
                other => Err((None, format!("unknown key `{other}`; a pack has `pattern` and `field`"))),
            };
            if let Err((span, message)) = read {
                let at = span.map_or(lines.place(key.span().start), |span| lines.place(span.start));
                problems.push(at.problem(message));
            }
        }
    }
    if problems.is_empty() { Ok(pack) } else { Err(problems) }
}

type EntryError = (Option<Range<usize>>, String);

fn entry_from<T: serde::de::DeserializeOwned>(
    entry: toml::Spanned<toml::de::DeValue<'_>>,
) -> Result<T, EntryError> {
    let span = entry.span();
    T::deserialize(toml::de::ValueDeserializer::from(entry)).map_err(|error| {
        let at = error.span().unwrap_or(span);
        (Some(at), error.message().to_owned())
    })
}

struct Lines<'a> {
    text: &'a str,
    origin: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, origin: &'a str) -> Self {
        let behind_ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { text, origin, starts: std::iter::once(0).chain(behind_ends).collect() }
    }

    fn key_places(&self, entry: &toml::Spanned<toml::de::DeValue<'_>>) -> KeyPlaces {
        let toml::de::DeValue::Table(table) = entry.get_ref() else { return KeyPlaces::new() };
        let mut places = KeyPlaces::new();
        for (key, value) in table {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            let mut note = |key: String, offset: usize| {
                places.insert(key, self.line_and_column(offset));
            };
            note(key.to_string(), value.span().start);
            // Examples are told one by one.
            if let toml::de::DeValue::Array(list) = value.get_ref() {
                for (nth, element) in list.iter().enumerate() {
                    note(format!("{key}[{nth}]"), element.span().start);
                }
            }
        }
        places
    }

    fn place(&self, offset: usize) -> Place {
        let (line, column) = self.line_and_column(offset);
        Place { origin: self.origin.to_owned(), line, column }
    }

    /// Both from 1.
    ///
    /// PERF: asked of each key and example of a pack; counting lines from its beginning took a quarter of a start.
    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        (line, self.text[self.starts[line - 1]..offset].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What decides over a hit makes another entry, and what only explains it does not.
    #[test]
    fn entries_are_compared_by_what_they_do() {
        const PACK: &str = "[[pattern]]\nname = 'a'\nclass = 'user_id'\nregex = 'A[0-9]'\nwhy = 'w'\nhits = ['«A1»']\nmisses = ['B']\n\
                            [[field]]\nname = 'b'\nclass = 'person'\npaths = ['b.c', 'b.d']\nwhy = 'v'\nhits = ['x']\nmisses = ['y']\n";
        let pack = parse(PACK, "one.toml").expect("reads");
        for (from, to, same) in [
            ("[[pattern]]", "# moved\n\n[[pattern]]", [true, true]),
            ("why = 'w'", "why = 'why not'\nsource = 'https://example.com'\noutput = '[a]'", [true, true]),
            ("hits = ['«A1»']\nmisses = ['B']", "hits = []\nmisses = ['C', 'D']", [true, true]),
            ("why = 'v'\nhits = ['x']\nmisses = ['y']", "why = 'u'\nhits = []\nmisses = []", [true, true]),
            ("A[0-9]", "A[0-8]", [false, true]),
            ("'user_id'", "'person'", [false, true]),
            ("why = 'w'", "validate = 'ipv4'\nwhy = 'w'", [false, true]),
            ("why = 'w'", "stability = 'beta'\nwhy = 'w'", [false, true]),
            ("why = 'w'", "context = { before = ['x'] }\nwhy = 'w'", [false, true]),
            ("'b.c', ", "", [true, false]),
            ("class = 'person'", "kind = 'exempt'", [true, false]),
            ("why = 'v'", "words = ['x']\nwhy = 'v'", [true, false]),
            ("why = 'v'", "prose = true\nwhy = 'v'", [true, false]),
            ("why = 'v'", "drawn = true\nwhy = 'v'", [true, false]),
        ] {
            let other = parse(&PACK.replacen(from, to, 1), "other.toml").expect("reads");
            let got =
                [other.patterns[0].says_what(&pack.patterns[0]), other.fields[0].says_what(&pack.fields[0])];
            assert_eq!(got, same, "{from} -> {to}");
        }
    }

    /// What a reader needs to check an entry: why it is there, where its shape comes from, how sure we are, and what it does.
    #[test]
    fn every_embedded_entry_can_be_checked() {
        let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let mut wanting = Vec::new();
        for pack in crate::pattern::embedded().expect("the embedded packs are read") {
            for spec in &pack.patterns {
                let parts = [
                    ("why", !spec.why.trim().is_empty()),
                    ("source", said(&spec.source)),
                    ("stability", said(&spec.stability)),
                    ("output", said(&spec.output)),
                    ("hits", !spec.hits.is_empty()),
                    ("misses", !spec.misses.is_empty()),
                ];
                let missing = parts.into_iter().filter(|(_, there)| !there);
                wanting.extend(missing.map(|(key, _)| format!("{} has no `{key}`", spec.name)));
            }
            for spec in &pack.fields {
                // What only spares a value replaces nothing that could be shown.
                let spares =
                    matches!(spec.kind.as_deref(), Some("exempt" | "id" | "scan" | "grouping" | "turns"));
                let parts = [
                    ("why", !spec.why.trim().is_empty()),
                    ("source", said(&spec.source)),
                    ("hits", spares || !spec.hits.is_empty()),
                ];
                let missing = parts.into_iter().filter(|(_, there)| !there);
                wanting.extend(missing.map(|(key, _)| format!("{} has no `{key}`", spec.name)));
            }
        }
        assert!(wanting.is_empty(), "{wanting:#?}");
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "[[pattern]]\nname = \"a\"\nclas = \"email\"\n\n[[field]]\nname = 3\n\n[[rule]]\nx = 1\n";
        let problems = parse(text, "p.toml").expect_err("three entries are wrong");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("p.toml:3:1: unknown field `clas`")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("p.toml:6:8: ")), "{told:#?}");
        assert!(told.iter().any(|t| t.contains("unknown key `rule`")), "{told:#?}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_one_problem() {
        let problems = parse("[[pattern]\n", "p.toml").expect_err("no TOML");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].line, 1);
    }
}
