//! `[telemetry.traces]`: where spans of our own work go, how many of them, and what the collector is shown.
//!
//! LEAK: neither a header's value nor the URL, which may hold a key, is ever quoted.

use super::headers;
use super::raw::{At, RawTraces};
use super::resolve::World;
use super::resolved::{Listen, Secret};
use super::routes::reaches;
use super::upstream::{HttpUpstream, Scheme};
use std::fmt;

/// Parts of a request's chance to be traced: a million is every one.
pub const SAMPLES_OF: u32 = 1_000_000;
/// One request in a hundred.
const SAMPLES_DEFAULT: u32 = SAMPLES_OF / 100;

/// Where the spans of our own work go.
#[derive(Clone, PartialEq, Eq)]
pub struct Traces {
    /// The collector. Its `base_path` is the whole path that is asked for.
    pub endpoint: HttpUpstream,
    /// Requests that are traced, of [`SAMPLES_OF`].
    pub samples: u32,
    /// Names, in lower case, and values of headers that the collector is shown.
    pub headers: Vec<(String, Secret)>,
}

/// LEAK: a path may be a key.
impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Traces")
            .field("endpoint", &self.endpoint)
            .field("samples", &self.samples)
            .field("headers", &names)
            .finish()
    }
}

/// Checks the section. `None` also where it has no good endpoint, which is noted.
pub(super) fn resolve(raw: &RawTraces, listen: &Listen, world: &mut World<'_, '_>) -> Option<Traces> {
    if raw.endpoint.is_absent() {
        world.note(raw.at, "`[telemetry.traces]` needs `endpoint`");
    }
    let samples = raw.sample_ratio.good().map_or(SAMPLES_DEFAULT, |ratio| samples(ratio, world));
    let headers = headers::own("collector", raw.at, (&raw.headers_file, &raw.headers_env), world);
    let ca_file = world.certificates("ca_file", &raw.ca_file);
    let At { value, at } = raw.endpoint.good()?;
    let endpoint = match HttpUpstream::parse(value) {
        Ok(endpoint) => endpoint,
        Err(message) => {
            // Its word for what is no URL at all speaks of the inbox.
            let shape = "an endpoint is a URL such as `\"http://collector:4318/v1/traces\"`";
            world.note(*at, if message.contains("inbox") { shape } else { message });
            return None;
        }
    };
    if endpoint.base_path.is_empty() {
        world.note(*at, "the endpoint has no path; that of a collector is `/v1/traces`");
    }
    if reaches(&endpoint, listen.ingest) || reaches(&endpoint, listen.admin) {
        world.note(*at, "the endpoint is Tamis itself: each span that leaves would bring further ones");
    }
    if let Some(file) = raw.ca_file.good().filter(|_| endpoint.scheme == Scheme::Http) {
        world.note(file.at, "`ca_file` is for https, and the URL says http");
    }
    // A collector stands beside us more often than not, and nothing of a sender's goes to it.
    Some(Traces { endpoint: HttpUpstream { ca_file, private: true, ..endpoint }, samples, headers })
}

/// A ratio in parts of [`SAMPLES_OF`].
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn samples(ratio: &At<f64>, world: &mut World<'_, '_>) -> u32 {
    let parts = (ratio.value * f64::from(SAMPLES_OF)).round();
    if parts.is_nan() || parts < 1.0 || parts > f64::from(SAMPLES_OF) {
        world.note(
            ratio.at,
            "`sample_ratio` must be from 0.000001 to 1; without the section nothing is traced",
        );
        return SAMPLES_DEFAULT;
    }
    parts as u32
}
