//! Pure checks of a candidate: is what has the shape of an address really one?
//!
//! In: the whole text and the candidate's range in it, so that a check can look at what stands beside
//! it. Out: yes or no. One file per check; packs name them in `validate`.

mod card;
mod code;
mod credential;
mod device;
mod digits;
mod drawn;
mod email;
mod entropy;
mod home;
mod iban;
mod identity;
mod ipv4;
pub(crate) use ipv4::{is_small, names_version};
mod ipv6;
mod message;
mod no_secret;
mod phone;
mod public_key;
mod token_crc32;

use std::ops::Range;

/// A check of one candidate. `None` of them ever changes what was found, only whether it counts.
pub type Validator = fn(text: &[u8], candidate: Range<usize>) -> bool;

/// The checks that a pack can name.
pub const VALIDATORS: &[(&str, Validator)] = &[
    ("basic_auth", credential::basic_auth),
    ("bic", iban::bic),
    ("card", card::card),
    ("drawn", |text, at| is_drawn(&text[at])),
    ("email", email::email),
    ("entropy", entropy::entropy),
    ("home_name", home::home_name),
    ("iban", iban::iban),
    ("ipv4", ipv4::ipv4),
    ("ipv6", ipv6::ipv6),
    ("mac", device::mac),
    ("phone_double_zero", phone::phone_double_zero),
    ("phone_international", phone::phone_international),
    ("phone_nanp", phone::phone_nanp),
    ("phone_national", phone::phone_national),
    ("reversed_address", device::reversed),
    ("secret_value", credential::secret_value),
    ("token_crc32", token_crc32::token_crc32),
    ("userinfo", credential::userinfo),
    ("id_ar_cuit", |text, at| identity::AR_CUIT.holds(text, at)),
    ("id_at_svnr", |text, at| identity::AT_SVNR.holds(text, at)),
    ("id_au_medicare", |text, at| identity::AU_MEDICARE.holds(text, at)),
    ("id_au_tfn", |text, at| identity::AU_TFN.holds(text, at)),
    ("id_balkan_jmbg", |text, at| identity::BALKAN_JMBG.holds(text, at)),
    ("id_be_national", |text, at| identity::BE_NATIONAL.holds(text, at)),
    ("id_bg_egn", |text, at| identity::BG_EGN.holds(text, at)),
    ("id_br_cpf", |text, at| identity::BR_CPF.holds(text, at)),
    ("id_ca_sin", |text, at| identity::CA_SIN.holds(text, at)),
    ("id_ch_ahv", |text, at| identity::CH_AHV.holds(text, at)),
    ("id_cl_rut", |text, at| identity::CL_RUT.holds(text, at)),
    ("id_cn_resident", |text, at| identity::CN_RESIDENT.holds(text, at)),
    ("id_cz_rc", |text, at| identity::CZ_RC.holds(text, at)),
    ("id_de_steuer_id", |text, at| identity::DE_STEUER_ID.holds(text, at)),
    ("id_dk_cpr", |text, at| identity::DK_CPR.holds(text, at)),
    ("id_ee_lt_code", |text, at| identity::EE_LT_CODE.holds(text, at)),
    ("id_es_dni", |text, at| identity::ES_DNI.holds(text, at)),
    ("id_es_nie", |text, at| identity::ES_NIE.holds(text, at)),
    ("id_fi_hetu", |text, at| identity::FI_HETU.holds(text, at)),
    ("id_fr_nir", |text, at| identity::FR_NIR.holds(text, at)),
    ("id_gr_amka", |text, at| identity::GR_AMKA.holds(text, at)),
    ("id_hk_id", |text, at| identity::HK_ID.holds(text, at)),
    ("id_hr_oib", |text, at| identity::HR_OIB.holds(text, at)),
    ("id_ie_pps", |text, at| identity::IE_PPS.holds(text, at)),
    ("id_il_id", |text, at| identity::IL_ID.holds(text, at)),
    ("id_in_aadhaar", |text, at| identity::IN_AADHAAR.holds(text, at)),
    ("id_is_kennitala", |text, at| identity::IS_KENNITALA.holds(text, at)),
    ("id_it_cf", |text, at| identity::IT_CF.holds(text, at)),
    ("id_jp_my_number", |text, at| identity::JP_MY_NUMBER.holds(text, at)),
    ("id_kr_rrn", |text, at| identity::KR_RRN.holds(text, at)),
    ("id_mx_curp", |text, at| identity::MX_CURP.holds(text, at)),
    ("id_nl_bsn", |text, at| identity::NL_BSN.holds(text, at)),
    ("id_no_fnr", |text, at| identity::NO_FNR.holds(text, at)),
    ("id_pl_pesel", |text, at| identity::PL_PESEL.holds(text, at)),
    ("id_pt_nif", |text, at| identity::PT_NIF.holds(text, at)),
    ("id_ro_cnp", |text, at| identity::RO_CNP.holds(text, at)),
    ("id_ru_snils", |text, at| identity::RU_SNILS.holds(text, at)),
    ("id_se_personnummer", |text, at| identity::SE_PERSONNUMMER.holds(text, at)),
    ("id_se_personnummer_long", |text, at| identity::SE_PERSONNUMMER_LONG.holds(text, at)),
    ("id_sg_nric", |text, at| identity::SG_NRIC.holds(text, at)),
    ("id_th_id", |text, at| identity::TH_ID.holds(text, at)),
    ("id_tr_tckn", |text, at| identity::TR_TCKN.holds(text, at)),
    ("id_tw_id", |text, at| identity::TW_ID.holds(text, at)),
    ("id_ua_rnokpp", |text, at| identity::UA_RNOKPP.holds(text, at)),
    ("id_uk_nhs", |text, at| identity::UK_NHS.holds(text, at)),
    ("id_uk_nino", |text, at| identity::UK_NINO.holds(text, at)),
    ("id_us_ssn", |text, at| identity::US_SSN.holds(text, at)),
    ("id_us_itin", |text, at| identity::US_ITIN.holds(text, at)),
    ("id_za_id", |text, at| identity::ZA_ID.holds(text, at)),
];

