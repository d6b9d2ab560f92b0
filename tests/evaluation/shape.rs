//! Text with holes for random characters: `{h32}` is 32 hex digits, `{uuid}` a UUID, `{#0-255}` a number.

use super::random::{ALNUM, BASE36, DIGIT, HEX, LOWER, Random, UPPER, UPPER_HEX, UPPER36, URL64};

/// Fills the holes of a shape: a letter for the alphabet and a count.
pub(crate) fn filled(random: &mut Random, shape: &str) -> String {
    let mut out = String::new();
    let mut rest = shape;
    while let Some((before, hole)) = rest.split_once('{') {
        let (hole, tail) = hole.split_once('}').expect("a hole ends");
        out.push_str(before);
        out.push_str(&hole_filled(random, hole));
        rest = tail;
    }
    out + rest
}

fn hole_filled(random: &mut Random, hole: &str) -> String {
    let (letter, count) = hole.split_at(1);
    if letter == "#" {
        let (first, last) = count.split_once('-').expect("a range has two ends");
        let [first, last] = [first, last].map(|end| end.parse().expect("an end is a number"));
        return random.between(first, last).to_string();
    }
    let alphabet = match letter {
        "h" => HEX.to_owned(),
        "H" => UPPER_HEX.to_owned(),
        "d" => DIGIT.to_owned(),
        "n" => ALNUM.to_owned(),
        "l" => [LOWER, UPPER].concat(),
        "a" => LOWER.to_owned(),
        "b" => BASE36.to_owned(),
        "U" => UPPER36.to_owned(),
        // Base 32 (RFC 4648) and that of bech32 (BIP 173) in capitals.
        "B" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_owned(),
        "A" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
        _ => URL64.to_owned(),
    };
    match count.parse() {
        Ok(count) => solid(random, &alphabet, count),
        Err(_) => random.uuid(),
    }
}

/// Random text that neither begins nor ends with `-` or `_`: where such a token ends nobody can say.
fn solid(random: &mut Random, alphabet: &str, count: usize) -> String {
    loop {
        let text = random.text(alphabet, count);
        if !text.starts_with(['-', '_']) && !text.ends_with(['-', '_']) {
            return text;
        }
    }
}
