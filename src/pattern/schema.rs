//! A JSON Schema of packs, for editors: names, meanings and values are offered while typing.
//!
//! In: the tables below, which a test holds against the types that `pack` reads. Out: the schema that
//! `patterns/schema.json` holds, in draft 7, which TOML editors understand.
//!
//! Source: <https://json-schema.org/draft-07/json-schema-release-notes>

use super::{Class, Scope, Stability};
use crate::scan::validate::VALIDATORS;
use serde_json::{Map, Value, json};

/// A key of a table.
struct Key {
    name: &'static str,
    shape: Shape,
    is_required: bool,
    meaning: &'static str,
}

/// What a key takes.
enum Shape {
    Text,
    Texts,
    Flag,
    /// From, to.
    Number(usize, usize),
    /// One of some names.
    Choice(fn() -> Vec<&'static str>),
    /// Texts by text.
    Texted,
    Table(&'static [Key]),
}

const fn must(name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key { name, shape, is_required: true, meaning }
}

const fn may(name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key { name, shape, is_required: false, meaning }
}

fn classes() -> Vec<&'static str> {
    Class::ALL.iter().map(|class| class.as_str()).collect()
}

fn validators() -> Vec<&'static str> {
    VALIDATORS.iter().map(|(name, _)| *name).collect()
}

const PATTERN: &[Key] = &[
    must("name", Shape::Text, "Unique, dotted, lower case; a metric label and what `disable` names."),
    must("class", Shape::Choice(classes), "Data class, which decides what happens to a hit."),
    must("regex", Shape::Text, "Rust regex over bytes; a group named `value` is what gets replaced."),
    may(
        "trigger",
        Shape::Choice(|| vec!["dotted", "colons", "number", "lettered", "assigned"]),
        "For shapes without literal text.",
    ),
    may("validate", Shape::Choice(validators), "Check of what the regex found."),
    may("null_when_whole", Shape::Flag, "A JSON string that is this hit and nothing else becomes null."),
    may("context", Shape::Table(CONTEXT), "Words of which one must stand near."),
    may(
        "stability",
        Shape::Choice(|| Stability::ALL.iter().map(|stability| stability.as_str()).collect()),
        "`shadow`: counted, not replaced.",
    ),
    must("why", Shape::Text, "The reason it is here."),
    may("source", Shape::Text, "Where the shape is documented."),
    may("output", Shape::Text, "The first of `hits` as it leaves, with tokens for what is found."),
    must("hits", Shape::Texts, "Texts with what must be found between « and »."),
    must("misses", Shape::Texts, "Texts in which nothing may be found."),
];

const CONTEXT: &[Key] = &[
    may("before", Shape::Texts, "Lower-case words before the value or in a key that leads to it."),
    may("after", Shape::Texts, "Lower-case words behind the value."),
    may("bytes", Shape::Number(1, 256), "How far to look on either side; 48 if not given."),
];

const FIELD: &[Key] = &[
    must("name", Shape::Text, "Unique, dotted, lower case; a metric label and what `disable` names."),
    may("class", Shape::Choice(classes), "Data class; absent where nothing is taken away."),
    must("paths", Shape::Texts, "Field paths: names joined by dots, `[]`, `*`, `**`, `*name`."),
    may(
        "kind",
        Shape::Choice(|| vec!["value", "address", "exempt", "id", "scan", "grouping", "turns"]),
        "How the value is read.",
    ),
    may(
        "scope",
        Shape::Choice(|| Scope::NAMES.iter().map(|(name, _)| *name).collect()),
        "Which documents it is for.",
    ),
    may("numbers", Shape::Flag, "Numbers are hits too and become 0."),
    may("keyed", Shape::Flag, "Keys with blanks in them are hits too."),
    may("learn", Shape::Flag, "The value is replaced wherever else the event says it."),
    may(
        "name_part",
        Shape::Flag,
        "With `learn`: one part of a name, not looked for if it is short or a word as well.",
    ),
    may(
        "keep",
        Shape::Texts,
        "Keys below the field whose short words stay; `*name` for all that end so, `*` for all.",
    ),
    may("fallback", Shape::Flag, "Says nothing where the rule of a container around it does."),
    may("words", Shape::Texts, "Whole values that stay."),
    may("rewrite", Shape::Texted, "Whole values exchanged for others."),
    may(
        "beside",
        Shape::Texts,
        "Members that the object must have: `key`, `key=a|b`, `key^start`, `key~part`.",
    ),
    may("beside_min", Shape::Number(1, 64), "How many of them; 1 if not given."),
    may("reach", Shape::Number(1, 8), "How many objects further out they may stand."),
    may("in_list", Shape::Flag, "Only where the object is an element of an array."),
    may(
        "prose",
        Shape::Flag,
        "Only text that reads as a sentence: 40 bytes and more, a blank, mostly letters.",
    ),
    may("drawn", Shape::Flag, "Only one word of letters and digits in no order, 20 to 512 bytes."),
    may("vector", Shape::Flag, "Only arrays of eight numbers and more, which become `[]`."),
    must("why", Shape::Text, "The reason it is here."),
    may("source", Shape::Text, "Where the field is documented."),
    must("hits", Shape::Texts, "JSON documents with the bytes that must be replaced between « and »."),
    must("misses", Shape::Texts, "JSON documents that must stay as they are."),
];