/// Finds a check by its name.
#[must_use]
pub(crate) fn validator(name: &str) -> Option<Validator> {
    VALIDATORS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

pub use code::is_code;
pub(crate) use credential::is_working_directory;
pub(crate) use drawn::is_drawn;
pub(crate) use ipv6::{fingerprint, parse_address};
pub use no_secret::is_no_secret_of;
use no_secret::{is_no_secret, is_none_of};
pub use public_key::is_public_key;

/// The byte before `at`, if there is one.
fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|i| text.get(i)).copied()
}

/// Whether what begins at `at` begins with the two digits of a percent-escape: `%207.6.1.8` is a blank and `7.6.1.8`.
fn is_in_escape(text: &[u8], at: usize) -> bool {
    before(text, at) == Some(b'%')
        && text[at..].iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2
}

/// The host and the path of a DSN of Sentry's own: `o1.ingest.sentry.io/1337`, and no more of a path.
fn is_sentry_project(text: &[u8]) -> bool {
    let host =
        text.iter().take(80).take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).count();
    let (host, path) = text.split_at(host);
    let digits = path.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    (host == b"sentry.io" || host.ends_with(b".sentry.io"))
        && path.first() == Some(&b'/')
        && digits > 0
        && !path.get(digits + 1).is_some_and(|byte| is_word(*byte) || b"/-@".contains(byte))
}

/// Part of a name, a number or a non-ASCII word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The last word before `at`, at most 24 bytes back, past blanks and any of `:=("'#+`; the last is a blank in forms.
///
/// A context word: `version 1.2.3.4`, `OID=1.3.6.1`.
fn word_before(text: &[u8], at: usize) -> &[u8] {
    let from = at.saturating_sub(24);
    let near = &text[from..at];
    let end = near.iter().rposition(|byte| !b" \t:=(\"'#+".contains(byte)).map_or(0, |i| i + 1);
    let start = near[..end].iter().rposition(|byte| !is_word(*byte)).map_or(0, |i| i + 1);
    &near[start..end]
}
