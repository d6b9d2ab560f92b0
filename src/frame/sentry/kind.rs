//! What an envelope item is, and how its payload is to be read.
//!
//! In: the `type` of an item header, and for attachments what else the header says. Out: one of a
//! closed set, so that a metric label never comes from a request. Never looks at a payload.
//! Types: <https://develop.sentry.dev/sdk/foundations/transport/envelope-items/>

use super::header::ItemHeader;
use crate::frame::parameter::essence;

/// How the payload of an item is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// As one JSON document; anything else is not understood.
    Json,
    /// As JSON that says where a file is, which was uploaded by itself.
    Reference,
    /// As UTF-8 text.
    Text,
    /// Not at all: the policy for binary content decides.
    Binary,
    /// As a segment of a session replay: a line of JSON, then JSON that may be in zlib.
    Recording,
    /// As JSON if it is JSON, else as text if it is UTF-8, else as binary.
    Sniff,
}

/// Declares [`ItemKind`] with its names on the wire and its content in one table.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $label:literal $(| $alias:literal)* => $content:ident,)*) => {
        /// The type of an envelope item.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ItemKind {
            $($(#[$doc])* $name,)*
            /// Any other type, or none: kept and forwarded if its payload can be read.
            Unknown,
        }

        impl ItemKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$name,)* Self::Unknown];

            /// Recognises a `type`. Names are compared exactly, as servers do.
            #[must_use]
            pub fn parse(name: &str) -> Self {
                match name { $($label $(| $alias)* => Self::$name,)* _ => Self::Unknown }
            }

            /// The label value: the name on the wire, or `unknown`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* Self::Unknown => "unknown" }
            }

            fn usual_content(self) -> Content {
                match self { $(Self::$name => Content::$content,)* Self::Unknown => Content::Sniff }
            }
        }
    };
}

kinds! {
    /// An error or message event.
    Event = "event" => Json,
    /// A performance transaction with its spans.
    Transaction = "transaction" => Json,
    /// User feedback, as an event.
    Feedback = "feedback" => Json,
    /// An update of one session.
    Session = "session" => Json,
    /// Sessions added up.
    Sessions = "sessions" => Json,
    /// User feedback, the older form.
    UserReport = "user_report" => Json,
    /// A file; what its header says decides how it is read.
    Attachment = "attachment" => Sniff,
    /// The event of a session replay.
    ReplayEvent = "replay_event" => Json,
    /// A segment of a session replay: a header line and, as a rule, zlib.
    ReplayRecording = "replay_recording" => Recording,
    /// Event, recording and video of a mobile replay in one msgpack map.
    ReplayVideo = "replay_video" => Binary,
    /// A profile of one transaction.
    Profile = "profile" => Json,
    /// A piece of a continuous profile.
    ProfileChunk = "profile_chunk" | "profile_chunk_ui" => Json,
    /// Spans: one, or a container of them.
    Span = "span" => Json,
    /// A container of log records.
    Log = "log" => Json,
    /// A container of metrics tied to traces.
    TraceMetric = "trace_metric" => Json,
    /// A sign of life of a scheduled job.
    CheckIn = "check_in" => Json,
    /// What the sender itself dropped.
    ClientReport = "client_report" => Json,
    /// Metrics, one per line.
    Statsd = "statsd" => Text,
    /// Metrics added up.
    MetricBuckets = "metric_buckets" => Json,
    /// A browser's security report as it came.
    RawSecurity = "raw_security" => Json,
    /// A browser's network error report.
    Nel = "nel" => Json,
    /// Fields of a form that came with a crash report.
    FormData = "form_data" => Sniff,
    /// A crash archive of Unreal Engine.
    UnrealReport = "unreal_report" => Binary,
    /// What a third party's integration delivered.
    Integration = "integration" => Sniff,
    /// A security report as an event.
    Security = "security" => Json,
}

impl ItemKind {
    /// True for what is an event to its tracker, and may carry `_meta`.
    #[must_use]
    pub fn is_event(self) -> bool {
        matches!(self, Self::Event | Self::Transaction | Self::Feedback)
    }

    /// How the payload is read.
    ///
    /// With a `meta_length` the payload is that many bytes of JSON and then a body: this is about the
    /// body. A label decides what is *demanded* of a payload, never that it goes unread: what is
    /// labelled JSON and is not, or text and is not UTF-8, is not understood.
    #[must_use]
    pub fn content(self, header: &ItemHeader<'_>) -> Content {
        match self {
            Self::Attachment => attachment_content(header),
            _ => self.usual_content(),
        }
    }
}

