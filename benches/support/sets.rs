//! Parts of the embedded packs.
//!
//! Out: packs with the patterns that were asked for. Field rules stay whole: they are not what is counted.

#![allow(dead_code, reason = "every benchmark compiles all of this and uses its part")]

use std::collections::HashSet;
use tamis::pattern::Pack;

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

fn names_of(packs: &[Pack]) -> Vec<&str> {
    packs.iter().flat_map(|pack| &pack.patterns).map(|spec| spec.name.as_str()).collect()
}
