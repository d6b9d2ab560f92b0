//! The frame of a gRPC message: one byte that says whether it is compressed, four of length, the message.
//!
//! In: the whole body of a unary call. Out: the range of its only message. Never looks into it.
//! SPEC: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::ops::Range;

/// Bytes before the message.
pub(crate) const PREFIX_BYTES: usize = 5;

/// The message of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Framed {
    pub(crate) compressed: bool,
    pub(crate) message: Range<usize>,
}

/// Finds the only message of a body; `None` where there is none, more than one, or a cut one.
pub(crate) fn message(body: &[u8]) -> Option<Framed> {
    let (prefix, message) = body.split_at_checked(PREFIX_BYTES)?;
    let compressed = match prefix[0] {
        0 => false,
        1 => true,
        _ => return None,
    };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let fits = usize::try_from(length).is_ok_and(|length| length == message.len());
    fits.then_some(Framed { compressed, message: PREFIX_BYTES..body.len() })
}

/// Appends a message in its frame. `None`, and nothing appended, past what four bytes of length can say.
pub(crate) fn write(compressed: bool, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = u32::try_from(message.len()).ok()?;
    out.push(u8::from(compressed));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_message() {
        for (body, want) in [
            (&[0, 0, 0, 0, 0][..], Some((false, 5..5))),
            (&[1, 0, 0, 0, 2, 7, 8], Some((true, 5..7))),
            (&[], None),
            (&[0, 0, 0, 0], None),
            (&[0, 0, 0, 0, 2, 7], None),
            (&[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0], None), // a second one
            (&[2, 0, 0, 0, 0], None),
        ] {
            let got = message(body).map(|framed| (framed.compressed, framed.message));
            assert_eq!(got, want, "{body:?}");
        }
        let mut out = Vec::new();
        assert_eq!(write(true, b"ab", &mut out), Some(()));
        assert_eq!(out, [1, 0, 0, 0, 2, b'a', b'b']);
    }
}
