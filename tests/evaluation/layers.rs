//! Encodings written and undone, by this test's own hand: what the engine cannot read it must not be asked about.
//!
//! [`Layer::write`] and [`Layer::undo`] are each other's inverse; [`readings`] undoes whatever it meets, in
//! any order, and so finds what a curious receiver would.

use super::random::Random;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};

/// One encoding of a text inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// The inside of a JSON string, as `serde_json` writes it.
    Json,
    /// The same with `\/` for slashes, as PHP does.
    JsonSlash,
    /// With `\u….` for all that is not ASCII, and for `<>&'@=+`, as .NET and Rails do.
    JsonUnicode,
    /// With `\u….` for every character.
    JsonAll,
    /// As `encodeURIComponent`.
    Percent,
    /// As a form: `+` for a blank, lower-case hex.
    Form,
    /// Every byte as `%XX`.
    PercentAll,
    Html,
    /// With numbers, decimal and hex by turns.
    HtmlNumbers,
    Base64,
    Base64Bare,
    Base64Url,
    Base64UrlBare,
    /// Base64 of gzip.
    Gzip64,
    /// The inside of a Python or JavaScript string in single quotes.
    Quoted,
}

impl Layer {
    pub(crate) fn write(self, text: &str) -> String {
        match self {
            Self::Json => {
                let quoted = serde_json::to_string(text).expect("a string is JSON");
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::JsonSlash => Self::Json.write(text).replace('/', "\\/"),
            Self::JsonUnicode => unicode(&Self::Json.write(text), |c| !c.is_ascii() || "<>&'@=+".contains(c)),
            Self::JsonAll => unicode(text, |_| true),
            Self::Percent => percent(text, |b| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b), false),
            Self::Form => {
                percent(text, |b| b.is_ascii_alphanumeric() || b"-_.* ".contains(&b), true).replace(' ', "+")
            }
            Self::PercentAll => percent(text, |_| false, false),
            Self::Html => text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;"),
            Self::HtmlNumbers => html_numbers(text),
            Self::Base64 => base64(text.as_bytes(), false, true),
            Self::Base64Bare => base64(text.as_bytes(), false, false),
            Self::Base64Url => base64(text.as_bytes(), true, true),
            Self::Base64UrlBare => base64(text.as_bytes(), true, false),
            Self::Gzip64 => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(text.as_bytes()).expect("a buffer takes all");
                base64(&gzip.finish().expect("a buffer takes all"), false, true)
            }
            Self::Quoted => text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"),
        }
    }

    /// What [`Self::write`] made this of, or nothing if it is not what it writes.
    pub(crate) fn undo(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Json | Self::JsonSlash | Self::JsonUnicode | Self::JsonAll => {
                let quoted = [b"\"", text, b"\""].concat();
                serde_json::from_slice::<String>(&quoted).ok().map(String::into_bytes)
            }
            Self::Percent | Self::PercentAll => Some(unpercent(text)),
            Self::Form => Some(unform(text)),
            Self::Html | Self::HtmlNumbers => Some(unhtml(text)),
            Self::Base64 | Self::Base64Bare | Self::Base64Url | Self::Base64UrlBare => unbase64(text),
            Self::Gzip64 => inflated(&unbase64(text)?),
            Self::Quoted => Some(unescaped(text)),
        }
    }
}

fn unicode(text: &str, escape: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if escape(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a string takes all");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn percent(text: &str, keep: impl Fn(u8) -> bool, lower: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match (keep(byte), lower) {
            (true, _) => out.push(char::from(byte)),
            (false, true) => write!(out, "%{byte:02x}").expect("a string takes all"),
            (false, false) => write!(out, "%{byte:02X}").expect("a string takes all"),
        }
    }
    out
}

fn html_numbers(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        match u32::from(c) {
            _ if c.is_ascii_alphanumeric() || c == ' ' => out.push(c),
            code if at % 2 == 0 => write!(out, "&#{code};").expect("a string takes all"),
            code => write!(out, "&#x{code:x};").expect("a string takes all"),
        }
    }
    out
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8], url: bool, pad: bool) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            let index = (bits >> (18 - 6 * at) & 63) as usize;
            out.push(match (char::from(STANDARD[index]), url) {
                ('+', true) => '-',
                ('/', true) => '_',
                (c, _) => c,
            });
        }
        if pad {
            out.push_str(&"=="[group.len() - 1..]);
        }
    }
    out
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let bare: Vec<u8> = text.iter().copied().filter(|b| *b != b'=').collect();
    let mut out = Vec::new();
    for group in bare.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let bytes = (bits << (6 * (4 - group.len())) << 8).to_be_bytes();
        out.extend_from_slice(&bytes[..group.len() * 6 / 8]);
    }
    Some(out)
}

