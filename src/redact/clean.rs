//! Short texts of heads in which nothing was found: paths, and what SDKs say of themselves.
//!
//! In: a text and how it is read. Out: whether the very same was looked at before, byte for byte. Holds [`TEXTS_MAX`] texts of at
//! most [`TEXT_BYTES_MAX`] bytes each; one more takes the place of the one that came first, and a longer one is scanned each time.
//!
//! LEAK: what is found in a text of a head depends on the text and the plan alone. These belong to a pool and with it to one
//! plan, so a reload begins with none. A text in which anything was found, or found and kept, is not among them: it is found,
//! counted and replaced each time. What is here went on as it came, and leaves this place by no way.
//!
//! PERF: the scan of two short texts was 3 % of what a request of 3 KB costs, and senders say the same each time.

use super::scrubber::{ItemFormat, ItemScope};

/// Texts that are held, for each scrubber that works at the same time: those of a handful of SDKs.
const TEXTS_MAX: usize = 32;
/// Bytes of one; names of browsers have up to 250.
const TEXT_BYTES_MAX: usize = 256;

/// The texts. Has no `Debug`: they are a sender's.
#[derive(Default)]
pub(super) struct Clean {
    texts: Vec<Text>,
    /// The one whose place is taken next, once there are [`TEXTS_MAX`].
    next: usize,
}

struct Text {
    read_as: (ItemFormat, ItemScope),
    bytes: Vec<u8>,
}

impl Clean {
    /// Whether nothing was found in this text when it was read so.
    pub(super) fn holds(&self, read_as: (ItemFormat, ItemScope), bytes: &[u8]) -> bool {
        self.texts.iter().any(|text| text.bytes == bytes && text.read_as == read_as)
    }

    /// Holds a text in which nothing was found.
    pub(super) fn hold(&mut self, read_as: (ItemFormat, ItemScope), bytes: &[u8]) {
        if bytes.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.texts.len() < TEXTS_MAX {
            self.texts.push(Text { read_as, bytes: bytes.to_vec() });
            return;
        }
        let text = &mut self.texts[self.next];
        text.read_as = read_as;
        text.bytes.clear();
        text.bytes.extend_from_slice(bytes);
        self.next = (self.next + 1) % TEXTS_MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: (ItemFormat, ItemScope) = (ItemFormat::Text, ItemScope::Any);

    #[test]
    fn a_text_is_the_same_if_it_is_read_the_same_way() {
        let mut clean = Clean::default();
        clean.hold(TEXT, b"sentry.python/2.30.0");
        assert!(clean.holds(TEXT, b"sentry.python/2.30.0"));
        assert!(!clean.holds(TEXT, b"sentry.python/2.30.1") && !clean.holds(TEXT, b"sentry.python/2.30"));
        assert!(!clean.holds((ItemFormat::Text, ItemScope::Query), b"sentry.python/2.30.0"));
        assert!(!clean.holds((ItemFormat::Form, ItemScope::Any), b"sentry.python/2.30.0"));
    }

    #[test]
    fn the_first_goes_when_there_is_one_too_many() {
        let mut clean = Clean::default();
        let text = |nth: usize| format!("agent/{nth}").into_bytes();
        (0..TEXTS_MAX).for_each(|nth| clean.hold(TEXT, &text(nth)));
        assert!((0..TEXTS_MAX).all(|nth| clean.holds(TEXT, &text(nth))));
        clean.hold(TEXT, &text(TEXTS_MAX));
        assert!(!clean.holds(TEXT, &text(0)));
        assert!((1..=TEXTS_MAX).all(|nth| clean.holds(TEXT, &text(nth))));
        (0..3 * TEXTS_MAX).for_each(|nth| clean.hold(TEXT, &text(nth)));
        assert_eq!(clean.texts.len(), TEXTS_MAX);
    }

    #[test]
    fn a_long_text_is_not_held() {
        let mut clean = Clean::default();
        for (bytes, want) in [(TEXT_BYTES_MAX - 1, true), (TEXT_BYTES_MAX, true), (TEXT_BYTES_MAX + 1, false)]
        {
            let text = vec![b'x'; bytes];
            clean.hold(TEXT, &text);
            assert_eq!(clean.holds(TEXT, &text), want, "{bytes}");
        }
    }
}
