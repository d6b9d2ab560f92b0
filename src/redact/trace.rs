//! Why something was replaced or was not: what the engine tells when it is asked.
//!
//! In: calls from the engine at each hit and each refusal. Out: [`Event`]s, in the order of the scan. Nobody
//! asks in the proxy: the engine then holds no trace, and looks whether it does once per candidate or ruled
//! value, never per byte or string.
//!
//! LEAK: an event holds the value only if `reveal` was asked for, and cannot print it. Of keys, only those that
//! read like names in a program are shown.

use super::action::Action;
use super::plan::Plan;
use crate::pattern::{Class, DetectorIndex};
use crate::scan::context::Keys;
use std::fmt;

/// Longest key that is shown in a path.
const KEY_BYTES_MAX: usize = 64;
/// Digits in a row that make a key look like a number of somebody.
const KEY_DIGITS_MAX: usize = 3;

/// Why a candidate, or a value that a rule names, was left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The validator of the pattern says that it is none.
    Validator,
    /// No context word stands near.
    Context,
    /// It is a stand-in.
    StandIn,
    /// A field rule says that the protocol needs it as it is.
    Exempt,
    /// A short word under a key that the field rule spares.
    Keep,
    /// The policy keeps the class, or only scans it.
    Policy,
    /// The pattern is in shadow.
    Shadow,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Replaced, by this action.
    Hit(Action),
    /// Replaced, by this action, since a field of the same item says that it names somebody.
    Learnt(Action),
    /// Left, because of this.
    Miss(Stage),
    /// Replaced unread; the detector says why (see [`DetectorIndex::unscanned`]).
    Unscanned,
}

/// One hit or near miss.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// The item, counted from 1 in the order of the body.
    pub item: u64,
    /// The field path: `user.email`, `orders[2].note`; empty for a text.
    pub path: String,
    /// The encodings around the value, outermost first.
    pub layers: Vec<&'static str>,
    /// The pattern or field rule.
    pub detector: DetectorIndex,
    /// Its class; `None` for a rule of the policy's own.
    pub class: Option<Class>,
    /// What became of it.
    pub fate: Fate,
    /// Length of the value.
    pub bytes: usize,
    /// The value, if it may be shown.
    pub value: Option<Vec<u8>>,
}

impl Event {
    /// What became of it, in words.
    #[must_use]
    pub fn verdict(&self, plan: &Plan) -> String {
        let pattern = plan.set().patterns().get(usize::from(self.detector.0));
        match self.fate {
            Fate::Hit(action) => match pattern.and_then(|pattern| pattern.spec.validate.as_deref()) {
                Some(validator) => format!("replaced, {}, validator {validator} agrees", action.as_str()),
                None => format!("replaced, {}", action.as_str()),
            },
            Fate::Learnt(action) => {
                format!("replaced, {}, learnt from a field of that rule", action.as_str())
            }
            Fate::Unscanned => match self.detector {
                DetectorIndex::UNSCANNED_WORK => "replaced unread, too much work for one item",
                DetectorIndex::UNSCANNED_LAYERS => "replaced unread, too many encodings around it",
                DetectorIndex::UNSCANNED_DEPTH => "replaced unread, nested too deep",
                _ => "replaced unread, it cannot be read",
            }
            .to_owned(),
            Fate::Miss(Stage::Validator) => {
                match pattern.and_then(|pattern| pattern.spec.validate.as_deref()) {
                    Some(validator) => format!("left, validator {validator} refuses it"),
                    None => "left, an address of no person".to_owned(),
                }
            }
            Fate::Miss(Stage::Context) => "left, no context word near it or in its keys".to_owned(),
            Fate::Miss(Stage::StandIn) => "left, a stand-in already".to_owned(),
            Fate::Miss(Stage::Exempt) => "left, exempt".to_owned(),
            Fate::Miss(Stage::Keep) => "scanned, the rule keeps short words under this key".to_owned(),
            Fate::Miss(Stage::Policy) => "left, the policy keeps or only scans this class".to_owned(),
            Fate::Miss(Stage::Shadow) => "left, the pattern is in shadow".to_owned(),
        }
    }
}

/// The debug form shows no value.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} {:?} {:?} {:?})", self.path, self.layers, self.detector, self.fate)
    }
}

/// Gathers events of one body.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) reveal: bool,
    item: u64,
    path: String,
    layers: Vec<&'static str>,
    pub(crate) events: Vec<Event>,
}

/// Where a trace stood, to come back to.
#[derive(Debug)]
pub(super) struct Mark {
    path: String,
    events: usize,
}

impl Trace {
    pub(crate) fn new(reveal: bool) -> Self {
        Self { reveal, ..Self::default() }
    }

