use super::*;

/// Numbers that hold, invented and computed by a second implementation or published as an example, and such that do
/// not: the date is none, the first digit is never given out, a letter is another one.
const CASES: &[(&Scheme, &[&str], &[&str])] = &[
    (&AR_CUIT, &["20-01234567-5", "27112223334"], &["30-01234567-5", "20-0123456-5"]),
    (&AT_SVNR, &["1237 010180", "7654311299"], &["1237 310280", "1237 320180"]),
    (&AU_MEDICARE, &["2123456701", "2123 45670 1", "21234567011"], &["7123456701", "2123456711"]),
    (&AU_TFN, &["123 456 782", "876543210"], &["123456783", "12345678"]),
    (&BALKAN_JMBG, &["0101980500005", "3112999505124"], &["3202980500005", "0101580500004"]),
    (&BE_NATIONAL, &["80.01.01-001.07", "00022912320", "00022912388"], &["80.13.01-001.07", "80010100108"]),
    (&BG_EGN, &["8001010008"], &["8013010008", "8001320008"]),
    (&BR_CPF, &["123.456.789-09", "00011122285"], &["123.456.789-19", "11111111111"]),
    (&CA_SIN, &["123 456 782", "123-456-782"], &["823 456 785", "023456780"]),
    (&CH_AHV, &["756.1234.5678.97", "7560001000209"], &["757.1234.5678.96", "756.1234.5678.9"]),
    (&CL_RUT, &["12.345.678-5", "1000005-K", "1000005k"], &["12.345.678-K", "1000005-0"]),
    (
        &CN_RESIDENT,
        &["11010519491231002X", "110101199001010007"],
        &["110101199013010007", "990101199001010007"],
    ),
    (&CZ_RC, &["800101/0006", "8051011232"], &["801301/0003", "800101/0007"]),
    (&DE_STEUER_ID, &["86095742719", "12 345 678 911"], &["11223456782", "01234567894", "12345678903"]),
    (&DK_CPR, &["010180-0000", "3112990001"], &["320180-0000", "011380-0000"]),
    (&EE_LT_CODE, &["38001010009", "33312310002"], &["98001010009", "38013010009"]),
    (&ES_DNI, &["12345678Z", "00000001-R", "12345678z"], &["12345678A", "1234567Z"]),
    (&ES_NIE, &["X1234567L", "Z0000001Y", "Y7654321-G"], &["X1234567M", "W1234567L"]),
    (&FI_HETU, &["131052-308T", "010101A123N"], &["131352-308T", "131052-308U", "131052-001K"]),
    (&FR_NIR, &["1 80 01 75 001 001 04", "255122A00100154"], &["3 80 01 75 001 001 04", "180137500100104"]),
    (&GR_AMKA, &["01018000008", "31129905126"], &["32018000007", "01018000009"]),
    (&HK_ID, &["A123456(3)", "AB987654(3)"], &["A123456(4)", "B123456(3)"]),
    (&HR_OIB, &["12345678903", "00000000010"], &["12345678904", "00000000000"]),
    (&IE_PPS, &["1234567T", "1234567FA", "0000001B"], &["1234567U", "1234567TZ"]),
    (&IL_ID, &["123456782", "000000018"], &["123456783", "12345678"]),
    (&IN_AADHAAR, &["2345 6789 0124", "999900001119"], &["1345 6789 0124", "234567890125", "234567890142"]),
    (&IS_KENNITALA, &["010180-0159", "0101800749"], &["320180-0159", "010180-0169", "010180-0155"]),
    (&IT_CF, &["RSSMRA80A01H501U", "XXXYYY99T71Z999M"], &["RSSMRA80A01H501V", "RSSMRA80A01H502U"]),
    (&JP_MY_NUMBER, &["1234 5678 9018", "000000010006"], &["123456789019", "12345678901"]),
    (&KR_RRN, &["800101-1234560", "000229-4000000"], &["801301-1234560", "800101-9234560"]),
    (&MX_CURP, &["XEXX010101HNEXXXA4", "BOXW310820HNERXN09"], &["XEXX010101HNEXXXA5", "XEXX011301HNEXXXA4"]),
    (&NL_BSN, &["111222333", "123456782", "1112.22.333"], &["111222334", "111222330"]),
    (&NO_FNR, &["010180 00136", "31059912340"], &["320180 00136", "01018000137"]),
    (&PL_PESEL, &["44051401359", "80010100000"], &["44053201359", "44051401358"]),
    (&PT_NIF, &["123456789", "250 000 008"], &["500000000", "123456780"]),
    (&RO_CNP, &["1800101010007", "2951231123450"], &["0800101010007", "1801301010007"]),
    (&RU_SNILS, &["112-233-445 95"], &["112-233-445 96", "001-001-998 00"]),
    (&SE_PERSONNUMMER, &["811218-9876", "800101-0001"], &["811318-9876", "811218-9877"]),
    (&SE_PERSONNUMMER_LONG, &["19800101-0001"], &["17800101-0001", "19801301-0001"]),
    (&SG_NRIC, &["S1234567D", "F1234567N", "M1234567K"], &["S1234567E", "A1234567D"]),
    (&TH_ID, &["1-1234-56789-01-4", "3100100000006"], &["9-1234-56789-01-4", "1123456789015"]),
    (&TR_TCKN, &["10000000146", "12345678950"], &["10000000147", "01234567890"]),
    (&TW_ID, &["A123456789"], &["A123456788", "B123456789"]),
    (&UA_RNOKPP, &["1234567899", "1759400001"], &["1234567890", "1759400002"]),
    (&UK_NHS, &["943 476 5919", "123-456-7881"], &["943 476 5918", "9434765910"]),
    (&UK_NINO, &["AB123456C", "AB 12 34 56 C"], &["BG123456C", "QQ123456C", "AO123456C", "AB123456E"]),
    (
        &US_SSN,
        &["219-09-9990", "123-45-6789"],
        &["000-45-6789", "666-45-6789", "900-45-6789", "123-00-6789", "123-45-0000", "078-05-1120"],
    ),
    (&US_ITIN, &["912-90-3450"], &["912-93-3450", "812-90-3450"]),
    (&ZA_ID, &["8001015009087", "990228 0123 18 1"], &["8013015009087", "8001015009088", "8001015009384"]),
];

