//! Field rules that hold only for a value that stands beside certain others: `content` beside `"role": "user"`.
//!
//! In: the rules, each with the names that it is for and a [`Beside`]. Out: for each symbol a [`Mark`], which tells the walk that a key
//! says something about its object (a *fact*) or names what such a rule may take (a *slot*). Whether a rule holds is known when
//! the object ends, since `role` may follow `content`; that is the walk's to wait for.
//!
//! PERF: nearly no key has a mark, and a key's mark is remembered with its symbols. So a rule costs nothing where none of its
//! names stands, whatever their number.

use super::{Symbol, fold};
use aho_corasick::AhoCorasick;
use std::collections::HashMap;

/// What members tell, a bit each.
pub(crate) type Facts = u128;
/// Most facts of one automaton. The embedded rules need half of them.
pub(crate) const FACTS_MAX: usize = Facts::BITS as usize;
/// Most rules of one automaton: each is a bit.
pub(crate) const RULES_MAX: usize = u64::BITS as usize;
/// Bytes that a text needs to be prose.
const PROSE_BYTES_MIN: usize = 40;
/// How much of it are letters and blanks; of source code and of what is printed of an object less is.
const PROSE_LETTERS_PERCENT: usize = 90;
/// Numbers that make an array a vector: the corners of a box and a position in space are fewer.
const VECTOR_NUMBERS_MIN: usize = 8;
/// Members that make an object of numbered bytes a file.
const BYTE_MAP_MEMBERS_MIN: usize = 32;

/// What must stand in the object around a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// Members of which some must be there.
    pub(crate) members: Vec<Member>,
    /// How many of them.
    pub(crate) least: usize,
    /// The object is an element of an array.
    pub(crate) in_list: bool,
    /// How many objects further out the members may stand.
    pub(crate) reach: u8,
    /// Only text that reads as a sentence.
    pub(crate) prose: bool,
    /// Only arrays of numbers.
    pub(crate) vector: bool,
}

/// A member that an object may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// Folded.
    key: Vec<u8>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Test {
    /// Whatever its value.
    Present,
    /// Its value is a string, and one of these, without case.
    Is(Vec<String>),
    /// It begins with one of these.
    Begins(Vec<String>),
    /// One of these lies in it.
    Holds(Vec<String>),
}

/// A test as it is made: for words anywhere, one automaton for all of them.
#[derive(Debug, Clone)]
enum Tester {
    Plain(Test),
    Holds(AhoCorasick),
}

impl Tester {
    /// `None` if the words are too many for an automaton.
    fn new(test: &Test) -> Option<Self> {
        let Test::Holds(words) = test else { return Some(Self::Plain(test.clone())) };
        AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok().map(Self::Holds)
    }

    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Plain(test) => test.holds(value),
            Self::Holds(words) => words.is_match(&value[..value.len().min(VALUE_BYTES_MAX)]),
        }
    }
}

impl Member {
    /// Reads `key`, `key=a|b`, `key^a|b` or `key~a|b`. `None` if a part of it is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (key, test) = match text.find(['=', '^', '~']) {
            None => (text, Test::Present),
            Some(at) => {
                let values: Vec<String> = text[at + 1..].split('|').map(str::to_ascii_lowercase).collect();
                if values.iter().any(String::is_empty) {
                    return None;
                }
                let test = match text.as_bytes()[at] {
                    b'=' => Test::Is(values),
                    b'^' => Test::Begins(values),
                    _ => Test::Holds(values),
                };
                (&text[..at], test)
            }
        };
        let mut folded = Vec::new();
        fold(key.as_bytes(), &mut folded);
        (!folded.is_empty()).then_some(Self { key: folded, test })
    }
}

impl Test {
    /// False if no string that says so begins with this byte.
    fn may_begin(&self, first: u8) -> bool {
        match self {
            Self::Present | Self::Holds(_) => true,
            Self::Is(values) | Self::Begins(values) => {
                values.iter().any(|word| word.as_bytes()[0].eq_ignore_ascii_case(&first))
            }
        }
    }

    /// Whether a string, as it is written, says so.
    fn holds(&self, value: &[u8]) -> bool {
        let starts = |text: &[u8], word: &str| {
            text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        };
        match self {
            Self::Present => true,
            Self::Is(values) => values.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes())),
            Self::Begins(values) => values.iter().any(|word| starts(value, word)),
            Self::Holds(_) => false,
        }
    }
}

/// Of a value that names a host no more is read.
const VALUE_BYTES_MAX: usize = 256;

/// A rule, the names that it is for, and its condition.
#[derive(Debug, Clone)]
pub(crate) struct Conditional {
    pub(crate) rule: u16,
    /// Folded.
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) beside: Beside,
}

