//! Is a value that stands without quotes behind a name a piece of source code, and no value?
//!
//! LEAK: somebody's password may be one lower-case word, so each refusal asks for a mark that nobody chooses: a path that is called,
//! an arrow, a member of the key's own name, or the key's own name where code goes on behind it.

use std::ops::Range;

use super::credential::CODE_ROOTS;

/// Longest name that is looked at before a value.
const NAME_BYTES_MAX: usize = 64;
/// Longest index in brackets: `tokens[i]`.
const INDEX_BYTES_MAX: usize = 24;

/// What stands before what is made or waited for: `new String(bytes)`, `try keychain.get("token")`.
const OPERATORS: &[&[u8]] = &[b"new", b"try", b"await", b"async", b"yield"];

/// Types in a declaration.
#[rustfmt::skip] // as a paragraph
const TYPES: &[&[u8]] = &[
    b"any", b"bool", b"boolean", b"bytes", b"float", b"int", b"number", b"object", b"str", b"string", b"u16", b"u32", b"u64", b"u8", b"unknown",
];

/// Types that hide what they hold, as annotations name them.
///
/// SPEC: pydantic, secret types.
const SECRET_TYPES: &[&[u8]] = &[b"SecretStr", b"SecretBytes"];

/// What is said behind the last parameter of a function.
const RETURNED: &[&[u8]] =
    &[b") -> bool", b") -> str", b") -> int", b") -> None", b") -> Self", b") -> Option<", b") -> Result<"];

/// Types with others in brackets behind them: `Union[str, object]`.
const GENERICS: &[&[u8]] =
    &[b"Annotated", b"Dict", b"List", b"Optional", b"Sequence", b"Union", b"dict", b"list"];

/// Words that the names of secrets end in.
const LAST_WORDS: &[&[u8]] = &[b"password", b"passwd", b"secret", b"token", b"key"];

/// What those are called who sign in.
const LOGINS: &[&[u8]] = &[b"user", b"username", b"login", b"email"];

/// True for a value without quotes that is a piece of source code: `form.password.data`, `$this->getToken(`, `password=password,`.
#[must_use]
pub fn is_code(text: &[u8], value: Range<usize>) -> bool {
    let (head, word) = (&text[..value.start], &text[value.clone()]);
    if word.is_empty() || matches!(head.last(), Some(b'"' | b'\'' | b'`' | b'\\')) {
        return false;
    }
    if is_lambda(&text[value.start..]) || is_optional(word) {
        return true;
    }
    let Some(path) = Path::read(&text[value.start..]) else { return false };
    let rest = &text[value.start + path.bytes..];
    if path.bytes < word.len() {
        return false;
    }
    let key = Key::before(head);
    is_index(head, word, rest)
        || path.is_called(rest)
        || path.is_reached(&key)
        || is_made(word, &text[value.end..])
        || is_typed(word, rest)
        || path.is_named(&key, rest)
}

/// Names that are joined as a language joins them, behind a sigil or none.
struct Path<'a> {
    sigil: Option<u8>,
    names: Vec<&'a [u8]>,
    /// By `->`, `::` or `?.` at least once.
    is_arrow: bool,
    /// With the sigil and all joints.
    bytes: usize,
}