    /// Another item begins.
    pub(super) fn begin_item(&mut self) {
        self.item += 1;
        self.path.clear();
        self.layers.clear();
    }

    /// What follows is about the value that these keys lead to.
    pub(super) fn stand_at(&mut self, keys: &Keys<'_>) {
        self.path = keys.spell(|key| if self.reveal { lossy(key) } else { shown(key) });
    }

    pub(super) fn enter(&mut self, layer: &'static str) {
        self.layers.push(layer);
    }

    pub(super) fn leave(&mut self) {
        self.layers.pop();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { path: self.path.clone(), events: self.events.len() }
    }

    /// Goes back to where a document was begun; `undo` if it was none.
    pub(super) fn back_to(&mut self, mark: Mark, undo: bool) {
        self.path = mark.path;
        if undo {
            self.events.truncate(mark.events);
        }
    }

    pub(super) fn note(
        &mut self,
        detector: DetectorIndex,
        class: Option<Class>,
        fate: Fate,
        bytes: usize,
        value: Option<&[u8]>,
    ) {
        self.events.push(Event {
            item: self.item,
            path: self.path.clone(),
            layers: self.layers.clone(),
            detector,
            class,
            fate,
            bytes,
            value: value.filter(|_| self.reveal).map(<[u8]>::to_vec),
        });
    }
}

