//! Packs of patterns and field rules, compiled into one immutable set.
//!
//! A *pattern* says what personal data looks like, a *field rule* where it always is. Both are data in
//! `patterns/` (a file per theme, `tokens/` by kind of vendor, `vendors/` by service), embedded in the binary, each with its reason and
//! its own examples.

mod class;
mod context;
pub(crate) mod need;
pub mod pack;
pub mod probe;
mod regex;
pub mod roster;
pub mod schema;
pub mod selftest;
mod set;

pub use class::Class;
pub(crate) use context::{Context, Letter, Words};
pub use pack::{FieldSpec, Pack, PackProblem};
pub use roster::{Author, Roster};
pub(crate) use set::{FieldKind, Reach, Scope};
pub use set::{FieldRule, Pattern, PatternSet, Stability};
use std::path::{Path, PathBuf};

/// Place of a pattern or field rule in its set. Valid for that set only, not across a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorIndex(pub u16);

impl DetectorIndex {
    /// Not a detector: something was replaced because nobody can read it (binary, cut, packed in a way that does not
    /// unpack).
    pub const UNSCANNED: Self = Self(u16::MAX);
    /// The same, because its containers are nested deeper than `depth_max`.
    pub const UNSCANNED_DEPTH: Self = Self(u16::MAX - 1);
    /// The same, because there are more encodings around it than `layers_max`.
    pub const UNSCANNED_LAYERS: Self = Self(u16::MAX - 2);
    /// The same, because the work allowed for its item was used up.
    pub const UNSCANNED_WORK: Self = Self(u16::MAX - 3);

    /// What stands for the name of a detector where something was replaced unread; `None` for a detector.
    #[must_use]
    pub fn unscanned(self) -> Option<&'static str> {
        match self {
            Self::UNSCANNED => Some("unscanned"),
            Self::UNSCANNED_DEPTH => Some("unscanned.depth"),
            Self::UNSCANNED_LAYERS => Some("unscanned.layers"),
            Self::UNSCANNED_WORK => Some("unscanned.work"),
            _ => None,
        }
    }
}

