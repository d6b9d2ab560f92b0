//! Decoders that go byte by byte and note for each decoded byte where it came from.

use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Json,
    Percent,
    Form,
    Html,
    Quoted,
    Colour,
    MimeWord,
    /// Pairs of which the zero comes last.
    WideLittle,
    /// Pairs of which the zero comes first.
    WideBig,
    Unseen,
}

/// The pairs of UTF-16 that stand side by side at the beginning of bytes.
fn pairs(layer: Layer) -> &'static Regex {
    const LETTER: &str = r"(?:[\xc0-\xff][\x80-\xbf]{0,3}|[\x01-\x7f])";
    static LITTLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!(r"(?s-u)(?:{LETTER}\x00){{3,}}")).expect("a regex"));
    static BIG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!(r"(?s-u)(?:\x00{LETTER}){{3,}}")).expect("a regex"));
    if layer == Layer::WideBig { &BIG } else { &LITTLE }
}

/// In which order the pairs of a text are, if it has some.
pub(crate) fn wide(text: &[u8]) -> Option<Layer> {
    let is_big =
        text.first() == Some(&0) || text.len() > 1 && text[text.len() - 2] == 0 && text.last() != Some(&0);
    let layer = if is_big { Layer::WideBig } else { Layer::WideLittle };
    pairs(layer).is_match(text).then_some(layer)
}

/// True for each byte that lies in an encoded word of MIME, and whether that is Latin.
fn in_words(text: &[u8]) -> Vec<Option<bool>> {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i-u)=\?(?:utf-8|us-ascii|(iso-8859-15?|windows-1252)|windows-1251)\?q\?")
            .expect("a regex")
    });
    let mut inside = vec![None; text.len()];
    let mut at = 0;
    while let Some(head) = HEAD.captures_at(text, at) {
        let start = head.get(0).expect("all of it").end();
        let end = text[start..].windows(2).position(|two| two == b"?=").map_or(text.len(), |n| start + n);
        inside[start..end].fill(Some(head.get(1).is_some()));
        at = end;
    }
    inside
}

fn mime_unit(bytes: &[u8], is_latin: bool) -> (Vec<u8>, usize) {
    let digits = bytes.strip_prefix(b"=").and_then(|rest| rest.get(..2));
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    match digits.and_then(|digits| std::str::from_utf8(digits).ok()) {
        Some(digits) => {
            let byte = u8::from_str_radix(digits, 16).expect("two hex digits");
            let text = if is_latin { char::from(byte).to_string().into_bytes() } else { vec![byte] };
            (text, 3)
        }
        None if bytes[0] == b'_' => (vec![b' '], 1),
        None => (vec![bytes[0]], 1),
    }
}

/// The first of the pairs.
fn wide_unit(layer: Layer, pairs: &[u8]) -> (Vec<u8>, usize) {
    let used = match layer {
        Layer::WideLittle => pairs.iter().position(|byte| *byte == 0).map_or(pairs.len(), |zero| zero + 1),
        _ => pairs[1..].iter().position(|byte| *byte == 0).map_or(pairs.len(), |zero| zero + 1),
    };
    (pairs[..used].iter().copied().filter(|byte| *byte != 0).collect(), used)
}

fn unseen_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    let unseen = "\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}";
    let found = unseen.chars().map(|c| c.to_string()).find(|c| bytes.starts_with(c.as_bytes()));
    found.map_or((vec![bytes[0]], 1), |c| (Vec::new(), c.len()))
}

/// A decoded text, and for each of its bytes the range of encoded bytes that stands for it.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl Decoded {
    pub(crate) fn read(layer: Layer, encoded: &[u8]) -> Self {
        let mut decoded = Self::default();
        let mut at = 0;
        let words = if layer == Layer::MimeWord { in_words(encoded) } else { Vec::new() };
        let mut pairs_end = 0;
        while at < encoded.len() {
            let (bytes, used) = match layer {
                Layer::Json => json_unit(&encoded[at..]),
                Layer::Percent => percent_unit(&encoded[at..]),
                Layer::Form if encoded[at] == b'+' => (vec![b' '], 1),
                Layer::Form => percent_unit(&encoded[at..]),
                Layer::Html => html_unit(&encoded[at..]),
                Layer::Quoted => quoted_unit(&encoded[at..]),
                Layer::Colour => colour_unit(&encoded[at..]),
                Layer::MimeWord => match words[at] {
                    Some(is_latin) => {
                        let end =
                            words[at..].iter().position(Option::is_none).map_or(encoded.len(), |n| at + n);
                        mime_unit(&encoded[at..end], is_latin)
                    }
                    None => (vec![encoded[at]], 1),
                },
                Layer::WideLittle | Layer::WideBig => {
                    if at >= pairs_end
                        && let Some(found) =
                            pairs(layer).find_at(encoded, at).filter(|found| found.start() == at)
                    {
                        pairs_end = found.end();
                    }
                    if at < pairs_end {
                        wide_unit(layer, &encoded[at..pairs_end])
                    } else {
                        (vec![encoded[at]], 1)
                    }
                }
                Layer::Unseen => unseen_unit(&encoded[at..]),
            };
            for byte in bytes {
                decoded.text.push(byte);
                decoded.from.push(at..at + used);
            }
            at += used;
        }
        decoded
    }

    /// The encoded range of a decoded one, whole escapes at both ends.
    pub(crate) fn encoded(&self, range: &Range<usize>) -> Range<usize> {
        let end = |decoded: usize| if decoded == 0 { 0 } else { self.from[decoded - 1].end };
        match range.is_empty() {
            true => end(range.start)..end(range.start),
            false => self.from[range.start].start..end(range.end),
        }
    }

    /// True if some byte of the range was written as an escape.
    pub(crate) fn is_escaped(&self, range: &Range<usize>) -> bool {
        (range.start..range.end).any(|at| self.from[at].len() > 1)
    }
}

