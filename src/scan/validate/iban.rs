//! International bank account numbers, by the length that each country has and the check digits; codes of banks.

use std::ops::Range;

/// How many characters the account numbers of which countries have.
///
/// SPEC: SWIFT, "IBAN Registry" (<https://www.swift.com/standards/data-standards/iban-international-bank-account-number>);
/// the same numbers at <https://en.wikipedia.org/wiki/International_Bank_Account_Number#IBAN_formats_by_country>.
const LENGTHS: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// Codes of countries, and XK, which banks use for Kosovo. SPEC: ISO 3166-1; <https://www.iso.org/obp/ui/#search>.
const COUNTRIES: &[&str] = &[
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS",
    "BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE",
    "EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM",
    "HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC",
    "LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA",
    "NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW",
    "SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO",
    "TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW",
];

/// True for the code of a bank: letters five and six name a country.
///
/// SPEC: ISO 9362.
pub(super) fn bic(text: &[u8], candidate: Range<usize>) -> bool {
    let written = &text[candidate];
    let is_country =
        |code: &[u8]| COUNTRIES.iter().any(|row| row.split(' ').any(|known| known.as_bytes() == code));
    matches!(written.len(), 8 | 11) && is_country(&written[4..6].to_ascii_uppercase())
}

/// True for an account number: a country's code, its length, and check digits that fit.
///
/// SPEC: ISO 13616-1; ISO 7064, MOD 97-10. Letters count in either case, separators do not count.
///
/// What stands behind the check digits is not looked at, so that a pattern may leave it open. Of identifiers drawn from capitals and
/// digits, of the length that most countries have (28, twelve of them), 1 in 136,000 passes: 12 of 36² pairs of letters, 100 of 36² of
/// digits, 1 of 97 rests. Of twenty hexadecimal digits in capitals 1 in 32,000, for `BA` and `EE`; of 32 (an UUID) none.
pub(super) fn iban(text: &[u8], candidate: Range<usize>) -> bool {
    let characters = || text[candidate.clone()].iter().filter(|byte| byte.is_ascii_alphanumeric());
    let mut country = [0; 2];
    for (letter, byte) in country.iter_mut().zip(characters()) {
        *letter = byte.to_ascii_uppercase();
    }
    let length = characters().count();
    let is_used = |(known, countries): &(usize, &str)| {
        *known == length && countries.split(' ').any(|known| known.as_bytes() == country)
    };
    if !LENGTHS.iter().any(is_used) {
        return false;
    }
    let rest = characters().skip(4).chain(characters().take(4)).fold(0_u32, |rest, byte| {
        match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => (rest * 10 + u32::from(digit - b'0')) % 97,
            letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
        }
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        iban(text.as_bytes(), 0..text.len())
    }

    #[test]
    fn the_registry_s_examples_hold_and_their_neighbours_do_not() {
        for number in [
            "AD1200012030200359100100",
            "AE070331234567890123456",
            "AT611904300234573201",
            "BE68539007547034",
            "BG80BNBG96611020345678",
            "BR1800360305000010009795493C1",
            "CH9300762011623852957",
            "CZ6508000000192000145399",
            "DE89370400440532013000",
            "DK5000400440116243",
            "ES9121000418450200051332",
            "FI2112345600000785",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "GR1601101250000000012300695",
            "IE29AIBK93115212345678",
            "IT60X0542811101000000123456",
            "LU280019400644750000",
            "MT84MALT011000012345MTLCAST001S",
            "NL91ABNA0417164300",
            "NO9386011117947",
            "PL61109010140000071219812874",
            "PT50000201231234567890154",
            "RO49AAAA1B31007593840000",
            "SE4550000000058398257466",
            "TR330006100519786457841326",
        ] {
            assert!(holds(number), "{number}");
            assert!(holds(&number.to_lowercase()), "{number} in lower case");
            let mut spaced = String::new();
            for group in number.as_bytes().chunks(4) {
                spaced.push_str(std::str::from_utf8(group).expect("ASCII"));
                spaced.push(' ');
            }
            assert!(holds(spaced.trim_end()), "{spaced}");
            for place in 4..number.len() {
                let mut other = number.as_bytes().to_vec();
                other[place] = match other[place] {
                    b'7' => b'3',
                    b'0'..=b'9' => b'7',
                    b'X' => b'Y',
                    _ => b'X',
                };
                assert!(!iban(&other, 0..other.len()), "{number} with another character at {place}");
            }
        }
    }

    #[test]
    fn the_code_of_a_bank_names_a_country() {
        for (text, want) in
            [("DEUTDEFF", true), ("NWBKGB2LXXX", true), ("STANDARD", false), ("DEUTDEFFX", false)]
        {
            assert_eq!(bic(text.as_bytes(), 0..text.len()), want, "{text}");
        }
    }

    #[test]
    fn a_wrong_length_or_country_is_refused() {
        for text in ["DE8937040044053201300", "XX89370400440532013000", "DE", "", "DE893704004405320130001"] {
            assert!(!holds(text), "{text}");
        }
    }
}
