//! Cards whose last digit is Luhn's, and accounts whose check digits are ISO 7064's.

use super::plant::Plant;
use super::random::{DIGIT, Random, UPPER, UPPER36};

/// First digits (ISO/IEC 7812 issuer ranges as the schemes publish them) and all lengths in use.
const SCHEMES: &[(&str, &[&str], &[usize])] = &[
    ("Visa", &["4"], &[16, 16, 16, 16, 19]),
    ("Mastercard", &["51", "52", "53", "54", "55", "2221", "2345", "2699", "2720"], &[16]),
    ("American Express", &["34", "37"], &[15]),
    ("Discover", &["6011", "644", "649", "65"], &[16]),
    ("Diners Club", &["300", "305", "36", "38"], &[14]),
    ("JCB", &["3528", "3540", "3589"], &[16]),
    ("UnionPay", &["6212", "6222", "6258", "62"], &[16, 19]),
    ("Maestro", &["6759", "6761", "6763", "5018", "6304"], &[16]),
    ("Mir", &["2200", "2204"], &[16]),
    ("RuPay", &["6521", "8172"], &[16]),
    ("Elo", &["636368", "438935", "504175"], &[16]),
    ("Hipercard", &["606282"], &[16]),
    ("Troy", &["9792"], &[16]),
    ("Verve", &["506099", "650002"], &[16]),
];

/// The digit that makes the sum of the whole a multiple of ten.
pub(crate) fn luhn(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (u32::from(digit - b'0'), at % 2) {
            (d, 0) if d > 4 => 2 * d - 9,
            (d, 0) => 2 * d,
            (d, _) => d,
        })
        .sum();
    char::from(b"0987654321"[(sum % 10) as usize])
}

/// A number of one scheme.
pub(crate) fn number(random: &mut Random) -> (&'static str, String) {
    let (scheme, prefixes, lengths) = *random.pick(SCHEMES);
    let (prefix, length) = (*random.pick(prefixes), *random.pick(lengths));
    let mut digits = format!("{prefix}{}", random.digits(length - prefix.len() - 1));
    digits.push(luhn(&digits));
    (scheme, digits)
}

pub(crate) fn card(random: &mut Random) -> Plant {
    let (scheme, digits) = number(random);
    let text = match random.below(6) {
        0 => grouped(&digits, " "),
        1 => grouped(&digits, "-"),
        2 => grouped(&digits, "\u{a0}"),
        _ => digits,
    };
    let lead =
        if random.one_in(5) { *random.pick(&["card ", "card number: ", "pan=", "Karte "]) } else { "" };
    Plant::whole(scheme, text).led_by(lead)
}

/// As it is embossed: 4-6-5, 4-6-4, or fours.
fn grouped(digits: &str, blank: &str) -> String {
    let groups: &[usize] = match digits.len() {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        16 => &[4, 4, 4, 4],
        _ => &[4, 4, 4, 4, 3],
    };
    let mut rest = digits;
    let parts: Vec<&str> = groups
        .iter()
        .map(|group| {
            let (part, tail) = rest.split_at(*group);
            rest = tail;
            part
        })
        .collect();
    parts.join(blank)
}

/// Basic bank account numbers by the SWIFT registry: `n` digits, `a` capitals, `c` either:
/// banks write a code of two or three letters first there, if any, as of a currency.
const IBANS: &[&str] = &[
    "DE18n",
    "FR10n11c2n",
    "GB4a14n",
    "NL4a10n",
    "ES20n",
    "IT1a10n12c",
    "CH5n12c",
    "AT16n",
    "BE12n",
    "PL24n",
    "SE20n",
    "NO11n",
    "DK14n",
    "FI14n",
    "IE4a14n",
    "PT21n",
    "CZ20n",
    "HU24n",
    "RO4a16c",
    "GR7n16c",
    "LU3n13c",
    "MT4a5n18c",
    "CY8n16c",
    "HR17n",
    "SI15n",
    "SK20n",
    "EE16n",
    "LV4a13c",
    "LT16n",
    "BG4a6n8c",
    "TR6n16c",
    "UA6n19c",
    "SA2n18c",
    "AE19n",
    "IL19n",
    "BR23n1a1c",
    "LI5n12c",
    "MC10n11c2n",
    "SM1a10n12c",
    "IS22n",
    "GI4a15c",
    "AD8n12c",
    "KZ3n13c",
    "RS18n",
    "BA16n",
    "AL8n16c",
    "MD20c",
    "GE2a16n",
    "PK4a16c",
    "QA4a21c",
    "KW4a22c",
    "JO4a4n18c",
    "BH4a14c",
    "LB4n20c",
    "TN20n",
    "EG25n",
    "MU4a19n3a",
    "FO14n",
    "GL14n",
    "ME18n",
    "MK3n10c2n",
    "AZ4a20c",
    "DO4c20n",
    "CR18n",
];

/// An account of any country, without blanks.
pub(crate) fn account(random: &mut Random) -> String {
    let (country, mut shape) = random.pick(IBANS).split_at(2);
    let mut bban = String::new();
    while let Some(at) = shape.find(|c: char| c.is_ascii_lowercase()) {
        let count: usize = shape[..at].parse().expect("a count stands before its letter");
        let alphabet = match &shape[at..=at] {
            "n" => DIGIT,
            "a" => UPPER,
            _ => UPPER36,
        };
        let letters = if count > 10 { *random.pick(&[0, 0, 0, 2, 3]) } else { 0 };
        for at in 0..count {
            let alphabet = match alphabet {
                UPPER36 if at < letters => UPPER,
                UPPER36 => DIGIT,
                other => other,
            };
            bban.push(char::from(*random.pick(alphabet.as_bytes())));
        }
        shape = &shape[at + 1..];
    }
    let rest = format!("{bban}{country}00")
        .chars()
        .map(|c| c.to_digit(36).expect("letters and digits"))
        .fold(0, |rest, value| (if value > 9 { rest * 100 } else { rest * 10 } + value) % 97);
    format!("{country}{:02}{bban}", 98 - rest)
}

pub(crate) fn iban(random: &mut Random) -> Plant {
    let bare = account(random);
    let fours = |blank: &str| {
        let groups: Vec<&str> =
            (0..bare.len()).step_by(4).map(|at| &bare[at..bare.len().min(at + 4)]).collect();
        groups.join(blank)
    };
    let plant = match random.below(8) {
        0 | 1 => Plant::whole("in fours", fours(" ")),
        2 => Plant::whole("in fours, dashes", fours("-")),
        3 => Plant::whole("in fours, hard blanks", fours("\u{a0}")),
        4 => Plant::whole("lower case", bare.to_lowercase()),
        _ => Plant::whole("compact", bare),
    };
    let lead =
        if random.one_in(4) { *random.pick(&["IBAN ", "IBAN: ", "iban=", "Kontonummer "]) } else { "" };
    Plant { in_pieces: true, ..plant }.led_by(lead)
}
