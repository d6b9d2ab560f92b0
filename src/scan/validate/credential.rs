//! Secrets by their surroundings: is the value behind `password=` a value at all?

use std::ops::Range;

/// What words of a sentence or of source code follow a name with: `Password: must contain a digit`, `token = await read()`.
const SENTENCE_WORDS: &[&[u8]] = &[
    b"await",
    b"cannot",
    b"does",
    b"ensure",
    b"expected",
    b"expecting",
    b"field",
    b"from",
    b"have",
    b"mindestens",
    b"minimum",
    b"must",
    b"not",
    b"permission",
    b"requires",
    b"should",
    b"that",
    b"this",
    b"token",
    b"unexpected",
    b"when",
    b"will",
    b"with",
];

/// Longest line of a condition.
const LINE_BYTES_MAX: usize = 200;

/// What follows the colon of a condition in Python.
const STATEMENTS: &[&[u8]] = &[b"raise", b"return", b"continue", b"break", b"yield", b"assert", b"pass"];

/// What errors of Go begin with, one behind the other: `decrypt secret: cipher: message authentication failed`.
const ERROR_ROOTS: &[&[u8]] = &[
    b"aes:",
    b"asn1:",
    b"base64:",
    b"cipher:",
    b"context:",
    b"crypto:",
    b"hex:",
    b"http:",
    b"invalid:",
    b"json:",
    b"oauth2:",
    b"parse:",
    b"rpc:",
    b"strconv:",
    b"x509:",
    b"yaml:",
];

/// What names in source code begin with that say where a value comes from.
pub(super) const CODE_ROOTS: &[&[u8]] = &[
    b"args",
    b"cfg",
    b"config",
    b"ctx",
    b"data",
    b"env",
    b"local",
    b"module",
    b"opts",
    b"options",
    b"os",
    b"params",
    b"process",
    b"props",
    b"req",
    b"request",
    b"self",
    b"settings",
    b"this",
    b"var",
];

/// What `passwd` says behind its own name: `passwd: password expiry information changed.`
///
/// SPEC: shadow-utils, passwd(1); Linux-PAM, `pam_strerror`.
const SAID_BY_PASSWD: &[(&[u8], &[u8])] = &[
    (b"password", b" changed"),
    (b"password", b" expiry information changed"),
    (b"password", b" unchanged"),
    (b"password", b" updated successfully"),
    (b"Authentication", b" token manipulation error"),
];

/// Longest words in brackets that say what belongs there.
const PLACEHOLDER_BYTES_MAX: usize = 64;

/// Settings of charts for Kubernetes that hold what a secret is called.
const NAMES: &[&[u8]] = &[b"existingSecret", b"imagePullSecret"];

/// Digits of an account in the name of a resource of AWS, and how far before them it begins.
const ACCOUNT_DIGITS: usize = 12;
const RESOURCE_BYTES_MAX: usize = 64;

/// How far before a column its statement begins.
const STATEMENT_BYTES_MAX: usize = 400;

/// Names of schemes that stand before what proves who asks.
const SCHEMES: &[&[u8]] = &[b"bearer ", b"basic ", b"token ", b"apikey "];

