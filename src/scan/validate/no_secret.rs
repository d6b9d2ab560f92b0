//! Values that say that there is no secret, or where one comes from: `not_configured`, `${DB_PASSWORD}`, `your_api_key_here`.
//!
//! LEAK: only what is a placeholder from its first byte to its last. What is also somebody's password (`changeme`, `password`) is none.

use super::credential::{CODE_ROOTS, is_constant};

/// Longest such value.
const BYTES_MAX: usize = 200;
/// Most words of one.
const WORDS_MAX: usize = 8;
/// Most digits behind its last word: `not_configured_2`.
const DIGITS_MAX: usize = 2;

/// Most words of what begins with what is wrong: a longer one is a phrase that somebody chose.
const FAULT_WORDS_MAX: usize = 3;

/// Longest lead of a token that is masked: `github_pat_`.
const LEAD_BYTES_MAX: usize = 12;

/// Words that stand for "none" or were filtered before, and so hide nothing.
#[rustfmt::skip] // as a paragraph
const WORDS: &[&str] = &[
    "null", "none", "nil", "undefined", "true", "false", "filtered", "redacted", "masked", "hidden", "required",
    "optional", "string", "str", "missing", "invalid", "expired", "unset", "empty", "boolean", "number", "bytes",
    "secretstr", "punc", "n/a", "todo", "tbd", "fixme", "disabled", "enabled", "valid", "unknown", "denied", "revoked",
    "absent", "replaceme", "unavailable", "unauthorized", "not", "erforderlich", "obligatoire", "obligatorio", "必須", "必填",
];

/// What MySQL says of one, `(using password: YES)`, and how YAML writes none.
///
/// SPEC: MySQL, error 1045 (`ER_ACCESS_DENIED_ERROR`); YAML 1.2, section 10.3.2.
const WHOLE: &[&str] = &["YES", "NO", "~"];

/// What follows `not`: `not_configured`, `not set`.
#[rustfmt::skip] // as a paragraph
const NEGATED: &[&str] = &[
    "allowed", "applicable", "authorized", "available", "configured", "defined", "enabled", "found", "given",
    "implemented", "initialized", "loaded", "needed", "present", "provided", "required", "set", "shown", "specified",
    "supplied", "supported", "used", "valid",
];

/// What follows `no`, and ends what begins with `your`.
#[rustfmt::skip] // as a paragraph
const THINGS: &[&str] = &[
    "auth", "credential", "credentials", "goes", "here", "id", "key", "password", "placeholder", "secret", "string", "token",
    "value",
];

/// What Terraform prints for one.
const PRINTED: &[&str] = &["sensitive value", "known after apply"];

/// First words of what is wrong with one: `invalid_grant`, `missing-token`.
const FAULTS: &[&str] = &["expired", "invalid", "missing", "unauthorized", "unknown", "unsupported"];

/// First words of what is to be done: `replace_me`, `insert-your-key`.
const ORDERS: &[&str] = &["add", "enter", "insert", "paste", "put", "replace"];

/// Names of places that secrets are read from, as settings write them.
///
/// SPEC: 1Password (secret references), AWS (ARNs), Azure (Key Vault references), CloudFormation (`!Ref`), vals and Helmfile (`ref+`), Spring and
/// Vault (`vault:path`).
const PLACES: &[&str] = &[
    "op://",
    "arn:aws:secretsmanager:",
    "arn:aws:ssm:",
    "@Microsoft.KeyVault",
    "vault:secret/",
    "vault:kv/",
];

/// Words before such a name, behind which nothing or a blank follows.
const TAGS: &[&str] = &["!Ref", "!GetAtt", "!vault", "secretKeyRef", "secretKeyRef:"];

/// The same for the value of a field, whose key may say what it is: `PWD` and `OLDPWD` of an environment are directories.
///
/// SPEC: POSIX.1-2017, XBD 8.3: an absolute path.
#[must_use]
pub fn is_no_secret_of(key: Option<&[u8]>, value: &[u8]) -> bool {
    is_no_secret(value) || matches!(key, Some(b"PWD" | b"OLDPWD")) && value.starts_with(b"/")
}