impl<'a> Path<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let sigil = text.first().copied().filter(|byte| b"$@*".contains(byte));
        let mut at = usize::from(sigil.is_some());
        let (mut names, mut is_arrow) = (Vec::new(), false);
        loop {
            let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            let bytes = text[at..].iter().take(NAME_BYTES_MAX).take_while(of_name).count();
            let name = &text[at..at + bytes];
            if name.first().is_none_or(u8::is_ascii_digit) {
                return None;
            }
            names.push(name);
            at += bytes;
            let (joint, arrow) = match text[at..] {
                [b'-', b'>', next, ..] | [b':', b':', next, ..] | [b'?', b'.', next, ..]
                    if starts_name(next) =>
                {
                    (2, true)
                }
                [b'.', next, ..] if starts_name(next) => (1, false),
                _ => return Some(Self { sigil, names, is_arrow, bytes: at }),
            };
            if names.len() > 8 {
                return None;
            }
            is_arrow |= arrow;
            at += joint;
        }
    }

    /// `tokens[i];`, `Str::random(`, `$request->input(`, `table.Column<`.
    fn is_called(&self, rest: &[u8]) -> bool {
        let is_joined = self.names.len() > 1;
        let of_letters = self.names.iter().all(|name| name.iter().all(|byte| !byte.is_ascii_digit()));
        match rest {
            [b'(', ..] => true,
            [b'<', next, ..] => {
                is_joined && (next.is_ascii_uppercase() || of_letters && next.is_ascii_lowercase())
            }
            [b'[', index @ ..] => {
                let close = index.iter().take(INDEX_BYTES_MAX).position(|byte| *byte == b']');
                let is_ended = close
                    .is_some_and(|close| matches!(index.get(close + 1), Some(b';' | b',' | b')' | b'.')));
                self.names.last().is_some_and(|name| GENERICS.contains(name)) || of_letters && is_ended
            }
            _ => false,
        }
    }

    /// `$session->id`, `Faker::Internet.password`, `form.password.data`, `env.R2_ACCESS_KEY_ID`, `@apiKey`.
    fn is_reached(&self, key: &Key<'_>) -> bool {
        let is_own = |name: &&[u8]| name.len() > 3 && same(name, key.name);
        let [first, .., last] = self.names.as_slice() else {
            let name = folded(self.names[0]);
            let is_asked = self.sigil == Some(b'$')
                && (LAST_WORDS.contains(&name.as_slice()) || LOGINS.contains(&name.as_slice()));
            return matches!(self.sigil, Some(b'@' | b'$')) && is_own(&self.names[0]) || is_asked;
        };
        let is_shouted = last.contains(&b'_') && !last.iter().any(u8::is_ascii_lowercase);
        let of_letters = self.names.iter().all(|name| name.iter().all(|byte| !byte.is_ascii_digit()));
        is_own(last)
            || self.names.len() > 2 && self.names.iter().any(is_own)
            || self.is_arrow && of_letters
            || self.sigil == Some(b'*') && of_letters
            || is_shouted && CODE_ROOTS.contains(first)
    }

    /// `password=password,`, `self.token = token`, `apiKey: openaiApiKey`: the key's own name, or one that ends in it.
    fn is_named(&self, key: &Key<'_>, rest: &[u8]) -> bool {
        let [name] = self.names.as_slice() else { return false };
        if self.sigil.is_some() || key.name.len() < 3 || name.iter().any(u8::is_ascii_digit) {
            return false;
        }
        let goes_on = match rest {
            [b',' | b')', ..] | [b' ', b'}' | b')', ..] => true,
            // LEAK: in a connection string `;` stands behind a password.
            [b';' | b'}', ..] => key.is_apart,
            _ => false,
        };
        let is_end = rest.trim_ascii_start().is_empty() || matches!(rest, [b'\r' | b'\n', ..]);
        let is_own = same(name, key.name);
        let (own, of_key) = (folded(name), folded(key.name));
        let is_lower = name[0].is_ascii_lowercase();
        let is_camel = is_lower
            && name.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        let is_joined = is_camel || is_lower && name.contains(&b'_');
        let ends_so = |last: &[u8]| own.len() > last.len() && own.ends_with(last);
        let of_word = LAST_WORDS.iter().any(|word| of_key.ends_with(word) && ends_so(word));
        // `getSecret = secretOrPublicKey;`
        let of_words = is_camel
            && LAST_WORDS.iter().any(|word| ends_so(word))
            && LAST_WORDS.iter().any(|word| of_key.ends_with(word));
        // LEAK: a password at a line's end may be chosen so; what a service gives out is not.
        let is_given = !(of_key.contains(&b'p')
            && [&b"password"[..], b"passwd", b"pwd", b"pass"].iter().any(|end| of_key.ends_with(end)));
        // `this.accessToken = token;`
        // `aws_secret_access_key=secret)`, `aws_access_key_id=key_id,`
        let is_word = LAST_WORDS.contains(&own.as_slice());
        let is_last = is_word
            && (of_key.ends_with(&own) || of_key.len() > own.len() + 4 && holds(&of_key, &own))
            || name.contains(&b'_') && of_key.len() > own.len() && of_key.ends_with(&own);
        // `"username": UsernameField}`
        let is_kind = name[0].is_ascii_uppercase()
            && own.starts_with(&of_key)
            && name.get(of_key.len()).is_some_and(u8::is_ascii_uppercase);
        // `self._password = raw_password`
        let is_told = is_joined && key.is_member && ends_so(&of_key);
        // `oauth_token=oauth_token`, whatever follows
        is_own && is_given && name.contains(&b'_') && LAST_WORDS.iter().any(|word| ends_so(word))
            || goes_on && (is_own || is_last || is_kind || is_joined && of_word || of_words && is_given)
            || is_end
                && key.is_apart
                && (is_own && key.is_member
                    || is_told
                    || is_given && (is_camel && ends_so(&of_key) || is_word))
    }
}

