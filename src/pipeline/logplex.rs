//! A batch of Heroku's log drain: each message an item, with its length made true.
//!
//! In: a whole body. Out: the same with its messages scrubbed, one left out with its length. The header of a message is read as text, what
//! was logged as JSON if it is, so that field rules hold in it.

use super::Refusal;
use super::body::Stage;
use crate::frame::is_text;
use crate::frame::logplex::messages;
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError};

/// Scrubs a body and appends it to the output.
///
/// # Errors
/// `LengthWrong` where lengths and messages do not fit: nobody knows then where the next one begins.
pub(super) fn logplex(bytes: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
    // Before any message is an item.
    if messages(bytes).any(|message| message.is_err()) {
        return Err(Reason::LengthWrong.into());
    }
    let (mut scrubbed, mut at) = (Vec::new(), 0);
    for message in messages(bytes).flatten() {
        let (header, text) =
            (&bytes[message.range.start..message.text], &bytes[message.text..message.range.end]);
        scrubbed.clear();
        let changed = match (scrub(header, text, &mut scrubbed, stage), stage.scrubber.plan().on_error()) {
            (Ok(changed), _) => changed,
            (Err(reason), OnError::DropItem | OnError::Reject) => {
                at = message.range.end;
                drop_or_refuse(reason, stage)?;
                continue;
            }
            (Err(Reason::Policy), _) => {
                at = message.range.end;
                stage.summary.drop_item(Reason::Policy);
                continue;
            }
            (Err(_), OnError::Replace) => {
                scrubbed.clear();
                true
            }
            (Err(_), OnError::Pass) => {
                scrubbed.clear();
                scrubbed.extend_from_slice(&bytes[message.range.clone()]);
                false
            }
        };
        stage.summary.item(changed);
        if changed {
            stage.out.extend_from_slice(scrubbed.len().to_string().as_bytes());
            stage.out.push(b' ');
            stage.out.append(&mut scrubbed);
        } else {
            stage.out.extend_from_slice(&bytes[at..message.range.end]);
        }
        at = message.range.end;
    }
    stage.out.extend_from_slice(&bytes[at..]);
    Ok(())
}

/// What the policy itself leaves out is no failure.
fn drop_or_refuse(reason: Reason, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    if reason == Reason::Policy {
        stage.summary.drop_item(reason);
        return Ok(());
    }
    stage.fail(reason)
}

fn scrub(header: &[u8], text: &[u8], out: &mut Vec<u8>, stage: &mut Stage<'_>) -> Result<bool, Reason> {
    stage.summary.bytes_scanned += (header.len() + text.len()) as u64;
    if !is_text(header) || !is_text(text) {
        return Err(Reason::Binary);
    }
    let mut changed = false;
    for (format, part) in [(ItemFormat::Text, header), (ItemFormat::JsonOrText, text)] {
        if part.is_empty() {
            continue;
        }
        let verdict = stage.scrubber.item(format, ItemScope::Any, part, out);
        if verdict.drop_item {
            return Err(Reason::Policy);
        }
        changed |= verdict.changed;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use crate::outcome::Reason;
    use crate::pipeline::tests::run;
    use crate::pipeline::{BodyFormat, BodyLimits};

    const HEADER: &str = "<190>1 2026-11-26T06:45:29.123456+00:00 host app web.1 - ";

    fn framed(messages: &[&str]) -> String {
        let frame = |text: &&str| format!("{} {HEADER}{text}", HEADER.len() + text.len());
        messages.iter().map(frame).collect()
    }

    #[test]
    fn each_message_is_an_item_and_its_length_true() {
        let came = framed(&[
            "State changed from starting to up\n",
            "login of jane@example.com from 192.0.2.7\n",
            "{\"user\":{\"email\":\"jane at example\"},\"n\":12.250}\n",
            "two lines of\njane@example.com",
        ]);
        let want = framed(&[
            "State changed from starting to up\n",
            "login of [email] from [ip]\n",
            "{\"user\":{\"email\":\"[email]\"},\"n\":12.250}\n",
            "two lines of\n[email]",
        ]) + "\n";
        let came = came + "\n";
        for cut in 0..=came.len() {
            let (head, tail) = came.as_bytes().split_at(cut);
            let (out, summary) =
                run(BodyFormat::Logplex, BodyLimits::default(), &[head, tail]).expect("taken");
            assert_eq!(String::from_utf8_lossy(&out), want, "cut at {cut}");
            assert_eq!((summary.redacted, summary.clean), (3, 1));
        }
        let (again, summary) =
            run(BodyFormat::Logplex, BodyLimits::default(), &[want.as_bytes()]).expect("taken");
        assert_eq!((String::from_utf8_lossy(&again).as_ref(), summary.changed), (&*want, false));
    }

    #[test]
    fn one_that_cannot_be_read_is_left_out_alone() {
        let (good, bad) = (framed(&["good\n"]), framed(&["bad\0\n"]));
        let body = [&*good, &*bad, &*good].concat();
        let (out, summary) =
            run(BodyFormat::Logplex, BodyLimits::default(), &[body.as_bytes()]).expect("taken");
        assert_eq!(String::from_utf8_lossy(&out), good.repeat(2));
        assert_eq!((summary.clean, summary.dropped), (2, vec![(Reason::Binary, 1)]));
        for body in [good.clone() + "junk", good[1..].to_owned(), good[..good.len() - 1].to_owned()] {
            let refused = run(BodyFormat::Logplex, BodyLimits::default(), &[body.as_bytes()]);
            assert_eq!(refused.expect_err("refused").reason, Reason::LengthWrong, "{body}");
        }
    }
}
