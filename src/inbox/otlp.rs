//! An OTLP request as items that people can read: one for each span, log record, metric and profile.
//!
//! In: a scrubbed request, held whole up to [`BYTES_MAX`]. Out: each item as JSON, with its resource and scope where an envelope's
//! item has its header lines.

use super::split::{Headers, Part};
use super::{Payload, shorten};
use crate::decode::{self, DecodeLimits};
use crate::frame::otlp::{Encoding, Signal, grpc, show};
use crate::pipeline::{BodyFormat, Coding};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Bytes of a request that are held to be shown, plain. Of a longer one only the size is kept.
pub(super) const BYTES_MAX: usize = 1 << 20;
/// A compressed message may be as many times as long once it is plain.
const RATIO_MAX: u32 = 100;

/// The lists that lead to the items of a signal, and what one is called.
fn levels(signal: Signal) -> ([&'static str; 3], &'static str) {
    match signal {
        Signal::Traces => (["resourceSpans", "scopeSpans", "spans"], "span"),
        Signal::Metrics => (["resourceMetrics", "scopeMetrics", "metrics"], "metric"),
        Signal::Logs => (["resourceLogs", "scopeLogs", "logRecords"], "log"),
        Signal::Profiles => (["resourceProfiles", "scopeProfiles", "profiles"], "profile"),
    }
}

/// Gives out the items of a request; false, and nothing given, if it cannot be read.
pub(super) fn emit(format: BodyFormat, body: &[u8], bytes_max: usize, emit: &mut dyn FnMut(Part)) -> bool {
    let (signal, request) = match format {
        BodyFormat::Otlp(signal, Encoding::Json) => (signal, serde_json::from_slice(body).ok()),
        BodyFormat::Otlp(signal, Encoding::Protobuf) => (signal, show::show(signal, body)),
        BodyFormat::OtlpGrpc(signal, coding) => {
            (signal, message(coding, body).and_then(|message| show::show(signal, &message)))
        }
        _ => return false,
    };
    let Some(mut request) = request else { return false };
    let ([resources, scopes, items], kind) = levels(signal);
    for mut of_resource in take(&mut request, resources) {
        let of_scopes = take(&mut of_resource, scopes);
        let resource: Arc<str> = of_resource.to_string().into();
        for mut of_scope in of_scopes {
            let of_items = take(&mut of_scope, items);
            let scope = of_scope.to_string();
            for item in of_items {
                let headers = Headers { envelope: Arc::clone(&resource), item: scope.as_str().into() };
                emit(Part { kind, payload: payload(&item, bytes_max), headers: Some(headers) });
            }
        }
    }
    if signal == Signal::Profiles && request.as_object().is_some_and(|rest| !rest.is_empty()) {
        emit(Part { kind: "dictionary", payload: payload(&request, bytes_max), headers: None });
    }
    true
}

/// Takes a list out of an object. JSON may name it in another way, which is then shown with what is around it.
fn take(object: &mut Value, name: &str) -> Vec<Value> {
    match object.as_object_mut().and_then(|object: &mut Map<String, Value>| object.remove(name)) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn payload(item: &Value, bytes_max: usize) -> Payload {
    let mut text = item.to_string();
    let bytes = text.len() as u64;
    shorten(&mut text, bytes_max);
    Payload::Text { text: text.into(), bytes }
}

/// The message of a gRPC body, plain.
fn message(coding: Coding, body: &[u8]) -> Option<Vec<u8>> {
    let framed = grpc::message(body)?;
    let message = &body[framed.message];
    if !framed.compressed {
        return Some(message.to_vec());
    }
    let limits = DecodeLimits { bytes_max: Some(BYTES_MAX as u64), ratio_max: RATIO_MAX };
    decode::whole(coding, limits, message).ok()
}
