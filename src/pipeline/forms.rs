//! The ways in which PostHog's SDKs write their JSON: as it is, in base64, in a form, packed with gzip or lz-string. Segment's
//! pixel writes its own in base64 in a query.
//!
//! In: a whole body, its content-encoding undone. Out: the same body with its document scrubbed, written again in
//! the same form: the server tells the forms apart by what it finds, as is done here. Hints in the address or beside
//! the data are believed by nobody. A body in which nothing is found stays byte for byte.
//! Source: <https://posthog.com/docs/api/capture>, `decode` in <https://github.com/PostHog/posthog> (rust/capture).

use super::body::Stage;
use super::{Dialect, Refusal, batch};
use crate::decode::{self, Coding};
use crate::encode;
use crate::frame::{form, is_text};
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Forms inside forms.
const FORMS_MAX: usize = 4;
/// Pairs of a form; SDKs write a handful.
pub(super) const PAIRS_MAX: usize = 256;
/// UTF-16 units of a document in lz-string. Writing it again takes time that grows faster than the document, and the SDKs
/// that wrote it sent a few KiB.
const LZ_UNITS_MAX: usize = 512 << 10;

/// Scrubs a body. `None` if it leaves as it came.
///
/// With `bare`, what is given out is the document alone, for a reader that is no server.
pub(super) fn body(
    dialect: Dialect,
    bytes: &[u8],
    bare: bool,
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Refusal> {
    stage.unpacking(|stage| Unwrap { dialect, bare, stage }.any(bytes, 0))
}

struct Unwrap<'u, 's> {
    dialect: Dialect,
    bare: bool,
    stage: &'u mut Stage<'s>,
}

impl Unwrap<'_, '_> {
    fn any(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Vec<u8>>, Refusal> {
        if begins_document(bytes) || !self.may_wrap(bytes, depth) {
            let mut out = Vec::with_capacity(bytes.len());
            let changed = batch::document(self.dialect, bytes, self.stage, &mut out)?;
            return Ok((changed || (self.bare && depth > 0)).then_some(out));
        }
        if depth >= FORMS_MAX {
            return Err(Reason::NotJson.into());
        }
        if bytes.starts_with(b"\x1f\x8b") {
            return self.gzip(bytes, depth);
        }
        if has_event(bytes) {
            return self.form(bytes, depth);
        }
        self.base64(bytes, depth)
    }

    /// Whether a body that begins no document may be another form of one. Segment's pixel has its event in a query, as PostHog's has.
    fn may_wrap(&self, bytes: &[u8], depth: usize) -> bool {
        match self.dialect {
            Dialect::PostHog => true,
            Dialect::Segment => depth > 0 || has_event(bytes),
            _ => false,
        }
    }

    /// The scrubbed document goes out in its form, or bare.
    fn wrapped(&self, inner: Option<Vec<u8>>, wrap: impl FnOnce(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
        if self.bare { inner } else { inner.map(|inner| wrap(&inner)) }
    }

    fn gzip(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let plain = self.stage.unpack(Coding::Gzip, self.stage.limits.item_bytes_max, bytes)?;
        let inner = self.any(&plain, depth + 1)?;
        Ok(self.wrapped(inner, |inner| encode::whole(Coding::Gzip, inner)))
    }

    /// `data=…` and other pairs: the data by its own form, the others as any form's.
    fn form(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let is_one = form::pairs(bytes).filter(|pair| is_data(&bytes[pair.key.clone()])).nth(1).is_none();
        if !is_one || !is_text(bytes) || form::pairs(bytes).nth(PAIRS_MAX).is_some() {
            return Err(Reason::NotForm.into());
        }
        let mut out = Vec::with_capacity(bytes.len());
        let (mut at, mut changed) = (0, false);
        for pair in form::pairs(bytes) {
            let end = pair.value.as_ref().map_or(pair.key.end, |value| value.end);
            out.extend_from_slice(&bytes[at..pair.key.start]);
            at = end;
            let written = &bytes[pair.key.start..end];
            let Some(value) = pair.value.filter(|_| is_data(&bytes[pair.key.clone()])) else {
                changed |= pair_beside(self.stage, written, &mut out)?;
                continue;
            };
            self.stage.take_for(value.len())?;
            let decoded = decoded(&bytes[value.clone()]);
            match self.any(&decoded, depth + 1)? {
                Some(document) if self.bare => return Ok(Some(document)),
                Some(data) => {
                    changed = true;
                    out.extend_from_slice(&bytes[pair.key.start..value.start]);
                    encode(&data, &mut out);
                }
                None => out.extend_from_slice(written),
            }
        }
        out.extend_from_slice(&bytes[at..]);
        self.stage.summary.changed |= changed;
        Ok(changed.then_some(out))
    }

    /// Base64 of a document, of one packed with gzip, or lz-string, which is written in base64 too.
    fn base64(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let is_url = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let (engine, bare) = if is_url { (&URL, &URL_BARE) } else { (&STANDARD, &STANDARD_BARE) };
        self.stage.take_for(text.len() / 4 * 3)?;
        let plain = engine.decode(text).unwrap_or_default();
        if matches!(plain.trim_ascii_start(), [b'{' | b'[', ..]) || plain.starts_with(b"\x1f\x8b") {
            let inner = self.any(&plain, depth + 1)?;
            let engine = if text.ends_with(b"=") || text.len().is_multiple_of(4) { engine } else { bare };
            return Ok(self.wrapped(inner, |inner| engine.encode(inner).into_bytes()));
        }
        // What it unpacks to is not known before: its bound is taken, and it is small.
        self.stage.take_for(2 * LZ_UNITS_MAX.min(self.stage.limits.item_bytes_max))?;
        let packed = decode::lz64(text, self.stage.limits.item_bytes_max.min(LZ_UNITS_MAX));
        let Some(document) = packed.filter(|text| matches!(text.trim_start().as_bytes(), [b'{' | b'[', ..]))
        else {
            return Err(Reason::NotJson.into());
        };
        let inner = self.any(document.as_bytes(), depth + 1)?;
        // Scrubbing leaves text what was text.
        Ok(self.wrapped(inner, |inner| {
            lz_str::compress_to_base64(&*String::from_utf8_lossy(inner)).into_bytes()
        }))
    }
}

/// Scrubs a pair beside the data and appends it to `out`: keys of the protocol stay. True if it changed.
pub(super) fn pair_beside(stage: &mut Stage<'_>, written: &[u8], out: &mut Vec<u8>) -> Result<bool, Refusal> {
    stage.summary.bytes_scanned += written.len() as u64;
    let verdict = stage.scrubber.item(ItemFormat::Form, ItemScope::Query, written, out);
    if verdict.drop_item { Err(Reason::Policy.into()) } else { Ok(verdict.changed) }
}

const fn engine(alphabet: &alphabet::Alphabet, padded: bool) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(padded)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

static STANDARD: GeneralPurpose = engine(&alphabet::STANDARD, true);
static STANDARD_BARE: GeneralPurpose = engine(&alphabet::STANDARD, false);
static URL: GeneralPurpose = engine(&alphabet::URL_SAFE, true);
static URL_BARE: GeneralPurpose = engine(&alphabet::URL_SAFE, false);

/// LEAK: whoever reads a form undoes the escapes of its keys, too.
fn is_data(key: &[u8]) -> bool {
    const DATA: &[u8] = b"data";
    key == DATA || key.len() <= 3 * DATA.len() && decoded(key) == DATA
}

fn begins_document(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    matches!(first, Some(b'{' | b'['))
}

/// Whether a query or form has an event in it, in whatever form.
pub(crate) fn has_event(bytes: &[u8]) -> bool {
    form::pairs(bytes).any(|pair| is_data(&bytes[pair.key]) && pair.value.is_some())
}

/// Whether it has one in JSON, plain or in base64, as Segment's pixel has.
pub(crate) fn has_packed_event(bytes: &[u8]) -> bool {
    let mut values =
        form::pairs(bytes).filter(|pair| is_data(&bytes[pair.key.clone()])).filter_map(|pair| pair.value);
    values.any(|value| {
        let value = decoded(&bytes[value]);
        let text = value.trim_ascii();
        let unpacked = STANDARD.decode(text).or_else(|_| URL.decode(text));
        begins_document(text) || unpacked.is_ok_and(|plain| begins_document(&plain))
    })
}

/// A form's value as its receiver reads it. A blank in base64 was a `+` that nobody escaped.
pub(super) fn decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let escaped = || u8::try_from(digit(0)? * 16 + digit(1)?).ok();
        match byte {
            b'%' => match escaped() {
                Some(value) => {
                    out.push(value);
                    rest = &behind[2..];
                }
                None => out.push(b'%'),
            },
            b'+' => out.push(b' '),
            other => out.push(*other),
        }
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b" +/=-_".contains(byte);
    if out.iter().all(is_base64) {
        out.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    }
    out
}

/// SPEC: <https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set>
pub(super) fn encode(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'*' | b'-' | b'.' | b'_' => out.push(*byte),
            other if other.is_ascii_alphanumeric() => out.push(*other),
            b' ' => out.push(b'+'),
            other => out.extend(format!("%{other:02X}").bytes()),
        }
    }
}
