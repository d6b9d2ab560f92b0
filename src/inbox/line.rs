//! One stored item as one line of NDJSON.

use super::{Item, Payload};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The fields of a line, in the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    route: &'a str,
    protocol: &'a str,
    path: &'a str,
    kind: &'a str,
    /// Size of the payload before it was cut.
    bytes: u64,
    /// The payload as text, also when it is JSON: what left, not what a parser makes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    /// The header line of an envelope's item, the header lines of a form's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    /// The header line of the envelope it came in, the rest of the document of the batch it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Appends `item` and a line feed. JSON strings hold no line feed, so it is one line whatever it holds.
pub(super) fn write(item: &Item, out: &mut Vec<u8>) {
    let received = &item.received;
    let (bytes, payload, note) = match &received.payload {
        Payload::Text { text, bytes } if (text.len() as u64) < *bytes => {
            (*bytes, Some(&**text), Some(format!("cut: the first {} of {bytes} bytes", text.len())))
        }
        Payload::Text { text, bytes } => (*bytes, Some(&**text), None),
        Payload::Binary { bytes } => (*bytes, None, Some(format!("not UTF-8: {bytes} bytes"))),
    };
    let line = Line {
        seq: item.seq,
        time: rfc3339(received.time),
        route: &received.route,
        protocol: received.protocol,
        path: &received.path,
        kind: received.kind,
        bytes,
        payload,
        header: received.headers.as_ref().map(|lines| &*lines.item).filter(|text| !text.is_empty()),
        envelope: received.headers.as_ref().map(|lines| &*lines.envelope).filter(|text| !text.is_empty()),
        note,
    };
    serde_json::to_writer(&mut *out, &line).expect("strings and numbers go into a vector");
    out.push(b'\n');
}

/// A time in UTC with milliseconds, `2026-01-31T12:00:00.000Z`. Times before 1970 are shown as 1970.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let (second, millis) = (second % 60, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970-01-01.
///
/// Counts in years that begin in March, so that the leap day is the last of one.
/// Source: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_date() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_767_225_600, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ];
        for (seconds, want) in cases {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), want);
        }
        assert!(rfc3339(UNIX_EPOCH + Duration::from_millis(7)).ends_with(".007Z"));
    }
}
