//! Where a value lies: in a line of some log, in what surrounds that line, and in the item that brings it.
//!
//! A carrier is a list of wraps from the outside in. Each has text before and after, which must leave as it
//! came, and layers between its own text and what lies inside.

use super::layers::{Layer, any_layer};
use super::random::Random;
use tamis::redact::ItemFormat;

#[derive(Debug, Clone)]
pub(crate) struct Wrap {
    pub(crate) before: String,
    /// From the outside in.
    pub(crate) layers: Vec<Layer>,
    pub(crate) after: String,
}

impl Wrap {
    fn new(before: &str, layers: &[Layer], after: &str) -> Self {
        Self { before: before.to_owned(), layers: layers.to_vec(), after: after.to_owned() }
    }

    fn around(&self, text: &str) -> String {
        let inner = self.layers.iter().rev().fold(text.to_owned(), |text, layer| layer.write(&text));
        format!("{}{inner}{}", self.before, self.after)
    }
}

/// An item and how it came to be.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) format: ItemFormat,
    pub(crate) bytes: Vec<u8>,
    /// From the outside in.
    pub(crate) wraps: Vec<Wrap>,
    /// What lies in the middle.
    pub(crate) text: String,
    pub(crate) line: &'static str,
}

use Layer::{Html, Json, JsonUnicode, Percent, Quoted};

/// Lines: a name, what comes before, the layers, what comes after.
type Line = (&'static str, &'static str, &'static [Layer], &'static str);

