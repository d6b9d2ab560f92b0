//! Stand-ins, written a second time.

use super::layers::{Decoded, Layer};
use regex::bytes::Regex;
use std::net::IpAddr;
use std::sync::LazyLock;
use tamis::pattern::Class;
use tamis::redact::Action;

/// The stand-in of an action for a value as its receiver reads it.
pub(crate) fn stand_in(action: Action, class: Option<Class>, value: &[u8]) -> Vec<u8> {
    let word = class.map_or("redacted", Class::word);
    let text = String::from_utf8_lossy(value);
    let token = format!("[{word}]");
    let written = match action {
        Action::Keep | Action::Scan => text.into_owned(),
        Action::Remove | Action::DropItem => String::new(),
        Action::Token if class == Some(Class::MediaLink) => {
            link(std::str::from_utf8(value).unwrap_or_default())
        }
        // Pseudonyms need a key, which the tests here give to no policy.
        Action::Token | Action::Pseudonym => token,
        Action::Stats => {
            format!("[{word} chars={} words={}]", text.chars().count(), text.split_whitespace().count())
        }
        Action::Mask => {
            let n = text.chars().count();
            let shown = if n > 8 { 4 } else { 0 };
            let tail: String = text.chars().skip(n - shown).collect();
            "*".repeat(n - shown) + &tail
        }
        Action::Truncate => std::str::from_utf8(value).ok().and_then(address).map_or(token, truncated),
    };
    written.into_bytes()
}

/// Host and ending of a link stay, if the host names no more than a service.
fn link(value: &str) -> String {
    static HOST: LazyLock<regex::Regex> = LazyLock::new(|| {
        let host = r"(?:[A-Za-z0-9-]{1,19}\.)*[A-Za-z]{1,19}(?::[0-9]*)?";
        regex::Regex::new(&format!(r"^([a-z0-9+.-]{{2,16}}://{host})(?:[/?#]|$)")).expect("a regex")
    });
    static ENDING: LazyLock<regex::Regex> = LazyLock::new(|| {
        let kinds = "avif?|bmp|bin|csv|docx|flac|gif|glb|gltf|heic|jpe?g|json|m4[av]|mkv|mov|mp[34]|obj|ogg|opus|pdf|png|svg|tiff?|txt|usdz|wav|web[mp]|zip";
        regex::Regex::new(&format!(r"(?is)^[^?#]*?\.({kinds})(?:[?#]|$)")).expect("a regex")
    });
    let blank = value.bytes().any(|byte| byte.is_ascii_whitespace());
    let host =
        HOST.captures(value).filter(|_| !blank).map_or("", |parts| parts.get(1).expect("a group").as_str());
    let ending =
        ENDING.captures(&value[host.len()..]).map_or(String::new(), |found| format!(".{}", &found[1]));
    let slash = if host.is_empty() { "" } else { "/" };
    format!("{host}{slash}[media_link]{ending}")
}

fn truncated(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0")
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => truncated(IpAddr::V4(v4)),
            None => {
                let [a, b, c, ..] = v6.segments();
                std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
            }
        },
    }
}

/// An address with what may stand around it in a field: brackets, zone, prefix length, port.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text,
    };
    let bare = &bare[..bare.find(['%', '/']).unwrap_or(bare.len())];
    let without_port = || {
        let (host, port) = bare.rsplit_once(':').filter(|_| !text.starts_with('['))?;
        port.parse::<u16>().ok()?;
        host.parse().ok()
    };
    bare.parse().ok().or_else(without_port)
}

/// True for a value that is nothing but a stand-in.
pub(crate) fn is_stand_in(value: &[u8]) -> bool {
    static OURS: LazyLock<Regex> = LazyLock::new(|| {
        let words: Vec<&str> =
            Class::ALL.iter().map(|class| class.word()).chain(["redacted", "unscanned"]).collect();
        let regex = format!(r"^\[(?:{})(?::[0-9a-fA-F]*)?(?: [a-z]+=[0-9]+)*\]$", words.join("|"));
        Regex::new(&regex).expect("a regex")
    });
    if value.starts_with(b"%") && value.len() <= 390 {
        let plain = Decoded::read(Layer::Percent, value).text;
        return plain.starts_with(b"[") && is_stand_in(&plain);
    }
    if value.starts_with(b"*") {
        return value.iter().all(|byte| b"* \n".contains(byte));
    }
    // A key that was replaced has a number behind its stand-in.
    static NUMBERED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?s-u:.*\])#[0-9]{1,4}$").expect("a regex"));
    let ours = if NUMBERED.is_match(value) {
        &value[..value.iter().rposition(|byte| *byte == b'#').unwrap_or(value.len())]
    } else {
        value
    };
    is_placeholder(value) || (ours.len() <= 130 && OURS.is_match(ours))
}

/// True for what others put where they took something out.
fn is_placeholder(value: &[u8]) -> bool {
    static REGEX: LazyLock<Regex> = LazyLock::new(|| {
        let kinds = "account|address|api|audio|body|card|completion|content|credential|credentials|credit|data|document|email|file|id|image|information|input|ip|key|location|media|message|messages|name|number|output|password|payload|person|personal|phi|phone|pii|private|project|prompt|response|secret|sensitive|ssn|text|token|tool|url|user|username|value|vector|video";
        let counts = "bytes|chars|length|lines|tokens|words";
        let told = format!(
            r"\[(?i:redacted)[:_ -] ?(?i:{kinds})(?:[ _-](?i:{kinds})){{0,3}}(?:[ _-](?:{counts})=[0-9]{{1,9}}){{0,6}}\]"
        );
        let families = "image|audio|video|text|application";
        let subtypes = r"aac|avif|bmp|css|csv|flac|gif|heic|html|jpeg|jpg|json|markdown|mp3|mp4|mpeg|msword|octet-stream|oga|ogg|opus|pdf|plain|png|quicktime|rtf|svg\+xml|tiff|wav|webm|webp|x-wav|xml|zip";
        let id = "[A-Za-z0-9_-]{22}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
        let media = format!(
            r"@@@langfuseMedia:type=(?:{families})/(?:{subtypes})\|id=(?:{id})\|source=(?:base64_data_uri|base64|bytes|file)@@@"
        );
        let whole = r"\[Filtered\]|\[REDACTED\]|\[redacted\]|__REDACTED__|<REDACTED>|\[Blob substitute\]|redacted-by-litellm|\[base64 image redacted\]|\$\$_posthog_redacted_based_on_masking_rules_\$\$|\$\$_posthog_value_too_long_\$\$";
        Regex::new(&format!("^(?-u:{whole}|{told}|{media})$")).expect("a regex")
    });
    REGEX.is_match(value)
}
