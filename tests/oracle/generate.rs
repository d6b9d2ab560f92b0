//! Documents, texts and forms made of what matters: addresses and their look-alikes, keys that packs name,
//! escapes and layers around any of them.

use super::layers::{Layer, write};
use proptest::prelude::*;
use tamis::scan::readers::{encode, style_of};

/// Texts that are a hit, or nearly, or break one up.
const FRAGMENTS: &[&str] = &[
    "jane.roe@example.com",
    "o'hara+tag@mail.example.org",
    "jörg@bücher.example",
    "logo@2x.png",
    "git@github.com:org/repo",
    "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42",
    "postgres://app:hunter2@db.example.com/x",
    "https:\\/\\/app:hunter2@db",
    "://jane@",
    "192.0.2.7",
    "198.51.100.0/24",
    "[::ffff:192.0.2.7]:443",
    "999.203.0.113.9",
    "version 1.2.3.4",
    "Chrome/126.0.0.0",
    "1.3.6.1.4.1.311",
    "127.0.0.1",
    "2001:db8::1",
    "2001:DB8:0:0:8:800:200C:417A",
    "fe80::1%eth0",
    "::1",
    "12:34:56",
    "std::io::Error",
    "AA:BB:CC:DD:EE:FF:00:11:22",
    "1:2:3:4:5:6:7:8",
    "{{auto}}",
    "auto",
    "Bearer abcdef.123456",
    "Bearer%20abcdef.123456",
    "Authorization: Digest username=jane",
    "Cookie: sid=0a1b; theme=dark",
    "password=hunter2",
    "api_key%3D0a1b2c3d",
    "token=[Filtered]",
    "secret: [redacted]",
    "Basic amFuZTpodW50ZXIy",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
    "prompt=\"a teal fox\"",
    "{'prompt': 'a \\' fox'}",
    "\"prompt\": \"a \\\"teal\\\" fox\"",
    "prompt_tokens: 12",
    "a teal fox",
    "[email]",
    "[prompt chars=12 words=3]",
    "[unscanned]",
    "[ip",
    "%40",
    "%2540",
    "%",
    "%4",
    "%C3%A9",
    "%C3",
    "%7B%22a%22%3A%22jane%40example.com%22%7D",
    "\\u0040",
    "\\u00e9",
    "\\u00",
    "\\ud83e\\udd8a",
    "\\\"",
    "\\",
    "\"",
    "'",
    "@",
    ".",
    ":",
    "::",
    "/",
    "+",
    "&",
    "=",
    "{",
    "}",
    "[",
    "]",
    ",",
    " ",
    "\n",
    "\t",
    "\u{1}",
    "\u{1f98a}",
    "é",
    "x",
    "7",
    "a",
    "user",
    "never",
    "assistant",
    "ai.chat",
    "Buffer",
    "output_text",
    "https://api.openai.com/v1/chat",
    "a teal fox on a bridge, painted in oil colours",
    "https://cdn.example.com/jane/a.webp?sig=0a1b",
    "data:image/png;base64,iVBORw0KGgo=",
    "[{'role': 'user', 'content': 'a fox'}, {'text': 'x', 'role': 'tool'}]",
    "Turn(role='user', parts=['a fox', {'text': 'b'}])",
    "{ op: 'ai.chat', data: { body: 'a fox', n: 1 } }",
    "jane&#64;example&period;com",
    "j\0a\0n\0e\0@\0e\0x\0.\0o\0r\0g\0",
    "\0j\0r\0o\0e\0@\0e\0x\0.\0o\0r\0g",
    "\0",
    "%00",
    "jane\u{200b}@exam\u{ad}ple.com",
    "\u{2060}",
    "=?utf-8?Q?jane=40example=2Ecom_b?=",
    "=?ISO-8859-1?q?J=F6rg",
    "agBhAG4AZQBAAGUAeAAuAG8AcgBnAA==",
    "jane\\u{40}example.com",
    "jane&#92;x40example.com",
    "&quot;",
    "&amp;#64;",
    "&#",
    "amFuZUBleGFtcGxlLmNvbQ==",
    "/amFuZUBleGFtcGxlLmNvbQ/",
    "MTkyLjAuMi43",
    "eyJ1c2VybmFtZSI6Impyb2UiLCJuIjo0fQ==",
    "dXNlcm5hbWU9anJvZQ",
    "H4sIAAAAAAAA",
    "data:text/plain;base64,",
    "data:image/png;base64,iVBORw0KGgo=",
    "username=jroe",
    "?username=j%20roe&n=1",
    "full_name = Jane Roe",
    "{'username': 'jroe', 'n': [1, 'x']}",
    "{'messages': [{'role': 'user', 'content': 'a \\x66ox'}]}",
    "{:username=>\"jroe\"}",
    "{Prompt:a teal fox Username:y N:4}",
    "User(username=u'jroe')",
    "[username] => Jane Roe\n",
    "[\"username\"]=>\n string(4) \"jroe\"\n",
    "s:8:\"username\";s:4:\"jroe\";",
    "a:1:{",
    "username|",
    "s:16:\"jane@example.com\";",
    "username: ",
    "prompt: ",
    "(",
    ")",
    "`",
    "=>",
    ";",
];