/// True unless the value is a placeholder, a word that says there is none, or a key that is public.
pub(super) fn secret_value(text: &[u8], candidate: Range<usize>) -> bool {
    let value = &text[candidate.clone()];
    // A template of JavaScript.
    if let Some(template) = value.strip_prefix(b"`") {
        let end = memchr::memchr(b'`', template).unwrap_or(template.len());
        return end > 0 && secret_value(text, candidate.start + 1..candidate.start + 1 + end);
    }
    let named =
        |scheme: &&[u8]| value.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    if let Some(scheme) = SCHEMES.iter().find(|scheme| named(scheme)) {
        let rest = candidate.start + scheme.len()..candidate.end;
        let rest = text[rest].trim_ascii();
        let is_none = super::is_no_secret(rest) || super::is_no_secret(value);
        return !(rest.is_empty() || is_placeholder(rest) || is_none || is_sentence(rest));
    }
    // Of `{'key': 'token', 'value': 'x'}` the second name is none.
    let is_key = value == b"value" && matches!(text[candidate.end..], [b'"' | b'\'', b':', ..]);
    if is_key || is_placeholder(value) || is_from_code(text, &candidate) || asks_for_it(text, &candidate) {
        return false;
    }
    // `mock(CanResetPassword::class)`
    if names_a_resource(&text[..candidate.start]) || value == b":class" || is_listed_name(text, &candidate) {
        return false;
    }
    // `f"Bearer {token}"`, `new AuthenticationHeaderValue("Bearer", token)`
    let is_quoted = matches!(value, b"f" | b"b" | b"r" | b"u" | b"N")
        && matches!(text.get(candidate.end), Some(b'"' | b'\''));
    if is_quoted || value.starts_with(b"new ") && value.ends_with(b"(") {
        return false;
    }
    // `if (token === undefined)`, `authorization: { params: …`
    if value.starts_with(b"==") || value.starts_with(b"{ ") || value == b"=undefined" || value == b"=null" {
        return false;
    }
    let name = text[..candidate.start].trim_ascii_end();
    let name = name.strip_suffix(b"\"").or(name.strip_suffix(b"'")).unwrap_or(name).trim_ascii_end();
    let name = name.strip_suffix(b"=").or(name.strip_suffix(b":")).unwrap_or(name).trim_ascii_end();
    let name = name.strip_suffix(b"\"").or(name.strip_suffix(b"'")).unwrap_or(name);
    let rest = &text[candidate.end..];
    if super::is_none_of(name, value)
        || says_what_is_wrong(value, rest)
        || is_said_by_passwd(name, value, rest)
    {
        return false;
    }
    let bare = value.strip_prefix(b"[").map_or(value, |rest| rest.strip_suffix(b"]").unwrap_or(rest));
    let bare = trimmed(bare, b"<>{}$_\\\"'!?.`:");
    !(bare.is_empty()
        || super::is_no_secret(bare)
        || super::is_no_secret(value)
        || super::is_public_key(value)
        || is_working_directory(&text[..candidate.start], value)
        || crate::scan::is_stand_in(value))
}

/// `"last_login"` of `SELECT "password", "last_login"` and `"autofocus"` of `"current-password", "autofocus": True`: another name in a list.
fn is_listed_name(text: &[u8], candidate: &Range<usize>) -> bool {
    let head = &text[..candidate.start];
    let quote = match head.last() {
        Some(quote @ (b'"' | b'\'')) => *quote,
        _ => return false,
    };
    let before = head[..head.len() - 1].trim_ascii_end();
    if !before.ends_with(b",") || text.get(candidate.end) != Some(&quote) {
        return false;
    }
    let value = &text[candidate.clone()];
    let is_name = value.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    // `"API_KEY_HEADER": "X-Api-Key", "PASSWORD_VALIDATORS": []`
    let is_setting =
        value.contains(&b'_') && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    if is_setting && text.get(candidate.end + 1) == Some(&b':') {
        return true;
    }
    if !is_name {
        return false;
    }
    let near = &before[before.len().saturating_sub(STATEMENT_BYTES_MAX)..];
    let last = |words: &[&[u8]]| words.iter().filter_map(|word| memchr::memmem::rfind(near, word)).max();
    let columns = last(&[b"SELECT ", b"INSERT INTO ", b"RETURNING "]);
    matches!(text[candidate.end + 1..], [b'.' | b':', ..])
        || columns.is_some() && last(&[b"VALUES", b" WHERE "]) < columns
}

/// `$TOKEN`, `${DB_PASSWORD}`, `<token>`, `{{`: what will be put there, not what was.
fn is_placeholder(value: &[u8]) -> bool {
    let is_name =
        |name: &[u8]| name.len() > 2 && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    match value {
        [b'$', b'{', name @ ..] => is_name(name.strip_suffix(b"}").unwrap_or(name)),
        [b'$', name @ ..] => is_name(name),
        [b'<', name @ .., b'>'] => name.iter().all(|byte| byte.is_ascii_lowercase() || b"_- ".contains(byte)),
        [b'{', b'{', ..] => true,
        _ => false,
    }
}

