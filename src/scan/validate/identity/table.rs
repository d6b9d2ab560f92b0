//! The schemes, one entry each, by country code.
//!
//! Weights run from the first digit; `at` is the place of the check digit. The page that describes a scheme is
//! named in the `source` of its pattern in `patterns/identity.toml`.

use super::Check::{First, Iso7064, Luhn, Multiple, Rule, Weighted};
use super::Order::{DayMonthYear, LongYearMonthDay, YearMonthDay};
use super::Rest::{Complement, Sum, Wrapped};
use super::{Birth, Order, Scheme, Ten, lettered};

const fn birth(at: usize, order: Order, months: &'static [u8], days: &'static [u8]) -> Option<Birth> {
    Some(Birth { at, order, months, days })
}

macro_rules! schemes {
    ($($(#[$doc:meta])* $name:ident = $lengths:expr, $birth:expr, [$($check:expr),* $(,)?];)*) => {
        $($(#[$doc])* pub(in crate::scan::validate) static $name: Scheme =
            Scheme { lengths: &$lengths, birth: $birth, checks: &[$($check),*] };)*
    };
}

const fn weighted(
    weights: &'static [u8],
    modulus: u32,
    rest: super::Rest,
    ten: Ten,
    at: usize,
) -> super::Check {
    Weighted { weights, modulus, rest, ten, at }
}

schemes! {
    /// Argentina: CUIT and CUIL, which hold the number of the identity card.
    AR_CUIT = [11], None, [
        First(&[2]),
        weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Nine, 10),
    ];
    /// Austria: Sozialversicherungsnummer. Months past 12 are given when a day's numbers run out.
    AT_SVNR = [10], birth(4, DayMonthYear, &[12], &[]), [
        weighted(&[3, 7, 9, 0, 5, 8, 4, 2, 1, 6], 11, Sum, Ten::Never, 3),
    ];
    /// Australia: Medicare card, with or without the number of the person on it.
    AU_MEDICARE = [10, 11], None, [
        First(&[2, 3, 4, 5, 6]),
        weighted(&[1, 3, 7, 9, 1, 3, 7, 9], 10, Sum, Ten::Never, 8),
    ];
    /// Australia: tax file number.
    AU_TFN = [9], None, [Multiple { weights: &[1, 4, 3, 7, 5, 8, 6, 9, 10], modulus: 11 }];
    /// Balkan states: JMBG, in Slovenia EMŠO.
    BALKAN_JMBG = [13], birth(0, DayMonthYear, &[], &[]), [
        Rule(lettered::jmbg_year),
        weighted(&[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Never, 12),
    ];
    /// Belgium: national number; months of foreigners are 20 or 40 higher, or the date is not known.
    BE_NATIONAL = [11], birth(0, YearMonthDay, &[20, 40], &[]), [Rule(lettered::be_national)];
    /// Bulgaria: EGN.
    BG_EGN = [10], birth(0, YearMonthDay, &[20, 40], &[]), [
        weighted(&[2, 4, 8, 5, 10, 9, 7, 3, 6], 11, Sum, Ten::Zero, 9),
    ];
    /// Brazil: CPF, with two check digits.
    BR_CPF = [11], None, [
        weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Zero, 9),
        weighted(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Zero, 10),
    ];
    /// Canada: social insurance number.
    CA_SIN = [9], None, [First(&[1, 2, 3, 4, 5, 6, 7, 9]), Luhn { last: 9 }];
    /// Switzerland: AHV number, an EAN-13 of country 756.
    CH_AHV = [13], None, [
        Rule(lettered::ch_prefix),
        weighted(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3], 10, Complement, Ten::Never, 12),
    ];
    /// Chile: RUT, with K for ten.
    CL_RUT = [8, 9], None, [Rule(lettered::cl_rut)];
    /// China: resident identity card, with X for ten.
    CN_RESIDENT = [18], birth(6, LongYearMonthDay, &[], &[]), [Rule(lettered::cn_resident)];
    /// Czechia and Slovakia: rodné číslo since 1954; months of women are 50 higher.
    CZ_RC = [10], birth(0, YearMonthDay, &[20, 50, 70], &[]), [Rule(lettered::multiple_of_eleven)];
    /// Germany: Steuer-Identifikationsnummer.
    DE_STEUER_ID = [11], None, [First(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), Rule(lettered::de_repeats), Iso7064];
    /// Denmark: CPR. Numbers since 2007 need not fit the old check, so the date alone is asked for.
    DK_CPR = [10], birth(0, DayMonthYear, &[], &[]), [];
    /// Estonia and Lithuania: isikukood and asmens kodas.
    EE_LT_CODE = [11], birth(1, YearMonthDay, &[], &[]), [
        First(&[1, 2, 3, 4, 5, 6, 7, 8]),
        Rule(lettered::ee_lt_code),
    ];
    /// Spain: DNI.
    ES_DNI = [9], None, [Rule(lettered::es_dni)];
    /// Spain: NIE.
    ES_NIE = [9], None, [Rule(lettered::es_nie)];
    /// Finland: henkilötunnus.
    FI_HETU = [10, 11], birth(0, DayMonthYear, &[], &[]), [Rule(lettered::fi_hetu)];
    /// France: numéro d'inscription au répertoire.
    FR_NIR = [15], None, [Rule(lettered::fr_nir)];
    /// Greece: AMKA.
    GR_AMKA = [11], birth(0, DayMonthYear, &[], &[]), [Luhn { last: 11 }];
    /// Hong Kong: identity card.
    HK_ID = [8, 9], None, [Rule(lettered::hk_id)];
    /// Croatia: OIB.
    HR_OIB = [11], None, [Iso7064];
    /// Ireland: PPS number.
    IE_PPS = [8, 9], None, [Rule(lettered::ie_pps)];
    /// Israel: identity number.
    IL_ID = [9], None, [Luhn { last: 9 }];
    /// India: Aadhaar.
    IN_AADHAAR = [12], None, [First(&[2, 3, 4, 5, 6, 7, 8, 9]), Rule(lettered::verhoeff)];
    /// Iceland: kennitala; days of organisations, 40 higher, are no people's.
    IS_KENNITALA = [10], birth(0, DayMonthYear, &[], &[]), [
        Rule(lettered::is_century),
        weighted(&[3, 2, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Never, 8),
    ];
    /// Italy: codice fiscale.
    IT_CF = [16], None, [Rule(lettered::it_cf)];
    /// Japan: My Number.
    JP_MY_NUMBER = [12], None, [
        weighted(&[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Zero, 11),
    ];
    /// Korea: resident registration number. Since October 2020 its end is random, so the date alone is asked for.
    KR_RRN = [13], birth(0, YearMonthDay, &[], &[]), [Rule(lettered::kr_sex)];
    /// Mexico: CURP.
    MX_CURP = [18], birth(0, YearMonthDay, &[], &[]), [Rule(lettered::mx_curp)];
    /// Netherlands: burgerservicenummer.
    NL_BSN = [9], None, [weighted(&[9, 8, 7, 6, 5, 4, 3, 2], 11, Sum, Ten::Never, 8)];
    /// Norway: fødselsnummer, and D and H numbers.
    NO_FNR = [11], birth(0, DayMonthYear, &[40, 80], &[40]), [
        weighted(&[3, 7, 6, 1, 8, 9, 4, 5, 2], 11, Complement, Ten::Never, 9),
        weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Never, 10),
    ];
    /// Poland: PESEL; months are 20 higher per century.
    PL_PESEL = [11], birth(0, YearMonthDay, &[20, 40, 60, 80], &[]), [
        weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3], 10, Complement, Ten::Never, 10),
    ];
    /// Portugal: NIF; first digits 1 to 4 are people's, the others organisations'.
    PT_NIF = [9], None, [
        First(&[1, 2, 3, 4]),
        weighted(&[9, 8, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Zero, 8),
    ];
    /// Romania: CNP.
    RO_CNP = [13], birth(1, YearMonthDay, &[], &[]), [
        First(&[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        weighted(&[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9], 11, Sum, Ten::One, 12),
    ];
    /// Russia: SNILS.
    RU_SNILS = [11], None, [Rule(lettered::ru_snils)];
    /// Sweden: personnummer and samordningsnummer, whose days are 60 higher.
    SE_PERSONNUMMER = [10], birth(0, YearMonthDay, &[], &[60]), [Luhn { last: 10 }];
    /// Sweden: the same with the century.
    SE_PERSONNUMMER_LONG = [12], birth(0, LongYearMonthDay, &[], &[60]), [Luhn { last: 10 }];
    /// Singapore: NRIC and FIN.
    SG_NRIC = [9], None, [Rule(lettered::sg_nric)];
    /// Thailand: citizen number.
    TH_ID = [13], None, [
        First(&[1, 2, 3, 4, 5, 6, 7, 8]),
        weighted(&[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Wrapped, Ten::Never, 12),
    ];
    /// Turkey: TC kimlik numarası.
    TR_TCKN = [11], None, [First(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), Rule(lettered::tr_tckn)];
    /// Taiwan: national identity card.
    TW_ID = [10], None, [Rule(lettered::tw_id)];
    /// Ukraine: RNOKPP. A weight of -1 is 10 modulo 11.
    UA_RNOKPP = [10], None, [weighted(&[10, 5, 7, 9, 4, 6, 10, 5, 7], 11, Sum, Ten::Zero, 9)];
    /// United Kingdom: NHS number.
    UK_NHS = [10], None, [weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, Complement, Ten::Never, 9)];
    /// United Kingdom: national insurance number.
    UK_NINO = [9], None, [Rule(lettered::uk_nino)];
    /// United States: social security number.
    US_SSN = [9], None, [Rule(lettered::us_ssn)];
    /// United States: individual taxpayer identification number.
    US_ITIN = [9], None, [Rule(lettered::us_itin)];
    /// South Africa: identity number; the eleventh digit tells citizens, permanent residents and refugees.
    ZA_ID = [13], birth(0, YearMonthDay, &[], &[]), [Rule(lettered::za_status), Luhn { last: 13 }];
}
