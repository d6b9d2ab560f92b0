//! Values that say that there is no secret, or where one comes from: `not_configured`, `${DB_PASSWORD}`, `your_api_key_here`.
//!
//! LEAK: only what is a placeholder from its first byte to its last. What is also somebody's password (`changeme`, `password`) is none.

use super::credential::{CODE_ROOTS, is_constant};
use super::message::is_said;
use crate::scan::is_stand_in;

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
    "secretstr", "punc", "tru", "fals", "nul", "n/a", "todo", "tbd", "fixme", "disabled", "enabled", "valid", "unknown", "denied", "revoked",
    "present", "protected", "unchanged", "failed", "succeeded", "malformed", "incorrect", "mismatch", "granted", "provided", "allowed", "too short", "too_short", "tooShort",
    "is too short", "absent", "replaceme", "unavailable", "unauthorized", "not", "erforderlich", "obligatoire", "obligatorio", "必須", "必填",
];

/// What MySQL says of one, `(using password: YES)`, and how YAML writes none.
///
/// Further what programs write for one that is there, that went out, that a column falls back to, how it is signed, what a usage
/// text or Ansible puts in its place, and how one begins that is put together.
///
/// SPEC: MySQL, error 1045 (`ER_ACCESS_DENIED_ERROR`); YAML 1.2, section 10.3.2; RFC 7518, section 3.1; Ansible, `no_log`.
#[rustfmt::skip] // as a paragraph
const WHOLE: &[&str] = &[
    "YES", "NO", "~", "yes", "ok", "set", "sent", "DEFAULT", "HS256", "RS256", "ES256", "TOKEN", "STRING", "VALUE",
    "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "sk_test_", "sk_live_", "rk_live_", "pk_test_", "sk-proj-", "sk-ant-", "ghp_", "whsec_", "xoxb-",
];

/// How a header of credentials begins, where the rest of it is code: `'Bearer ' . $token`.
///
/// SPEC: RFC 6750, section 2.1; RFC 7617, section 2.
const SCHEMES: &[&str] = &["Bearer", "Basic", "Token", "bearer", "basic", "token"];

/// What stands for a value in a text that is put together later.
const FORMATS: &[&str] = &["%s", "%v", "{}", "{0}"];

/// What is said of a secret by an object under its name, and is none itself.
///
/// SPEC: JSON Schema 2020-12, validation, section 6; RFC 7519, section 4.1, and how libraries call its claims; RFC 6265, section 4.1.2,
/// as they call the attributes of a cookie.
#[rustfmt::skip] // as a paragraph
const DESCRIBED: &[&[u8]] = &[
    b"minLength", b"maxLength", b"min_length", b"max_length", b"required", b"enabled", b"issuer", b"audience",
    b"algorithm", b"alg", b"expiresIn", b"expires_in", b"expireMinutes", b"expiration", b"ttl", b"lifetime", b"maxAge", b"sameSite", b"httpOnly",
    b"secure", b"description", b"title", b"format", b"region",
];

/// What kind of token one is, what is wrong with it, or which word of a grammar.
#[rustfmt::skip] // as a paragraph
const TOKEN_KINDS: &[&str] = &[
    "ASSIGN", "COLON", "COMMA", "DEDENT", "EOF", "EOL", "IDENT", "IDENTIFIER", "INDENT", "KEYWORD", "LBRACE", "LBRACKET", "LPAREN", "NEWLINE",
    "OPERATOR", "RBRACE", "RBRACKET", "RPAREN", "SEMICOLON", "WHITESPACE", "access", "audience", "bearer", "comment", "csrf", "else",
    "identifier", "issuer", "keyword", "refresh", "text",
];

/// Packages whose names end as a secret's does.
const PACKAGES: &[&[u8]] = &[b"jsonwebtoken", b"node_modules/jsonwebtoken"];

/// Names of tokens that say where a list goes on.
const LIST_TOKENS: &[&str] = &["continuationtoken", "nextpagetoken", "nextsynctoken"];

/// How Django prints a piece of a template before what it calls its token.
const TEMPLATE_PIECES: &[&[u8]] = &[b"<Block token", b"<Text token", b"<Var token", b"<Comment token"];

/// What the names of places in a list end in: `LastEvaluatedKey`.
const PLACES_IN_LIST: &[&str] = &["Cursor", "Key", "Marker", "Token"];

/// Directories at the root that files lie in.
const ROOTS: &[&str] = &["etc", "home", "opt", "run", "srv", "tmp", "usr", "var"];