/// `signature mismatch`, `authentication required`: a part of a token, and what is wrong with it.
fn says_what_is_wrong(value: &[u8], rest: &[u8]) -> bool {
    matches!(value, b"audience" | b"authentication" | b"authorization" | b"issuer" | b"signature")
        && (rest.starts_with(b" mismatch") || rest.starts_with(b" required"))
}

/// `passwd: password unchanged`: a program's name, and what it did.
fn is_said_by_passwd(name: &[u8], value: &[u8], rest: &[u8]) -> bool {
    name.ends_with(b"passwd")
        && SAID_BY_PASSWD.iter().any(|(first, said)| value == *first && rest.starts_with(said))
}

/// `Bearer token malformed`: words with blanks between them, where a token has none.
fn is_sentence(value: &[u8]) -> bool {
    value.contains(&b' ') && value.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b' ')
}

/// `existingSecret: `, `arn:aws:secretsmanager:eu-west-1:123456789012:secret:`: what a secret is called, not what it is.
fn names_a_resource(head: &[u8]) -> bool {
    let name = head.trim_ascii_end();
    let name = name.strip_suffix(b":").or(name.strip_suffix(b"=")).unwrap_or(name);
    if NAMES.iter().any(|known| name.ends_with(known)) {
        return true;
    }
    let Some(head) = head.strip_suffix(b":secret:") else { return false };
    let name = &head[head.len().saturating_sub(RESOURCE_BYTES_MAX)..];
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    digits == ACCOUNT_DIGITS && name.windows(4).any(|four| four == b"arn:")
}

/// `<your key here>`: words in brackets that say what belongs there.
fn asks_for_it(text: &[u8], candidate: &Range<usize>) -> bool {
    let of_words = |byte: &&u8| byte.is_ascii_lowercase() || b"_- ".contains(byte);
    let behind = text[candidate.start..].strip_prefix(b"<").unwrap_or_default();
    let words = behind.iter().take(PLACEHOLDER_BYTES_MAX).take_while(of_words).count();
    words > 0 && behind.get(words) == Some(&b'>') && candidate.len() <= words + 2
}

/// A name, call or type of source code: `os.environ[`, `getpass.getpass(`, `token or`, `Option<String>`, `await read()`.
///
/// LEAK: only shapes that nobody chooses for a secret: a word that is called, one that begins as programs name their settings, the name of the
/// key itself, a word of a sentence that goes on.
fn is_from_code(text: &[u8], candidate: &Range<usize>) -> bool {
    let value = &text[candidate.clone()];
    let (head, rest) = (&text[..candidate.start], &text[candidate.end..]);
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    let is_name = !value[0].is_ascii_digit() && value.iter().all(of_name);
    let root = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    let is_member = root.len() < value.len() && CODE_ROOTS.contains(&root);
    let goes_on = matches!(rest, [b' ', next, ..] if next.is_ascii_alphabetic());
    let is_statement = head.ends_with(b" = ") && rest.first() == Some(&b';');
    let name = head.trim_ascii_end();
    let name = name.strip_suffix(b"=").or(name.strip_suffix(b":")).unwrap_or(name).trim_ascii_end();
    let is_error = goes_on && ERROR_ROOTS.contains(&value);
    // `if not password: raise ValueError(`
    let is_statement_of = goes_on && STATEMENTS.contains(&value) && is_condition(head);
    // `volume "tls-secret" : secret "tls" not found`
    let is_kind = matches!(value, b"secret" | b"configmap") && rest.starts_with(b" \"");
    // `[--password PASSWORD]`: what an option takes, as usage texts call it.
    let shouted = value.strip_suffix(b"]").unwrap_or(value);
    let is_metavar = shouted.len() > 3
        && shouted.iter().all(u8::is_ascii_uppercase)
        && name.ends_with(&shouted.to_ascii_lowercase());
    // `invalid token: expected 3 segments`
    let is_expected = value == b"expected" && matches!(rest, [b' ', next, ..] if next.is_ascii_digit());
    // `kwargs={'token': <FilterExpression 'tok'>}`; `{% url "reset" token=tok %}` below
    let is_printed = value[0] == b'<'
        && value.len() > 4
        && value[1].is_ascii_uppercase()
        && value[1..].iter().all(u8::is_ascii_alphabetic)
        && matches!(rest, [b' ', b'\'' | b'"', ..]);
    is_error
        || is_statement_of
        || is_kind
        || is_metavar
        || is_expected
        || is_printed
        || is_name && rest.starts_with(b" %}")
        || is_scope(name, value, rest)
        || is_name && is_member_named(name, value)
        || is_name
            && (matches!(rest, [b'(', ..] | [b'[', b'"' | b'\'' | b':', ..])
                || is_member
                || (goes_on && SENTENCE_WORDS.iter().any(|word| value.eq_ignore_ascii_case(word)))
                || ((goes_on || is_statement) && name.len() > value.len() && name.ends_with(value)))
        || value[0] == b'$'
            && is_name
            && value.get(1..).is_some_and(|value| !value.is_empty() && name.ends_with(value))
        || is_type(value)
        || super::is_code(text, candidate.clone())
        || head.trim_ascii_end().ends_with(b"{{")
}

