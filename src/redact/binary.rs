//! The kinds of binary content that a policy lets through unread.
//!
//! In: what an operator wrote, and what an item says it is. Out: whether the one covers the other. Never looks at
//! a payload; that it is what it says is for the reader of the item to check.

/// A media type (`image/png`), all of a family (`image/*`), or one of Sentry's own names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryKind(String);

impl BinaryKind {
    /// What Sentry gives a name and no media type: <https://develop.sentry.dev/sdk/foundations/transport/envelope-items/>
    pub const NAMES: [&str; 3] = ["event.minidump", "replay_video", "unreal_report"];

    /// Reads one, in lower case. `None` for what is no media type and no name, and for `*/*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".+-_".contains(&byte))
        };
        let is_media_type =
            text.split_once('/').is_some_and(|(family, name)| token(family) && (token(name) || name == "*"));
        (is_media_type || Self::NAMES.contains(&text)).then(|| Self(text.to_owned()))
    }

    /// Whether `label`, a media type without parameters or one of [`BinaryKind::NAMES`], is of this kind.
    #[must_use]
    pub fn covers(&self, label: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(family) => label.starts_with(family),
            None => self.0 == label,
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_cover_what_they_name() {
        for (kind, covered, others) in [
            ("image/png", &["image/png"][..], &["image/pngx", "image/jpeg", "event.minidump", ""][..]),
            ("image/*", &["image/png", "image/svg+xml"], &["images/png", "video/mp4", "image"]),
            ("replay_video", &["replay_video"], &["video/mp4", "unreal_report"]),
            ("application/vnd.x-1+y_z", &["application/vnd.x-1+y_z"], &["application/vnd"]),
        ] {
            let parsed = BinaryKind::parse(kind).expect(kind);
            assert_eq!(parsed.as_str(), kind);
            assert!(covered.iter().all(|label| parsed.covers(label)), "{kind}");
            assert!(!others.iter().any(|label| parsed.covers(label)), "{kind}");
        }
    }

    #[test]
    fn what_is_no_kind_is_refused() {
        for text in
            ["", "*", "*/*", "image", "image/", "/png", "image/p*", "Image/PNG", "image/png; q=1", "event"]
        {
            assert_eq!(BinaryKind::parse(text), None, "{text:?}");
        }
    }
}