impl Conditional {
    /// The names of what it asks for.
    pub(super) fn told(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.beside.members.iter().map(|member| &member.key)
    }
}

/// What a key is for in an object that holds one value and says its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// `"key": "prompt"`.
    Name,
    /// `"value": …`.
    Value,
    /// Around the value, and no part of its path: `"stringValue": …`.
    Wrapper,
    /// No key's: the value that comes next is that of such an object.
    Held,
}

impl Part {
    /// The keys that have a part, folded. Those of OTLP are <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
    pub(super) const KEYS: [(&[u8], Self); 15] = [
        (b"key", Self::Name),
        (b"name", Self::Name),
        (b"k", Self::Name),
        (b"value", Self::Value),
        (b"v", Self::Value),
        // Parameters of CloudFormation.
        (b"parameterkey", Self::Name),
        (b"parametervalue", Self::Value),
        (b"stringvalue", Self::Wrapper),
        (b"boolvalue", Self::Wrapper),
        (b"intvalue", Self::Wrapper),
        (b"doublevalue", Self::Wrapper),
        (b"bytesvalue", Self::Wrapper),
        (b"arrayvalue", Self::Wrapper),
        (b"kvlistvalue", Self::Wrapper),
        (b"values", Self::Wrapper),
    ];

    /// False if a key that begins with this byte is never that of a name, however it is written.
    #[inline]
    pub(crate) fn may_begin_name(first: u8) -> bool {
        matches!(first, b'k' | b'K' | b'n' | b'N' | b'p' | b'P') || !first.is_ascii_alphanumeric()
    }
}

/// What a key says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// Facts by its being there.
    pub(crate) facts: Facts,
    /// Facts that its value decides.
    pub(crate) asks: Facts,
    /// Rules that may take its value.
    pub(crate) slots: u64,
    /// Its part in an object that says the name of its value.
    pub(crate) part: Option<Part>,
}

/// Which containers a rule may take for what stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Taking {
    /// None.
    Nothing,
    /// Arrays of numbers and of arrays of them.
    Numbers,
    /// Any.
    All,
}

/// The conditional rules of one automaton.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    /// The first says nothing, the second is [`Part::Held`].
    marks: Vec<Mark>,
    /// Place of each symbol's mark.
    of_symbol: Vec<u16>,
    /// By fact.
    tests: Vec<Tester>,
    /// By the first byte of a value, the facts that it may tell; none where no value tells any.
    ///
    /// PERF: `type` and `name` are asked for a score of facts each, and stand in every object.
    told_by_first: Vec<Facts>,
    rules: Vec<(u16, Beside, Facts)>,
    /// Those that may take a container whatever lies in it.
    of_containers: u64,
    /// Those that may take one of numbers alone.
    of_numbers: u64,
}

impl Conditions {
    const HELD: u16 = 1;

    /// `None` if there are more than [`RULES_MAX`] rules or [`FACTS_MAX`] facts.
    pub(super) fn new(
        rules: &[Conditional],
        names: &HashMap<Vec<u8>, Symbol>,
        symbols: usize,
    ) -> Option<Self> {
        let mut members: Vec<&Member> = Vec::new();
        let mut of_symbol = vec![Mark::default(); symbols];
        let held = Mark { part: Some(Part::Held), ..Mark::default() };
        let mut conditions = Self { marks: vec![Mark::default(), held], ..Self::default() };
        for (nth, rule) in rules.iter().enumerate() {
            let mut mask: Facts = 0;
            for member in &rule.beside.members {
                let fact = members.iter().position(|known| *known == member).unwrap_or(members.len());
                if fact == members.len() {
                    members.push(member);
                }
                if fact >= FACTS_MAX {
                    return None;
                }
                mask |= 1 << fact;
                let mark = &mut of_symbol[usize::from(names[&member.key].0)];
                match member.test {
                    Test::Present => mark.facts |= 1 << fact,
                    _ => mark.asks |= 1 << fact,
                }
            }
            if nth >= RULES_MAX {
                return None;
            }
            for name in &rule.names {
                of_symbol[usize::from(names[name].0)].slots |= 1 << nth;
            }
            match (rule.beside.prose, rule.beside.vector) {
                (true, _) => {}
                (false, true) => conditions.of_numbers |= 1 << nth,
                (false, false) => conditions.of_containers |= 1 << nth,
            }
            conditions.rules.push((rule.rule, rule.beside.clone(), mask));
        }
        for (key, part) in Part::KEYS {
            if let Some(symbol) = names.get(key) {
                of_symbol[usize::from(symbol.0)].part = Some(part);
            }
        }
        conditions.tests =
            members.iter().map(|member| Tester::new(&member.test)).collect::<Option<Vec<_>>>()?;
        let may_tell = |first: u8| {
            let tells = |fact: &usize| members[*fact].test.may_begin(first);
            (0..members.len()).filter(tells).fold(0, |facts, fact| facts | 1 << fact)
        };
        conditions.told_by_first = (0..=u8::MAX).map(may_tell).collect();
        let mut places = HashMap::from([(Mark::default(), 0)]);
        for mark in of_symbol {
            let fresh = u16::try_from(conditions.marks.len()).ok()?;
            let place = *places.entry(mark).or_insert(fresh);
            if place == fresh {
                conditions.marks.push(mark);
            }
            conditions.of_symbol.push(place);
        }
        Some(conditions)
    }