/// The packs in the binary, by file name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("patterns/network.toml", include_str!("../../patterns/network.toml")),
    ("patterns/contact.toml", include_str!("../../patterns/contact.toml")),
    ("patterns/payment.toml", include_str!("../../patterns/payment.toml")),
    ("patterns/identity.toml", include_str!("../../patterns/identity.toml")),
    ("patterns/secrets.toml", include_str!("../../patterns/secrets.toml")),
    ("patterns/handed.toml", include_str!("../../patterns/handed.toml")),
    ("patterns/commands.toml", include_str!("../../patterns/commands.toml")),
    ("patterns/bound.toml", include_str!("../../patterns/bound.toml")),
    ("patterns/calls.toml", include_str!("../../patterns/calls.toml")),
    ("patterns/settings.toml", include_str!("../../patterns/settings.toml")),
    ("patterns/keys.toml", include_str!("../../patterns/keys.toml")),
    ("patterns/otel.toml", include_str!("../../patterns/otel.toml")),
    ("patterns/media.toml", include_str!("../../patterns/media.toml")),
    ("patterns/objects.toml", include_str!("../../patterns/objects.toml")),
    ("patterns/tokens/code.toml", include_str!("../../patterns/tokens/code.toml")),
    ("patterns/tokens/run.toml", include_str!("../../patterns/tokens/run.toml")),
    ("patterns/tokens/data.toml", include_str!("../../patterns/tokens/data.toml")),
    ("patterns/tokens/observe.toml", include_str!("../../patterns/tokens/observe.toml")),
    ("patterns/tokens/message.toml", include_str!("../../patterns/tokens/message.toml")),
    ("patterns/tokens/work.toml", include_str!("../../patterns/tokens/work.toml")),
    ("patterns/tokens/trade.toml", include_str!("../../patterns/tokens/trade.toml")),
    ("patterns/tokens/model.toml", include_str!("../../patterns/tokens/model.toml")),
    ("patterns/prompts/otel-genai.toml", include_str!("../../patterns/prompts/otel-genai.toml")),
    ("patterns/prompts/openinference.toml", include_str!("../../patterns/prompts/openinference.toml")),
    ("patterns/prompts/openllmetry.toml", include_str!("../../patterns/prompts/openllmetry.toml")),
    ("patterns/prompts/vercel-ai.toml", include_str!("../../patterns/prompts/vercel-ai.toml")),
    ("patterns/prompts/sentry-ai.toml", include_str!("../../patterns/prompts/sentry-ai.toml")),
    ("patterns/prompts/posthog-ai.toml", include_str!("../../patterns/prompts/posthog-ai.toml")),
    ("patterns/prompts/langfuse.toml", include_str!("../../patterns/prompts/langfuse.toml")),
    ("patterns/prompts/langsmith.toml", include_str!("../../patterns/prompts/langsmith.toml")),
    ("patterns/prompts/platforms.toml", include_str!("../../patterns/prompts/platforms.toml")),
    ("patterns/prompts/gemini.toml", include_str!("../../patterns/prompts/gemini.toml")),
    ("patterns/prompts/chat.toml", include_str!("../../patterns/prompts/chat.toml")),
    ("patterns/prompts/anthropic.toml", include_str!("../../patterns/prompts/anthropic.toml")),
    ("patterns/prompts/providers.toml", include_str!("../../patterns/prompts/providers.toml")),
    ("patterns/prompts/image-video.toml", include_str!("../../patterns/prompts/image-video.toml")),
    ("patterns/prompts/keys.toml", include_str!("../../patterns/prompts/keys.toml")),
    ("patterns/prompts/text.toml", include_str!("../../patterns/prompts/text.toml")),
    ("patterns/prompts/unknown.toml", include_str!("../../patterns/prompts/unknown.toml")),
    ("patterns/sentry.toml", include_str!("../../patterns/sentry.toml")),
    ("patterns/vendors/clerk.toml", include_str!("../../patterns/vendors/clerk.toml")),
    ("patterns/vendors/stripe.toml", include_str!("../../patterns/vendors/stripe.toml")),
    ("patterns/vendors/gemini.toml", include_str!("../../patterns/vendors/gemini.toml")),
    ("patterns/vendors/cloudflare-r2.toml", include_str!("../../patterns/vendors/cloudflare-r2.toml")),
    ("patterns/vendors/vercel.toml", include_str!("../../patterns/vendors/vercel.toml")),
    ("patterns/vendors/sentry.toml", include_str!("../../patterns/vendors/sentry.toml")),
    ("patterns/vendors/openai.toml", include_str!("../../patterns/vendors/openai.toml")),
    ("patterns/vendors/anthropic.toml", include_str!("../../patterns/vendors/anthropic.toml")),
    ("patterns/vendors/supabase.toml", include_str!("../../patterns/vendors/supabase.toml")),
    ("patterns/vendors/posthog.toml", include_str!("../../patterns/vendors/posthog.toml")),
    ("patterns/vendors/segment.toml", include_str!("../../patterns/vendors/segment.toml")),
    ("patterns/vendors/langfuse.toml", include_str!("../../patterns/vendors/langfuse.toml")),
    ("patterns/vendors/langsmith.toml", include_str!("../../patterns/vendors/langsmith.toml")),
    ("patterns/tokens/named.toml", include_str!("../../patterns/tokens/named.toml")),
    ("patterns/prompts/frames.toml", include_str!("../../patterns/prompts/frames.toml")),
];

/// Files of a directory that are packs end in this.
pub const PACK_ENDING: &str = "toml";

