//! The head of a request: what is scrubbed of its target is still a target, of a header's value still a value, and both are done
//! with after one pass.

use super::body::{Kind, PASSES_MAX};
use super::input::Input;
use hyper::header::HeaderValue;
use std::borrow::Cow;
use std::sync::Arc;
use tamis::config::PathGlob;
use tamis::frame::form::pairs;
use tamis::gate::check_target;
use tamis::redact::{Head, Plan};

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let plan = input.pick(&Kind::ALL).plan();
    let Ok(text) = std::str::from_utf8(input.payload) else { return };
    check_glob(text);
    check_value(&plan, text);
    if check_target(text.as_bytes()).is_err() {
        return;
    }
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let scrubbed_path = plan.scrub_path(path);
    check_settles(&scrubbed_path, |path| plan.scrub_path(path).into_owned());
    // What is taken out may reach over a slash; nothing puts one in.
    assert!(
        scrubbed_path.matches('/').count() <= path.matches('/').count(),
        "{path:?} became {scrubbed_path:?}, of more segments"
    );
    let mut target = scrubbed_path.into_owned();
    if let Some(query) = query {
        let scrubbed = plan.scrub_query(query);
        check_settles(&scrubbed, |query| plan.scrub_query(query).into_owned());
        assert_eq!(
            pairs(scrubbed.as_bytes()).count(),
            pairs(query.as_bytes()).count(),
            "{query:?} became {scrubbed:?}"
        );
        check_settles(&plan.scrub_report_query(query), |query| plan.scrub_report_query(query).into_owned());
        target = format!("{target}?{scrubbed}");
    }
    assert_eq!(check_target(target.as_bytes()), Ok(()), "{text:?} became {target:?}, which is none");
    assert!(target.parse::<hyper::http::uri::PathAndQuery>().is_ok(), "{text:?} became {target:?}");
}

/// As [`super::body::check_settles`] for a body.
fn check_settles(once: &str, scrub: impl Fn(&str) -> String) {
    let mut passes = vec![once.to_owned()];
    while passes.len() <= PASSES_MAX {
        let next = scrub(&passes[passes.len() - 1]);
        if passes.last() == Some(&next) {
            return;
        }
        passes.push(next);
    }
    panic!("redacting comes to no end: {passes:?}");
}

/// What can stand in a header still can once it is scrubbed.
fn check_value(plan: &Arc<Plan>, text: &str) {
    if HeaderValue::from_str(text).is_err() {
        return;
    }
    let scrub = |text: &str| {
        let scrubbed = Head::new(plan).value(text.as_bytes()).map(Cow::into_owned);
        scrubbed.map(|bytes| String::from_utf8(bytes).expect("text became bytes"))
    };
    let Some(scrubbed) = scrub(text) else { return };
    assert!(HeaderValue::from_str(&scrubbed).is_ok(), "{text:?} became {scrubbed:?}, which no header holds");
    check_settles(&scrubbed, |text| scrub(text).unwrap_or_default());
}

/// A pattern that says no more than a path matches it, and nothing longer.
fn check_glob(text: &str) {
    let Ok(glob) = PathGlob::parse(text) else { return };
    if !text.contains('*') {
        assert!(glob.matches(text), "{text:?} does not match itself");
        assert!(!glob.matches(&format!("{text}/x")), "{text:?} matches more");
    }
}
