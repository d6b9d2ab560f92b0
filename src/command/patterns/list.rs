//! `tamis patterns list`: every entry of every pack, who wrote it and whether it counts.

use super::super::terminal::Paint;
use crate::pattern::PatternSet;
use crate::pattern::roster::{Author, Entry, Spec, State};
use serde_json::{Value, json};
use std::fmt::Write;

/// Characters of a reason that a terminal shows.
const WHY_CHARS_MAX: usize = 60;

/// For whom the list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A person: headings stand out, what is not in force is dimmed, long reasons are cut.
    Person { color: bool },
    /// A program at the end of a pipe: the same columns, whole.
    Pipe,
}

struct Row<'a> {
    name: &'a str,
    class: &'a str,
    kind: &'a str,
    stability: &'a str,
    state: String,
    from: String,
    why: &'a str,
    in_force: bool,
}

/// A heading and a line per entry, in columns as wide as what they hold.
pub(super) fn table(set: &PatternSet, reader: Reader) -> String {
    let rows: Vec<Row<'_>> = set.roster().entries.iter().map(row).collect();
    let heading = ["NAME", "CLASS", "KIND", "STABILITY", "STATE", "FROM", "WHY"];
    let mut widths = heading.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let paint = Paint { color: reader == Reader::Person { color: true } };
    let mut text = paint.bold(&line(heading, widths));
    text.push('\n');
    for row in &rows {
        let mut cells = row.cells();
        let cut: String;
        if matches!(reader, Reader::Person { .. }) && row.why.chars().count() > WHY_CHARS_MAX {
            cut = row.why.chars().take(WHY_CHARS_MAX - 1).chain(['…']).collect();
            cells[6] = &cut;
        }
        let line = line(cells, widths);
        writeln!(text, "{}", if row.in_force { line } else { paint.dim(&line) }).expect("a string takes it");
    }
    text
}

fn line(cells: [&str; 7], widths: [usize; 7]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.into_iter().zip(widths) {
        write!(line, "{cell:<width$}  ").expect("a string takes it");
    }
    line.trim_end().to_owned()
}

impl Row<'_> {
    fn cells(&self) -> [&str; 7] {
        [self.name, self.class, self.kind, self.stability, &self.state, &self.from, self.why]
    }
}

fn row(entry: &Entry) -> Row<'_> {
    let (class, kind, stability, why) = match &entry.spec {
        Spec::Pattern(spec) => {
            (spec.class.as_str(), "pattern", spec.stability.as_deref().unwrap_or("stable"), &spec.why)
        }
        Spec::Field(spec) => {
            let kind = if spec.learn { "field, learn" } else { "field" };
            (spec.class.as_deref().unwrap_or("-"), kind, "stable", &spec.why)
        }
    };
    let state = match (&entry.state, &entry.overrides) {
        (State::InForce, None) => "on".to_owned(),
        (State::InForce, Some(place)) => format!("on, overrides {place}"),
        (State::Disabled, _) => "off, disabled".to_owned(),
        (State::Overridden(place), _) => format!("off, overridden by {place}"),
    };
    let from = match entry.author {
        Author::Tamis => file_name(&entry.spec.place().origin).to_owned(),
        Author::Operator => entry.spec.place().to_string(),
    };
    Row {
        name: entry.spec.name(),
        class,
        kind,
        stability,
        state,
        from,
        why,
        in_force: entry.state == State::InForce,
    }
}

fn file_name(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or(origin)
}

/// The same for programs: an array of objects, one per entry, in the order of the table.
pub(super) fn as_json(set: &PatternSet) -> String {
    let entries: Vec<Value> = set.roster().entries.iter().map(object).collect();
    let mut text = serde_json::to_string_pretty(&entries).expect("strings and numbers become JSON");
    text.push('\n');
    text
}