/// Digits of the fingerprint of a key of OpenPGP, which is public.
const FINGERPRINT_DIGITS: usize = 40;

/// Longest number in hex that counts sessions or is a place in memory.
const NUMBER_DIGITS_MAX: usize = 16;

/// Most letters that a mask leaves at its end: `sk-...l8qnxx`.
const TAIL_BYTES_MAX: usize = 6;

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

/// Programs that a shell asks for a secret, which are told no more than what it is called.
#[rustfmt::skip] // as a paragraph
const READERS: &[&str] = &[
    "aws", "az", "cat", "chamber", "doppler", "gcloud", "gopass", "head", "kubectl", "op", "openssl", "pass", "pwgen", "security", "sops",
    "uuidgen", "vault",
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
const TAGS: &[&str] = &["!env", "!Ref", "!GetAtt", "!vault", "secretKeyRef", "secretKeyRef:"];

/// The same for the value of a field, whose key may say what it is: `PWD` and `OLDPWD` of an environment are directories.
///
/// SPEC: POSIX.1-2017, XBD 8.3: an absolute path.
#[must_use]
pub fn is_no_secret_of(key: Option<&[u8]>, value: &[u8]) -> bool {
    let (printed, value) = (value, unquoted(value));
    is_no_secret(value)
        || value.is_empty() && !printed.is_empty()
        || matches!(key, Some(b"PWD" | b"OLDPWD")) && value.starts_with(b"/")
        || key.is_some_and(|key| is_none_of(key, value))
}

/// What stands in quotes, as a variable is printed: `'x'`, `b'x'`.
fn unquoted(value: &[u8]) -> &[u8] {
    match value.strip_prefix(b"b").filter(|rest| rest.starts_with(b"'")).unwrap_or(value) {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] | [b'`', inner @ .., b'`'] => inner,
        _ => value,
    }
}

/// The same for what says so only under such a key: what a schema or the settings of tokens say of theirs, the sources of
/// `nsswitch.conf`, and the test that a runner calls passed, too.
///
/// LEAK: tokens are given out, not chosen; what is a word or a name there may well be a password elsewhere.
pub(super) fn is_none_of(key: &[u8], value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let ends = |word: &str| {
        let letters =
            key.iter().rev().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
        letters.take(word.len()).eq(word.bytes().rev())
    };
    let is_token = ends("token");
    ends("authorization") && (SCHEMES.contains(&value.trim_end()) || is_waived(value))
        || DESCRIBED.iter().any(|name| name.eq_ignore_ascii_case(key))
        || PACKAGES.contains(&key)
        || key.eq_ignore_ascii_case(b"passwd") && matches!(value, "files" | "compat" | "sss" | "systemd")
        || key == b"PASS" && (value.contains("::") || value.contains('/'))
        || is_token
            && (TOKEN_KINDS.contains(&value)
                || is_scope(value)
                || is_place_in_list(value)
                || is_counted(value))
        || is_token && TEMPLATE_PIECES.iter().any(|piece| key.ends_with(piece))
        || LIST_TOKENS.iter().any(|name| ends(name))
        || is_token && value.starts_with("Unexpected") && value.bytes().all(|byte| byte.is_ascii_alphabetic())
        || (ends("existingsecret") || ends("imagepullsecret"))
            && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        || (is_token || ends("apikey")) && value.len() < 4 && value.bytes().all(|byte| byte.is_ascii_digit())
        || ends("sessionkey") && is_word(value)
        || ends("websocketkey")
        || ends("emptypassword")
        || ends("gpgkey")
            && value.len() == FINGERPRINT_DIGITS
            && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        || (is_token || ends("session") || ends("sessionid") || ends("sid")) && is_number(value)
        || ends("storagekey") && value.bytes().all(|byte| byte.is_ascii_lowercase() || b":_-".contains(&byte))
}

/// `none required for /health`: nobody is asked who they are.
fn is_waived(value: &str) -> bool {
    let of_words = |byte: u8| byte.is_ascii_lowercase() || b" /._-".contains(&byte);
    let mut words = value.split(' ');
    matches!(words.next(), Some("none" | "not"))
        && words.next().is_some_and(|word| NEGATED.contains(&word))
        && value.bytes().all(of_words)
}