fn json_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    if bytes[0] != b'\\' {
        return (vec![bytes[0]], 1);
    }
    let plain = match bytes.get(1) {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'/') => b'/',
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'u') => return unicode_unit(bytes),
        _ => return (vec![b'\\'], 1),
    };
    (vec![plain], 2)
}

fn colour_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    static SEQUENCE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)^\x1b\[[0-?]{0,64}[mK]").expect("a regex"));
    // The control character may be lost. A number in brackets is none.
    static BARE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)^(\[[0-9][0-9;]{0,11}m)(?:[^\]]|\z)").expect("a regex"));
    let found = SEQUENCE.find(bytes).map(|found| found.len());
    let found = found.or_else(|| BARE.captures(bytes).map(|found| found[1].len()));
    found.map_or((vec![bytes[0]], 1), |length| (vec![b' '], length))
}

fn unicode_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    let Some(first) = unit(bytes) else { return (vec![b'\\'], 1) };
    let pair = unit(bytes.get(6..).unwrap_or_default()).map(|second| [first, second]);
    let decoded =
        pair.and_then(|pair| String::from_utf16(&pair).ok()).filter(|text| text.chars().count() == 1);
    if let Some(text) = decoded {
        return (text.into_bytes(), 12);
    }
    (String::from_utf16_lossy(&[first]).into_bytes(), 6)
}

/// The code unit that `\uXXXX` stands for.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.chars().all(|c| c.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

fn percent_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    let digits = bytes.strip_prefix(b"%").and_then(|rest| rest.get(..2));
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    match digits.and_then(|digits| std::str::from_utf8(digits).ok()) {
        Some(digits) => (vec![u8::from_str_radix(digits, 16).expect("two hex digits")], 3),
        None => (vec![bytes[0]], 1),
    }
}

fn html_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    static NUMERIC: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?-u)^&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?").expect("a regex"));
    static NAMED: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?-u)^&([A-Za-z]+);").expect("a regex"));
    let utf8 = |c: char| c.to_string().into_bytes();
    if let Some(found) = NUMERIC.captures(bytes) {
        let (digits, radix) = match (found.get(1), found.get(2)) {
            (Some(hex), _) => (hex.as_bytes(), 16),
            (None, decimal) => (decimal.expect("one of the two").as_bytes(), 10),
        };
        if digits.len() <= 16 {
            let code =
                std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, radix).ok());
            let c = code.and_then(|code| char::from_u32(u32::try_from(code).ok()?)).filter(|c| *c != '\0');
            let c = if c == Some('\u{a0}') { ' ' } else { c.unwrap_or('\u{fffd}') };
            return (utf8(c), found[0].len());
        }
    }
    let named = NAMED.captures(bytes).and_then(|found| {
        let name = std::str::from_utf8(found.get(1)?.as_bytes()).ok()?;
        let (_, c) = NAMES.iter().find(|(names, _)| names.split(' ').any(|known| known == name))?;
        Some((utf8(*c), found[0].len()))
    });
    named.unwrap_or((vec![bytes[0]], 1))
}

