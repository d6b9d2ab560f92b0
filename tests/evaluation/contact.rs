//! Mail addresses under names set aside for examples, and telephone numbers from ranges set aside for drama.

use super::plant::Plant;
use super::random::{ALNUM, BASE36, Random};

const FIRST: &[&str] = &[
    "mira",
    "tomas",
    "ines",
    "oluwaseun",
    "jun",
    "wei",
    "katarzyna",
    "pierre-luc",
    "xochitl",
    "nguyen",
    "zoe",
    "a",
    "noor",
    "bjarne",
    "saoirse",
    "lakshmi",
    "dmitri",
    "yui",
    "fatima",
    "j",
];
const LAST: &[&str] = &[
    "kovalenko",
    "brightwater",
    "o'hara",
    "van.den.berg",
    "lindqvist",
    "esposito",
    "nakagawa",
    "mensah",
    "petrovic",
    "guzman",
    "szymanska",
    "thistlewood",
    "al-rashid",
    "quill",
    "yilmaz",
    "haddad",
    "osei",
    "farrow",
];
const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "eu.mail.example.org",
    "corp-mail.example.net",
    "kestrel.example",
    "firma-nord.example",
    "a.b.c.example.com",
    "EXAMPLE.COM",
    "123.example.org",
    "xn--bcher-kva.example",
];

/// A local part that no other text holds.
fn local(random: &mut Random) -> (&'static str, String) {
    let (first, last) = (*random.pick(FIRST), *random.pick(LAST));
    let number = random.digits(4);
    match random.below(40) {
        0..=4 => ("plain", format!("{first}.{last}{number}")),
        5..=8 => (
            "plus tag",
            format!("{first}.{last}+{}{number}", random.pick(&["news", "shop", "a.b", "test-1"])),
        ),
        9..=12 => ("underscore", format!("{first}_{last}_{number}")),
        13..=16 => ("dash", format!("{first}-{last}-{number}")),
        17..=20 => ("upper case", format!("{first}.{last}{number}").to_uppercase()),
        21..=24 => ("digits", random.digits(9)),
        25..=28 => ("random", random.text(ALNUM, 18)),
        29..=32 => ("begins with a digit", format!("{number}{last}")),
        33 => ("symbols", format!("{first}{}{last}{number}", random.pick(&["~", "!", "$", "*", "^"]))),
        34 => ("bounce", format!("bounces+{number}-{first}.{last}=mail.example.org")),
        _ => ("relay", format!("{}-{}", random.text(BASE36, 10), random.text(BASE36, 4))),
    }
}

pub(crate) fn email(random: &mut Random) -> Plant {
    let (form, name) = local(random);
    let domain = *random.pick(DOMAINS);
    // What bounces name is a person; where that person's mail is, many know.
    let core = name.split('=').next().expect("a first part").to_owned();
    match random.below(20) {
        0 => {
            let name = format!("j\u{f6}rg.m\u{fc}ller{}", random.digits(5));
            Plant::part("not ASCII", format!("{name}@b\u{fc}cher.example"), name)
        }
        1 => Plant::part("IDN", format!("{name}@\u{4f8b}\u{3048}.example"), core),
        2 => {
            let name = random.text(ALNUM, 8);
            Plant::part("quoted", format!("\"{name} x\"@{domain}"), name)
        }
        3 => {
            let name = random.text(BASE36, 12);
            Plant::part("full-width at", format!("{name}\u{ff20}{domain}"), name)
        }
        4 => Plant::part("mailto", format!("{name}@{domain}"), core).led_by("mailto:"),
        5 => {
            let shown = format!("<{name}@{domain}>");
            Plant::part("in angles", shown, core)
        }
        6 => {
            let name = random.text(BASE36, 11);
            Plant::part("spelled out", format!("{name} [at] example [dot] org"), name)
        }
        7 => Plant::part("address literal", format!("{name}@[192.0.2.{}]", random.between(1, 254)), core),
        _ => Plant::part(form, format!("{name}@{domain}"), core),
    }
}

/// Templates of numbers; `#` is any digit. What comes before the bar belongs to the range that a regulator
/// keeps free for films and books where there is one.
const INTERNATIONAL: &[&str] = &[
    "+1 202-555-01##",
    "+1 (312) 555-01##",
    "+121255501##",
    "+1.415.555.01##",
    "+44 20 7946 0###",
    "+44 7700 900###",
    "+447700900###",
    "+44 (0)131 496 0###",
    "+49 30 23125 ###",
    "+49 (0)89 99998-###",
    "+4917604069###",
    "+33 1 99 00 ## ##",
    "+33199 00####",
    "+33 6 39 98 ## ##",
    "+61 491 570 1##",
    "+61 2 5550 ####",
    "+353 20 910 ####",
    "+46 70 174 06 ##",
    "+46-8-465 004 ##",
    "+31 20 555 ####",
    "+41 44 668 18 ##",
    "+43 1 234567#",
    "+39 06 5555 ####",
    "+34 612 34 5# ##",
    "+48 22 555 ## ##",
    "+55 11 95555-####",
    "+91 98765 4####",
    "+81 3-5555-####",
    "+86 138 0013 8###",
    "+7 495 555-##-##",
    "+90 212 555 ## ##",
    "+972 3-555-####",
    "+27 21 555 ####",
    "+52 55 5555 ####",
    "0049 30 23125###",
    "tel:+1-201-555-01##",
];
const NATIONAL: &[(&str, &str)] = &[
    ("call ", "(202) 555-01##"),
    ("phone: ", "212-555-01##"),
    ("phone=", "415.555.01##"),
    ("Tel. ", "020 7946 0###"),
    ("mobile ", "07700 900###"),
    ("Tel.: ", "030 23125 ###"),
    ("Telefon: ", "089/99998###"),
    ("t\u{e9}l : ", "01 99 00 ## ##"),
    ("t\u{e9}l\u{e9}phone ", "06.39.98.##.##"),
    ("mobile number ", "0491 570 1##"),
    ("tel\u{e9}fono ", "612 34 5# ##"),
    ("fax ", "(312) 555-01##"),
];

pub(crate) fn phone(random: &mut Random) -> Plant {
    let (form, lead, template) = if random.one_in(3) {
        let (lead, template) = *random.pick(NATIONAL);
        ("national", lead, template)
    } else {
        ("international", "", *random.pick(INTERNATIONAL))
    };
    let text: String = template
        .chars()
        .map(|c| if c == '#' { char::from(b"0123456789"[random.below(10)]) } else { c })
        .collect();
    let core = text.trim_start_matches("tel:").trim_start_matches('+').to_owned();
    Plant { in_pieces: false, ..Plant::part(form, text, core) }.led_by(lead)
}