    /// The place of a symbol's mark; 0 says nothing.
    #[inline]
    pub(super) fn place(&self, symbol: Symbol) -> u16 {
        self.of_symbol[usize::from(symbol.0)]
    }

    /// The place of the mark that a value has whose object says its name.
    pub(crate) fn held(&self) -> u16 {
        Self::HELD
    }

    pub(crate) fn is_held(&self, place: u16) -> bool {
        place == Self::HELD
    }

    #[inline]
    pub(crate) fn mark(&self, place: u16) -> Mark {
        self.marks[usize::from(place)]
    }

    /// Which containers one of the rules `slots` may take.
    pub(crate) fn taking(&self, slots: u64) -> Taking {
        match (slots & self.of_containers, slots & self.of_numbers) {
            (0, 0) => Taking::Nothing,
            (0, _) => Taking::Numbers,
            _ => Taking::All,
        }
    }

    /// Those of the rules `slots` that may take a value of this kind at all, whatever stands beside it.
    pub(crate) fn fitting(&self, slots: u64, value: Candidate<'_>) -> u64 {
        let fits = |nth: &usize| match value {
            // PERF: whether it is prose is asked of the few that are taken.
            Candidate::Text(_) => !self.rules[*nth].1.vector,
            Candidate::Container(_) => self.rules[*nth].1.fits(value),
        };
        bits(slots.into()).filter(fits).fold(0, |fitting, nth| fitting | 1 << nth)
    }

    /// Those of the facts `asks` that a string tells.
    pub(crate) fn told(&self, asks: Facts, value: &[u8]) -> Facts {
        let may = value.first().map_or(0, |first| self.told_by_first[usize::from(*first)]);
        bits(asks & may).filter(|fact| self.tests[*fact].holds(value)).fold(0, |told, fact| told | 1 << fact)
    }

    /// The first of the rules `slots` that holds for a value, `level` objects below the one whose facts are given.
    pub(crate) fn holding(
        &self,
        slots: u64,
        facts: Facts,
        level: u8,
        in_list: bool,
        value: Candidate<'_>,
    ) -> Option<u16> {
        bits(slots.into()).map(|nth| &self.rules[nth]).find_map(|(rule, beside, mask)| {
            let holds = (facts & mask).count_ones() as usize >= beside.least
                && level <= beside.reach
                && (in_list || !beside.in_list)
                && beside.fits(value);
            holds.then_some(*rule)
        })
    }

    /// The first of the rules `slots` that would take the value if everything stood beside it: for where nobody can wait.
    pub(crate) fn unasked(&self, slots: u64, value: Candidate<'_>) -> Option<u16> {
        bits(slots.into())
            .map(|nth| &self.rules[nth])
            .find_map(|(rule, beside, _)| beside.fits(value).then_some(*rule))
    }

    /// The first of the rules `slots` that may take text at all.
    pub(crate) fn for_text(&self, slots: u64) -> Option<u16> {
        bits(slots.into())
            .map(|nth| &self.rules[nth])
            .find(|(_, beside, _)| !beside.vector)
            .map(|(rule, _, _)| *rule)
    }

    /// How far out the members of one of the rules may stand.
    pub(crate) fn reach(&self, slots: u64) -> u8 {
        bits(slots.into()).map(|nth| self.rules[nth].1.reach).max().unwrap_or(0)
    }
}

fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (bit < u128::BITS).then_some(bit as usize)
    })
}

