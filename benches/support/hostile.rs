//! Inputs built to cost much and hold nothing, the same for the same seed on every machine.
//!
//! Out: JSON items of about the bytes that were asked for. Each aims at one thing that the engine does more than once
//! per byte: a search that goes on and on, a layer that opens another, what is done once per string or per candidate.
//! What they are built from is no secret of the engine's: whoever sends events can try as we did.
//! No generator plants anything personal. Where a bound of the engine ends the work, the item changes; nothing is found.

use crate::payload::event::Random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;

/// A way to build an item of about so many bytes.
pub(crate) struct Hostile {
    /// What it is.
    pub(crate) name: &'static str,
    /// What it aims at.
    pub(crate) aim: &'static str,
    /// Builds it.
    pub(crate) make: fn(usize) -> Vec<u8>,
}

const fn hostile(name: &'static str, aim: &'static str, make: fn(usize) -> Vec<u8>) -> Hostile {
    Hostile { name, aim, make }
}

/// All of them.
pub(crate) const ALL: &[Hostile] = &[
    hostile("baits", "a trigger of every kind, eight to a string", crate::payload::event::hostile_json),
    // Runs of what one trigger asks about.
    hostile("dots", "a dot is a trigger, and part of a run of digits", |n| long("1.", n)),
    hostile("dots, cut", "the same in runs of 60 bytes", |n| {
        long("1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1 x ", n)
    }),
    hostile("dotted", "refused IPv4 addresses, overlapping", |n| long("999.", n)),
    hostile("colons", "refused IPv6 addresses", |n| long("1:", n)),
    hostile("colons, double", "starts of IPv6 addresses", |n| long("a::", n)),
    hostile("digits", "a long number, all context words in the item", |n| with_words(&long("1234567", n))),
    hostile("digits, parted", "numbers of every length, all context words in the item", |n| {
        with_words(&long("12 345-67.8901/", n))
    }),
    hostile("digits, short strings", "a number in every string, all context words in the item", |n| {
        with_words(&short("12345678", n))
    }),
    // Mail.
    hostile("at", "addresses without a dot", |n| long("a@", n)),
    hostile("mail, no address", "almost addresses, one behind the other", |n| long("a@a.a@", n)),
    hostile("mail, files", "addresses that the validator refuses", |n| long("a.png@a.png ", n)),
    hostile("mail, long file", "one refused address, tried from each of its letters", mail_long_file),
    hostile("mail, states", "marks by chance, so that no state of the search comes twice", |n| {
        of_marks(b"ab.+=-_'", b"@-", n)
    }),
    hostile("mail, spelled", "`at` and `dot` with nothing around", |n| long("a at b dot ", n)),
    // Tokens.
    hostile("eyJ", "starts of one token, inside each other", |n| long("eyJ-", n)),
    hostile("tokens", "prefixes of many tokens, inside each other", |n| {
        long("sk-ghp_xoxb-eyJ-AKIA-glpat-pk.AIza-", n)
    }),
    hostile("assigned", "names of secrets, without a value", |n| long("password=", n)),
    hostile("assigned, joined", "one long name of names of secrets", |n| {
        long("passwordtokensecretapi_key_", n)
    }),
    hostile("bearer", "a keyword and a short value", |n| long("bearer basic token ", n)),
    hostile("pem", "headers of keys without a body", |n| long("-----BEGIN PRIVATE KEY-----", n)),
    hostile("user info", "URLs without user information", |n| long("a://b", n)),
    hostile("user info, long", "URLs with half of it", |n| long(&format!("a://{}@ ", "b".repeat(500)), n)),
    // Layers.
    hostile("percent", "percent-encoding, as deep as it is read", |n| long("%2525252541", n)),
    hostile("escapes", "JSON escapes in every string", |n| short(r"\\u005cu0041", n)),
    hostile("html", "references, as deep as they are read", |n| long("&amp;amp;amp;amp;#65;", n)),
    hostile("layers", "three encodings side by side, in any order", |n| {
        long(r"%252525252541 &amp;amp;amp;amp;#65; \\u005cu005cu005cu0041 ", n)
    }),
    hostile("layers, short", "the same in short strings", |n| {
        short(r"%2525252541 &amp;amp;amp;#65; \\u005cu005cu0041", n)
    }),
    hostile(
        "layers, one string",
        "the same in one string and nothing else, so that it may use what a small item may",
        |_| long(r"%2525252541&amp;amp;amp;#65;\\u005cu005cu0041", 48),
    ),
    hostile("documents", "JSON in strings, as deep as it is read", |n| nested(n, "")),
    hostile("documents, broken", "the same, broken at its end", |n| nested(n, "]")),
    hostile("brackets", "what may be a stand-in, inside each other", |n| {
        long("a=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x] ", n)
    }),
    hostile("base64", "text in base64 in which nothing is", base64_text),
    hostile("base64, near misses", "letters that say text for a while", base64_cut),
    hostile("base64, in base64", "as deep as it is read", base64_deep),
    hostile("gzip", "blanks packed into 150 letters", |n| bombs(" ", n)),
    hostile("gzip, dots", "`dots` packed into 150 letters", |n| bombs("1.", n)),
    hostile("gzip, pairs", "`pairs` packed into 150 letters", |n| bombs("a='b' ", n)),
    hostile("data URIs", "said to be text", |n| long("data:text/plain;base64,AAAA ", n)),
    // Printed structures.
    hostile("pairs", "names and values that no rule knows", |n| long("a=b&", n)),
    hostile("pairs, named", "a name that a rule knows, and no value", |n| long("email= password: ", n)),
    hostile("pairs, quoted", "printed strings in printed strings", |n| {
        long(r"a='b=\\'c=\\\\\\'d\\\\\\'\\'' email= ", n)
    }),
    hostile("pairs, open", "quotes that nobody closes", |n| long("email='a \\\"b ", n)),
    hostile("pairs, brackets", "containers that nobody closes", |n| long("email={a:[(", n)),
    hostile("php", "serialised PHP with lengths that are wrong", |n| {
        long("s:5:\\\"email\\\";s:9:\\\"a\\\";", n)
    }),
    hostile("php, nested", "lengths around many edits", php_nested),
    // Structure.
    hostile("keys", "every key another one", keys),
    hostile("keys, short numbers", "a number in every string below sixteen long keys", |n| {
        below_keys("\"1234567\",", n)
    }),
    hostile("keys, checked numbers", "numbers whose check digits are right, below sixteen long keys", |n| {
        below_keys("\"123456782\",\"111111110\",", n)
    }),
    hostile("deep", "brackets past the depth that is read", |n| deep(n, b'[', b']')),
    hostile("tiny, at", "a trigger in every string of one byte", |n| short("@", n)),
    hostile("tiny, percent", "a layer in every string of three bytes", |n| short("%41", n)),
    hostile("tiny, pairs", "a pair in every string", |n| short("id=", n)),
    hostile("tiny, documents", "what begins as a document in every string", |n| short("{\\\"", n)),
];

