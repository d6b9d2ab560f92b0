//! All packs put together: which entry is in force, and which is switched off or overridden by whom.
//!
//! In: the embedded packs and the operator's own, and the names to switch off. Out: the entries to compile, in
//! the order of their detectors, and a [`Roster`] of all of them for `patterns list`. Two entries that say the
//! same are refused: the second would never be counted, and nobody would know which one to change.

use super::pack::{FieldSpec, Pack, PackProblem, PatternSpec, Place};
use crate::scan::fields::FieldPath;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Who wrote a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Author {
    /// It came with the binary.
    Tamis,
    /// The operator: read from one of `[patterns] dirs`.
    #[default]
    Operator,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is compiled.
    InForce,
    /// `[patterns] disable` names it.
    Disabled,
    /// The operator's entry of the same name, at this place, counts instead.
    Overridden(Place),
}

/// An entry of a pack and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub spec: Spec,
    /// Who wrote it.
    pub author: Author,
    /// Whether it counts.
    pub state: State,
    /// The embedded entry that it stands in for.
    pub overrides: Option<Place>,
}

/// A pattern or a field rule, as written.
#[derive(Debug, Clone)]
pub enum Spec {
    /// `[[pattern]]`.
    Pattern(Arc<PatternSpec>),
    /// `[[field]]`.
    Field(Arc<FieldSpec>),
}

impl Spec {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Pattern(spec) => &spec.name,
            Self::Field(spec) => &spec.name,
        }
    }

    /// Whether it does what `other` does, by what is written.
    #[must_use]
    pub fn says_what(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pattern(one), Self::Pattern(other)) => one.says_what(other),
            (Self::Field(one), Self::Field(other)) => one.says_what(other),
            (Self::Pattern(_), Self::Field(_)) | (Self::Field(_), Self::Pattern(_)) => false,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Pattern(spec) => &spec.place,
            Self::Field(spec) => &spec.place,
        }
    }
}

/// Every entry of every pack, patterns first, an overriding one where the overridden stood.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// In detector order, those that are not in force between the others.
    pub entries: Vec<Entry>,
}

impl Roster {
    /// Puts packs together.
    ///
    /// # Errors
    /// Every name that is given twice by one author, every unknown name to disable, and every entry that says
    /// what another says.
    pub fn new(packs: &[Pack], disable: &[String]) -> Result<Self, Vec<PackProblem>> {
        let mut problems = Vec::new();
        let mut roster = Self { entries: ordered(packs) };
        roster.take_names(&mut problems);
        roster.disable(disable, &mut problems);
        roster.override_embedded();
        roster.find_twins(&mut problems);
        if problems.is_empty() { Ok(roster) } else { Err(problems) }
    }

    /// All entries, each for itself: to look for what else is wrong.
    pub(super) fn without_checks(packs: &[Pack]) -> Self {
        Self { entries: ordered(packs) }
    }