/// A value that a rule may take, as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Candidate<'v> {
    /// Without quotes.
    Text(&'v [u8]),
    /// With its brackets; empty where they are not known yet.
    Container(&'v [u8]),
}

impl Beside {
    fn fits(&self, value: Candidate<'_>) -> bool {
        match value {
            Candidate::Text(text) => !self.vector && (!self.prose || is_prose(text)),
            Candidate::Container(container) => !self.prose && (!self.vector || is_vector(container)),
        }
    }
}

/// Words with blanks between them, and more than a label has: letters for the most part, and one of them first. Chinese, Japanese and
/// Thai are written without blanks.
pub(crate) fn is_prose(text: &[u8]) -> bool {
    let of_words = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || *byte == b' ';
    let first = text.iter().find(|byte| !b"\"' \\".contains(byte));
    text.len() >= PROSE_BYTES_MIN
        && (memchr::memchr(b' ', text).is_some()
            || text.iter().filter(|byte| !byte.is_ascii()).count() * 4 >= text.len() * 3)
        && first.is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        && text.iter().filter(|byte| of_words(byte)).count() * 100 >= text.len() * PROSE_LETTERS_PERCENT
}

/// An array of numbers, or of arrays of them, and long enough to say something.
pub(crate) fn is_vector(container: &[u8]) -> bool {
    is_of_numbers(container)
        && container.iter().filter(|byte| **byte == b',').count() + 1 >= VECTOR_NUMBERS_MIN
}

/// An array of numbers, or of arrays of them, with at least one.
pub(crate) fn is_of_numbers(container: &[u8]) -> bool {
    let of_numbers = |byte: &u8| byte.is_ascii_digit() || b"[],+-.eE \t\r\n".contains(byte);
    container.first() == Some(&b'[')
        && container.iter().all(of_numbers)
        && container.iter().any(u8::is_ascii_digit)
}

/// `{"0":137,"1":80,…}`, with as many members as the head of a file has.
pub(crate) fn is_byte_map(container: &[u8]) -> bool {
    let of_bytes = |byte: &u8| byte.is_ascii_digit() || b"{\":,}".contains(byte);
    container.iter().all(of_bytes)
        && container.iter().filter(|byte| **byte == b',').count() + 1 >= BYTE_MAP_MEMBERS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_or_refused() {
        for text in ["role", "role=user|assistant", "op^gen_ai|ai.", "url~api.example.com", "$ai_model"] {
            assert!(Member::parse(text).is_some(), "{text}");
        }
        for text in ["", "=user", "role=", "role=user|", "_"] {
            assert_eq!(Member::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_test_says_what_its_sign_means() {
        for (text, value, want) in [
            ("k=user|tool", "USER", true),
            ("k=user|tool", "users", false),
            ("k^gen_ai|ai.", "ai.generateText", true),
            ("k^gen_ai|ai.", "fair.play", false),
            ("k~api.example.com", "https://API.example.com/v1", true),
            ("k~api.example.com", "https://example.com/v1", false),
            ("k", "", true),
        ] {
            let member = Member::parse(text).expect("a member");
            let tester = Tester::new(&member.test).expect("few words");
            assert_eq!(tester.holds(value.as_bytes()), want, "{text} {value}");
            let may_begin = value.bytes().next().is_some_and(|first| member.test.may_begin(first));
            assert!(may_begin || !want || value.is_empty(), "{text} {value}");
        }
    }

    #[test]
    fn a_key_of_a_name_is_told_by_its_first_byte() {
        for (key, _) in Part::KEYS.iter().filter(|(_, part)| *part == Part::Name) {
            assert!(Part::may_begin_name(key[0]) && Part::may_begin_name(key[0].to_ascii_uppercase()));
        }
        for (first, want) in [(b'_', true), (b'\\', true), (0xc3, true), (b't', false), (b'7', false)] {
            assert_eq!(Part::may_begin_name(first), want);
        }
    }

    #[test]
    fn prose_is_words() {
        for (text, want) in [
            ("a teal fox on a bridge, painted in oil colours", true),
            ("'a teal fox on a bridge, painted in oil colours'", true),
            ("狐狸在桥上，用油画颜料画成的蓝绿色狐狸 在桥上", true),
            ("私の上司への謝罪メールを丁寧に書いてください", true),
            ("a teal fox", false),
            ("橋の上の狐", false),
            ("a-teal-fox-on-a-bridge-painted-in-oil-colours", false),
            ("<Generator object at 0x7f0000000000 of teal foxes>", false),
            ("SELECT id, name FROM foxes WHERE id = 4 AND x = 'a'", false),
            ("[{'role': 'user', 'content': 'a teal fox on a bridge'}]", false),
        ] {
            assert_eq!(is_prose(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn vectors_are_arrays_of_many_numbers() {
        for (text, want) in [
            ("[1,2,3,4,5,6,7,8]", true),
            ("[[0.1, -2e-3],[1,2],[3,4],[5,6]]", true),
            ("[1,2,3,4,5,6,7]", false),
            ("[1,2,3,4,5,6,7,\"8\"]", false),
            ("[1,2,3,4,5,6,7,null]", false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(is_vector(text.as_bytes()), want, "{text}");
        }
    }
}