/// The text behind gzip or zlib, up to a cap.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let cap = 1 << 20;
    let copied = match bytes {
        [0x1f, 0x8b, ..] => std::io::copy(&mut GzDecoder::new(bytes).take(cap), &mut out),
        [0x78, ..] => std::io::copy(&mut ZlibDecoder::new(bytes).take(cap), &mut out),
        _ => return None,
    };
    copied.is_ok().then_some(out)
}

fn unform(text: &[u8]) -> Vec<u8> {
    unpercent(&text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>())
}

fn unpercent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let pair = text.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if text[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn unhtml(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = (text[at] == b'&').then(|| text[at..].iter().take(10).position(|b| *b == b';')).flatten();
        let named = end.and_then(|end| reference(&text[at + 1..at + end]).map(|c| (c, end)));
        match named {
            Some((c, end)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += end + 1;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn reference(name: &[u8]) -> Option<char> {
    let name = std::str::from_utf8(name).ok()?;
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Undoes backslashes as a lenient reader of any language would.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let [next, after] = [1, 2].map(|by| text.get(at + by).copied());
        match (text[at], next, after) {
            (b'\\', Some(b'u'), _) => {
                let code = text.get(at + 2..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
                let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
                out.extend_from_slice(code.unwrap_or('?').encode_utf8(&mut [0; 4]).as_bytes());
                at += if code.is_some() { 6 } else { 2 };
            }
            (b'\\', Some(next), _) => {
                out.push(match next {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => other,
                });
                at += 2;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// All that can be read in a text by undoing up to `depth` layers, itself first.
pub(crate) fn readings(text: &[u8], depth: usize) -> Vec<Vec<u8>> {
    let mut seen = HashSet::from([text.to_vec()]);
    let mut all = vec![text.to_vec()];
    // Level by level: what two ways lead to is undone from the shorter one.
    let mut first = 0;
    for _ in 0..depth {
        let level = first..all.len();
        first = all.len();
        for at in level {
            let undone = [unescaped, unpercent, unform, unhtml].map(|undo| undo(&all[at]));
            let unpacked = runs(&all[at]).filter_map(unbase64).map(|plain| inflated(&plain).unwrap_or(plain));
            let unpacked = unpacked.filter(|text| is_text(text));
            let found: Vec<Vec<u8>> = undone.into_iter().chain(unpacked).collect();
            all.extend(found.into_iter().filter(|text| seen.insert(text.clone())));
        }
    }
    all
}

/// Of random bytes one in eight is a control character; of a text hardly any.
fn is_text(bytes: &[u8]) -> bool {
    // A terminal's colours begin with one.
    let is_control = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace() && **byte != 0x1b;
    let controls = bytes.iter().filter(is_control).count();
    controls * 16 <= bytes.len()
}

/// Runs of base64 digits that may hide something.
fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| !(b.is_ascii_alphanumeric() || b"+/-_=".contains(b)))
        .flat_map(|run| {
            // `key=…` is one run with its key, and a path one with what lies around it.
            let values = run.split(|byte| *byte == b'=');
            let names = run.split(|byte| matches!(byte, b'=' | b'/')).filter(|_| run.contains(&b'/'));
            values.chain(names)
        })
        .filter(|run| run.len() >= 12)
}

/// A layer that fits anywhere and tells itself, chosen at random.
pub(crate) fn any_layer(random: &mut Random) -> Layer {
    *random.pick(&[
        Layer::Json,
        Layer::JsonSlash,
        Layer::JsonUnicode,
        Layer::Percent,
        Layer::Html,
        Layer::HtmlNumbers,
        Layer::Base64,
        Layer::Base64Bare,
        Layer::Base64Url,
        Layer::Base64UrlBare,
        Layer::Gzip64,
        Layer::Quoted,
    ])
}
