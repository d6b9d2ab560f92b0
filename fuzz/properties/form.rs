//! Forms, and what PostHog's SDKs wrap their JSON in.

use super::body::{How, Kind, check, check_settles};
use super::input::{Input, shown};
use tamis::frame::form::pairs;
use tamis::pipeline::{BodyFormat, Dialect};

const FORMATS: [BodyFormat; 4] = [
    BodyFormat::Form,
    BodyFormat::ReportForm,
    BodyFormat::Events(Dialect::PostHog),
    BodyFormat::Events(Dialect::PostHog),
];

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let format = input.pick(&FORMATS);
    let how = How { format, kind: input.pick(&Kind::ALL), item_bytes_max: 64 << 10 };
    check_pairs(input.payload);
    let Some(scrubbed) = check(how, &input) else { return };
    if matches!(format, BodyFormat::Form | BodyFormat::ReportForm) {
        let (before, after) = (pairs(input.payload).count(), pairs(&scrubbed.out).count());
        assert_eq!(after, before, "{} became {}", shown(input.payload), shown(&scrubbed.out));
        assert!(
            std::str::from_utf8(&scrubbed.out).is_ok(),
            "{} became {}",
            shown(input.payload),
            shown(&scrubbed.out)
        );
    }
    check_settles(how, &scrubbed, input.payload);
}

/// Checks that pairs stand in order and leave nothing but what separates them.
fn check_pairs(bytes: &[u8]) {
    let mut at = 0;
    for pair in pairs(bytes) {
        assert!(bytes[at..pair.key.start].iter().all(|byte| *byte == b'&'));
        at = pair.key.end;
        if let Some(value) = pair.value {
            assert_eq!((value.start, bytes[at]), (at + 1, b'='));
            at = value.end;
        }
    }
    assert!(bytes[at..].iter().all(|byte| *byte == b'&'));
}