/// One string that says `unit` over and over.
fn long(unit: &str, bytes: usize) -> Vec<u8> {
    let times = (bytes / unit.len()).max(1);
    format!("{{\"a\":\"{}\"}}", unit.repeat(times)).into_bytes()
}

/// Strings that say `unit` each.
fn short(unit: &str, bytes: usize) -> Vec<u8> {
    let times = (bytes / (unit.len() + 3)).max(1);
    let strings = vec![format!("\"{unit}\""); times].join(",");
    format!("[{strings}]").into_bytes()
}

/// `item` beside context words of many patterns, far from any number.
fn with_words(item: &[u8]) -> Vec<u8> {
    const WORDS: &str = "ssn tax id taxpayer tin steuer nir dni nif nie pesel bsn niss personnummer fnr cpr hetu kennitala \
         personal code birth number svnr ahv oib jmbg cnp egn amka pps snils tckn cpf cuit rut sin aadhaar my number rrn \
         nric medicare tfn id number phone tel mobile call fax card account iban passport";
    let item = String::from_utf8_lossy(item);
    format!("[\"{WORDS}\",\"{}\",{item}]", "-".repeat(300)).into_bytes()
}

/// Letters of `marks` by chance, in runs of 4,000 that end with `end`.
fn of_marks(marks: &[u8], end: &[u8], bytes: usize) -> Vec<u8> {
    let mut random = Random::new(3);
    let mut text = String::with_capacity(bytes + 8);
    while text.len() < bytes {
        for _ in 0..bytes.min(4000) {
            let mark = marks[usize::try_from(random.below(marks.len() as u64)).unwrap_or(0)];
            text.push(char::from(mark));
        }
        text.extend(end.iter().map(|byte| char::from(*byte)));
        text.push(' ');
    }
    format!("[\"{text}\"]").into_bytes()
}