/// Reads the embedded packs and those in `dirs`, compiles them, and tries the latter: their examples, and whether
/// their searches are linear.
///
/// The embedded packs were tried when this binary was built; `tamis check` does it again.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(dirs: &[PathBuf], disable: &[String]) -> Result<PatternSet, Vec<PackProblem>> {
    let mut packs = embedded()?;
    let (own, mut problems) = read_dirs(dirs);
    packs.extend(own.iter().cloned());
    // What cannot be read may have held the names to disable.
    let disable = if problems.is_empty() { disable } else { &[] };
    let compiled = PatternSet::compile(&packs, disable);
    let tried = [selftest::run(&own).problems, probe::run(&own)].concat();
    match compiled {
        Ok(set) if problems.is_empty() && tried.is_empty() => return Ok(set),
        Ok(_) => {}
        Err(found) => problems.extend(found),
    }
    problems.extend(tried);
    Err(problems)
}

/// Reads every `*.toml` of the directories, by name.
///
/// # Errors
/// A directory or file that cannot be read, and everything wrong in one that can.
pub fn from_dirs(dirs: &[PathBuf]) -> Result<Vec<Pack>, Vec<PackProblem>> {
    let (packs, problems) = read_dirs(dirs);
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}

/// What can be read of the directories, and what is wrong with the rest.
fn read_dirs(dirs: &[PathBuf]) -> (Vec<Pack>, Vec<PackProblem>) {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    let unreadable = |path: &Path, error: &std::io::Error| {
        let place = pack::Place { origin: path.display().to_string(), line: 1, column: 1 };
        place.problem(format!("cannot be read: {error}"))
    };
    for dir in dirs {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(dir) {
            Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
            Err(error) => {
                problems.push(unreadable(dir, &error));
                continue;
            }
        };
        files.retain(|path| path.extension().is_some_and(|ending| ending == PACK_ENDING));
        files.sort();
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => match pack::parse(&text, &file.display().to_string()) {
                    Ok(pack) => packs.push(pack),
                    Err(found) => problems.extend(found),
                },
                Err(error) => problems.push(unreadable(&file, &error)),
            }
        }
    }
    (packs, problems)
}

/// Reads the embedded packs.
///
/// # Errors
/// As [`pack::parse`]; a released binary never returns one, its tests saw to that.
pub fn embedded() -> Result<Vec<Pack>, Vec<PackProblem>> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    for (origin, text) in EMBEDDED {
        match pack::parse(text, origin) {
            Ok(pack) => packs.push(Pack { author: Author::Tamis, ..pack }),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pack that cannot be read, one that does not compile, and one whose example fails and whose search is slow: each was told
    /// only once the ones before it were mended.
    #[test]
    fn all_problems_of_all_packs_are_told_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let entry = |name: &str, regex: &str, hits: &str, more: &str| {
            format!(
                "[[pattern]]\nname = '{name}'\nclass = 'email'\nregex = '{regex}'\nwhy = 'w'\nhits = [\n  'a «foo1»',\n  {hits}\n]\nmisses = []\n{more}\n"
            )
        };
        for (file, text) in [
            ("a.toml", "[[pattern]\n".to_owned()),
            ("b.toml", entry("b", "foo(1", "", "")),
            ("c.toml", entry("c", "foo[0-9]", "'«foo1» foo2'", "")),
            ("d.toml", entry("d", "foo=[^ ]+", "", "context = { before = ['id'] }")),
        ] {
            std::fs::write(dir.path().join(file), text).expect("a file");
        }
        let told =
            load(&[dir.path().to_owned()], &["nobody".to_owned()]).expect_err("four problems and more");
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        let has = |part: &str| assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
        has("a.toml:1:11: ");
        has("b.toml:4:9: pattern `b`: the regex does not parse: unclosed group, at byte 3: `(`");
        has("c.toml:8:3: example `«foo1» foo2`: should be found at bytes [0..4], was found at [0..4, 5..9]");
        has("d.toml:4:9: pattern `d`: its search is not linear");
    }

    #[test]
    fn every_embedded_pattern_is_led_to_by_a_trigger() {
        let set = PatternSet::compile(&embedded().expect("the packs are read"), &[]).expect("they compile");
        let slow: Vec<&str> =
            set.everywhere.iter().map(|index| set.patterns[usize::from(*index)].name.as_str()).collect();
        assert!(slow.is_empty(), "looked for in every text: {slow:?}");
    }
}