/// The most telling of three labels wins: Sentry's own, the media type, the file name's end.
fn attachment_content(header: &ItemHeader<'_>) -> Content {
    let media_type = header.text(header.content_type.as_ref());
    // What is referred to has the type; the payload says where it is.
    if media_type.as_deref().is_some_and(is_reference) {
        return Content::Reference;
    }
    let of_sentry = header.text(header.attachment_type.as_ref());
    match of_sentry.as_deref() {
        Some("event.minidump") => return Content::Binary,
        Some("event.applecrashreport" | "unreal.context" | "unreal.logs") => return Content::Text,
        Some("event.view_hierarchy") => return Content::Json,
        _ => {}
    }
    if let Some(content) = media_type.as_deref().and_then(media_type_content) {
        return content;
    }
    let filename = header.text(header.filename.as_ref());
    filename.as_deref().and_then(filename_content).unwrap_or(Content::Sniff)
}

/// SPEC: <https://develop.sentry.dev/sdk/telemetry/attachments/#attachment-placeholders>
fn is_reference(media_type: &str) -> bool {
    let essence = essence(media_type);
    ["application/vnd.sentry.attachment-ref+json", "application/vnd.sentry.attachment-ref"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// `None` where the media type does not tell.
fn media_type_content(media_type: &str) -> Option<Content> {
    let essence = essence(media_type).to_ascii_lowercase();
    let (family, name) = essence.split_once('/')?;
    match (family, name) {
        (_, name) if name == "json" || name.ends_with("+json") => Some(Content::Json),
        // SVG is text, and may hold anything that text holds.
        (_, name) if name == "xml" || name.ends_with("+xml") => Some(Content::Sniff),
        // Sniffed: a text file that is JSON gets the field rules too.
        ("text", _) => Some(Content::Sniff),
        ("image" | "audio" | "video" | "font", _) => Some(Content::Binary),
        ("application", "x-dmp" | "zip" | "gzip" | "pdf") => Some(Content::Binary),
        _ => None,
    }
}

/// `None` where the name's end does not tell.
fn filename_content(filename: &str) -> Option<Content> {
    let (_, extension) = filename.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "json" => Some(Content::Json),
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "mp4" | "webm" | "dmp" | "mdmp" | "zip" | "gz" | "pdf" => {
            Some(Content::Binary)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::sentry::parse_item_header;

    #[test]
    fn names_read_back() {
        for &kind in ItemKind::ALL {
            assert_eq!(ItemKind::parse(kind.as_str()), kind);
        }
        assert_eq!(ItemKind::ALL.len(), 26);
        assert_eq!(ItemKind::parse("profile_chunk_ui"), ItemKind::ProfileChunk);
        assert_eq!(ItemKind::parse("Event"), ItemKind::Unknown);
        assert_eq!(ItemKind::parse(""), ItemKind::Unknown);
    }

    #[test]
    fn content_follows_the_header() {
        let cases = [
            (r#""type":"event""#, Content::Json),
            (r#""type":"event","content_type":"image/png""#, Content::Json),
            (r#""type":"statsd""#, Content::Text),
            (r#""type":"replay_recording""#, Content::Recording),
            (r#""type":"hologram""#, Content::Sniff),
            (r#""type":"attachment""#, Content::Sniff),
            (r#""type":"attachment","attachment_type":"event.attachment""#, Content::Sniff),
            (
                r#""type":"attachment","attachment_type":"event.minidump","content_type":"text/plain""#,
                Content::Binary,
            ),
            (r#""type":"attachment","attachment_type":"event.applecrashreport""#, Content::Text),
            (r#""type":"attachment","attachment_type":"event.view_hierarchy""#, Content::Json),
            (r#""type":"attachment","content_type":"image/png""#, Content::Binary),
            (r#""type":"attachment","content_type":"image\/png""#, Content::Binary),
            (r#""type":"attachment","content_type":"IMAGE/PNG; q=1""#, Content::Binary),
            (r#""type":"attachment","content_type":"image/svg+xml""#, Content::Sniff),
            (r#""type":"attachment","content_type":"text/plain","filename":"a.png""#, Content::Sniff),
            (r#""type":"attachment","content_type":"application/json; charset=utf-8""#, Content::Json),
            (r#""type":"attachment","content_type":"application/problem+json""#, Content::Json),
            (
                r#""type":"attachment","content_type":"application/octet-stream","filename":"a.PNG""#,
                Content::Binary,
            ),
            (
                r#""type":"attachment","attachment_type":"event.minidump","content_type":"application/vnd.sentry.attachment-ref+json""#,
                Content::Reference,
            ),
            (r#""type":"attachment","filename":"state.json""#, Content::Json),
            (r#""type":"attachment","filename":"app.log""#, Content::Sniff),
            (r#""type":"attachment","filename":"png""#, Content::Sniff),
            (r#""type":"attachment","filename":"\ud800.png""#, Content::Sniff),
        ];
        for (members, want) in cases {
            let line = format!("{{{members}}}");
            let header = parse_item_header(line.as_bytes()).unwrap();
            assert_eq!(header.kind.content(&header), want, "{members}");
        }
    }
}