/// Keys that rules name, spell otherwise, or just miss.
const KEYS: &[&str] = &[
    "user",
    "id",
    "email",
    "contactEmail",
    "email_count",
    "username",
    "name",
    "ip_address",
    "ip",
    "REMOTE_ADDR",
    "client.address",
    "prompt",
    "Negative-Prompt",
    "prompts",
    "prompt_tokens",
    "messages",
    "message",
    "content",
    "role",
    "type",
    "parts",
    "text",
    "contents",
    "candidates",
    "gen_ai.prompt",
    "gen_ai.prompt.0.content",
    "gen_ai.input.messages",
    "gen_ai",
    "input",
    "value",
    "password",
    "db_password",
    "client_secret",
    "secretary",
    "apiKey",
    "max_tokens",
    "authorization",
    "cookie",
    "cookies",
    "headers",
    "rawHeaders",
    "request",
    "sdk",
    "settings",
    "infer_ip",
    "ingest_settings",
    "release",
    "environment",
    "modules",
    "contexts",
    "browser",
    "version",
    "trace",
    "trace_id",
    "event_id",
    "did",
    "attributes",
    "items",
    "extra",
    "order_note",
    "0",
    "7",
    "",
    "a",
    "a.b",
    "x.password",
    ".",
    "jane.roe@example.com",
    "192.0.2.7",
    "remote_addr",
    "forwarded_for",
    "dsn",
    "sentry_release",
    "{\"a\":\"jane@example.com\"}",
    "tool_calls",
    "function",
    "arguments",
    "model",
    "op",
    "url",
    "embedding",
    "embeddings",
    "bytes",
    "class_type",
    "inputs",
    "position",
    "data",
    "label",
    "usage",
    "finish_reason",
    "score",
    "lc",
    "kwargs",
    "from",
    "value",
    "body",
    "system",
    "max_tokens",
    "prompt_cache",
    "vars",
    "seed",
    "width",
    "height",
    "caption",
    "exception",
    "values",
    "_meta",
    "gen_ai.poem",
    "video.uri",
];

