//! Identity numbers of states, with their check digits, beside a word that names them.

use super::payment::luhn;
use super::plant::Plant;
use super::random::{DIGIT, Random, UPPER};

type Make = fn(&mut Random) -> String;

/// Whose number, the words before it, and how one is made up.
const NUMBERS: &[(&str, &[&str], Make)] = &[
    ("US SSN", &["SSN ", "ssn: ", "social security number "], ssn),
    ("UK NINO", &["NINO ", "national insurance number "], nino),
    ("UK NHS", &["NHS number ", "nhs no. "], nhs),
    ("DE Steuer-ID", &["Steuer-ID ", "Steueridentifikationsnummer: "], steuer_id),
    ("FR NIR", &["NIR ", "num\u{e9}ro de s\u{e9}curit\u{e9} sociale "], nir),
    ("ES DNI", &["DNI ", "dni: "], dni),
    ("ES NIE", &["NIE "], nie),
    ("IT codice fiscale", &["codice fiscale ", "CF: "], codice_fiscale),
    ("PL PESEL", &["PESEL ", "pesel="], pesel),
    ("NL BSN", &["BSN ", "burgerservicenummer "], bsn),
    ("BE RRN", &["rijksregisternummer ", "NISS "], rrn),
    ("SE personnummer", &["personnummer ", "personnr "], personnummer),
    ("NO f\u{f8}dselsnummer", &["f\u{f8}dselsnummer ", "fodselsnummer "], fodselsnummer),
    ("FI HETU", &["hetu ", "henkil\u{f6}tunnus "], hetu),
    ("CH AHV", &["AHV ", "AHV-Nr. "], ahv),
    ("CZ rodn\u{e9} \u{10d}\u{ed}slo", &["rodn\u{e9} \u{10d}\u{ed}slo ", "rodne cislo "], rodne_cislo),
    ("EE isikukood", &["isikukood "], isikukood),
    ("BR CPF", &["CPF ", "cpf: "], cpf),
    ("AR CUIT", &["CUIT ", "CUIL "], cuit),
    ("CL RUT", &["RUT ", "rut: "], rut),
    ("CA SIN", &["SIN ", "social insurance number "], sin),
    ("AU TFN", &["TFN ", "tax file number "], tfn),
    ("IN Aadhaar", &["Aadhaar ", "aadhaar number "], aadhaar),
    ("CN resident", &["\u{8eab}\u{4efd}\u{8bc1} ", "ID card number "], resident),
    ("KR RRN", &["RRN ", "\u{c8fc}\u{bbfc}\u{b4f1}\u{b85d}\u{bc88}\u{d638} "], korean),
    ("ZA ID", &["ID number ", "South African ID "], south_african),
    ("TR TCKN", &["TCKN ", "TC Kimlik No "], tckn),
    ("IL ID", &["Teudat Zehut "], israeli),
    ("SG NRIC", &["NRIC "], nric),
];

pub(crate) fn number(random: &mut Random) -> Plant {
    let (form, leads, make) = random.pick(NUMBERS);
    Plant::whole(form, make(random)).led_by(*random.pick(leads))
}

fn values(digits: &str) -> impl Iterator<Item = usize> {
    digits.bytes().map(|digit| usize::from(digit - b'0'))
}

