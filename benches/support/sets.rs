//! Parts of the embedded packs, and more patterns than they hold.
//!
//! Out: packs with the patterns that were asked for. Field rules stay whole: they are not what is counted.

#![allow(dead_code, reason = "every benchmark compiles all of this and uses its part")]

use crate::payload::event::Random;
use std::collections::HashSet;
use std::fmt::Write as _;
use tamis::pattern::{Author, Pack, pack};

/// One or two patterns of each kind that a scrubber cannot do without.
pub(crate) const TWENTY: [&str; 20] = [
    "email",
    "ip.v4",
    "ip.v6",
    "ip.mac",
    "phone.international",
    "payment.card",
    "payment.card_grouped",
    "payment.iban",
    "id.us.ssn",
    "credential.userinfo",
    "credential.jwt",
    "credential.bearer",
    "credential.assigned",
    "secret.private_key",
    "secret.aws.access_key",
    "secret.google.api_key",
    "secret.github.token",
    "secret.slack.token",
    "secret.stripe.key",
    "secret.openai.key",
];

/// `packs` with the patterns of those names alone. Panics if one is unknown: the list above is then out of date.
pub(crate) fn only(packs: &[Pack], names: &HashSet<&str>) -> Vec<Pack> {
    let known: HashSet<&str> = names_of(packs).into_iter().collect();
    let unknown: Vec<&&str> = names.iter().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "no pattern has the name {unknown:?}");
    packs
        .iter()
        .map(|pack| {
            let patterns = pack.patterns.iter().filter(|spec| names.contains(spec.name.as_str()));
            Pack { patterns: patterns.cloned().collect(), ..pack.clone() }
        })
        .collect()
}

/// `count` patterns of `packs`: [`TWENTY`], and of the others those that stand at equal distances.
pub(crate) fn spread(packs: &[Pack], count: usize) -> Vec<Pack> {
    let mut chosen: HashSet<&str> = TWENTY.into_iter().collect();
    let others: Vec<&str> = names_of(packs).into_iter().filter(|name| !chosen.contains(name)).collect();
    let more = count - chosen.len();
    chosen.extend((0..more).map(|nth| others[nth * others.len() / more]));
    only(packs, &chosen)
}

/// `packs` and as many invented tokens of vendors as make `count` patterns, each with a prefix of its own.
pub(crate) fn filled_up(packs: &[Pack], count: usize) -> Vec<Pack> {
    let missing = count.saturating_sub(names_of(packs).len());
    let mut random = Random::new(500);
    let (mut text, mut taken) = (String::new(), HashSet::new());
    while taken.len() < missing {
        let prefix = prefix(&mut random);
        if taken.insert(prefix.clone()) {
            token_pattern(&mut text, taken.len(), &prefix);
        }
    }
    let made = pack::parse(&text, "invented.toml").expect("the invented patterns are written as packs are");
    // As the embedded ones: an operator's own are also built and tried at the start, which is not what is measured.
    let made = Pack { author: Author::Tamis, ..made };
    packs.iter().cloned().chain([made]).collect()
}

/// `zuko_live_`, `bera-`: as vendors choose them, and no word of English.
fn prefix(random: &mut Random) -> String {
    const CONSONANTS: [&str; 16] =
        ["b", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "x", "z"];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    const TAILS: [&str; 6] = ["_", "_live_", "_key_", "-", "_pat_", "-sk-"];
    let mut prefix = String::new();
    for _ in 0..2 {
        prefix.push_str(random.pick(&CONSONANTS));
        prefix.push_str(random.pick(&VOWELS));
    }
    prefix.push_str(random.pick(&TAILS));
    prefix
}

fn token_pattern(out: &mut String, number: usize, prefix: &str) {
    let body = "Zq3xT7vB9mK2wR5yN8cF4hJ6pL1sD0gA";
    write!(
        out,
        "[[pattern]]\nname = \"invented.token_{number}\"\nclass = \"credential\"\n\
         regex = '\\b{prefix}[A-Za-z0-9]{{32}}\\b'\nwhy = \"A token that nobody issues.\"\n\
         hits = [\"key «{prefix}{body}» is old\"]\nmisses = [\"{prefix}short\"]\n\n"
    )
    .expect("a String takes all");
}

fn names_of(packs: &[Pack]) -> Vec<&str> {
    packs.iter().flat_map(|pack| &pack.patterns).map(|spec| spec.name.as_str()).collect()
}