/// Choices that follow from a seed, for what need not shrink.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A JSON string literal of `text` in which one character in `rarity` is written as `\uXXXX`.
pub(crate) fn literal(text: &str, seed: u64) -> String {
    let mut dice = Dice(seed);
    // Escapes of escapes grow sixfold each time.
    let few = if text.len() > 300 { 2 } else { 0 };
    let rarity = [1, 3, 40, 1_000][usize::try_from(seed % 4).expect("below four").max(few)];
    let mut out = String::from("\"");
    for c in text.chars() {
        if dice.roll(rarity) == 0 && rarity < 1_000 {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else if c == '/' && dice.roll(3) == 0 {
            out.push_str("\\/");
        } else {
            let mut bytes = [0; 4];
            let plain = c.encode_utf8(&mut bytes).as_bytes();
            out.push_str(&String::from_utf8(write(Layer::Json, plain)).expect("text stays text"));
        }
    }
    out.push('"');
    out
}

/// Percent-encodes what must be, and some of the rest.
pub(crate) fn percent(text: &str, seed: u64) -> String {
    let mut dice = Dice(seed);
    let seed = if text.len() > 600 { 3 } else { seed };
    let rarity = [1, 2, 10, 1_000][usize::try_from(seed % 4).expect("below four")];
    let mut out = String::new();
    for &byte in text.as_bytes() {
        let safe = byte.is_ascii_graphic() && !b"%&+=\"".contains(&byte);
        match safe && dice.roll(rarity) > 0 {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// Writes some characters as HTML references.
pub(crate) fn html(text: &str, seed: u64) -> String {
    let mut dice = Dice(seed);
    let rarity =
        if text.len() > 600 { 40 } else { [1, 3, 40][usize::try_from(seed % 3).expect("below three")] };
    let mut out = String::from("&#32;");
    for c in text.chars() {
        match dice.roll(rarity) {
            0 if c == '\u{a0}' || c == '\0' => out.push(c),
            0 if seed & 8 == 0 => out.push_str(&format!("&#{};", u32::from(c))),
            0 => out.push_str(&format!("&#x{:x};", u32::from(c))),
            _ => {
                out.push_str(&String::from_utf8(write(Layer::Html, c.to_string().as_bytes())).expect("text"));
            }
        }
    }
    out
}

/// Writes a text in base64, in one of its styles.
pub(crate) fn base64(text: &str, seed: u64) -> String {
    let styles: [&[u8]; 3] = [b"AAAA", b"AA", b"-AAA"];
    let style = style_of(styles[usize::try_from(seed % 3).expect("below three")]);
    String::from_utf8(encode(text.as_bytes(), style)).expect("ASCII")
}

/// A text as a JavaScript or JSON writer would escape it, at least one escape in it.
pub(crate) fn escaped(text: &str, seed: u64) -> String {
    let quoted = literal(text, seed & !2);
    // At least one, by which its reader knows that there are escapes.
    format!("\\u0020{}", &quoted[1..quoted.len() - 1])
}

fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        12 => prop::sample::select(FRAGMENTS).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => "[0-9a-f:.@%\\\\u\"]{0,16}",
        1 => "\\PC{0,4}",
        1 => prop::sample::select(KEYS).prop_map(str::to_owned),
    ];
    prop::collection::vec(fragment, 0..4).prop_map(|parts| parts.concat())
}

/// A text, some of it behind layers.
pub(crate) fn text() -> impl Strategy<Value = String> {
    fragments().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), any::<u64>()).prop_map(|(text, seed)| percent(&text, seed)),
            (inner.clone(), any::<u64>()).prop_map(|(text, seed)| escaped(&text, seed)),
            (inner.clone(), any::<u64>()).prop_map(|(text, seed)| html(&text, seed)),
            (inner.clone(), any::<u64>()).prop_map(|(text, seed)| base64(&text, seed)),
            (inner.clone(), key()).prop_map(|(text, key)| format!("{{'{key}': '{text}', 'n': 1}}")),
            (inner.clone(), any::<u64>(), key(), any::<u64>()).prop_map(|(text, seed, key, other)| {
                format!("{{{}:{}}}", literal(&key, other), literal(&text, seed))
            }),
            (inner.clone(), inner).prop_map(|(a, b)| a + &b),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(str::to_owned),
        1 => fragments(),
    ]
}