    /// The patterns in force.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Arc<PatternSpec>> {
        self.in_force().filter_map(|entry| match &entry.spec {
            Spec::Pattern(spec) => Some(spec),
            Spec::Field(_) => None,
        })
    }

    /// The field rules in force.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Arc<FieldSpec>> {
        self.in_force().filter_map(|entry| match &entry.spec {
            Spec::Field(spec) => Some(spec),
            Spec::Pattern(_) => None,
        })
    }

    fn in_force(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.state == State::InForce)
    }

    /// One author gives a name once.
    fn take_names(&self, problems: &mut Vec<PackProblem>) {
        let mut taken: HashMap<(Author, &str), &Place> = HashMap::new();
        for entry in &self.entries {
            let (name, place) = (entry.spec.name(), entry.spec.place());
            match taken.get(&(entry.author, name)) {
                Some(other) => problems
                    .push(place.problem(format!("the name `{name}` is taken by the entry at {other}"))),
                None => drop(taken.insert((entry.author, name), place)),
            }
        }
    }

    fn disable(&mut self, disable: &[String], problems: &mut Vec<PackProblem>) {
        for name in disable {
            let mut known = false;
            for entry in self.entries.iter_mut().filter(|entry| entry.spec.name() == name) {
                (known, entry.state) = (true, State::Disabled);
            }
            if !known {
                let place = Place { origin: "patterns.disable".to_owned(), line: 1, column: 1 };
                problems.push(place.problem(format!("no pattern or field rule is called `{name}`")));
            }
        }
    }

    /// An entry of the operator's takes the place of the embedded one with its name.
    ///
    /// The place matters: of several field rules that match, the first one counts.
    fn override_embedded(&mut self) {
        let own: Vec<usize> =
            (0..self.entries.len()).filter(|at| self.entries[*at].author == Author::Operator).collect();
        for from in own {
            let name = self.entries[from].spec.name().to_owned();
            let same = |entry: &Entry| entry.author == Author::Tamis && entry.spec.name() == name;
            let Some(to) = self.entries.iter().position(same) else { continue };
            self.entries[from].overrides = Some(self.entries[to].spec.place().clone());
            if self.entries[to].state == State::InForce {
                self.entries[to].state = State::Overridden(self.entries[from].spec.place().clone());
            }
            let is_same_kind = matches!(
                (&self.entries[from].spec, &self.entries[to].spec),
                (Spec::Pattern(_), Spec::Pattern(_)) | (Spec::Field(_), Spec::Field(_))
            );
            if is_same_kind && from > to {
                self.entries[to..=from].rotate_right(1);
            }
        }
    }

    /// No two entries in force say the same.
    fn find_twins(&self, problems: &mut Vec<PackProblem>) {
        let mut patterns: HashMap<(&str, &str, Option<&str>), &Entry> = HashMap::new();
        let mut fields: HashMap<_, &Entry> = HashMap::new();
        for entry in self.in_force() {
            let tell = |other: &Entry, what: &str| {
                entry.spec.place().problem(format!(
                    "`{}` says what `{}` at {} says ({what}); disable one of them, or give this one the other's \
                     name to override it",
                    entry.spec.name(),
                    other.spec.name(),
                    other.spec.place()
                ))
            };
            match &entry.spec {
                Spec::Pattern(spec) => {
                    let key = (spec.regex.as_str(), spec.class.as_str(), spec.validate.as_deref());
                    match patterns.get(&key) {
                        Some(other) => problems.push(tell(other, "same regex, class and validator")),
                        None => drop(patterns.insert(key, entry)),
                    }
                }
                Spec::Field(spec) => {
                    let scope = spec.scope.as_deref().unwrap_or("any");
                    let mut told = HashSet::new();
                    // A path that cannot be read is told when it is compiled.
                    for (path, text) in spec.paths.iter().filter_map(|p| Some((FieldPath::parse(p).ok()?, p)))
                    {
                        let asks = (&spec.beside, spec.beside_min, spec.in_list);
                        let asks = (asks, spec.prose, spec.drawn, spec.vector);
                        let key = (path, scope, spec.class.as_deref(), asks);
                        match fields.get(&key) {
                            Some(other) if std::ptr::eq(*other, entry) => {}
                            Some(other) if told.insert(other.spec.name()) => {
                                problems.push(tell(other, &format!("same path `{text}`, scope and class")));
                            }
                            Some(_) => {}
                            None => drop(fields.insert(key, entry)),
                        }
                    }
                }
            }
        }
    }
}