fn lossy(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// A key that reads like a name in a program, else its length.
fn shown(key: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(byte);
    let digits = key.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).max().unwrap_or(0);
    if !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.iter().all(is_plain) && digits <= KEY_DIGITS_MAX {
        lossy(key)
    } else {
        format!("<key of {} bytes>", key.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
    use super::*;
    use crate::pattern::{PatternSet, pack};
    use std::sync::Arc;

    const PACK: &str = r#"
[[pattern]]
name = "mail"
class = "email"
regex = '[a-z0-9]+@[a-z0-9.]+'
validate = "email"
why = "w"
hits = []
misses = []

[[pattern]]
name = "tax"
class = "national_id"
regex = 'foo[0-9]+'
context = { before = ["tax"] }
why = "w"
hits = []
misses = []

[[pattern]]
name = "new"
class = "phone"
regex = 'bar[0-9]+'
stability = "shadow"
why = "w"
hits = []
misses = []

[[pattern]]
name = "uid"
class = "user_id"
regex = 'uid[0-9]+'
why = "w"
hits = []
misses = []

[[field]]
name = "prompt"
class = "prompt_text"
paths = ["**.prompt"]
keep = ["role"]
why = "w"
hits = []
misses = []

[[field]]
name = "version"
kind = "exempt"
paths = ["release"]
why = "w"
hits = []
misses = []

[[field]]
name = "ids"
kind = "id"
paths = ["sid"]
why = "w"
hits = []
misses = []
"#;

    fn events(format: ItemFormat, item: &str, reveal: bool) -> Vec<Event> {
        let set = PatternSet::compile(&[pack::parse(PACK, "p.toml").expect("a pack")], &[]).expect("a set");
        let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
        let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
        let mut plain = Vec::new();
        scrubber.item(format, ItemScope::Any, item.as_bytes(), &mut plain);
        scrubber.explain(reveal);
        let mut out = Vec::new();
        scrubber.item(format, ItemScope::Any, item.as_bytes(), &mut out);
        assert_eq!(out, plain, "to be asked changes nothing");
        scrubber.take_events()
    }

    /// `path layers detector fate` of each event.
    fn told(format: ItemFormat, item: &str) -> Vec<String> {
        let names = ["mail", "tax", "new", "uid", "prompt", "version", "ids"];
        let line = |event: &Event| {
            let detector = names.get(usize::from(event.detector.0)).unwrap_or(&"unscanned");
            let fate = match event.fate {
                Fate::Hit(action) => action.as_str().to_owned(),
                Fate::Learnt(action) => format!("learnt, {}", action.as_str()),
                Fate::Miss(stage) => format!("{stage:?}"),
                Fate::Unscanned => "Unscanned".to_owned(),
            };
            [event.path.as_str(), &event.layers.join(">"), detector, &fate].join("|")
        };
        events(format, item, false).iter().map(line).collect()
    }

    /// What goes unread is counted by the bound that was met, so that hostile input is told from deep logs.
    #[test]
    fn what_goes_unread_names_its_bound() {
        use ItemFormat::{Json, Text};
        let slow = "[[pattern]]\nname='slow'\nclass='phone'\nregex='foo=[^ ]+'\ncontext={before=['bar']}\nwhy='w'\n\
                    hits=[]\nmisses=[]\n";
        let packs = [PACK, slow].map(|pack| pack::parse(pack, "p.toml").expect("a pack"));
        let set = PatternSet::compile(&packs, &[]).expect("a set");
        let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
        // Each start is read to the end of the text, and refused: the context word is too far away.
        let hostile = format!("[\"bar{}{}\", 4, \"jane@example.com\"]", ".".repeat(60), "foo=".repeat(6_000));
        for (format, item, want) in [
            (Json, r#"[[[{"a":"jane@example.com"}]]]"#, "unscanned.depth"),
            (Json, r#"{"a":"[\"[\\\"jane@example.com\\\"]\"]"}"#, "unscanned.layers"),
            (Text, "a\0jane@example.com", "unscanned"),
            (Json, &hostile, "unscanned.work"),
        ] {
            let limits = ScanLimits { depth_max: 2, layers_max: 1 };
            let mut scrubber = Scrubber::new(Arc::clone(&plan), limits);
            scrubber.explain(false);
            let mut out = Vec::new();
            scrubber.item(format, ItemScope::Any, item.as_bytes(), &mut out);
            assert!(memchr::memmem::find(&out, b"jane").is_none(), "{want}: {}", out.escape_ascii());
            let names: Vec<_> =
                scrubber.counts().iter().map(|count| plan.detector_name(count.detector)).collect();
            assert_eq!(names, [want]);
            let events = scrubber.take_events();
            let unread: Vec<_> = events.iter().filter(|event| event.fate == Fate::Unscanned).collect();
            assert!(
                !unread.is_empty() && unread.iter().all(|event| plan.detector_name(event.detector) == want)
            );
        }
    }

    #[test]
    fn every_hit_and_near_miss_is_told() {
        use ItemFormat::{Form, Json, Text};
        for (format, item, want) in [
            (Json, r#"{"user":{"mail":"jane@example.com"}}"#, vec!["user.mail||mail|token"]),
            (Json, r#"{"a":[1,{"b":"logo@2x.png"}]}"#, vec!["a[1].b||mail|Validator"; 1]),
            (Json, r#"{"a":"foo1"}"#, vec!["a||tax|Context"]),
            (Json, r#"{"tax":["x","foo1"]}"#, vec!["tax[1]||tax|token"]),
            (Json, r#"{"a":"bar1 uid1"}"#, vec!["a||new|Shadow", "a||uid|Policy"]),
            (
                Json,
                r#"{"a":"{\"b\":\"tax foo1\"}","c":"foo2"}"#,
                vec!["a.b|json escapes>json|tax|token", "c||tax|Context"],
            ),
            (Json, r#"{"a":"x%40: jane%40example.com"}"#, vec!["a|percent-encoding|mail|token"]),
            (
                Json,
                r#"{"prompt":{"text":"a fox","role":"user"}}"#,
                vec!["prompt.text||prompt|stats", "prompt.role||prompt|Keep"],
            ),
            (Json, r#"{"release":"app@1.2.3"}"#, vec!["release||version|Exempt"]),
            (Json, r#"{"sid":"foo1"}"#, vec!["sid||ids|Exempt"]),
            (Json, r#"{"sid":"17-jane@example.com"}"#, vec!["sid||mail|token"]),
            (Json, r#"{"sid":"17-jane%40example.com"}"#, vec!["sid|percent-encoding|mail|token"]),
            (Json, r#"{"prompt":"[prompt chars=3]"}"#, vec!["prompt||prompt|StandIn"]),
            (
                Json,
                r#"{"joe@example.com":"x","491511234567":"foo1"}"#,
                vec!["||mail|token", "<key of 12 bytes>||tax|Context"],
            ),
            (Text, "tax foo1, foo2", vec!["||tax|token", "||tax|token"]),
            (Form, "tax=foo1&b=foo2", vec!["tax|form|tax|token", "b|form|tax|Context"]),
            (Text, "nothing", vec![]),
        ] {
            assert_eq!(told(format, item), want, "{item}");
        }
    }

    #[test]
    fn values_are_held_only_if_asked_for() {
        let item = r#"{"a":"jane@example.com foo1"}"#;
        for reveal in [false, true] {
            let events = events(ItemFormat::Json, item, reveal);
            let values: Vec<_> = events.iter().map(|event| event.value.as_deref()).collect();
            let want: [Option<&[u8]>; 2] = [Some(b"foo1"), Some(b"jane@example.com")];
            assert_eq!(values, want.map(|value| value.filter(|_| reveal)));
            assert!(!format!("{events:?}").contains("jane"));
            assert_eq!(events[1].bytes, 16);
        }
    }
}
