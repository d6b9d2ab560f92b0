//! What a form or a program says of a secret in place of one: `Password is required`, `can't be blank`, `Neues Passwort:`, `min:8`.
//!
//! In: a value, whole. Out: whether it is nothing but that.
//! LEAK: a passphrase may be a sentence as well. None speaks of what it is in the words of a form, begins with its verb, or is
//! put together from the words of labels alone.

/// Fewest words of a sentence that tells what is wrong.
const MESSAGE_WORDS_MIN: usize = 3;
/// Most words of one that does not end as a sentence does.
const FAULT_WORDS_MAX: usize = 12;
/// Most words of a label.
const LABEL_WORDS_MAX: usize = 8;

/// What a message is about.
const NOUNS: &[&str] = &[
    "password",
    "passwort",
    "token",
    "secret",
    "key",
    "code",
    "field",
    "value",
    "data",
    "format",
    "passphrase",
];

/// What a message without a full stop says of it.
#[rustfmt::skip] // as a paragraph
const VERDICTS: &[&str] = &[
    "blank", "changed", "characters", "correct", "denied", "different", "digits", "empty", "expired", "failed", "incorrect", "invalid", "long",
    "match", "matching", "mismatch", "missing", "optional", "provided", "required", "short", "strong", "taken", "unauthorized", "updated", "valid", "weak", "wrong",
];

/// How a message of a framework begins that leaves out what it is about.
///
/// SPEC: the messages of Ruby on Rails (`errors.messages`), Jakarta Validation, Django, Laravel.
#[rustfmt::skip] // as a paragraph
const VERBS: &[&str] = &[
    "can't be ", "can\u{2019}t be ", "cannot be ", "doesn't match ", "does not match ", "has ", "is ", "may not be ", "must ", "should ", "size must ",
    "invalid or ", "missing or ", "not a valid ", "this field ", "ensure this ",
];

/// Words that labels and descriptions of fields are made of, in small letters.
#[rustfmt::skip] // as a paragraph
const LABEL_WORDS: &[&str] = &[
    "a", "access", "account", "admin", "again", "an", "and", "api", "app", "bearer", "choose", "client", "code", "confirm", "confirmation", "create",
    "current", "database", "enter", "existing", "field", "for", "forgot", "forgotten", "key", "login", "new", "of", "old", "one", "one-time", "optional",
    "or", "passphrase", "passwort", "password", "please", "re-enter", "refresh", "repeat", "required", "reset", "retype", "secret", "session", "sign-in",
    "sent", "temporary", "the", "time", "to", "token", "type", "update", "user", "verify", "wachtwoord", "we", "you", "your",
];

/// Names of fields that are a label in one word.
///
/// LEAK: `Password` itself may be somebody's; in another language or for another thing it is a label.
const LABELS: &[&str] = &[
    "Passwort",
    "Best\u{e4}tigungscode",
    "Wachtwoord",
    "Has\u{142}o",
    "Contrase\u{f1}a",
    "Mot de passe",
    "Kennwort",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
    "\u{5bc6}\u{7801}",
];

/// True for what is said of a secret.
pub(super) fn is_said(value: &str) -> bool {
    is_sentence(value) || is_fault(value) || is_rule(value) || is_label(value)
}

fn begins_upper(value: &str) -> bool {
    value.starts_with(char::is_uppercase)
}

/// `The two passwords do not match.`, `Password is required`: what is wrong with one, said to whoever typed it.
fn is_sentence(value: &str) -> bool {
    if !begins_upper(value) || value.split(' ').count() < MESSAGE_WORDS_MIN {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let verbs = [
        " is ", " are ", " must ", " cannot ", " not ", " didn", " doesn", " should ", " has ", "missing ",
        " for ",
    ];
    let is_ended = value.ends_with(['.', '!']) && value.split(' ').count() > MESSAGE_WORDS_MIN;
    has(NOUNS) && (is_ended && has(&verbs) || has(&verbs) && is_judged(&lower))
}

/// `can't be blank`, `is too short (minimum is 8 characters)`, `has expired`: how frameworks go on behind a field's name.
fn is_fault(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    VERBS.iter().any(|verb| lower.starts_with(verb)) && (is_judged(&lower) || is_bounded(&lower))
}

/// True if one of few words says what is wrong, and none has a digit among letters.
fn is_judged(lower: &str) -> bool {
    let words = || lower.split(' ').map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    let is_plain = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_digit())
            || !word.contains(|letter: char| letter.is_ascii_digit())
    };
    words().count() <= FAULT_WORDS_MAX
        && words().all(is_plain)
        && words().any(|word| VERDICTS.contains(&word))
}

/// `size must be between 6 and 72`.
fn is_bounded(lower: &str) -> bool {
    lower.contains(" be between ") || lower.contains(" at least ") || lower.contains(" contain ")
}

/// `New password`, `Enter your API key`, `Neues Passwort:`: what a field is labelled with.
fn is_label(value: &str) -> bool {
    let is_word = |word: &str| word.chars().all(char::is_alphabetic);
    let of_labels = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ':', '*', '?']);
        LABEL_WORDS.contains(&word.to_ascii_lowercase().as_str())
    };
    let words = value.split(' ').count();
    LABELS.contains(&value.trim_end_matches([':', '*']))
        || value.strip_suffix(':').is_some_and(|words| words.contains(' ') && words.split(' ').all(is_word))
        || begins_upper(value) && (2..=LABEL_WORDS_MAX).contains(&words) && value.split(' ').all(of_labels)
}

/// `min:8`, `confirmed`: what a value must be, in the rules of Laravel.
fn is_rule(value: &str) -> bool {
    value == "confirmed"
        || value.split_once(':').is_some_and(|(rule, bound)| {
            matches!(rule, "min" | "max" | "size")
                && !bound.is_empty()
                && bound.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_secret_is_told_from_one() {
        for value in [
            "The two passwords do not match.",
            "Missing data for required field.",
            "Password is required",
            "Token is invalid or expired",
            "Secret must not be empty",
            "can't be blank",
            "is too short (minimum is 8 characters)",
            "has expired",
            "Invalid or expired",
            "must not be blank",
            "size must be between 6 and 6",
            "doesn't match Password",
            "Not a valid string, token expired",
            "New password",
            "The new password",
            "One-time token",
            "Enter your API key",
            "Passwort",
            "Neues Passwort:",
            "min:8",
            "confirmed",
        ] {
            assert!(is_said(value), "{value}");
        }
        for value in [
            "Correct horse battery staple.",
            "My password is hunter2",
            "My password is sunflower",
            "is this hunter2",
            "has anybody seen my dog",
            "must love dogs",
            "Sunflower password",
            "new password",
            "Password",
            "password",
            "Token1",
            "Newpassword",
            "min:hunter2",
            "Is the 7th key invalid1",
            "sunflower:",
            "",
        ] {
            assert!(!is_said(value), "{value}");
        }
    }
}