fn mail_long_file(bytes: usize) -> Vec<u8> {
    let domain = "b".repeat((bytes / 2).clamp(16, 1000));
    long(&format!("{}@{domain}.png ", "a".repeat(127)), bytes)
}

/// A document in a string in a document, four times; each ends with `tail`.
fn nested(bytes: usize, tail: &str) -> Vec<u8> {
    let mut text = format!("[\"{}\"]{tail}", "a@b ".repeat((bytes / 4 / 4).max(1)));
    for _ in 0..3 {
        let inner = serde_json::to_string(&text).expect("a string is JSON");
        text = format!("[{inner},\"x\"]{tail}");
    }
    serde_json::to_vec(&[text]).expect("a string is JSON")
}

fn base64_text(bytes: usize) -> Vec<u8> {
    long(&format!("{} ", STANDARD.encode("nothing to be seen here, a@b 1.2.3 and a::b, go on ")), bytes)
}

/// Text in base64 up to a place, then bytes that are none, and marks at which it might have been cut.
fn base64_cut(bytes: usize) -> Vec<u8> {
    let mut plain = b"nothing to be seen here?>?>?>?>?>?>?>?>?>".to_vec();
    plain.extend([0xff, 0xfe, 0, 1]);
    long(STANDARD.encode(plain).trim_end_matches('='), bytes)
}

fn base64_deep(bytes: usize) -> Vec<u8> {
    let mut text = "a@b ".repeat((bytes / 10).max(4));
    for _ in 0..4 {
        text = STANDARD.encode(text);
    }
    long(&text, text.len())
}

/// Runs of base64 around gzip around `unit` over and over: up to 64 KiB, which are unpacked whatever the ratio.
fn bombs(unit: &str, bytes: usize) -> Vec<u8> {
    let plain_bytes = (16 * bytes).min(64 << 10);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(unit.repeat(plain_bytes / unit.len()).as_bytes()).expect("a Vec takes all");
    let packed = gzip.finish().expect("a Vec takes all");
    long(&format!("{} ", STANDARD.encode(packed)), bytes)
}

/// Strings of serialised PHP in each other, every length right, addresses to replace in the innermost: every length around
/// has to be corrected.
fn php_nested(bytes: usize) -> Vec<u8> {
    let inside = "a@example.com ".repeat((bytes / 2 / 14).max(1));
    let (mut heads, mut length) = (Vec::new(), inside.len());
    while length < bytes {
        let head = format!("s:{length}:\\\"");
        // As PHP counts it: the quotes without the backslashes that JSON needs.
        length += head.len() - 1 + 2;
        heads.push(head);
    }
    heads.reverse();
    format!("[\"{}{inside}{}\"]", heads.concat(), "\\\";".repeat(heads.len())).into_bytes()
}

fn keys(bytes: usize) -> Vec<u8> {
    let mut random = Random::new(5);
    let mut text = String::from("{\"a\":0");
    while text.len() < bytes {
        write!(text, ",\"{:x}\":1", random.next()).expect("a String takes all");
    }
    text.push('}');
    text.into_bytes()
}

/// `items` over and over in an array below sixteen keys of 120 bytes, in which half of the words are of interest.
fn below_keys(items: &str, bytes: usize) -> Vec<u8> {
    const KEY: &str = "ssn_x tax_x id_x nif_x personal_x birth_x number_x sin_x tin_x national_x social_x medicar cpf1 dni1 rut1 a";
    let open = format!("{{\"{KEY}\":").repeat(16);
    let times = (bytes.saturating_sub(open.len()) / items.len()).max(1);
    format!("{open}[{}0]{}", items.repeat(times), "}".repeat(16)).into_bytes()
}

fn deep(bytes: usize, open: u8, close: u8) -> Vec<u8> {
    [vec![open; bytes / 2], vec![close; bytes / 2]].concat()
}