/// The schema, indented, with a line feed at its end.
///
/// # Panics
/// Never: strings and numbers always become JSON.
#[must_use]
pub fn schema() -> String {
    let list = |keys, meaning: &str| json!({ "type": "array", "description": meaning, "items": table(keys) });
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tamis pack",
        "description": "Patterns and field rules; see patterns/README.md.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "pattern": list(PATTERN, "What personal data looks like."),
            "field": list(FIELD, "Where personal data always is."),
        },
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("strings and numbers become JSON");
    text.push('\n');
    text
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn property(key: &Key) -> Value {
    let text = json!({ "type": "string" });
    let mut property = match key.shape {
        Shape::Text => text,
        Shape::Texts => json!({ "type": "array", "items": text }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Shape::Choice(names) => json!({ "type": "string", "enum": names() }),
        Shape::Texted => json!({ "type": "object", "additionalProperties": text }),
        Shape::Table(keys) => table(keys),
    };
    property["description"] = key.meaning.into();
    property
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::pack;

    #[test]
    fn the_file_is_current() {
        let file = include_str!("../../patterns/schema.json");
        assert!(file == schema(), "run `cargo run -- patterns schema > patterns/schema.json`");
    }

    /// The names that the reader of packs lists when it meets one that it does not know.
    fn known_to_the_reader(pack: &str) -> Vec<String> {
        let problems = pack::parse(pack, "p.toml").expect_err("no such key");
        let (_, list) = problems[0].message.split_once("expected one of ").expect("a list");
        list.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn the_tables_name_what_the_reader_reads() {
        let context = "[[pattern]]\ncontext = { no_such_key = 1 }\n";
        for (keys, pack) in [
            (PATTERN, "[[pattern]]\nno_such_key = 1\n"),
            (FIELD, "[[field]]\nno_such_key = 1\n"),
            (CONTEXT, context),
        ] {
            let mut names: Vec<String> = keys.iter().map(|key| key.name.to_owned()).collect();
            let mut known = known_to_the_reader(pack);
            names.sort();
            known.sort();
            assert_eq!(names, known);
        }
    }

    /// What is marked as required is refused when it is missing, and nothing else is.
    #[test]
    fn the_tables_require_what_the_reader_requires() {
        for (keys, table) in [(PATTERN, "pattern"), (FIELD, "field")] {
            for left_out in keys.iter().filter(|key| !matches!(key.shape, Shape::Table(_))) {
                let mut text = format!("[[{table}]]\n");
                for key in keys.iter().filter(|key| key.name != left_out.name) {
                    let value = match key.shape {
                        Shape::Text | Shape::Choice(_) => "'x'",
                        Shape::Texts => "['x']",
                        Shape::Flag => "true",
                        Shape::Number(..) => "1",
                        Shape::Texted => "{ a = 'b' }",
                        Shape::Table(_) => "{ before = ['x'], bytes = 1 }",
                    };
                    text.push_str(&format!("{} = {value}\n", key.name));
                }
                let read = pack::parse(&text, "p.toml");
                assert_eq!(read.is_err(), left_out.is_required, "{table}.{}: {read:?}", left_out.name);
            }
        }
    }
}