/// `if not password:`, as a line begins.
///
/// PERF: as far as a line of source code is long; a text may be one line with a candidate at each word.
fn is_condition(head: &[u8]) -> bool {
    let near = &head[head.len().saturating_sub(LINE_BYTES_MAX)..];
    let line = match memchr::memrchr(b'\n', near) {
        Some(end) => &near[end + 1..],
        None if near.len() == head.len() => near,
        None => return false,
    };
    line.trim_ascii_start().starts_with(b"if ")
}

/// `Token::Struct`, `token::parse(`: the scope of a type or a call, in C++ and Rust.
fn is_scope(name: &[u8], value: &[u8], rest: &[u8]) -> bool {
    let Some(item) = value.strip_prefix(b":") else { return false };
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let is_type = item.first().is_some_and(u8::is_ascii_uppercase);
    let is_token = name.to_ascii_lowercase().ends_with(b"token");
    let of_path = name.iter().rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let is_module = of_path.is_some_and(|at| name[..=at].ends_with(b"::"));
    item.iter().all(of_name) && (rest.first() == Some(&b'(') || is_module || is_type && is_token)
}

/// `self._password = parsed.password`: a member of the key's own name.
fn is_member_named(name: &[u8], value: &[u8]) -> bool {
    let Some(dot) = value.iter().rposition(|byte| *byte == b'.') else { return false };
    let member = &value[dot + 1..];
    member.len() > 3 && name.ends_with(member)
}