fn weighted(digits: &str, weights: &[usize]) -> usize {
    values(digits).zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// A date of birth in the last century as `yymmdd`.
fn date(random: &mut Random) -> String {
    format!("{:02}{:02}{:02}", random.between(40, 99), random.between(1, 12), random.between(1, 28))
}

/// Tries until there is a check digit: some moduli leave ten over.
fn until(mut make: impl FnMut() -> Option<String>) -> String {
    loop {
        if let Some(number) = make() {
            return number;
        }
    }
}

fn ssn(random: &mut Random) -> String {
    format!("{:03}-{:02}-{:04}", random.between(1, 665), random.between(1, 99), random.between(1, 9999))
}

fn nino(random: &mut Random) -> String {
    let letters = format!("{}{}", random.text("ABCEHJLMPRSWXY", 1), random.text("ABCEHJLMPRSWXYZ", 1));
    let digits = random.digits(6);
    format!("{letters} {} {} {} {}", &digits[..2], &digits[2..4], &digits[4..], random.text("ABCD", 1))
}

fn nhs(random: &mut Random) -> String {
    until(|| {
        let body = random.digits(9);
        let check = (11 - weighted(&body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (check < 10).then(|| format!("{} {} {}{check}", &body[..3], &body[3..6], &body[6..]))
    })
}

/// One digit stands twice, another not at all (ISO 7064 mod 11,10).
fn steuer_id(random: &mut Random) -> String {
    let mut digits: Vec<u8> = DIGIT.bytes().collect();
    for at in (1..10).rev() {
        digits.swap(at, random.below(at + 1));
    }
    digits[9] = digits[random.below(8)];
    if digits[0] == b'0' {
        digits.swap(0, 1);
    }
    let body = String::from_utf8(digits).expect("digits");
    let product = values(&body).fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    format!("{body}{}", (11 - product) % 10)
}

fn nir(random: &mut Random) -> String {
    let (sex, year, month) = (random.between(1, 2), random.between(40, 99), random.between(1, 12));
    let (place, order) = (random.between(1, 95), random.between(100_001, 989_999));
    let body = format!("{sex}{year:02}{month:02}{place:02}{order:06}");
    let key = 97 - body.parse::<u64>().expect("digits") % 97;
    let parts = [&body[..1], &body[1..3], &body[3..5], &body[5..7], &body[7..10], &body[10..]];
    if random.one_in(2) { format!("{} {key:02}", parts.join(" ")) } else { format!("{body}{key:02}") }
}

const DNI: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn dni(random: &mut Random) -> String {
    let body = random.between(10_000_000, 99_999_999);
    format!("{body}{}", char::from(DNI[body % 23]))
}

fn nie(random: &mut Random) -> String {
    let (first, rest) = (random.below(3), random.below(10_000_000));
    format!("{}{rest:07}{}", ["X", "Y", "Z"][first], char::from(DNI[(first * 10_000_000 + rest) % 23]))
}

fn codice_fiscale(random: &mut Random) -> String {
    let names = random.text("BCDFGLMNPRSTVZ", 6);
    let (year, month) = (random.between(40, 99), random.text("ABCDEHLMPRST", 1));
    let body = format!(
        "{names}{year}{month}{:02}{}{:03}",
        random.between(1, 31),
        random.text("ABCDEFGHIL", 1),
        random.between(100, 999)
    );
    const ODD: [usize; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let sum: usize = body
        .bytes()
        .enumerate()
        .map(|(at, byte)| {
            let value = usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
            if at % 2 == 0 { ODD[value] } else { value }
        })
        .sum();
    format!("{body}{}", char::from(UPPER.as_bytes()[sum % 26]))
}

fn pesel(random: &mut Random) -> String {
    let body = format!("{}{}", date(random), random.digits(4));
    format!("{body}{}", (10 - weighted(&body, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10)
}

fn bsn(random: &mut Random) -> String {
    until(|| {
        let body = format!("{}{}", random.between(1, 9), random.digits(7));
        let check = weighted(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        (check < 10).then(|| format!("{body}{check}"))
    })
}

fn rrn(random: &mut Random) -> String {
    let (born, order) = (date(random), random.between(1, 997));
    let check = 97 - format!("{born}{order:03}").parse::<usize>().expect("digits") % 97;
    format!("{}.{}.{}-{order:03}.{check:02}", &born[..2], &born[2..4], &born[4..])
}

fn personnummer(random: &mut Random) -> String {
    let (born, order) = (date(random), random.digits(3));
    let check = luhn(&format!("{born}{order}"));
    if random.one_in(2) { format!("{born}-{order}{check}") } else { format!("19{born}-{order}{check}") }
}

fn fodselsnummer(random: &mut Random) -> String {
    until(|| {
        let (d, m, y) = (random.between(1, 28), random.between(1, 12), random.between(40, 99));
        let body = format!("{d:02}{m:02}{y:02}{:03}", random.between(0, 499));
        let first = (11 - weighted(&body, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
        let body = (first < 10).then(|| format!("{body}{first}"))?;
        let second = (11 - weighted(&body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (second < 10).then(|| format!("{body}{second}"))
    })
}

fn hetu(random: &mut Random) -> String {
    let (d, m, y) = (random.between(1, 28), random.between(1, 12), random.between(40, 99));
    let (born, order) = (format!("{d:02}{m:02}{y:02}"), random.between(2, 899));
    let rest = format!("{born}{order:03}").parse::<usize>().expect("digits") % 31;
    format!("{born}-{order:03}{}", char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest]))
}

fn ahv(random: &mut Random) -> String {
    let body = format!("756{}", random.digits(9));
    let check = (10 - weighted(&body, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10;
    format!("756.{}.{}.{}{check}", &body[3..7], &body[7..11], &body[11..])
}

fn rodne_cislo(random: &mut Random) -> String {
    until(|| {
        let born =
            format!("{:02}{:02}{:02}", random.between(54, 99), random.between(1, 12), random.between(1, 28));
        let order = random.digits(3);
        let rest = format!("{born}{order}").parse::<usize>().expect("digits") % 11;
        (rest < 10).then(|| format!("{born}/{order}{rest}"))
    })
}

fn isikukood(random: &mut Random) -> String {
    let body = format!("{}{}{}", random.between(3, 4), date(random), random.digits(3));
    let first = weighted(&body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(&body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = if first < 10 { first } else { second % 10 };
    format!("{body}{check}")
}

fn cpf(random: &mut Random) -> String {
    let mut body = random.digits(9);
    for weights in [&[10, 9, 8, 7, 6, 5, 4, 3, 2][..], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]] {
        let check = weighted(&body, weights) * 10 % 11 % 10;
        body = format!("{body}{check}");
    }
    format!("{}.{}.{}-{}", &body[..3], &body[3..6], &body[6..9], &body[9..])
}

fn cuit(random: &mut Random) -> String {
    until(|| {
        let body = format!("{}{}", random.pick(&["20", "23", "27"]), random.digits(8));
        let check = (11 - weighted(&body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        (check < 10).then(|| format!("{}-{}-{check}", &body[..2], &body[2..]))
    })
}

fn rut(random: &mut Random) -> String {
    let body = random.between(5_000_000, 24_999_999).to_string();
    let backwards: String = body.chars().rev().collect();
    let check = 11 - weighted(&backwards, &[2, 3, 4, 5, 6, 7, 2, 3]) % 11;
    let check = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "K", "0"][check];
    let at = body.len() - 6;
    format!("{}.{}.{}-{check}", &body[..at], &body[at..at + 3], &body[at + 3..])
}

fn sin(random: &mut Random) -> String {
    let body = format!("{}{}", random.between(1, 7), random.digits(7));
    let all = format!("{body}{}", luhn(&body));
    format!("{} {} {}", &all[..3], &all[3..6], &all[6..])
}

fn tfn(random: &mut Random) -> String {
    until(|| {
        let body = format!("{}{}", random.between(1, 9), random.digits(8));
        let sum = weighted(&body, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
        sum.is_multiple_of(11).then(|| format!("{} {} {}", &body[..3], &body[3..6], &body[6..]))
    })
}

/// Verhoeff's check, which multiplies in the dihedral group of ten elements.
fn aadhaar(random: &mut Random) -> String {
    let times = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const STEP: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let body = format!("{}{}", random.between(2, 9), random.digits(10));
    let sum = values(&body.chars().rev().collect::<String>()).enumerate().fold(0, |sum, (at, digit)| {
        let moved = (0..=at).fold(digit, |digit, _| STEP[digit]);
        times(sum, moved)
    });
    let check = (0..10).find(|check| times(sum, *check) == 0).expect("every element has an inverse");
    let all = format!("{body}{check}");
    format!("{} {} {}", &all[..4], &all[4..8], &all[8..])
}

fn resident(random: &mut Random) -> String {
    let place = random.pick(&["110101", "310104", "440305", "510107"]);
    let body = format!("{place}19{}{}", date(random), random.digits(3));
    let rest = weighted(&body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    format!("{body}{}", char::from(b"10X98765432"[rest]))
}

fn korean(random: &mut Random) -> String {
    let body = format!("{}{}{}", date(random), random.between(1, 2), random.digits(5));
    let check = (11 - weighted(&body, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    format!("{}-{}{check}", &body[..6], &body[6..])
}

fn south_african(random: &mut Random) -> String {
    let body = format!("{}{}{}8", date(random), random.digits(4), random.below(2));
    format!("{body}{}", luhn(&body))
}

fn tckn(random: &mut Random) -> String {
    let body = format!("{}{}", random.between(1, 9), random.digits(8));
    let odd: usize = values(&body).step_by(2).sum();
    let even: usize = values(&body).skip(1).step_by(2).sum();
    let tenth = (odd * 7 + 90 - even) % 10;
    let eleventh = (odd + even + tenth) % 10;
    format!("{body}{tenth}{eleventh}")
}

fn israeli(random: &mut Random) -> String {
    let body = format!("{}{}", random.between(1, 3), random.digits(7));
    format!("{body}{}", luhn(&body))
}

fn nric(random: &mut Random) -> String {
    let body = random.digits(7);
    let rest = weighted(&body, &[2, 7, 6, 5, 4, 3, 2]) % 11;
    format!("S{body}{}", char::from(b"JZIHGFEDCBA"[rest]))
}