#[test]
fn numbers_hold_and_their_neighbours_do_not() {
    for (scheme, valid, invalid) in CASES {
        for text in *valid {
            assert!(scheme.holds(text.as_bytes(), 0..text.len()), "{text}");
        }
        for text in *invalid {
            assert!(!scheme.holds(text.as_bytes(), 0..text.len()), "{text}");
        }
    }
}

/// Any other last character fails, unless the scheme has no check character or knows two per number.
#[test]
fn the_check_character_is_looked_at() {
    let without_check = [
        "010180-0000",
        "800101-1234560",
        "AB123456C",
        "219-09-9990",
        "912-90-3450",
        "2123456701",
        "010180-0159",
    ];
    for (scheme, valid, _) in CASES.iter().filter(|(_, valid, _)| !without_check.contains(&valid[0])) {
        let text = valid[0].trim_end_matches(')').as_bytes();
        let (last, body) = text.split_last().expect("not empty");
        for other in (b'0'..=b'9').chain(b'A'..=b'Z').filter(|other| other != last) {
            let changed = [body, &[other]].concat();
            assert!(!scheme.holds(&changed, 0..changed.len()), "{}", String::from_utf8_lossy(&changed));
        }
    }
}

/// How weak one check digit is: of numbers in a row, one in about ten holds.
#[test]
fn one_check_digit_lets_a_tenth_through() {
    for (scheme, expected) in [(&CA_SIN, 100), (&IL_ID, 100), (&NL_BSN, 91), (&HR_OIB, 100)] {
        let digits = scheme.lengths[0];
        let held = (0..1000_u64)
            .map(|n| format!("{:0digits$}", 234_567_000 + n))
            .filter(|text| scheme.holds(text.as_bytes(), 0..text.len()))
            .count();
        assert!(held.abs_diff(expected) <= 10, "{held}");
    }
}

#[test]
fn nothing_of_any_length_or_kind_panics() {
    for (scheme, valid, _) in CASES {
        for text in ["", "-", "0", "00000000A", "A", "ÄÖÜ", "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", &"9".repeat(60)]
        {
            assert!(!scheme.holds(text.as_bytes(), 0..text.len()), "{text}");
        }
        for text in *valid {
            for end in 0..text.len() {
                scheme.holds(text.as_bytes(), 0..end);
                let letters = [&text.as_bytes()[..end], b"Z", &text.as_bytes()[end + 1..]].concat();
                scheme.holds(&letters, 0..letters.len());
            }
        }
    }
}

#[test]
fn a_number_inside_another_is_none() {
    for text in ["0.44051401359", "44051401359-0012", "a1b2-44051401359"] {
        let start = text.find("44051401359").expect("there");
        assert!(!PL_PESEL.holds(text.as_bytes(), start..start + 11), "{text}");
    }
}
