//! Prompts in other codings, too long, too deep, twice, and in letters that are hard to write.

use super::{STRICT, json, scrubbed, through, unmarked};
use std::sync::Arc;
use tamis::pipeline::{BodyFormat, BodyLimits, Coding, Dialect, Pipeline};
use tamis::redact::{ItemFormat, ItemScope};

#[test]
fn case_069_letters_that_are_hard_to_write() {
    for text in ["🦊 fox", "‏ثعلب", r"\ud83d fox", r"\ud83d\ude00 fox", r"a\u0000fox", r"fox\u202e"] {
        let out = scrubbed(ItemFormat::Json, ItemScope::Any, &format!(r#"{{"n":1,"prompt":"{text}"}}"#));
        assert!(out.starts_with(r#"{"n":1,"prompt":"[prompt chars="#) && out.ends_with(r#"]"}"#), "{out}");
    }
}

/// gzip with two members is one body.
#[test]
fn case_077_every_coding() {
    let (came, want) = unmarked(
        r#"{"contents":[{"role":"user","parts":[{"text":"«prompt:otter in a top hat»"}]}],"generationConfig":{"temperature":0.4}}"#,
    );
    let gzip = |bytes: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("to memory");
        encoder.finish().expect("to memory")
    };
    let deflate = |bytes: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("to memory");
        encoder.finish().expect("to memory")
    };
    let brotli = |bytes: &[u8]| {
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &*bytes, &mut out, &brotli::enc::BrotliEncoderParams::default())
            .expect("to memory");
        out
    };
    let (head, tail) = came.as_bytes().split_at(40);
    for (coding, packed) in [
        (Coding::Gzip, gzip(came.as_bytes())),
        (Coding::Gzip, [gzip(head), gzip(tail)].concat()),
        (Coding::Deflate, deflate(came.as_bytes())),
        (Coding::Brotli, brotli(came.as_bytes())),
        (Coding::Zstd, zstd::encode_all(came.as_bytes(), 1).expect("to memory")),
    ] {
        let mut pipeline =
            Pipeline::new(Arc::clone(&STRICT), BodyLimits::default(), BodyFormat::Json, coding);
        pipeline.set_coding_out(Coding::Identity);
        let mut out = Vec::new();
        pipeline.push(&packed, &mut out).expect("taken");
        pipeline.finish(&mut out).expect("whole");
        assert_eq!(String::from_utf8_lossy(&out), want, "{coding:?}");
    }
}

/// Within the bounds of one item all of it is held and the text goes; a longer one is left out, not passed on.
#[test]
fn case_078_a_prompt_of_nine_megabytes() {
    let item = |words: usize| {
        format!(
            r#"{{"event":"$ai_generation","properties":{{"$ai_input":"{}","$ai_model":"gpt-5"}}}}"#,
            "teal fox ".repeat(words)
        )
    };
    let out = through(BodyFormat::Events(Dialect::PostHog), Coding::Identity, item(1_000_000).as_bytes());
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"{"event":"$ai_generation","properties":{"$ai_input":"[prompt chars=9000000 words=2000000]","$ai_model":"gpt-5"}}"#
    );
    let mut pipeline = Pipeline::new(
        Arc::clone(&STRICT),
        BodyLimits::default(),
        BodyFormat::Events(Dialect::PostHog),
        Coding::Identity,
    );
    let mut out = Vec::new();
    let refused =
        pipeline.push(item(2_000_000).as_bytes(), &mut out).and_then(|()| pipeline.finish(&mut out));
    assert!(!String::from_utf8_lossy(&out).contains("teal"), "{refused:?}: {} bytes", out.len());
}

#[test]
fn case_079_both_of_two_equal_keys() {
    json(r#"{"prompt":"«prompt:a»","prompt":"«prompt:b c»"}"#);
}

#[test]
fn case_080_two_hundred_levels() {
    let item = format!(
        "{}{}{}",
        "[".repeat(200),
        r#"{"messages":[{"role":"user","content":"teal fox"}]}"#,
        "]".repeat(200)
    );
    let out = scrubbed(ItemFormat::Json, ItemScope::Any, &item);
    assert!(!out.contains("fox"), "{out}");
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok() || out.len() < item.len(), "{out}");
}