const LINES: &[Line] = &[
    ("alone", "", &[], ""),
    ("alone", "", &[], ""),
    ("sentence", "could not reach ", &[], " within 30 s, giving up"),
    ("sentence", "Rejected ", &[], "."),
    ("sentence", "we saw ", &[], ", then nothing"),
    ("sentence", "unexpected: ", &[], "!"),
    ("German", "Vorgang f\u{fc}r ", &[], " wurde \u{fc}bersprungen"),
    ("French", "\u{c9}chec pour \u{ab} ", &[], " \u{bb} apr\u{e8}s 3 essais"),
    ("Japanese", "\u{51e6}\u{7406}\u{4e2d}\u{306b}\u{300c}", &[], "\u{300d}\u{304c}\u{5931}\u{6557}"),
    (
        "Russian",
        "\u{41e}\u{448}\u{438}\u{431}\u{43a}\u{430}: ",
        &[],
        " \u{43d}\u{435} \u{43d}\u{430}\u{439}\u{434}\u{435}\u{43d}\u{43e}",
    ),
    ("Arabic", "\u{641}\u{634}\u{644} ", &[], " \u{628}\u{639}\u{62f} \u{62f}\u{642}\u{64a}\u{642}\u{629}"),
    ("angles", "bounced <", &[], "> twice"),
    ("parentheses", "retry (", &[], ") later"),
    ("brackets", "worker [", &[], "] stopped"),
    ("braces", "tmpl {", &[], "} left open"),
    ("quotes", "no row for \"", &[Quoted], "\" in t"),
    ("single quotes", "no row for '", &[Quoted], "' in t"),
    ("backquotes", "ran `", &[], "` and failed"),
    ("curly quotes", "said \u{201c}", &[], "\u{201d} again"),
    ("glued =", "ref=", &[], " done"),
    ("glued :", "ref:", &[], " done"),
    ("glued |", "a|b|", &[], "|c|d"),
    ("glued ;", "x=1;ref=", &[], ";y=2"),
    ("comma", "alpha,", &[], ",omega"),
    ("arrow", "peer->", &[], " ok"),
    ("tabs", "1\t2\t", &[], "\t4"),
    ("second line", "first line\n", &[], "\nthird line"),
    ("logfmt", "ts=2026-11-25T10:15:00Z level=warn caller=main.go:42 ref=\"", &[Quoted], "\" attempt=3"),
    ("logfmt bare", "level=info ref=", &[], " took=31ms"),
    (
        "access log",
        "- - [25/Nov/2026:10:15:00 +0000] \"GET /v1/lookup?ref=",
        &[Percent],
        "&page=2 HTTP/1.1\" 200 512 \"-\" \"curl/8.9.1\"",
    ),
    ("syslog", "<134>1 2026-11-25T10:15:00.003Z web01 app 1374 ID47 - refused ", &[], " again"),
    ("systemd", "Nov 25 10:15:00 web01 app[1374]: refused ", &[], ""),
    ("CEF", "CEF:0|Example|Gate|1.0|100|refused|5|msg=seen ", &[], " outcome=failure"),
    (
        "Java",
        "java.lang.IllegalStateException: refused ",
        &[],
        "\n\tat com.example.shop.Cart.add(Cart.java:42)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)",
    ),
    (
        "Python",
        "Traceback (most recent call last):\n  File \"/app/main.py\", line 42, in run\n    check(ref)\nValueError: ",
        &[],
        "",
    ),
    ("Go panic", "panic: refused ", &[], "\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:42 +0x1d"),
    ("SQL", "ERROR: invalid input in: SELECT id FROM t WHERE ref = '", &[Quoted], "' LIMIT 1"),
    ("MySQL", "Duplicate entry '", &[Quoted], "' for key 't.ref'"),
    ("CSV", "42,2026-11-25,\"", &[], "\",open,9.50"),
    ("XML element", "<row><ref>", &[Html], "</ref><n>3</n></row>"),
    ("XML attribute", "<row n=\"3\" ref=\"", &[Html], "\"/>"),
    ("CDATA", "<ref><![CDATA[", &[], "]]></ref>"),
    ("markdown", "- **ref**: `", &[], "` (open)"),
    ("markdown table", "| 42 | ", &[], " | open |"),
    ("YAML", "items:\n  - ref: ", &[], "\n    open: true\n"),
    ("YAML quoted", "ref: '", &[], "'\n"),
    ("shell", "$ lookup --ref ", &[], " --limit 5"),
    ("shell flag", "lookup --ref='", &[], "' -v"),
    ("env", "LANG=C.UTF-8\nREF=", &[], "\nPWD=/app\n"),
    ("export", "export REF='", &[], "'"),
    ("URL path", "https://api.example.com/v1/items/", &[Percent], "/parts?page=2"),
    ("URL query", "GET https://api.example.com/v1?ref=", &[Percent], "&page=2 failed"),
    ("URL fragment", "https://app.example.com/#/ref/", &[Percent], ""),
    ("Python dict", "{'n': 3, 'ref': '", &[Quoted], "', 'open': True}"),
    ("Python repr", "Item(n=3, ref='", &[Quoted], "', open=True)"),
    ("JS inspect", "{ n: 3, ref: '", &[Quoted], "', open: true }"),
    ("PHP print_r", "Array\n(\n    [n] => 3\n    [ref] => ", &[], "\n)\n"),
    ("PHP export", "array (\n  'n' => 3,\n  'ref' => '", &[Quoted], "',\n)"),
    ("Ruby", "{:n=>3, :ref=>\"", &[Json], "\", :open=>true}"),
    ("Go struct", "{N:3 Ref:", &[], " Open:true}"),
    ("Go %#v", "main.Item{N:3, Ref:\"", &[Json], "\", Open:true}"),
    ("Rust debug", "Item { n: 3, reference: Some(\"", &[Json], "\"), open: true }"),
    ("header", "> X-Trace-Note: ", &[], "\r\n> Accept: */*"),
    ("JSON in text", "got {\"n\":3,\"ref\":\"", &[Json], "\"} back"),
    ("JSON spaced", "{\n  \"n\": 3,\n  \"ref\": \"", &[JsonUnicode], "\"\n}"),
    ("HTML text", "<p>Ref <b>", &[Html], "</b> open</p>"),
    ("template", "Hello ${ref:-", &[], "}"),
    ("terminal", "\u{1b}[31mrefused\u{1b}[0m \u{1b}[1m", &[], "\u{1b}[0m again"),
    ("JSON member", "\"ref\": \"", &[Json], "\","),
    ("Ruby pair", "\"ref\" => \"", &[Json], "\","),
    ("Lua", "[\"ref\"] = \"", &[Json], "\";"),
    ("property list", "<key>ref</key>\n<string>", &[Html], "</string>"),
    ("form part", "Content-Disposition: form-data; name=\"ref\"\r\n\r\n", &[], "\r\n--x--"),
    ("comment", "// see ", &[], " for why"),
    ("at the end", "last seen at host ", &[], ""),
];