/// `TokenType.EOF`: a constant of a type.
pub(super) fn is_constant(value: &[u8]) -> bool {
    let Some(dot) = value.iter().position(|byte| *byte == b'.') else { return false };
    let (kind, name) = (&value[..dot], &value[dot + 1..]);
    let is_type =
        kind.first().is_some_and(u8::is_ascii_uppercase) && kind.iter().all(u8::is_ascii_alphabetic);
    is_type && name.len() > 1 && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

/// `Option<String>`, `Vec<u8`: a type with another one in it.
fn is_type(value: &[u8]) -> bool {
    let Some(open) = value.iter().position(|byte| *byte == b'<') else { return false };
    let inner = value[open + 1..].strip_suffix(b">").unwrap_or(&value[open + 1..]);
    let of_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"_&".contains(byte);
    value[0].is_ascii_uppercase()
        && value[..open].iter().all(u8::is_ascii_alphabetic)
        && inner.first().is_some_and(|byte| byte.is_ascii_uppercase() || *byte == b'&')
        && inner.iter().all(of_type)
}

/// `PWD=/app` in a printed environment. In a connection string `;` stands before it, and then it is a password.
///
/// SPEC: POSIX.1-2017, XBD 8.3: an absolute path.
pub(crate) fn is_working_directory(head: &[u8], value: &[u8]) -> bool {
    let Some(head) = head.strip_suffix(b"PWD=") else { return false };
    let head = head.strip_suffix(b"OLD").unwrap_or(head);
    let starts = matches!(head, [] | [.., b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\''] | [.., b'\\', b'n']);
    starts && value.starts_with(b"/")
}

/// True for base64 that could be `user:password`: length and padding fit, and it is no plain word.
pub(super) fn basic_auth(text: &[u8], candidate: Range<usize>) -> bool {
    let is_padded = text[candidate.clone()].ends_with(b"=");
    let value = trimmed(&text[candidate], b"=");
    value.len() % 4 != 1
        && (is_padded || !is_name(value))
        && (value
            .iter()
            .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"+/".contains(byte)))
}

/// Schemes of databases.
const DATABASES: &[&[u8]] = &[
    b"postgres",
    b"mysql",
    b"mariadb",
    b"mssql",
    b"oracle",
    b"mongodb",
    b"redis",
    b"amqp",
    b"clickhouse",
    b"snowflake",
];
const SCHEME_BYTES_MAX: usize = 32;

/// Names that are nobody's, as examples and databases have them.
const ROLES: &[&[u8]] = &[b"user", b"username", b"app", b"admin", b"root", b"postgres", b"guest", b"default"];

/// True for the user-info of a URL that holds a password, or a name that is neither the key of a DSN nor the one that
/// everybody has at hosts of source code.
pub(super) fn userinfo(text: &[u8], candidate: Range<usize>) -> bool {
    let value = &text[candidate.clone()];
    let (user, password) = match value.iter().position(|byte| *byte == b':') {
        Some(colon) => (&value[..colon], &value[colon + 1..]),
        None => (value, &value[..0]),
    };
    let is_key = user.len() == 32 && user.iter().all(u8::is_ascii_hexdigit);
    let is_anybody = matches!(user, b"git" | b"hg" | b"svn");
    let is_to_come = is_placeholder(password) && (user.is_empty() || is_placeholder(user));
    let is_format = |part: &[u8]| matches!(part, b"%s" | b"%v" | b"{}");
    let bare = password.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(b"-");
    let is_hidden = (is_format(user) || ROLES.contains(&user))
        && (is_format(password)
            || is_spelled_out(bare)
            || !password.is_empty() && super::is_no_secret(password));
    let is_masked = password.len() > 2
        && password.iter().all(|byte| *byte == b'*')
        && user.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
        && is_database(&text[..candidate.start]);
    // `redis://[USER:PASSWORD@]HOST`: what may be left out.
    let is_template = is_spelled_out(user.strip_prefix(b"[").unwrap_or(user))
        && (password.is_empty() || is_spelled_out(password));
    // `https?://[-a-z0-9+&@#/%]`: a class of characters.
    let is_nobody = user.is_empty() && password.is_empty();
    let is_class = is_nobody
        || password.is_empty()
            && user.starts_with(b"[")
            && user.windows(3).any(|range| matches!(range, b"a-z" | b"0-9" | b"A-Z"));
    let is_dsn = text[candidate.end..].strip_prefix(b"@").is_some_and(super::is_sentry_project);
    !(crate::scan::is_stand_in(value) || is_to_come || is_hidden || is_masked || is_template || is_class)
        && (!password.is_empty() || !(is_key || is_anybody || is_dsn))
}

/// `mysql+pymysql://`: a database, whose accounts are programs, and whose client masks the password.
///
/// SPEC: SQLAlchemy, `URL.render_as_string`.
fn is_database(head: &[u8]) -> bool {
    let Some(head) = head.strip_suffix(b"://") else { return false };
    let of_scheme = |byte: &&u8| byte.is_ascii_lowercase() || b"+.-0123456789".contains(byte);
    let scheme = &head[head.len() - head.iter().rev().take(SCHEME_BYTES_MAX).take_while(of_scheme).count()..];
    DATABASES.iter().any(|name| scheme.starts_with(name))
}