fn ordered(packs: &[Pack]) -> Vec<Entry> {
    let entry =
        |spec, pack: &Pack| Entry { spec, author: pack.author, state: State::InForce, overrides: None };
    let patterns = packs.iter().flat_map(|pack| {
        pack.patterns.iter().map(move |spec| entry(Spec::Pattern(Arc::new(spec.clone())), pack))
    });
    let fields = packs.iter().flat_map(|pack| {
        pack.fields.iter().map(move |spec| entry(Spec::Field(Arc::new(spec.clone())), pack))
    });
    patterns.chain(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::pack;

    fn read(text: &str, origin: &str, author: Author) -> Pack {
        Pack { author, ..pack::parse(text, origin).expect("a pack") }
    }

    fn pattern(name: &str, regex: &str) -> String {
        format!("[[pattern]]\nname='{name}'\nclass='email'\nregex='{regex}'\nwhy='w'\nhits=[]\nmisses=[]\n")
    }

    fn field(name: &str, path: &str) -> String {
        format!("[[field]]\nname='{name}'\nclass='email'\npaths=['{path}']\nwhy='w'\nhits=[]\nmisses=[]\n")
    }

    /// Names in order, each with what became of it.
    fn roster(embedded: &str, own: &str, disable: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let packs = [read(embedded, "t.toml", Author::Tamis), read(own, "o.toml", Author::Operator)];
        let disable: Vec<String> = disable.iter().map(|name| (*name).to_owned()).collect();
        let told = |problems: Vec<PackProblem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let roster = Roster::new(&packs, &disable).map_err(told)?;
        let line = |entry: &Entry| {
            let state = match &entry.state {
                State::InForce => "on".to_owned(),
                State::Disabled => "off".to_owned(),
                State::Overridden(by) => format!("by {by}"),
            };
            let over = entry.overrides.as_ref().map_or(String::new(), |place| format!(" over {place}"));
            format!("{} {state}{over}", entry.spec.name())
        };
        Ok(roster.entries.iter().map(line).collect())
    }

    #[test]
    fn an_own_entry_overrides_the_embedded_one_in_its_place() {
        let embedded = [pattern("a", "foo"), pattern("b", "bar"), field("f", "x"), field("g", "y")].concat();
        for (own, disable, want) in [
            (pattern("a", "quux"), vec![], "a on over t.toml:1:1|a by o.toml:1:1|b on|f on|g on"),
            // The same as what it overrides: no twin of it.
            (pattern("b", "bar"), vec![], "a on|b on over t.toml:8:1|b by o.toml:1:1|f on|g on"),
            (field("f", "z"), vec![], "a on|b on|f on over t.toml:15:1|f by o.toml:1:1|g on"),
            (pattern("g", "z"), vec![], "a on|b on|g on over t.toml:22:1|f on|g by o.toml:1:1"),
            (String::new(), vec!["a", "f"], "a off|b on|f off|g on"),
            (pattern("a", "z"), vec!["a"], "a off over t.toml:1:1|a off|b on|f on|g on"),
            // A twin of what is switched off.
            (pattern("c", "foo"), vec!["a"], "a off|b on|c on|f on|g on"),
        ] {
            let got = roster(&embedded, &own, &disable).expect("no problem");
            assert_eq!(got.join("|"), want, "{own}");
        }
    }

    #[test]
    fn names_and_meanings_are_given_once() {
        let twice = "; disable one of them, or give this one the other's name to override it";
        for (embedded, own, disable, want) in [
            (
                [pattern("a", "foo"), field("a", "x")].concat(),
                String::new(),
                vec![],
                "t.toml:8:1: the name `a` is taken by the entry at t.toml:1:1".to_owned(),
            ),
            (
                String::new(),
                [field("a", "y"), field("a", "x")].concat(),
                vec![],
                "o.toml:8:1: the name `a` is taken by the entry at o.toml:1:1".to_owned(),
            ),
            (
                pattern("a", "foo"),
                pattern("b", "foo"),
                vec![],
                format!(
                    "o.toml:1:1: `b` says what `a` at t.toml:1:1 says (same regex, class and validator){twice}"
                ),
            ),
            (
                field("a", "user.e_mail"),
                field("b", "User.EMail"),
                vec![],
                format!(
                    "o.toml:1:1: `b` says what `a` at t.toml:1:1 says (same path `User.EMail`, scope and class){twice}"
                ),
            ),
            (
                String::new(),
                String::new(),
                vec!["a"],
                "patterns.disable:1:1: no pattern or field rule is called `a`".to_owned(),
            ),
        ] {
            assert_eq!(roster(&embedded, &own, &disable).expect_err("a problem"), [want]);
        }
    }

    #[test]
    fn other_classes_validators_and_scopes_make_no_twins() {
        let other = pattern("b", "foo").replace("email", "phone");
        let checked = pattern("c", "foo").replace("why=", "validate='email'\nwhy=");
        let scoped = field("g", "x").replace("why=", "scope='sentry'\nwhy=");
        let own = [other, checked, scoped].concat();
        roster(&[pattern("a", "foo"), field("f", "x")].concat(), &own, &[]).expect("no problem");
    }
}