fn object(entry: &Entry) -> Value {
    let row = row(entry);
    let place = |place: &crate::pattern::pack::Place| json!({ "file": place.origin, "line": place.line, "column": place.column });
    let (state, by) = match &entry.state {
        State::InForce => ("on", None),
        State::Disabled => ("disabled", None),
        State::Overridden(by) => ("overridden", Some(place(by))),
    };
    let (kind, source, learn) = match &entry.spec {
        Spec::Pattern(spec) => ("pattern", &spec.source, false),
        Spec::Field(spec) => ("field", &spec.source, spec.learn),
    };
    json!({
        "name": row.name,
        "kind": kind,
        "learn": learn,
        "class": if row.class == "-" { Value::Null } else { row.class.into() },
        "stability": row.stability,
        "state": state,
        "overridden_by": by,
        "overrides": entry.overrides.as_ref().map(place),
        "embedded": entry.author == Author::Tamis,
        "place": place(entry.spec.place()),
        "why": row.why,
        "source": source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Pack, pack};

    fn set() -> PatternSet {
        let read = |text: &str, origin: &str| pack::parse(text, origin).expect("a pack");
        let entry = |name: &str, regex: &str, more: &str| {
            format!(
                "[[pattern]]\nname='{name}'\nclass='email'\nregex='{regex}'\nwhy='Because {name}.'\nhits=[]\nmisses=[]\n{more}"
            )
        };
        let embedded = [
            entry("a", "foo", ""),
            entry("b", "bar", ""),
            entry("c", "quux", "stability='beta'\n"),
            "[[field]]\nname='f'\nkind='exempt'\npaths=['x']\nwhy='w'\nhits=[]\nmisses=[]\n".to_owned(),
        ]
        .concat();
        let packs = [
            Pack { author: Author::Tamis, ..read(&embedded, "patterns/t.toml") },
            read(&entry("a", "foo1", "stability='shadow'\n"), "packs/o.toml"),
        ];
        PatternSet::compile(&packs, &["b".to_owned()]).expect("a set")
    }

    #[test]
    fn the_table_tells_who_overrides_and_what_is_off() {
        let want = "\
NAME  CLASS  KIND     STABILITY  STATE                             FROM              WHY
a     email  pattern  shadow     on, overrides patterns/t.toml:1:1  packs/o.toml:1:1  Because a.
a     email  pattern  stable     off, overridden by packs/o.toml:1:1  t.toml            Because a.
b     email  pattern  stable     off, disabled                     t.toml            Because b.
c     email  pattern  beta       on                                t.toml            Because c.
f     -      field    stable     on                                t.toml            w
";
        let squeeze =
            |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let table = table(&set(), Reader::Pipe);
        assert_eq!(squeeze(&table), squeeze(want));
        let at = |line: &str| line.find("Because").or(line.find("WHY"));
        let columns: Vec<_> = table.lines().filter_map(at).collect();
        assert!(columns.windows(2).all(|two| two[0] == two[1]), "{table}");
    }

    #[test]
    fn a_person_sees_colours_and_short_reasons() {
        let colored = table(&set(), Reader::Person { color: true });
        assert!(colored.starts_with("\x1b[1mNAME"), "{colored}");
        assert!(colored.contains("\x1b[2mb "), "{colored}");
        let plain = table(&set(), Reader::Person { color: false });
        assert_eq!(plain, table(&set(), Reader::Pipe));
    }

    #[test]
    fn programs_get_json() {
        let list: Vec<Value> = serde_json::from_str(&as_json(&set())).expect("JSON");
        assert_eq!(list.len(), 5);
        assert_eq!(list[0]["overrides"], json!({ "file": "patterns/t.toml", "line": 1, "column": 1 }));
        assert_eq!(list[1]["state"], "overridden");
        assert_eq!(list[1]["overridden_by"]["file"], "packs/o.toml");
        assert_eq!((&list[2]["state"], &list[4]["class"]), (&json!("disabled"), &Value::Null));
    }
}