/// What may lie around a line.
const WRAPS: &[(&str, &[Layer], &str)] = &[
    ("{\"n\":3,\"detail\":\"", &[Json], "\",\"ok\":false}"),
    ("{\"detail\":\"", &[Layer::JsonSlash], "\"}"),
    ("[\"a\",\"", &[JsonUnicode], "\"]"),
    ("{\"blob\":\"", &[Layer::JsonAll], "\"}"),
    ("https://app.example.com/go?next=", &[Percent], "&step=2"),
    ("https://app.example.com/go?next=", &[Percent, Percent], "&step=2"),
    ("next=", &[Layer::PercentAll], "&x=1"),
    ("<div data-note=\"", &[Html], "\">x</div>"),
    ("<i title=\"", &[Layer::HtmlNumbers], "\"/>"),
    ("payload ", &[Layer::Base64], " end"),
    ("payload=", &[Layer::Base64Bare], "&n=1"),
    ("/state/", &[Layer::Base64Url], "/x"),
    ("state=", &[Layer::Base64UrlBare], "&n=1"),
    ("body: ", &[Layer::Gzip64], ""),
    ("{\"detail\":\"", &[Json, Layer::Base64], "\"}"),
    ("{\"gz\":\"", &[Json, Layer::Gzip64], "\"}"),
    ("data:text/plain;base64,", &[Layer::Base64], ""),
    ("data:text/plain,", &[Percent], ""),
    ("{'detail': '", &[Quoted], "'}"),
];

/// A form that no header announces: nothing says that its `+` are blanks. Rarer than the others for that.
const FORM: (&str, &[Layer], &str) = ("ref=", &[Layer::Form], "&step=2");

/// Hides `text` at random, behind at most `layers_max` layers.
pub(crate) fn hidden(random: &mut Random, text: String, layers_max: usize) -> Item {
    let (line, before, layers, after) = *random.pick(LINES);
    let mut wraps = vec![Wrap::new(before, layers, after)];
    let mut left = layers_max.saturating_sub(count(layers));
    for _ in 0..*random.pick(&[0, 0, 0, 1, 1, 2]) {
        let (before, layers, after) = if random.one_in(60) { FORM } else { *random.pick(WRAPS) };
        if count(layers) <= left {
            left -= count(layers);
            wraps.insert(0, Wrap::new(before, layers, after));
        }
    }
    let format = match random.below(8) {
        0..=4 => {
            let key = random.pick(&["detail", "reason", "line", "blob", "info", "raw_line", "out"]);
            let layer = *random.pick(&[Json, Json, Json, JsonUnicode, Layer::JsonSlash]);
            wraps.insert(0, Wrap::new(&format!("{{\"n\":3,\"{key}\":\""), &[layer], "\",\"z\":[1,true]}"));
            ItemFormat::Json
        }
        5 => {
            wraps.insert(0, Wrap::new("n=3&detail=", &[Layer::Form], "&z=1"));
            ItemFormat::Form
        }
        _ => ItemFormat::Text,
    };
    item(format, wraps, text, line)
}

/// Compression inside base64 is a layer of its own.
fn count(layers: &[Layer]) -> usize {
    layers.iter().map(|layer| if *layer == Layer::Gzip64 { 2 } else { 1 }).sum()
}

/// Hides `text` behind as many as `depth` layers of any kind, with little around them.
///
/// Left out is what the engine is known not to read, and [`hidden`] counts: forms that no header announces.
pub(crate) fn buried(random: &mut Random, text: &str, depth: usize) -> String {
    let (_, before, layers, after) = *random.pick(LINES);
    let line = Wrap::new(before, layers, after).around(text);
    (layers.len()..depth).fold(line, |text, _| {
        let layer = any_layer(random);
        let (before, after) = *random.pick(&[("", ""), ("w=", ""), ("x ", " y"), ("{\"detail\":\"", "\"}")]);
        Wrap::new(before, &[layer], after).around(&text)
    })
}

fn item(format: ItemFormat, wraps: Vec<Wrap>, text: String, line: &'static str) -> Item {
    let whole = around_all(&wraps, &text);
    Item { format, bytes: whole.into_bytes(), wraps, text, line }
}

/// A text with wraps around it, which come from the outside in.
pub(crate) fn around_all(wraps: &[Wrap], text: &str) -> String {
    wraps.iter().rev().fold(text.to_owned(), |text, wrap| wrap.around(&text))
}