/// What stands for a name or a password in a template of a URL, in capitals: `USER`, `API_KEY`.
fn is_spelled_out(value: &[u8]) -> bool {
    let words: [&[u8]; 21] = [
        b"USER",
        b"USERNAME",
        b"LOGIN",
        b"PASSWORD",
        b"PASS",
        b"SECRET",
        b"TOKEN",
        b"KEY",
        b"APIKEY",
        b"API",
        b"ACCESS",
        b"AUTH",
        b"APP",
        b"CLIENT",
        b"ACCOUNT",
        b"ID",
        b"SID",
        b"DB",
        b"YOUR",
        b"BOT",
        b"SERVICE",
    ];
    value.split(|byte| *byte == b'_').all(|word| words.contains(&word))
}

/// `MenuTagMultiselectWidget`, `Authentication`: letters alone in humps of three and more, as hardly any base64 has them.
fn is_name(value: &[u8]) -> bool {
    let humps = || {
        value
            .chunk_by(|_, next| next.is_ascii_lowercase())
            .all(|hump| hump.len() > 2 && hump[0].is_ascii_uppercase())
    };
    value.len() > 7 && value.iter().all(u8::is_ascii_alphabetic) && humps()
}

fn trimmed<'a>(mut value: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    while let [first, rest @ ..] = value
        && bytes.contains(first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && bytes.contains(last)
    {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_hide_nothing() {
        for (value, want) in [
            ("hunter2", true),
            ("correct-horse", true),
            ("[Filtered]", false),
            ("\u{2022}\u{2022}\u{2022}\u{2022}", false),
            ("<your key here>", false),
            ("<Your k3y>", true),
            ("[credential]", false),
            ("********", false),
            ("None", false),
            ("${PASSWORD}", false),
            ("$DB_PASSWORD", false),
            ("$ecret1", true),
            ("<token>", false),
            ("<T0ken>", true),
            ("Option<String>", false),
            ("Pa<Ss1>w", true),
            ("null", false),
            ("false!", false),
            ("null.", false),
            ("no!", true),
            ("phc_0123456789abcdefghijABCDEFGHIJ", false),
        ] {
            assert_eq!(secret_value(value.as_bytes(), 0..value.len()), want, "{value}");
        }
    }

    #[test]
    fn names_and_templates_in_source_code_are_no_secrets() {
        for (text, value, want) in [
            ("Authorization: `Bearer ${session.accessToken}` }", "`Bearer ${session.accessToken}` }", false),
            ("Authorization: `Bearer hunter2` }", "`Bearer hunter2` }", true),
            ("'Authorization': 'Bearer %s' % x", "Bearer %s", false),
            ("{'Authorization': f'Bearer'}", "f", false),
            ("Authorization = new AuthenticationHeaderValue('x')", "new AuthenticationHeaderValue(", false),
            ("app::auth::token::verify_token", ":verify_token", false),
            ("token::sunflower", ":sunflower", true),
            (r#"SELECT "u"."password", "u"."last_login""#, "u", false),
            (r#"INSERT INTO "u" ("password", "last_login") VALUES (?, ?)"#, "last_login", false),
            (r#"INSERT INTO "u" ("password") VALUES ("password", "sunflower")"#, "sunflower", true),
            (r#"SELECT x WHERE y IN ("password", "sunflower")"#, "sunflower", true),
            (r#"{"autocomplete": "current-password", "autofocus": True}"#, "autofocus", false),
            (r#"("password", "sunflower")"#, "sunflower", true),
            ("x = 1\n    if not password: raise ValueError()", "raise", false),
            ("if not token: return None", "return", false),
            ("said password: raise the flag", "raise", true),
            ("usage: x [--password PASSWORD]", "PASSWORD]", false),
            ("DB_PASSWORD=PASSWORD", "PASSWORD", true),
            ("volume \"tls-secret\" : secret \"tls\" not found", "secret", false),
            ("{'token': <FilterExpression 'tok'>}", "<FilterExpression", false),
            ("{% url \"reset\" token=tok %}", "tok", false),
            (r#"SELECT ("password", "hunter2")"#, "hunter2", true),
        ] {
            let start = text.rfind(value).expect("the value is part of the text");
            assert_eq!(secret_value(text.as_bytes(), start..start + value.len()), want, "{text}");
        }
    }

    #[test]
    fn templates_of_a_url_hold_nobody() {
        for (text, value, want) in [
            ("postgres://USER:PASSWORD@HOST/db", "USER:PASSWORD", false),
            ("sms://API_KEY@default", "API_KEY", false),
            ("sms://APIKEY@default", "APIKEY", false),
            ("sms://QWERTZUIOP@default", "QWERTZUIOP", true),
            ("sms://API_KEY7@default", "API_KEY7", true),
            ("sms://USER:HUNTER@default", "USER:HUNTER", true),
            ("postgres://root:PASSWORD@example.com/db", "root:PASSWORD", true),
            ("https://%s:%s@example.com", "%s:%s", false),
            ("https://user:***@example.com", "user:***", false),
            ("https://user:[PASSWORD]@example.com", "user:[PASSWORD]", false),
            ("https://jane:***@example.com", "jane:***", true),
            ("mysql+pymysql://shop:***@db-1/shop", "shop:***", false),
            ("mysql+pymysql://jane.roe:***@db-1/shop", "jane.roe:***", true),
            ("mysql://shop:**1@db-1/shop", "shop:**1", true),
            ("https://user:%s1@example.com", "user:%s1", true),
            ("redis://:@127.0.0.1:1/0", ":", false),
            ("redis://:x@127.0.0.1:1/0", ":x", true),
            ("redis://[USER:PASSWORD@]HOST", "[USER:PASSWORD", false),
            ("https?://[-a-z0-9+&@#/%]", "[-a-z0-9+&", false),
            ("https://[a-z:x@example.com", "[a-z:x", true),
            ("https://[Tr0ub@example.com", "[Tr0ub", true),
            ("https://public@o1.ingest.sentry.io/1337", "public", false),
            ("https://public:private@o1.ingest.sentry.io/1337", "public:private", true),
            ("https://public@example.com/1337", "public", true),
            ("https://public@o1.ingest.sentry.io/a", "public", true),
        ] {
            let start = text.find(value).expect("the value is part of the text");
            assert_eq!(userinfo(text.as_bytes(), start..start + value.len()), want, "{text}");
        }
    }

    #[test]
    fn names_of_classes_are_no_basic_authentication() {
        for (value, want) in [
            ("Authentication", false),
            ("MenuTagMultiselectWidget", false),
            ("amFuZTpodW50ZXIy", true),
            ("YTpi", true),
            ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true),
            ("Authentication==", true),
        ] {
            assert_eq!(basic_auth(value.as_bytes(), 0..value.len()), want, "{value}");
        }
    }

    #[test]
    fn source_code_says_where_a_secret_comes_from() {
        for (text, value, want) in [
            ("password = os.environ[\"X\"]", "os.environ", false),
            ("password = getpass.getpass()", "getpass.getpass", false),
            ("token = await read()", "await", false),
            ("api_key = config[\"api_key\"]", "config", false),
            ("this.password = password;", "password", false),
            ("password=password;", "password", true),
            ("token=await", "await", true),
            ("'token', 'value': 'x'", "value", false),
            ("'token', 'value'", "value", true),
            ("self.token = token or ''", "token", false),
            ("token: $token)", "$token", false),
            ("key: {{ .Values.apiKey }}", ".Values.apiKey", false),
            ("Authorization: Bearer $TOKEN", "Bearer $TOKEN", false),
            ("Authorization: Bearer a1b2c3", "Bearer a1b2c3", true),
            ("Authorization: Bearer token malformed", "Bearer token malformed", false),
            ("Authorization: Bearer token a1b2c3", "Bearer token a1b2c3", true),
            ("Authorization: Bearer not_configured", "Bearer not_configured", false),
            ("decrypt secret: cipher: message authentication failed", "cipher:", false),
            ("secret: cipher:", "cipher:", true),
            ("[Token::Struct, 1]", ":Struct", false),
            ("token::parse_all(input)", ":parse_all", false),
            ("token::k3J9sLq0", ":k3J9sLq0", true),
            ("password::Hunter2", ":Hunter2", true),
            ("self._password = parsed.password", "parsed.password", false),
            ("password = parsed.hunter2", "parsed.hunter2", true),
            ("Password: This field may not be blank", "This", false),
            ("secret: permission denied", "permission", false),
            ("invalid token: signature mismatch", "signature", false),
            ("password: sunflower mismatch", "sunflower", true),
            ("token: \"constant.numeric\",", "constant.numeric", false),
            ("password: \"constant.numeric\",", "constant.numeric", true),
            ("passwd: password expiry information changed.", "password", false),
            ("passwd: Authentication token manipulation error", "Authentication", false),
            ("passwd: password expires", "password", true),
            ("passwd: hunter2 unchanged", "hunter2", true),
            ("expected token: COMMA but got", "COMMA", false),
            ("password: COMMA", "COMMA", true),
            ("authorization: none required for /health", "none required for /health", false),
            ("authorization: none required for k3J9sLq0", "none required for k3J9sLq0", true),
            ("Option --token requires an argument", "requires", false),
            ("--token requires", "requires", true),
            ("password = var.db_password", "var.db_password", false),
            ("existingSecret: db-credentials", "db-credentials", false),
            ("token = params[:token]", "params", false),
            ("Invalid token: unexpected end of input", "unexpected", false),
            ("password=${db.password}", "${db.password}", false),
            ("Password: must contain", "must", false),
            ("invalid token: TokenType.EOF", "TokenType.EOF", false),
            ("password=Correct.horse", "Correct.horse", true),
            ("Authorization: 'Bearer ' + token", "Bearer ", false),
            ("password=correct.horse", "correct.horse", true),
            ("password=self.made1", "self.made1", false),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-a1B2c3", "prod/db-a1B2c3", false),
            ("arn: 123456789:secret:prod/db-a1B2c3", "prod/db-a1B2c3", true),
        ] {
            let start = text.rfind(value).expect("the value is part of the text");
            assert_eq!(secret_value(text.as_bytes(), start..start + value.len()), want, "{text}");
        }
    }

    #[test]
    fn a_working_directory_is_no_password() {
        for (text, want) in [
            ("PWD=/app", false),
            ("LANG=C\nPWD=/srv/app", false),
            ("LANG=C\\nPWD=/srv/app", false),
            ("PWD=/app\nOLDPWD=/srv/app", false),
            ("PWD=app1", true),
            ("pwd=/app", true),
            ("UID=app;PWD=/x1y2", true),
        ] {
            let start = text.rfind("=/").map(|at| at + 1).or(text.find("app1")).expect("a value is there");
            assert_eq!(secret_value(text.as_bytes(), start..text.len()), want, "{text}");
        }
    }

    #[test]
    fn a_dsn_keeps_its_key_and_loses_its_secret() {
        let key = "0123456789abcdef0123456789abcdef";
        for (value, want) in [
            (key.to_owned(), false),
            (format!("{key}:s3cret"), true),
            ("$USER:${DB_PASS}".to_owned(), false),
            ("jane:$ecret1".to_owned(), true),
            ("jane:$PASS".to_owned(), true),
            ("jane:pw".to_owned(), true),
            ("git".to_owned(), false),
            ("git:pw".to_owned(), true),
        ] {
            assert_eq!(userinfo(value.as_bytes(), 0..value.len()), want, "{value}");
        }
    }
}
