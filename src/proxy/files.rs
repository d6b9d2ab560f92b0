//! Files that Sentry's SDKs send by themselves: crash reports, attachments of an event, uploads.
//!
//! In: what a request says about its body, and what became of it. Out: whether the body is worth reading, the headers
//! that tell its length, and answers of our own with which a crash reporter is content. Reads no body.
//!
//! A crash report is nothing without its minidump, which no policy lets by unless it names it. Crash reporters
//! keep what is not taken and bring it again for ever, so such a report is taken and thrown away.

use super::Exchange;
use super::answer::{self, AnswerBody};
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Coding, Dialect, FileKind, lets_by};
use crate::redact::OnError;
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// The id of nothing.
const NIL_UUID: &[u8] = b"00000000-0000-0000-0000-000000000000";

/// SPEC: <https://tus.io/protocols/resumable-upload>, the extension "Creation With Upload".
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

impl Exchange<'_> {
    /// Whether nothing in a body can go on, so that it need not be held.
    pub(super) fn is_worthless(&self, format: BodyFormat) -> bool {
        let kind = match format {
            BodyFormat::File(FileKind::Minidump) | BodyFormat::Multipart(Dialect::SentryCrash, _) => {
                "event.minidump"
            }
            BodyFormat::File(FileKind::UnrealReport) => "unreal_report",
            _ => return false,
        };
        self.plan.on_error() != OnError::Pass && !lets_by(&self.plan.policy, kind)
    }

    /// The answer to a body of which nothing went on, because of what it holds; `None` where its sender is to hear why.
    pub(super) fn taken(&self, format: BodyFormat, reason: Reason) -> Option<Response<AnswerBody>> {
        let is_of_content = matches!(
            reason,
            Reason::Binary | Reason::Policy | Reason::ItemTooLarge | Reason::NotJson | Reason::UnknownCharset
        );
        if !is_of_content || self.plan.on_error() == OnError::Reject {
            return None;
        }
        // An upload is given an address, which the SDK then names in an event: there would be nothing there.
        (format != BodyFormat::File(FileKind::Upload)).then(|| content_with(format)).flatten()
    }

    /// The inbox's answer to a file.
    pub(super) fn stored_file(&self, format: BodyFormat, bytes: u64) -> Option<Response<AnswerBody>> {
        let mut answer = content_with(format)?;
        if format == BodyFormat::File(FileKind::Upload) {
            let headers = answer.headers_mut();
            headers.insert(TUS_RESUMABLE, TUS_VERSION);
            headers.insert(UPLOAD_OFFSET, HeaderValue::from(bytes));
            let place = format!("{}/{}/", self.plan.scrub_path(self.path()).trim_end_matches('/'), "0");
            headers.extend(HeaderValue::try_from(place).ok().map(|place| (header::LOCATION, place)));
        }
        Some(answer)
    }

    /// Refuses an upload in a coding: nobody says of which form its length is.
    pub(super) fn check_upload_coding(&self, format: BodyFormat, declared: Coding) -> Result<(), Reason> {
        let is_coded = format == BodyFormat::File(FileKind::Upload) && declared != Coding::Identity;
        if is_coded { Err(Reason::UnknownCoding) } else { Ok(()) }
    }

    /// Refuses an upload that is not all there: something may be found in what comes later, when its length is settled.
    pub(super) fn check_upload_length(&self, format: BodyFormat, bytes_came: usize) -> Result<(), Reason> {
        let headers = &self.head.headers;
        let announced = headers.get(UPLOAD_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let is_whole = announced == Some(bytes_came) && !headers.contains_key(UPLOAD_OFFSET);
        if format != BodyFormat::File(FileKind::Upload) || is_whole {
            Ok(())
        } else {
            Err(Reason::BadRequest)
        }
    }

    /// Says how long an upload is.
    pub(super) fn measure_upload(&self, format: BodyFormat, bytes: usize, headers: &mut HeaderMap) {
        if format == BodyFormat::File(FileKind::Upload) {
            headers.insert(TUS_RESUMABLE, TUS_VERSION);
            headers.insert(UPLOAD_LENGTH, HeaderValue::from(bytes));
        }
    }

    /// Tells the sender that all it sent has arrived, if all that was made of it has.
    pub(super) fn as_uploaded(
        &self,
        format: BodyFormat,
        bytes_came: usize,
        bytes_sent: usize,
        mut answer: Response<AnswerBody>,
    ) -> Response<AnswerBody> {
        let headers = answer.headers_mut();
        if format == BodyFormat::File(FileKind::Upload)
            && headers.get(UPLOAD_OFFSET) == Some(&HeaderValue::from(bytes_sent))
        {
            headers.insert(UPLOAD_OFFSET, HeaderValue::from(bytes_came));
        }
        answer
    }
}

/// An answer of Sentry's to a file: `text/plain` with an id for crash reports, 201 for what is kept for later.
fn content_with(format: BodyFormat) -> Option<Response<AnswerBody>> {
    match format {
        BodyFormat::File(FileKind::Minidump | FileKind::UnrealReport)
        | BodyFormat::Multipart(Dialect::SentryCrash, _) => {
            Some(answer::full(StatusCode::OK, "text/plain", Bytes::from_static(NIL_UUID)))
        }
        BodyFormat::File(FileKind::Upload) | BodyFormat::Multipart(Dialect::Sentry, _) => {
            Some(answer::empty(StatusCode::CREATED, HeaderMap::new()))
        }
        _ => None,
    }
}
