//! A name at the end of one line of a text whose value stands on a line behind it, where each line is an item of its own: the
//! environment of a container in YAML or a folded text there, a dump of PHP, a reply of Redis, a field of a form that was sent in parts.
//!
//! In: the lines of a body, in order. Out: what to read before a line, so that its reader sees the name. Holds the name
//! (`NAME_BYTES_MAX`). Never decides what the name means: that is asked of the patterns and rules, which know the same on
//! one text.

use memchr::memmem;

/// Bytes of what stands before a value. A longer name is read as any line.
const NAME_BYTES_MAX: usize = 120;

/// What a line waits for that ends in a name.
#[derive(Debug, Default, PartialEq, Eq)]
enum Awaited {
    #[default]
    Nothing,
    /// `value:` behind `- name: DB_PASSWORD`.
    Member,
    /// Any line behind `["password"]=>` that is no document.
    Any,
    /// The empty line between the head of a part of a form and its value.
    Empty,
}

/// The name that the last line ended in.
#[derive(Debug, Default)]
pub(super) struct NameLines {
    name: Vec<u8>,
    awaited: Awaited,
}

impl NameLines {
    /// What the next line is to be read behind.
    pub(super) fn head(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let text = line.trim_ascii();
        let head = match std::mem::take(&mut self.awaited) {
            Awaited::Member if text.starts_with(b"value:") => Some([&self.name, b"\n" as &[u8]].concat()),
            // LEAK: a document is read as one, whose keys say more than the name before it.
            Awaited::Any if !matches!(text.first(), None | Some(b'{' | b'[')) => {
                Some([&self.name, b"\n" as &[u8]].concat())
            }
            Awaited::Empty if text.is_empty() => {
                self.name.extend_from_slice(b"\r\n\r");
                self.awaited = Awaited::Any;
                return None;
            }
            _ => None,
        };
        self.note(text);
        head
    }

    fn note(&mut self, text: &[u8]) {
        let found = match text.last() {
            Some(b'>') if text.ends_with(b"]=>") => Some((memchr::memrchr(b'[', text), Awaited::Any)),
            Some(b'>') => is_folded(text).then_some((Some(0), Awaited::Any)),
            Some(b'"') if text.starts_with(b"Content-Disposition:") => {
                Some((memmem::find(text, b"; name=\""), Awaited::Empty))
            }
            Some(b'-' | b'|') if is_folded(text) => Some((Some(0), Awaited::Any)),
            Some(b'"') if is_setting_of_redis(text) => Some((Some(0), Awaited::Any)),
            Some(last) if last.is_ascii_alphanumeric() || b"_\"'".contains(last) => {
                is_member(text).then_some((Some(0), Awaited::Member))
            }
            _ => None,
        };
        let Some((Some(at), awaited)) = found else { return };
        if text.len() - at > NAME_BYTES_MAX {
            return;
        }
        self.name.clear();
        if awaited == Awaited::Empty {
            self.name.extend_from_slice(b"Content-Disposition: form-data");
        }
        self.name.extend_from_slice(&text[at..]);
        self.awaited = awaited;
    }
}

/// `signing_key: >-`: a text below, folded or as it stands.
///
/// SPEC: YAML 1.2, section 8.1.
fn is_folded(text: &[u8]) -> bool {
    let plain = text.strip_suffix(b"-").unwrap_or(text);
    let name = plain.strip_suffix(b": >").or(plain.strip_suffix(b": |"));
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    name.is_some_and(|name| !name.is_empty() && name.iter().all(of_name))
}

/// `1) "requirepass"`: a setting, whose value is the next of the reply.
fn is_setting_of_redis(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(&text[digits..], b") \"requirepass\"" | b") \"masterauth\"")
}

/// `- name: DB_PASSWORD`.
fn is_member(text: &[u8]) -> bool {
    let member = text.strip_prefix(b"- ").unwrap_or(text);
    let name = member.strip_prefix(b"name: ").or(member.strip_prefix(b"key: "));
    name.is_some_and(|name| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-\"'".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_behind_the_name_that_waits_for_it() {
        for (lines, want) in [
            (vec!["  - name: DB_PASSWORD", "    value: x"], vec!["-", "- name: DB_PASSWORD\n"]),
            (vec!["- key: \"token\"", "  value: x", "  value: x"], vec!["-", "- key: \"token\"\n", "-"]),
            (vec!["- name: db", "  image: x", "  value: x"], vec!["-", "-", "-"]),
            (vec!["- name: db password", "  value: x"], vec!["-", "-"]),
            (vec!["    signing_key: >-", "      x", "x"], vec!["-", "signing_key: >-\n", "-"]),
            (vec!["key: |", "x"], vec!["-", "key: |\n"]),
            (vec!["run the key: >", "x", ": >-", "x"], vec!["-", "-", "-", "-"]),
            (vec!["1) \"requirepass\"", "2) \"x\""], vec!["-", "1) \"requirepass\"\n"]),
            (vec!["1) \"timeout\"", "2) \"x\""], vec!["-", "-"]),
            (vec!["  [\"password\"]=>", "  string(1) \"x\""], vec!["-", "[\"password\"]=>\n"]),
            (vec!["[\"a\"]=>", "[\"b\"]=>", "x"], vec!["-", "-", "[\"b\"]=>\n"]),
            (vec!["[\"a\"]=>", "{\"prompt\":\"x\"}", "x"], vec!["-", "-", "-"]),
            (
                vec!["Content-Disposition: form-data; name=\"pw\"\r", "\r", "x", "x"],
                vec!["-", "-", "Content-Disposition: form-data; name=\"pw\"\r\n\r\n", "-"],
            ),
            (vec!["Content-Disposition: form-data; name=\"pw\"", "x", "x"], vec!["-", "-", "-"]),
            (vec!["", "a", ">", "\"", "value: x"], vec!["-", "-", "-", "-", "-"]),
        ] {
            let mut names = NameLines::default();
            let head = |line: &&str| names.head(line.as_bytes()).unwrap_or(b"-".to_vec());
            let heads: Vec<String> =
                lines.iter().map(head).map(|head| String::from_utf8(head).expect("text")).collect();
            assert_eq!(heads, want, "{lines:?}");
        }
    }

    #[test]
    fn a_long_name_waits_for_nothing() {
        let mut names = NameLines::default();
        let line = format!("- name: {}", "a".repeat(NAME_BYTES_MAX));
        assert_eq!(names.head(line.as_bytes()), None);
        assert_eq!(names.head(b"value: x"), None);
    }
}