/// What a value stands behind.
struct Key<'a> {
    name: &'a [u8],
    /// With a blank before the value: `x = y`, `x: y`.
    is_apart: bool,
    /// Of something: `self.x`, `@x`, `$x`.
    is_member: bool,
}

impl<'a> Key<'a> {
    fn before(head: &'a [u8]) -> Self {
        let near = &head[head.len().saturating_sub(NAME_BYTES_MAX)..];
        let is_apart = near.last().is_some_and(u8::is_ascii_whitespace);
        let joint = |byte: &u8| b":=>".contains(byte) || byte.is_ascii_whitespace();
        let end = near.iter().rposition(|byte| !joint(byte)).map_or(0, |at| at + 1);
        let near = &near[..end];
        let near = near.strip_suffix(b"\"").or(near.strip_suffix(b"'")).unwrap_or(near);
        let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        let start = near.iter().rposition(|byte| !of_name(byte)).map_or(0, |at| at + 1);
        let is_member = start > 0 && b".>@$".contains(&near[start - 1]);
        Self { name: &near[start..], is_apart, is_member }
    }
}

/// `lambda: None`, `lambda value: value`.
fn is_lambda(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"lambda") else { return false };
    let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_, *".contains(byte);
    let names = rest.iter().take(NAME_BYTES_MAX).take_while(of_name).count();
    rest.get(names) == Some(&b':') && matches!(rest.first(), Some(b' ' | b':'))
}

/// `str|None=None`: a type, or none.
fn is_optional(word: &[u8]) -> bool {
    word.iter()
        .position(|byte| *byte == b'|')
        .is_some_and(|bar| TYPES.contains(&&word[..bar]) && word[bar + 1..].starts_with(b"None"))
}

/// `new String(`, `try keychain.get(`, `async ({ user }) =>`.
fn is_made(word: &[u8], rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b" ").filter(|_| OPERATORS.contains(&word)) else { return false };
    rest.first() == Some(&b'(')
        || Path::read(rest)
            .is_some_and(|path| matches!(rest.get(path.bytes), Some(b'(' | b'[' | b'<' | b'{')))
}

/// `i` of `tokens[i];`.
fn is_index(head: &[u8], word: &[u8], rest: &[u8]) -> bool {
    let is_name = |name: &[u8]| name.iter().all(u8::is_ascii_alphabetic);
    let of = head.strip_suffix(b"[").and_then(|head| head.last());
    of.is_some_and(u8::is_ascii_alphabetic)
        && is_name(word)
        && matches!(rest, [b']', b';' | b')' | b'.' | b',', ..])
}