/// A JSON document. Its strings may hold documents.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(
        &[
            "0",
            "-0",
            "7",
            "1760520026.781239",
            "9007199254740993",
            "1e5",
            "-1.5E+3",
            "true",
            "false",
            "null",
            "NaN",
            "-Infinity",
            "Infinity",
            "{}",
            "[]",
            "\"\"",
            "[ ]",
            "{ }",
            "[1,2,3,4,5,6,7,8]",
            "[[0.1, -2e-3, 3, 4],\n[5, 6, 7, 8, 0]]",
            "[7,8]",
            "[1,2,3,4,5,6,7,\"8\"]",
            "{\"0\":137,\"1\":80,\"2\":78,\"3\":71,\"4\":13,\"5\":10,\"6\":26,\"7\":10,\"8\":0,\"9\":0,\"10\":0,\"11\":13,\"12\":73,\"13\":72,\"14\":68,\"15\":82,\"16\":0,\"17\":0,\"18\":1,\"19\":0,\"20\":0,\"21\":0,\"22\":1,\"23\":0,\"24\":8,\"25\":6,\"26\":0,\"27\":0,\"28\":0,\"29\":92,\"30\":114,\"31\":168}",
        ][..],
    );
    let string = (text(), any::<u64>()).prop_map(|(text, seed)| literal(&text, seed));
    let leaf = prop_oneof![4 => string, 1 => scalar.prop_map(str::to_owned)];
    let tree = leaf.prop_recursive(5, 20, 4, |inner| {
        let member = (key(), any::<u64>(), inner.clone());
        prop_oneof![
            4 => prop::collection::vec(member, 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(key, seed, value)| format!("{}{}{value}", literal(&key, seed | 2), colon(seed)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| format!("[{}]", parts.join(", "))),
            1 => (key(), inner.clone()).prop_map(|(key, value)| format!("[[{},{value}]]", literal(&key, 3))),
            2 => (key(), any::<u64>(), inner.clone()).prop_map(|(key, seed, value)| pair(&key, seed, &value)),
            2 => (inner.clone(), any::<u64>()).prop_map(|(document, seed)| literal(&document, seed | 1)),
            1 => (inner, any::<u64>()).prop_map(|(document, seed)| literal(&percent(&document, seed), 3)),
        ]
    });
    let bom = prop_oneof![20 => Just(""), 1 => Just("\u{feff}"), 1 => Just(" \n")];
    (bom, tree).prop_map(|(bom, tree)| bom.to_owned() + &tree)
}

/// An object that says the name of its value, in one of the ways to write one.
fn pair(key: &str, seed: u64, value: &str) -> String {
    let (name, text) = (literal(key, seed | 2), literal("a", seed));
    match seed % 9 {
        0 => format!("{{\"key\":{name},\"value\":{value}}}"),
        1 => format!("{{\"name\" : {name}, {text}:1, \"v\" :{value},\"value\":{value}}}"),
        2 => format!("{{\"value\": {value} ,\"na\\u006de\":{name}}}"),
        3 => format!("{{\"k\":{name},{text}:{{\"value\":{value}}}}}"),
        4 => format!("[{{\"key\":{name},\"value\":{{\"stringValue\":{value}}}}}]"),
        5 => format!(
            "[{{\"Key\":{name},\"value\":{{\"arrayValue\":{{\"values\":[{value}, {{\"string_value\":{value}}}]}}}}}}]"
        ),
        6 => format!(
            "{{\"key\":{name},\"value\":{{\"kvlistValue\":{{\"values\":[{{\"key\":{name},\"value\":{value}}}]}},\"stringValue\":7}}}}"
        ),
        7 => format!("{{\"key\":{text},\"name\":{name},\"Value\":[{value},{{\"values\":{value}}}]}}"),
        _ => format!("{{\"v\":{text},\"name\":{name},\"value\":{text}}}"),
    }
}

fn colon(seed: u64) -> &'static str {
    [":", ": ", " :\n"][usize::try_from(seed % 3).expect("below three")]
}

/// A document with a few bytes cut, changed or put in: no JSON any more, or other JSON.
pub(crate) fn broken() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(&b"\"\\{}[]:,@.%u 0a\n\xc3\xa9\xff"[..]), any::<u8>(),];
    let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (document(), prop::collection::vec(change, 0..3), any::<bool>()).prop_map(|(document, changes, cut)| {
        let mut bytes = document.into_bytes();
        for (place, how, byte) in changes {
            let at = place.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if cut => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    })
}

