//! HTML character references: `jane&#64;example.com`, `{&quot;prompt&quot;:&quot;…&quot;}`.
//!
//! In: bytes that begin with `&`. Out: what the reference stands for and how long it is. Of the names only
//! those are known that can hide structure, or a part of an address or of a person's name; any other stands for itself, and so
//! does what is cut. A hard blank reads as a plain one, which is what patterns look for.
//! Format: <https://html.spec.whatwg.org/multipage/syntax.html#character-references>

/// The names that are known.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Names that can hide structure, punctuation of addresses, blanks, and letters. Longest: [`NAME_BYTES_MAX`].
///
/// SPEC: the letters are all of HTML 4: Latin-1, <https://www.w3.org/TR/html401/sgml/entities.html#h-24.2>, and those of Latin
/// Extended in section 24.4.
const NAMES: &[(&str, char)] = &[
    ("AElig", 'Æ'),
    ("AMP", '&'),
    ("Aacute", 'Á'),
    ("Acirc", 'Â'),
    ("Agrave", 'À'),
    ("Aring", 'Å'),
    ("Atilde", 'Ã'),
    ("Auml", 'Ä'),
    ("Ccedil", 'Ç'),
    ("ETH", 'Ð'),
    ("Eacute", 'É'),
    ("Ecirc", 'Ê'),
    ("Egrave", 'È'),
    ("Euml", 'Ë'),
    ("GT", '>'),
    ("Iacute", 'Í'),
    ("Icirc", 'Î'),
    ("Igrave", 'Ì'),
    ("Iuml", 'Ï'),
    ("LT", '<'),
    ("NewLine", '\n'),
    ("Ntilde", 'Ñ'),
    ("OElig", 'Œ'),
    ("Oacute", 'Ó'),
    ("Ocirc", 'Ô'),
    ("Ograve", 'Ò'),
    ("Oslash", 'Ø'),
    ("Otilde", 'Õ'),
    ("Ouml", 'Ö'),
    ("QUOT", '"'),
    ("Scaron", 'Š'),
    ("THORN", 'Þ'),
    ("Tab", '\t'),
    ("Uacute", 'Ú'),
    ("Ucirc", 'Û'),
    ("Ugrave", 'Ù'),
    ("Uuml", 'Ü'),
    ("Yacute", 'Ý'),
    ("Yuml", 'Ÿ'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("aelig", 'æ'),
    ("agrave", 'à'),
    ("amp", '&'),
    ("apos", '\''),
    ("aring", 'å'),
    ("ast", '*'),
    ("atilde", 'ã'),
    ("auml", 'ä'),
    ("bsol", '\\'),
    ("ccedil", 'ç'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '\u{2010}'),
    ("dollar", '$'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("egrave", 'è'),
    ("emsp", ' '),
    ("ensp", ' '),
    ("equals", '='),
    ("eth", 'ð'),
    ("euml", 'ë'),
    ("excl", '!'),
    ("gt", '>'),
    ("hyphen", '\u{2010}'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("igrave", 'ì'),
    ("iuml", 'ï'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("minus", '\u{2212}'),
    ("nbsp", ' '),
    ("ntilde", 'ñ'),
    ("num", '#'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("oelig", 'œ'),
    ("ograve", 'ò'),
    ("oslash", 'ø'),
    ("otilde", 'õ'),
    ("ouml", 'ö'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("scaron", 'š'),
    ("semi", ';'),
    ("sol", '/'),
    ("szlig", 'ß'),
    ("thinsp", ' '),
    ("thorn", 'þ'),
    ("uacute", 'ú'),
    ("ucirc", 'û'),
    ("ugrave", 'ù'),
    ("uuml", 'ü'),
    ("verbar", '|'),
    ("vert", '|'),
    ("yacute", 'ý'),
    ("yuml", 'ÿ'),
];

/// The longest name that is looked up.
const NAME_BYTES_MAX: usize = 7;

/// Most digits of a numeric reference, leading zeros included; a longer one stands for itself.
const DIGITS_MAX: usize = 16;

/// Reads one reference at the start of `bytes`, appends what it stands for, returns its length.
///
/// A numeric one ends with its last digit if there is no `;`, as browsers read it. A name needs its `;`: without
/// one, the `&lt` of a query string would be a bracket.
pub(super) fn reference(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    match numeric(bytes).or_else(|| named(bytes)) {
        Some((c, used)) => {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            used
        }
        None => {
            text.push(b'&');
            1
        }
    }
}

/// `&#64;` or `&#x40;`.
fn numeric(bytes: &[u8]) -> Option<(char, usize)> {
    let rest = bytes.strip_prefix(b"&#")?;
    let (radix, digits_from) = match rest.first()? {
        b'x' | b'X' => (16, 3),
        _ => (10, 2),
    };
    let digits = bytes[digits_from..].iter().take_while(|byte| char::from(**byte).is_digit(radix));
    let count = digits.take(DIGITS_MAX + 1).count();
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    let end = digits_from + count;
    let code = std::str::from_utf8(&bytes[digits_from..end]).ok()?;
    let code = u64::from_str_radix(code, radix).ok().and_then(|code| u32::try_from(code).ok());
    let c = match code.and_then(char::from_u32) {
        None | Some('\0') => char::REPLACEMENT_CHARACTER,
        Some('\u{a0}') => ' ',
        Some(c) => c,
    };
    Some((c, end + usize::from(bytes.get(end) == Some(&b';'))))
}

/// `&commat;`.
fn named(bytes: &[u8]) -> Option<(char, usize)> {
    let name = bytes.get(1..)?;
    let end = name.iter().take(NAME_BYTES_MAX + 1).position(|byte| *byte == b';')?;
    let place = NAMES.binary_search_by(|(known, _)| known.as_bytes().cmp(&name[..end])).ok()?;
    Some((NAMES[place].1, end + 2))
}

/// Writes text so that it reads as itself in HTML, in content and in quoted attributes.
///
/// LEAK: a control character is written as a reference, and so is a backslash. The string of JSON around may hold no escape, and is then
/// spliced as it stands.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) {
    for &byte in plain {
        match byte {
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            b'"' => out.extend(b"&quot;"),
            b'\'' => out.extend(b"&#39;"),
            // A zero has no reference.
            1..0x20 | b'\\' => out.extend(format!("&#{byte};").as_bytes()),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, View, write};
    use super::*;
    use proptest::prelude::*;

    fn read(encoded: &[u8]) -> View {
        let mut view = View::default();
        view.read(Layer::Html, encoded);
        view
    }

    #[test]
    fn references_are_read_as_browsers_do() {
        for (encoded, want) in [
            ("plain & simple", "plain & simple"),
            ("jane&#64;example&#46;com", "jane@example.com"),
            ("jane&#x40;example&#X2E;com", "jane@example.com"),
            ("jane&#0064example.com", "jane@example.com"),
            ("jane&commat;example&period;com", "jane@example.com"),
            ("{&quot;a&quot;&colon;&apos;b&apos;}", "{\"a\":'b'}"),
            ("&lt;a&gt; &amp;#64; &AMP;", "<a> &#64; &"),
            ("a&nbsp;b&#160;c&#xa0;d", "a b c d"),
            ("?a=b&lt=c&amp=d&copy;", "?a=b&lt=c&amp=d&copy;"),
            ("&#;&#x;&#xg;&;&", "&#;&#x;&#xg;&;&"),
            ("&#0;&#xd800;&#x110000;&#4294967360;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("&#233;&#x1f98a;", "\u{e9}\u{1f98a}"),
            (
                "J&ouml;rg &Ouml;zg&uuml;r, Ren&eacute;e &AElig;&oslash;&Scaron;",
                "J\u{f6}rg \u{d6}zg\u{fc}r, Ren\u{e9}e \u{c6}\u{f8}\u{160}",
            ),
            ("&ouml &ouMl; &times; &divide;", "&ouml &ouMl; &times; &divide;"),
            ("&#00000000000000064;", "&#00000000000000064;"),
            ("&#0000000000000064;", "@"),
        ] {
            assert_eq!(String::from_utf8_lossy(&read(encoded.as_bytes()).text), want, "{encoded}");
        }
    }

    #[test]
    fn names_are_in_order_and_none_is_too_long() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(NAMES.iter().map(|(name, _)| name.len()).max(), Some(NAME_BYTES_MAX));
    }

    /// Each letter by its name is the letter by its number, and ends where the name does.
    #[test]
    fn named_letters_are_those_of_their_numbers() {
        let letters: Vec<_> = NAMES.iter().filter(|(_, c)| c.is_alphabetic()).collect();
        assert_eq!(letters.len(), 62 + 5);
        for (name, letter) in letters {
            let by_name = read(format!("J&{name};rg").as_bytes());
            assert_eq!(by_name.text, format!("J{letter}rg").as_bytes(), "{name}");
            assert_eq!(by_name.text, read(format!("J&#{};rg", u32::from(*letter)).as_bytes()).text, "{name}");
            let (at, end) = (1, 1 + letter.len_utf8());
            assert_eq!(by_name.encoded(at..end), 1..1 + name.len() + 2, "{name}");
            assert!(by_name.is_escaped(&(at..end)));
        }
    }

    #[test]
    fn ranges_map_back() {
        let view = read(b"to j&#64;x.org&nbsp;!");
        assert_eq!(view.text, b"to j@x.org !");
        for (decoded, encoded) in [(3..10, 3..14), (4..5, 4..9), (10..11, 14..20), (11..12, 20..21)] {
            assert_eq!(view.encoded(decoded.clone()), encoded, "{decoded:?}");
        }
        assert!(view.is_escaped(&(3..10)) && !view.is_escaped(&(5..10)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(plain in any::<String>()) {
            prop_assume!(!plain.contains('\0'));
            let mut encoded = Vec::new();
            write(Layer::Html, plain.as_bytes(), &mut encoded);
            prop_assert_eq!(read(&encoded).text, plain.as_bytes());
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(prop::sample::select(&b"&#x;019aAmpqut\xff"[..]), 0..60)) {
            let view = read(&bytes);
            prop_assert_eq!(view.encoded(0..view.text.len()), 0..bytes.len());
        }
    }
}