/// `number;`, `StateID) -> bool`.
fn is_typed(word: &[u8], rest: &[u8]) -> bool {
    word.rsplit(|byte| *byte == b'.').next().is_some_and(|last| SECRET_TYPES.contains(&last))
        || TYPES.contains(&word) && matches!(rest, [b';' | b',' | b')' | b']', ..] | [b' ', b'=' | b'|', ..])
        || word[0].is_ascii_uppercase() && RETURNED.iter().any(|kind| rest.starts_with(kind))
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// In small letters, with nothing between its words.
fn folded(name: &[u8]) -> Vec<u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

fn same(name: &[u8], key: &[u8]) -> bool {
    folded(name) == folded(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_code_is_told_from_what_somebody_chose() {
        for (text, want) in [
            ("password=«password»,", true),
            ("password=«password»;", false),
            ("password=«password»", false),
            ("password=«sunflower»,", false),
            ("password = «sunflower»;", false),
            ("this.accessToken = «token»;", true),
            ("password = «sword»;", false),
            ("db_password = «password»;", true),
            ("token = tokens[«i»];", true),
            ("token=abc[«hunter»] x", false),
            ("@secret = «secret»", true),
            ("self.password = «password»", true),
            ("password = «password»", false),
            ("X(api_key=«api_key»)", true),
            ("authToken: «twilioAuthToken»", true),
            ("password: «myPassword»", false),
            ("password=«mypassword»,", false),
            ("password=«userPassword»,", true),
            ("Pwd=«userPassword»;", false),
            ("accessKeyId: «env.R2_ACCESS_KEY_ID»,", true),
            ("password = «form.password.data»", true),
            ("password = «form.hunter2.data»", false),
            ("password = «Faker::Internet.password»", true),
            ("password = «Faker::hunter2»", false),
            ("token = «tokens»[i];", true),
            ("token=«abcdef»[main] started", false),
            ("password=«hunter2»[i];", false),
            ("$this->sessionId = «$session->getSessionId»();", true),
            ("x.credentials = «$this-»>getCredentials($r)", true),
            ("password=«$ecret-»>x1", false),
            ("sid = «Rack::Session::SessionId.new»(", true),
            ("token = «try» keychain.get(\"token\")", true),
            ("password: «try» again", false),
            ("username = «new» String(bytes)", true),
            ("password = «new»", false),
            ("email: «decodedToken?.email»,", true),
            ("Created = «table.Column»<DateTime>()", true),
            ("sid: «StateID») -> bool", true),
            ("(password: «Sunflower»)", false),
            ("(password: «Sunflower») -> ok", false),
            ("user: «user.smith»", false),
            ("key: «Union»[str, object] = x", true),
            ("exp_month: «number»;", true),
            ("WHERE api_key = «@apiKey»", true),
            ("password=«@dmin123»", false),
            ("f(«*sess.Config», x)", true),
            ("password=«*sunflower», x", false),
            ("password=\"«password»\",", false),
            ("password=«correct.horse»", false),
            ("password=«hunter2.x?y»", false),
            ("resetPassword: «async» ({ user }) => x", true),
            ("resetPassword: «async» x", false),
            ("password=«lambda»: None)", true),
            ("password=«lambda:» None)", true),
            ("password=«lambda1»: x", false),
            ("f(aws_access_key_id=«key_id», x)", true),
            ("f(aws_secret_access_key=«secret»)", true),
            ("f(password=«secret»)", false),
            ("{ 'x-api-key': «apiKey» }", true),
            ("self._password = «raw_password»", true),
            ("password = «raw_password»", false),
            ("{\"username\": «UsernameField»}", true),
            ("{\"username\": «Usernamefield»}", false),
            ("authToken = «password»", true),
            ("auth => [«$user», $password]", true),
            ("let secret: «u32» = 5", true),
            ("password:«pydantic.SecretStr»; otp", true),
            ("remember_token:«str|None=None»; x", true),
            ("token:«str|Nine»; x", false),
            ("oauth_token=«oauth_token»&x", true),
            ("my_password=«my_password»&x", false),
            ("getSecret = «secretOrPublicKey»;", true),
            ("getPassword = «secretOrPublicKey»;", false),
        ] {
            let start = text.find('«').expect("the value is marked");
            let end = text.find('»').expect("the mark is closed") - '«'.len_utf8();
            let text = text.replace(['«', '»'], "");
            assert_eq!(is_code(text.as_bytes(), start..end), want, "{text}");
        }
    }
}