const NAMES: &[(&str, char)] = &[
    ("amp AMP", '&'),
    ("lt LT", '<'),
    ("gt GT", '>'),
    ("quot QUOT", '"'),
    ("apos", '\''),
    ("nbsp ensp emsp thinsp", ' '),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("commat", '@'),
    ("period", '.'),
    ("colon", ':'),
    ("comma", ','),
    ("semi", ';'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("num", '#'),
    ("percnt", '%'),
    ("plus", '+'),
    ("lowbar", '_'),
    ("hyphen dash", '\u{2010}'),
    ("minus", '\u{2212}'),
    ("ast", '*'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("quest", '?'),
    ("lbrace lcub", '{'),
    ("rbrace rcub", '}'),
    ("lbrack lsqb", '['),
    ("rbrack rsqb", ']'),
    ("lpar", '('),
    ("rpar", ')'),
    ("verbar vert", '|'),
    ("Agrave", 'À'),
    ("Aacute", 'Á'),
    ("Acirc", 'Â'),
    ("Atilde", 'Ã'),
    ("Auml", 'Ä'),
    ("Aring", 'Å'),
    ("AElig", 'Æ'),
    ("Ccedil", 'Ç'),
    ("Egrave", 'È'),
    ("Eacute", 'É'),
    ("Ecirc", 'Ê'),
    ("Euml", 'Ë'),
    ("Igrave", 'Ì'),
    ("Iacute", 'Í'),
    ("Icirc", 'Î'),
    ("Iuml", 'Ï'),
    ("ETH", 'Ð'),
    ("Ntilde", 'Ñ'),
    ("Ograve", 'Ò'),
    ("Oacute", 'Ó'),
    ("Ocirc", 'Ô'),
    ("Otilde", 'Õ'),
    ("Ouml", 'Ö'),
    ("Oslash", 'Ø'),
    ("Ugrave", 'Ù'),
    ("Uacute", 'Ú'),
    ("Ucirc", 'Û'),
    ("Uuml", 'Ü'),
    ("Yacute", 'Ý'),
    ("THORN", 'Þ'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("atilde", 'ã'),
    ("auml", 'ä'),
    ("aring", 'å'),
    ("aelig", 'æ'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("igrave", 'ì'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("eth", 'ð'),
    ("ntilde", 'ñ'),
    ("ograve", 'ò'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("ouml", 'ö'),
    ("oslash", 'ø'),
    ("ugrave", 'ù'),
    ("uacute", 'ú'),
    ("ucirc", 'û'),
    ("uuml", 'ü'),
    ("yacute", 'ý'),
    ("thorn", 'þ'),
    ("yuml", 'ÿ'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
];

fn quoted_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    static HEX: LazyLock<Regex> = LazyLock::new(|| {
        let forms = r"x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}";
        Regex::new(&format!(r"(?-u)^\\(?:{forms})")).expect("a regex")
    });
    if bytes[0] != b'\\' {
        return (vec![bytes[0]], 1);
    }
    if let Some(found) = HEX.captures(bytes) {
        let digits = found.iter().skip(1).flatten().next().expect("one of the forms").as_bytes();
        let code = u32::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("hex digits");
        return (char::from_u32(code).unwrap_or('\u{fffd}').to_string().into_bytes(), found[0].len());
    }
    let plain = match bytes.get(1) {
        Some(b'v') => 11,
        Some(b'a') => 7,
        Some(b'e') => 27,
        Some(&byte @ (b'\'' | b'`' | b'$' | b'#')) => byte,
        _ => return json_unit(bytes),
    };
    (vec![plain], 2)
}

/// Writes plain text in a layer's spelling.
pub(crate) fn write(layer: Layer, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in plain {
        let goes_on = byte & 0xc0 == 0x80;
        match (layer, byte) {
            (Layer::WideBig, _) if !goes_on => out.extend([0, byte]),
            (Layer::WideLittle, _) if byte.is_ascii() => out.extend([byte, 0]),
            (Layer::WideBig | Layer::WideLittle | Layer::Unseen, _) => out.push(byte),
            (Layer::MimeWord, b' ') => out.push(b'_'),
            (Layer::MimeWord, _) if byte.is_ascii_alphanumeric() => out.push(byte),
            (Layer::MimeWord, _) => out.extend(format!("={byte:02X}").bytes()),
            (Layer::Html, 1..=0x1f | b'\\') => out.extend(format!("&#{byte};").bytes()),
            (Layer::Json, b'"') => out.extend(b"\\\""),
            (Layer::Json, b'\\') => out.extend(b"\\\\"),
            (Layer::Json, b'\n') => out.extend(b"\\n"),
            (Layer::Json, b'\r') => out.extend(b"\\r"),
            (Layer::Json, b'\t') => out.extend(b"\\t"),
            (Layer::Json, 0..=0x1f) => out.extend(format!("\\u{byte:04x}").bytes()),
            (Layer::Json, _) => out.push(byte),
            (Layer::Html, b'&') => out.extend(b"&amp;"),
            (Layer::Html, b'<') => out.extend(b"&lt;"),
            (Layer::Html, b'>') => out.extend(b"&gt;"),
            (Layer::Html, b'"') => out.extend(b"&quot;"),
            (Layer::Html, b'\'') => out.extend(b"&#39;"),
            (Layer::Html, _) => out.push(byte),
            (Layer::Quoted, b'"' | b'\'' | b'`' | b'\\') => out.extend([b'\\', byte]),
            (Layer::Quoted, b'\n') => out.extend(b"\\n"),
            (Layer::Quoted, b'\r') => out.extend(b"\\r"),
            (Layer::Quoted, b'\t') => out.extend(b"\\t"),
            (Layer::Quoted, 0..=0x1f) => out.extend(format!("\\x{byte:02x}").bytes()),
            (Layer::Quoted | Layer::Colour, _) => out.push(byte),
            (_, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~') => out.push(byte),
            (_, _) => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
    out
}