/// True for a value that is nothing but a placeholder, a word that says there is none, or a reference.
#[must_use]
pub(super) fn is_no_secret(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    if value.len() > BYTES_MAX {
        return false;
    }
    let brackets: &[char] = &['(', ')', '<', '>', '[', ']', '{', '}', '\'', '"', '`', '.', '!', '?', '*'];
    let bare = value.trim_matches(brackets);
    let is_word = PRINTED.contains(&bare) || WORDS.iter().any(|word| bare.eq_ignore_ascii_case(word));
    let is_tagged =
        |tag: &&str| value.strip_prefix(*tag).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let is_place = PLACES.iter().any(|place| value.starts_with(place))
        || TAGS.iter().any(is_tagged)
        // LEAK: a password may begin as the reference of a tool does; one that has no scheme behind it is none.
        || value.strip_prefix("ref+").is_some_and(|rest| rest.contains("://"));
    is_word
        || is_mask(value)
        || is_place
        || WHOLE.contains(&value)
        || is_template(value)
        || is_phrase(bare)
        || is_reading(value)
        || is_version(value)
        || is_constant(value.as_bytes())
}

/// `2.9.0`: what is said of a package whose name ends as a secret's does, as `pyjwt` does. What is an address is found as one.
fn is_version(value: &str) -> bool {
    let is_number =
        |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (3..=4).contains(&value.split('.').count()) && value.split('.').all(is_number)
}

/// `********`, `ghp_xxxxxxxx`, `sk-...`: what covers one, behind the letters that tell whose it is.
fn is_mask(value: &str) -> bool {
    let of_mask = |letter: char| "*x.-#\u{2022}".contains(letter);
    let start = value.rfind(['_', '-']).map_or(0, |at| at + 1);
    let (lead, rest) = value.split_at(start);
    let is_lead = lead.len() <= LEAD_BYTES_MAX
        && lead.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    value.len() > 2 && value.chars().all(of_mask) || is_lead && rest.len() > 2 && rest.chars().all(of_mask)
}

/// `${DB_PASSWORD}`, `{{ .Values.password }}`, `%DB_PASSWORD%`, `<your-key>`, `env:DB_PASSWORD`: a name in the marks of some language.
fn is_template(value: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphabetic() || b"_-. ".contains(&byte);
    let is_name = |name: &str| name.len() > 2 && name.bytes().all(of_name);
    let is_shouted =
        |name: &str| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let between =
        |open: &str, close: &str| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let is_bound = |lead: &str| value.strip_prefix(lead).is_some_and(|name| THINGS.contains(&name));
    [("${{", "}}"), ("{{", "}}"), ("${", "}"), ("$(", ")"), ("#{", "}"), ("{", "}"), ("<", ">"), ("%(", ")s")]
        .iter()
        .any(|(open, close)| between(open, close).is_some_and(is_name))
        || is_bound(":")
        || is_bound("@")
        || between("%", "%").is_some_and(is_shouted)
        || ["$", "env:", "env.", "ENV:"].iter().any(|lead| value.strip_prefix(lead).is_some_and(is_shouted))
}

/// `not_configured_in_environment`, `your-api-key-here`, `invalid_grant`, `REPLACE_ME`: words that are joined, and begin as no password does.
fn is_phrase(value: &str) -> bool {
    let whole = value.trim_end_matches(|last: char| last.is_ascii_digit());
    if whole.len() + DIGITS_MAX < value.len()
        || !whole.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_- ".contains(&byte))
        // One word in capitals and small letters by turns is no word.
        || !(whole.bytes().all(|byte| !byte.is_ascii_uppercase()) || whole.bytes().all(|byte| !byte.is_ascii_lowercase()))
    {
        return false;
    }
    let whole = whole.to_ascii_lowercase();
    let words: Vec<&str> = whole.split(['_', '-', ' ']).collect();
    let [first, second, ..] = words.as_slice() else { return false };
    let last = words.last().expect("there are two");
    words.len() <= WORDS_MAX
        && (*first == "not" && NEGATED.contains(second)
            || *first == "no" && THINGS.contains(last)
            || (*first == "your" || *second == "your" && first.len() < 4) && THINGS.contains(last)
            || FAULTS.contains(first) && words.len() <= FAULT_WORDS_MAX
            || ORDERS.contains(first) && matches!(*second, "me" | "with" | "your" | "this"))
}

