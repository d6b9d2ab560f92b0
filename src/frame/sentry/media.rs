//! What kind of binary content an item says it is, and whether its first bytes agree.
//!
//! In: an item header; the first bytes of a payload. Out: a name to compare with a policy, and a yes or no.
//! Reads no further than a magic number.

use super::header::ItemHeader;
use super::kind::ItemKind;
use crate::frame::parameter::essence;

/// Media types whose files begin with known bytes: type, offset, bytes.
const MAGIC: [(&str, usize, &[&[u8]]); 15] = [
    ("event.minidump", 0, &[b"MDMP", b"PMDM"]),
    ("image/png", 0, &[b"\x89PNG\r\n\x1a\n"]),
    ("image/jpeg", 0, &[b"\xff\xd8\xff"]),
    ("image/gif", 0, &[b"GIF87a", b"GIF89a"]),
    ("image/webp", 8, &[b"WEBP"]),
    ("image/avif", 4, &[b"ftyp"]),
    ("image/heic", 4, &[b"ftyp"]),
    ("video/mp4", 4, &[b"ftyp"]),
    ("video/quicktime", 4, &[b"ftyp"]),
    ("video/webm", 0, &[b"\x1a\x45\xdf\xa3"]),
    ("application/pdf", 0, &[b"%PDF-"]),
    ("application/zip", 0, &[b"PK\x03\x04", b"PK\x05\x06"]),
    ("application/gzip", 0, &[b"\x1f\x8b"]),
    ("application/x-dmp", 0, &[b"MDMP", b"PMDM"]),
    ("application/zstd", 0, &[b"\x28\xb5\x2f\xfd"]),
];

impl ItemHeader<'_> {
    /// The kind of binary content that the header names, in lower case: one of Sentry's own names, the media
    /// type without its parameters, or what the end of the file name stands for.
    #[must_use]
    pub fn binary_label(&self) -> Option<String> {
        match self.kind {
            ItemKind::ReplayVideo => return Some("replay_video".to_owned()),
            ItemKind::UnrealReport => return Some("unreal_report".to_owned()),
            ItemKind::Attachment => {}
            _ => return None,
        }
        if self.text(self.attachment_type.as_ref()).as_deref() == Some("event.minidump") {
            return Some("event.minidump".to_owned());
        }
        media_label(
            self.text(self.content_type.as_ref()).as_deref(),
            self.text(self.filename.as_ref()).as_deref(),
        )
    }
}

/// The media type without its parameters, in lower case; where none is named, what the end of the file name stands for.
#[must_use]
pub fn media_label(content_type: Option<&str>, filename: Option<&str>) -> Option<String> {
    let content_type = content_type.unwrap_or_default();
    let essence = essence(content_type).to_ascii_lowercase();
    if !matches!(essence.as_str(), "" | "application/octet-stream") {
        return Some(essence);
    }
    let by_name = filename.unwrap_or_default().rsplit_once('.').and_then(|(_, extension)| {
        Some(match extension.to_ascii_lowercase().as_str() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            "webp" => "image/webp",
            "mp4" => "video/mp4",
            "webm" => "video/webm",
            "dmp" | "mdmp" => "application/x-dmp",
            "zip" => "application/zip",
            "gz" => "application/gzip",
            "pdf" => "application/pdf",
            _ => return None,
        })
    });
    by_name.map(str::to_owned).or_else(|| (!essence.is_empty()).then_some(essence))
}

/// The kinds of content that begin as a payload does.
pub fn kinds_begun(payload: &[u8]) -> impl Iterator<Item = &'static str> {
    let begun = |at: usize, magics: &[&[u8]]| {
        magics.iter().any(|magic| payload.get(at..).is_some_and(|rest| rest.starts_with(magic)))
    };
    MAGIC.iter().filter(move |(_, at, magics)| begun(*at, magics)).map(|(kind, _, _)| *kind)
}

/// Whether a payload begins as content of this kind does. `None` for kinds without known first bytes.
#[must_use]
pub fn begins_as(label: &str, payload: &[u8]) -> Option<bool> {
    let (_, at, magics) = MAGIC.iter().find(|(known, _, _)| *known == label)?;
    Some(magics.iter().any(|magic| payload.get(*at..).is_some_and(|rest| rest.starts_with(magic))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::sentry::parse_item_header;

    #[test]
    fn the_label_follows_the_header() {
        for (members, want) in [
            (r#""type":"event","content_type":"image/png""#, None),
            (r#""type":"replay_video""#, Some("replay_video")),
            (r#""type":"unreal_report""#, Some("unreal_report")),
            (r#""type":"attachment""#, None),
            (r#""type":"attachment","content_type":"Image\/PNG; a=b""#, Some("image/png")),
            (
                r#""type":"attachment","attachment_type":"event.minidump","content_type":"image/png""#,
                Some("event.minidump"),
            ),
            (r#""type":"attachment","filename":"a.JPG""#, Some("image/jpeg")),
            (
                r#""type":"attachment","content_type":"application/octet-stream","filename":"a.mdmp""#,
                Some("application/x-dmp"),
            ),
            (
                r#""type":"attachment","content_type":"application/octet-stream","filename":"a.xyz""#,
                Some("application/octet-stream"),
            ),
            (r#""type":"attachment","content_type":"image/png","filename":"a.jpg""#, Some("image/png")),
        ] {
            let line = format!("{{{members}}}");
            let header = parse_item_header(line.as_bytes()).unwrap();
            assert_eq!(header.binary_label().as_deref(), want, "{members}");
        }
    }

    #[test]
    fn first_bytes_agree_or_not() {
        for (label, payload, want) in [
            ("image/png", &b"\x89PNG\r\n\x1a\n\0"[..], Some(true)),
            ("image/png", b"\x89PNG\r\n\x1a", Some(false)),
            ("image/png", b"GIF89a", Some(false)),
            ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", Some(true)),
            ("video/mp4", b"\0\0\0\x20ftypisom", Some(true)),
            ("video/mp4", b"", Some(false)),
            ("event.minidump", b"MDMP\x93\xa7", Some(true)),
            ("event.minidump", b"ELF", Some(false)),
            ("application/octet-stream", b"x", None),
        ] {
            assert_eq!(begins_as(label, payload), want, "{label} {payload:?}");
        }
    }
}