/// A url-encoded form.
pub(crate) fn form() -> impl Strategy<Value = String> {
    let value = prop_oneof![text(), document()];
    let pair = (key(), value, any::<u64>(), any::<bool>()).prop_map(|(key, value, seed, lone)| {
        let key = percent(&key, 2);
        if lone && seed % 8 == 0 {
            key
        } else {
            format!("{key}={}", percent(&value, seed).replace("%20", "+"))
        }
    });
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

/// One way to hide a text in another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wrap {
    Percent(u64),
    Escapes(u64),
    Member(u64),
    Element(u64),
    Html(u64),
    Base64(u64),
}

impl Wrap {
    pub(crate) fn apply(self, text: &str) -> String {
        match self {
            Self::Percent(seed) => percent(text, seed),
            Self::Escapes(seed) => escaped(text, seed),
            Self::Member(seed) => format!("{{\"note\":{}}}", literal(text, seed)),
            Self::Html(seed) => html(text, seed),
            Self::Base64(seed) => base64(text, seed),
            Self::Element(seed) => format!("[1, {}]", literal(text, seed)),
        }
    }
}

/// Up to six layers around a text.
pub(crate) fn wraps() -> impl Strategy<Value = Vec<Wrap>> {
    let wrap = prop_oneof![
        any::<u64>().prop_map(Wrap::Percent),
        any::<u64>().prop_map(Wrap::Escapes),
        any::<u64>().prop_map(Wrap::Member),
        any::<u64>().prop_map(Wrap::Element),
        any::<u64>().prop_map(Wrap::Html),
        any::<u64>().prop_map(Wrap::Base64),
    ];
    prop::collection::vec(wrap, 0..7)
}

/// What the fields of a person hold.
pub(crate) const NAMES: &[&str] = &[
    "jroe_77",
    "Jane Roe",
    "J\u{f6}rg M\u{fc}ller",
    "\u{674e}\u{96f7}",
    "O'Hare \"Jo\" \\x",
    "jane at example",
    "u/4711-roe",
    "a+b%40c&roe",
    "555-0143",
    "20255501",
    "Roe Ann Roe",
    "1 Example Road",
    "admin",
    "jo",
];

/// A document that names somebody in a field and, perhaps in another case or spelling, elsewhere behind layers.
pub(crate) fn person() -> impl Strategy<Value = String> {
    let field = prop::sample::select(
        &["username", "email", "phone", "user.name", "street", "first_name", "ip", "messages", "a"][..],
    );
    let name = || prop::sample::select(NAMES).prop_map(str::to_owned);
    let spelled = (name(), 0..5_u8).prop_map(|(name, how)| match how {
        0 => name.to_uppercase(),
        1 => name.replace(' ', "_"),
        2 => format!("{name}s"),
        _ => name,
    });
    let around =
        prop::sample::select(&["", " ", "/", "x", "\n", "\u{e9}", "(", "username=", "=", ".", "0"][..]);
    let text =
        (around.clone(), spelled, around).prop_map(|(before, name, after)| format!("{before}{name}{after}"));
    let text = (text, wraps().prop_map(|wraps| wraps.into_iter().take(2).collect::<Vec<_>>()))
        .prop_map(|(text, wraps)| wraps.iter().fold(text, |text, wrap| wrap.apply(&text)));
    let named = (field, name(), any::<u64>(), 0..4_u8).prop_map(|(field, name, seed, how)| {
        let value = literal(&name, seed);
        match how {
            0 => format!("\"{field}\":[{value}]"),
            1 => format!("\"{field}\":{{\"type\":\"string\",\"value\":{value}}}"),
            _ => format!("\"{field}\":{value}"),
        }
    });
    let says = (text, any::<u64>(), 0..6_u8).prop_map(|(text, seed, how)| match how {
        0 => format!("{}:1", literal(&text, seed)),
        1 if !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) => {
            format!("\"n\":{text}")
        }
        _ => format!("\"note\":{}", literal(&text, seed)),
    });
    let members = prop::collection::vec(prop_oneof![2 => named, 3 => says], 1..6);
    (members, any::<u64>(), 0..4_u8).prop_map(|(members, seed, how)| {
        let document = format!("{{{}}}", members.join(","));
        match how {
            0 => format!("[{},{document}]", literal(&document, seed | 1)),
            1 => document[..document.len() - 1].to_owned(),
            _ => document,
        }
    })
}