/// `os.environ["API_KEY"]`, `config.get('password')`, `settings.SECRET_KEY`: a piece of source code that begins as programs name their settings.
fn is_reading(value: &str) -> bool {
    let root = value.split(['.', '(', '[']).next().unwrap_or_default();
    let of_code = |byte: u8| byte.is_ascii_alphabetic() || b"_.()[]'\":, ".contains(&byte);
    root.len() < value.len()
        && (CODE_ROOTS.contains(&root.as_bytes()) || matches!(root, "getenv" | "System" | "ENV" | "Rails"))
        && value.bytes().all(of_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_there_is_none_is_told_from_what_somebody_chose() {
        for value in [
            "None",
            "(empty)",
            "<unset>",
            "[Filtered]",
            "disabled",
            "N/A",
            "2.9.0",
            "TODO",
            "expired.",
            "not set",
            "not_configured",
            "not-found",
            "not_configured_in_environment2",
            "no_password",
            "invalid_grant",
            "missing_token",
            "your_api_key_here",
            "YOUR_SECRET",
            "<your-api-key>",
            "xxxxxxxx",
            "********",
            "YES",
            "必須",
            "replace_me",
            "REPLACE_WITH_TOKEN",
            "insert-your-key-here",
            "${DB_PASSWORD}",
            "${db.password}",
            "$DB_PASSWORD",
            "${{ secrets.TOKEN }}",
            "{{ .Values.password }}",
            "#{password}",
            "%DB_PASSWORD%",
            "%(password)s",
            "env:DB_PASSWORD",
            "process.env.API_KEY",
            "os.environ[\"API_KEY\"]",
            "config.get('password')",
            "getenv(\"DB_PASSWORD\")",
            "settings.SECRET_KEY",
            "params[:auth_token]",
            "vault:secret/data/db#password",
            "op://vault/db/password",
            "ref+awsssm://app/db",
            "!Ref",
            "!Ref DbPassword",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
            "@Microsoft.KeyVault(SecretUri=https://v.example.com/secrets/db)",
        ] {
            assert!(is_no_secret(value.as_bytes()), "{value}");
        }
        for value in [
            "123.456.789",
            "1.2",
            "!Refugee77",
            "ref+hunter2",
            "!vaulted",
            "hunter2",
            "changeme",
            "change_me",
            "password",
            "secret",
            "letmein",
            "nothing",
            "missing-otter-bakes-bread",
            "notset",
            "not-my-dog",
            "noSecret1",
            "your-mother",
            "$ecret1",
            "$UPER!",
            "${DB_PASSWORD:-hunter2}",
            "{hunter2}",
            "<T0ken>",
            "%20pass%",
            "self.made1",
            "correct-horse-battery-staple",
            "InvalidGrant",
            "nOt_SeT",
            "invalid1234",
            "env:hunter2",
            "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==",
            "add-water",
            "os.environ[0x1f]",
            "",
            " ",
            "no!",
            "yes1",
            "xx",
            "xXxXxX",
            "a1-xxxx",
            "sk-your-mother",
            "~a",
            "Data.Types",
            ":hunter2",
        ] {
            assert!(!is_no_secret(value.as_bytes()), "{value}");
        }
        assert!(!is_no_secret("\u{e9}".repeat(4).as_bytes()));
        assert!(!is_no_secret(b"\xff\xfe"));
        let of = |bytes: usize| format!("op://{}", "a".repeat(bytes - 5));
        for (bytes, want) in [(199, true), (200, true), (201, false)] {
            assert_eq!(is_no_secret(of(bytes).as_bytes()), want, "{bytes} bytes");
        }
    }
}