/// `bucket:1`: what stands behind a name in a key of Redis.
fn is_counted(value: &str) -> bool {
    value.split_once(':').is_some_and(|(word, number)| {
        is_word(word)
            && number.len() < 8
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// `cart`: a short word.
fn is_word(value: &str) -> bool {
    (3..=12).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// `keyword.source.rust`: what a highlighter calls a piece of a text.
fn is_scope(value: &str) -> bool {
    let is_word =
        |word: &str| (3..=15).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    value.contains('.') && value.split('.').all(is_word)
}

/// `NextToken`, `LastEvaluatedKey`: words that a field is called.
fn is_place_in_list(value: &str) -> bool {
    let joined = |pair: &[u8]| pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase();
    PLACES_IN_LIST.iter().any(|end| value.len() > end.len() && value.ends_with(end))
        && value.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !value.as_bytes().windows(2).any(joined)
}

/// `0x34ed9ac1c1e0030`: the number of a session, or where something lies in memory.
fn is_number(value: &str) -> bool {
    let is_hex = |digits: &str| {
        (1..=NUMBER_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    value.strip_prefix("0x").is_some_and(is_hex)
}

/// `/run/secrets/db`: the file that one lies in.
///
/// SPEC: Filesystem Hierarchy Standard 3.0, section 3.2.
fn is_file(value: &str) -> bool {
    let Some((root, rest)) = value.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return false;
    };
    let of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    // The person whose home it is may be replaced before.
    let is_part = |part: &str| part.bytes().all(of_path) || is_stand_in(part.as_bytes());
    ROOTS.contains(&root) && !rest.is_empty() && rest.split('/').all(is_part)
}

/// `sk-...l8qnxx`: a token of which the end is shown.
fn is_shortened(value: &str) -> bool {
    let of_token =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    value.split_once("...").is_some_and(|(lead, tail)| {
        (1..=LEAD_BYTES_MAX).contains(&lead.len())
            && lead.ends_with(['-', '_'])
            && tail.len() <= TAIL_BYTES_MAX
            && of_token(lead)
            && of_token(tail)
    })
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
    let says_none = |text: &str| WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_word = PRINTED.contains(&bare) || says_none(bare);
    let is_header = |(scheme, rest): (&str, &str)| {
        SCHEMES.contains(&scheme)
            && (is_template(rest)
                || is_interpolated(rest)
                || is_mask(rest)
                || says_none(rest)
                || FORMATS.contains(&rest)
                || rest.starts_with("realm="))
    };
    let is_tagged =
        |tag: &&str| value.strip_prefix(*tag).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let is_place = PLACES.iter().any(|place| value.starts_with(place))
        || TAGS.iter().any(is_tagged)
        // LEAK: a password may begin as the reference of a tool does; one that has no scheme behind it is none.
        || value.strip_prefix("ref+").is_some_and(|rest| rest.contains("://"));
    is_word
        || is_mask(value)
        || is_place
        || value.split_once(' ').is_some_and(is_header)
        || is_object(value)
        || is_said(value)
        || !value.contains(|letter: char| letter.is_alphanumeric() || !letter.is_ascii())
            && (1..4).contains(&value.trim().len())
        || value.starts_with("<|") && value.ends_with("|>")
        || WHOLE.contains(&value)
        || is_template(value)
        || is_interpolated(value)
        || is_regex(value)
        || is_command(value)
        || is_phrase(bare)
        || is_reading(value)
        || is_version(value)
        || is_file(value)
        || is_shortened(value)
        || is_constant(value.as_bytes())
}

/// `<Buffer(4)>`, `<Token object at 0x7f00>`: what a variable holds, not what that says.
fn is_object(value: &str) -> bool {
    let of_kind = |byte: u8| byte.is_ascii_alphanumeric() || b"_. ():".contains(&byte);
    value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).is_some_and(|kind| {
        kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && (kind.contains(" object at 0x") || kind.ends_with(')') && kind.contains('('))
            && kind.bytes().all(of_kind)
            || is_printed_type(kind)
    })
}

/// `Token Name 'query' 1:1`, `FilterExpression 'tok'`: a type, and behind it what its object prints in quotes.
fn is_printed_type(kind: &str) -> bool {
    let Some((name, rest)) = kind.split_once(' ') else { return false };
    name.len() > 3
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic())
        && rest.contains('\'')
}

/// `(\S+)`, `[^\s"]+`: a regex of what would match.
fn is_regex(value: &str) -> bool {
    let rest = [r"\S", r"\s", r"\w", r"\W", r"\d", r"\D"]
        .iter()
        .fold(value.to_owned(), |rest, class| rest.replace(class, ""));
    rest.len() < value.len() && !rest.contains(|letter: char| letter.is_alphanumeric())
}

/// `#{ENV['GH_TOKEN']}`: what Ruby puts into a string.
fn is_interpolated(value: &str) -> bool {
    let of_code = |byte: u8| byte.is_ascii_alphabetic() || b"_.()[]'\":&".contains(&byte);
    value
        .strip_prefix("#{")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|code| code.bytes().all(of_code))
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

/// `$(vault kv get -field=key secret/app)`: what a shell asks a program for. The words are names: none has more than a short number behind it.
fn is_command(value: &str) -> bool {
    let between =
        |open: &str, close: &str| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let of_name = |byte: u8| byte.is_ascii_alphabetic() || b"_-./:=".contains(&byte);
    let is_name = |word: &str| {
        let name = word.trim_end_matches(|last: char| last.is_ascii_digit());
        name.len() + DIGITS_MAX >= word.len() && name.bytes().all(of_name)
    };
    let Some((program, words)) =
        between("$(", ")").or_else(|| between("`", "`")).and_then(|command| command.split_once(' '))
    else {
        return false;
    };
    READERS.contains(&program) && words.split(' ').all(is_name)
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
    fn what_a_token_is_called_is_told_from_one() {
        for (key, value, want) in [
            ("input_token", "NextToken", true),
            ("outputToken", "LastEvaluatedKey", true),
            ("output_token", "LASTKey", false),
            ("output_token", "NextToken1", false),
            ("password", "NextToken", false),
            ("token", "constant.numeric", true),
            ("token", "constant.num3ric", false),
            ("password", "correct.horse", false),
            ("token", "identifier", true),
            ("token", "sunflower", false),
            ("secret", "identifier", false),
            ("token", "RBRACE", true),
            ("token", "RBRACELET", false),
            ("secret", "COMMA", false),
            ("authorization", "none required for /health", true),
            ("authorization", "not configured", true),
            ("authorization", "none required for k3J9sLq0", false),
            ("authorization", "none of them", false),
            ("password", "none required for /health", false),
            ("sessionid", "0x34ed9ac1c1e0030", true),
            ("token", "0x34ed9ac1c1e003012", false),
            ("private_key", "0x34ed9ac1c1e0030", false),
            ("storageKey", "persist:root", true),
            ("PWD", "/App/x1", true),
            ("pwd", "/app", false),
            ("password", "/app", false),
            ("authorization", "Bearer ", true),
            ("authorization", "Bearer ${token}", true),
            ("authorization", "Bearer ****", true),
            ("authorization", "Bearer hunter2", false),
            ("authorization", "Bearer undefined", true),
            ("authorization", "Bearer %s", true),
            ("authorization", "`Bearer ${session.accessToken}`", true),
            ("authorization", "Basic realm=", true),
            ("password", "''", true),
            ("password", "'********'", true),
            ("password", "'hunter2'", false),
            ("token", "b'null'", true),
            ("token", "<|endoftext|>", true),
            ("token", "';'", true),
            ("token", "<Buffer(4)>", true),
            ("token", "<Sunflower1>", false),
            ("password", "min:8", true),
            ("password", "min:hunter2", false),
            ("password2", "The two password fields didn\u{2019}t match.", true),
            ("password", "Correct horse battery staple.", false),
            ("issuer", "https://auth.example.com", true),
            ("passwd", "files", true),
            ("password", "files", false),
            ("PASS", "tests/test_a.py::test_b", true),
            ("PASS", "hunter2x", false),
            ("storageKey", "persist:r00t", false),
        ] {
            assert_eq!(is_no_secret_of(Some(key.as_bytes()), value.as_bytes()), want, "{key} {value}");
        }
    }

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
            "$(vault kv get -field=key secret/app)",
            "`pass show db/app2`",
            "$(openssl rand -hex 32)",
            "process.env.API_KEY",
            "incorrect",
            "tooShort",
            "set",
            "RS256",
            "DEFAULT",
            "/etc/ssl/key.pem",
            "/run/secrets/db",
            "/home/[person]/db",
            "/home/%5Bperson%5D",
            "Neues Passwort:",
            "sk-...l8qnxx",
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
            "set1",
            "default",
            "sunflower",
            "/etc",
            "/sunflower/x",
            "/etc/sun$flower",
            "sunflower:",
            "correct h0rse:",
            "hunter...2",
            "sk-...sunflower",
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
            "$(echo key=sunflower)",
            "$(vault kv get k3J9sLq0)",
            "$(vault kv get",
            "$(openssl rand 1729)",
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
