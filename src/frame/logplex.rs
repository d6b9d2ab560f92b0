//! Splits what Heroku's log drains post: messages of syslog, each behind its length.
//!
//! In: a whole body. Out: where each message stands, in order. Holds nothing and never reads a message.
//! Format: octet counting, <https://www.rfc-editor.org/rfc/rfc6587#section-3.4.1>; what is in it,
//! <https://devcenter.heroku.com/articles/log-drains#https-drains>

use super::FrameError;
use std::ops::Range;

/// Digits of a length: a gigabyte has ten.
const DIGITS_MAX: usize = 9;

/// One message, and the end of its header: `<40>1 2026-11-26T06:45:29+00:00 host app web.3 - `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// All of it, behind its length and a blank.
    pub range: Range<usize>,
    /// Where what was logged begins; the end of the message where it has no such header.
    pub text: usize,
}

/// Yields the messages of a body. Blanks behind the last are none; behind an error nothing comes.
///
/// # Errors
/// `LengthInvalid` where no length stands, `Truncated` where the body ends before a message does.
pub fn messages(body: &[u8]) -> impl Iterator<Item = Result<Message, FrameError>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = body.get(at..)?;
        // Looked at from each message on, the rest would be gone through once for each.
        if rest.first().is_none_or(u8::is_ascii_whitespace) && rest.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let next = message(body, at);
        at = next.as_ref().map_or(body.len(), |message| message.range.end);
        Some(next)
    })
}

fn message(body: &[u8], at: usize) -> Result<Message, FrameError> {
    let digits = body[at..].iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    let length: Option<usize> =
        std::str::from_utf8(&body[at..at + digits]).ok().and_then(|digits| digits.parse().ok());
    let (Some(length), Some(b' ')) = (length, body.get(at + digits)) else {
        return Err(FrameError::LengthInvalid { offset: at as u64 });
    };
    let start = at + digits + 1;
    let end = start.checked_add(length).filter(|end| *end <= body.len());
    let end = end.ok_or(FrameError::Truncated { offset: body.len() as u64 })?;
    Ok(Message { range: start..end, text: text(body, start..end) })
}

/// Where what was logged begins: behind six blanks, between which there is no other.
/// SPEC: priority and version, time, host, application, process, message id. Heroku leaves out the structured data that follows.
fn text(body: &[u8], range: Range<usize>) -> usize {
    const FIELDS: usize = 6;
    let mut blanks = memchr::memchr_iter(b' ', &body[range.clone()]);
    blanks.nth(FIELDS - 1).map_or(range.end, |blank| range.start + blank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The header and the text of each message.
    fn split(body: &str) -> Result<Vec<(&str, &str)>, FrameError> {
        let cut = |message: Message| {
            (&body[message.range.start..message.text], &body[message.text..message.range.end])
        };
        messages(body.as_bytes()).map(|message| message.map(cut)).collect()
    }

    #[test]
    fn messages_stand_behind_their_lengths() {
        let header = "<1>1 t h a p - ";
        for (body, want) in [
            ("", vec![]),
            (" \n", vec![]),
            ("23 <1>1 t h a p - one two\n", vec![(header, "one two\n")]),
            (
                "19 <1>1 t h a p - one\n21 <1>1 t h a p - two 3\n",
                vec![(header, "one\n"), (header, "two 3\n")],
            ),
            // A line break is a byte like any other.
            ("19 <1>1 t h a p - a\nb\n\n", vec![(header, "a\nb\n")]),
            ("3 one6 a two ", vec![("one", ""), ("a two ", "")]),
            ("0 0 ", vec![("", ""), ("", "")]),
        ] {
            assert_eq!(split(body), Ok(want), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_length_is_told_with_its_place() {
        for (body, want) in [
            ("3 one two", FrameError::LengthInvalid { offset: 5 }),
            ("<1>1 t h a p - one", FrameError::LengthInvalid { offset: 0 }),
            (" 3 one", FrameError::LengthInvalid { offset: 0 }),
            ("3\none", FrameError::LengthInvalid { offset: 0 }),
            ("1234567890 one", FrameError::LengthInvalid { offset: 0 }),
            ("4 one", FrameError::Truncated { offset: 5 }),
            ("3 one999999999 a", FrameError::Truncated { offset: 16 }),
            ("3", FrameError::LengthInvalid { offset: 0 }),
        ] {
            assert_eq!(split(body), Err(want), "{body:?}");
        }
    }

    proptest! {
        /// Whatever comes: between messages there is nothing but their lengths, and no byte is in two.
        #[test]
        fn every_byte_is_of_a_message_or_a_length(body in "([0-9] [a-c ]{0,9}|[0-9]{0,2} ?[a ]{0,4})*") {
            let messages: Result<Vec<_>, _> = messages(body.as_bytes()).collect();
            let Ok(messages) = messages else { return Ok(()) };
            let mut at = 0;
            for Message { range, text } in messages {
                let length: usize = body[at..range.start].trim_end().parse().expect("a length");
                prop_assert_eq!(range.len(), length);
                prop_assert!(range.start <= text && text <= range.end);
                at = range.end;
            }
            prop_assert!(body[at..].trim().is_empty());
        }
    }
}
