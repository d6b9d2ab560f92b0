//! Bodies as real SDKs wrote them, cut where chunks may end: it changes nothing.

use super::tests::plan;
use super::*;
use crate::encode;
use std::path::Path;

/// Envelopes up to here are cut at every byte. Longer ones would take the square of their length: they are cut at so many
/// places, spread over them.
const EVERY_BYTE_MAX: usize = 4_100;
const PLACES: usize = 40;

/// The captured envelopes, by name.
fn envelopes() -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/sentry");
    let entries = std::fs::read_dir(dir).expect("the corpus lies in the repository");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut envelopes: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "envelope"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("readable"))
        })
        .collect();
    envelopes.sort();
    envelopes
}

/// What comes out of chunks, and how its items ended.
fn run(coding: Coding, chunks: &[&[u8]]) -> (Vec<u8>, Summary) {
    let mut pipeline = Pipeline::new(plan(), BodyLimits::default(), BodyFormat::Envelope, coding);
    pipeline.set_coding_out(Coding::Identity);
    let mut out = Vec::new();
    for chunk in chunks {
        pipeline.push(chunk, &mut out).expect("an SDK wrote it");
    }
    pipeline.finish(&mut out).expect("an SDK wrote it");
    (out, pipeline.into_summary())
}

fn check(name: &str, coding: Coding, body: &[u8], cuts: impl Iterator<Item = usize>) {
    let (whole, summary) = run(coding, &[body]);
    let counts = |summary: &Summary| format!("{summary:?}");
    for cut in cuts {
        let (head, tail) = body.split_at(cut);
        let (out, summary_cut) = run(coding, &[head, tail]);
        assert!(out == whole, "{name}, {coding}, cut at {cut}: other bytes");
        assert_eq!(counts(&summary_cut), counts(&summary), "{name}, {coding}, cut at {cut}");
    }
    for bytes in [1, 7] {
        let chunks: Vec<&[u8]> = body.chunks(bytes).collect();
        assert!(run(coding, &chunks).0 == whole, "{name}, {coding}, in pieces of {bytes}");
    }
}

#[test]
fn where_a_chunk_of_a_real_envelope_ends_changes_nothing() {
    let envelopes = envelopes();
    let (small, large): (Vec<_>, Vec<_>) =
        envelopes.into_iter().partition(|(_, body)| body.len() <= EVERY_BYTE_MAX);
    assert!(small.len() > 15 && large.len() > 10, "{} and {}", small.len(), large.len());
    for (name, body) in small {
        check(&name, Coding::Identity, &body, 0..=body.len());
    }
    for (name, body) in large {
        let step = body.len().div_ceil(PLACES);
        check(&name, Coding::Identity, &body, (1..body.len()).step_by(step));
    }
}

#[test]
fn where_a_chunk_of_a_compressed_envelope_ends_changes_nothing() {
    for (name, body) in envelopes().into_iter().filter(|(_, body)| body.len() <= EVERY_BYTE_MAX / 2) {
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            let packed = encode::whole(coding, &body);
            assert!(run(coding, &[&packed]).0 == run(Coding::Identity, &[&body]).0, "{name}, {coding}");
            check(&name, coding, &packed, 0..=packed.len());
        }
    }
}
