//! Bodies with something inside them: forms with files, recordings, messages of a call; and long ones.

use crate::body::{DEPTH, Planter, packed, unpacked};
use serde_json::json;
use tamis::decode::Coding;

pub(crate) const FORM_TYPE: &str = "multipart/form-data; boundary=----x7";
/// Bytes of what is more than is held before a body streams (`buffer_bytes_max`).
const LONG_BYTES: usize = 400 << 10;

/// A form of parts: their headers behind the first, and their content.
fn form_of(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (head, content) in parts {
        out.extend(format!("------x7\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes());
        out.extend_from_slice(content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"------x7--\r\n");
    out
}

/// Lines with a value in each.
fn lines(planter: &mut Planter<'_>) -> Vec<u8> {
    let mut out = String::new();
    for _ in 0..6 {
        out += &planter.text(DEPTH).replace(['\n', '\r'], " ");
        out.push('\n');
    }
    out.into_bytes()
}

fn detail(planter: &mut Planter<'_>) -> Vec<u8> {
    json!({"detail": planter.text(DEPTH), "n": 1.5}).to_string().into_bytes()
}

/// What no text reader makes anything of, with a value in clear.
fn binary(planter: &mut Planter<'_>, magic: &[u8]) -> Vec<u8> {
    [magic, &[0x93, 0xa7, 0, 0xff], planter.plant().as_bytes(), &[0, 1, 0xfe]].concat()
}

pub(crate) fn form(planter: &mut Planter<'_>) -> Vec<u8> {
    let (note, log, page) = (planter.text(DEPTH), lines(planter), detail(planter));
    let picture = binary(planter, b"\x89PNG\r\n\x1a\n");
    form_of(&[
        ("name=\"note\"", note.as_bytes()),
        ("name=\"log\"; filename=\"a.log\"\r\nContent-Type: text/plain", &log),
        ("name=\"page\"\r\nContent-Type: application/json", &page),
        ("name=\"picture\"; filename=\"a.png\"\r\nContent-Type: image/png", &picture),
    ])
}

pub(crate) fn attachments(planter: &mut Planter<'_>) -> Vec<u8> {
    let (log, state, picture) = (lines(planter), detail(planter), binary(planter, b"\x89PNG\r\n\x1a\n"));
    form_of(&[
        ("name=\"log\"; filename=\"app.log\"\r\nContent-Type: text/plain", &log),
        ("name=\"state\"; filename=\"state.json\"\r\nContent-Type: application/json", &state),
        ("name=\"shot\"; filename=\"shot.png\"\r\nContent-Type: image/png", &picture),
    ])
}

pub(crate) fn minidump(planter: &mut Planter<'_>) -> Vec<u8> {
    let event = json!({"message": planter.text(DEPTH), "extra": {"detail": planter.text(DEPTH)}}).to_string();
    let dump = binary(planter, b"MDMP");
    let head = "name=\"upload_file_minidump\"; filename=\"a.dmp\"\r\nContent-Type: application/octet-stream";
    form_of(&[("name=\"sentry\"", event.as_bytes()), (head, &dump)])
}

pub(crate) fn runs(planter: &mut Planter<'_>, nth: usize) -> Vec<u8> {
    let id = format!("0197c1f0-0000-7000-8000-{nth:012}");
    let run = json!({"id": id, "name": "run", "run_type": "llm", "extra": {"metadata": {"detail": planter.text(DEPTH)}}});
    let (run, inputs, outputs) = (run.to_string().into_bytes(), detail(planter), detail(planter));
    let notes = lines(planter);
    let json = "Content-Type: application/json; length=";
    form_of(&[
        (&format!("name=\"post.{id}\"\r\n{json}{}", run.len()), &run),
        (&format!("name=\"post.{id}.inputs\"\r\n{json}{}", inputs.len()), &inputs),
        (&format!("name=\"post.{id}.outputs\"\r\n{json}{}", outputs.len()), &outputs),
        (
            &format!(
                "name=\"attachment.{id}.notes\"; filename=\"notes\"\r\nContent-Type: text/plain; length={}",
                notes.len()
            ),
            &notes,
        ),
    ])
}

const RECORDING: &str = "{\"type\":\"replay_recording\",\"length\":";

/// SPEC: an envelope with the event of a replay and its recording, which is a line and then events in zlib:
/// <https://develop.sentry.dev/sdk/telemetry/replays/>
pub(crate) fn replay(planter: &mut Planter<'_>, id: &str) -> Vec<u8> {
    let event = json!({
        "type": "replay_event", "replay_id": id, "event_id": id, "segment_id": 0,
        "urls": [format!("https://shop.example.org/cart?note={}", planter.plant().replace(' ', "%20"))],
        "tags": {"note": planter.text(DEPTH)}
    });
    let text = |planter: &mut Planter<'_>| json!({"type": 3, "textContent": planter.text(DEPTH), "id": 7});
    let crumb = |planter: &mut Planter<'_>| json!({"category": "console", "message": planter.text(DEPTH), "data": {"arguments": [planter.text(DEPTH)]}});
    let recorded = json!([
        {"type": 2, "timestamp": 1, "data": {"node": {"type": 0, "childNodes": [text(planter), text(planter)], "id": 1}}},
        {"type": 3, "timestamp": 2, "data": {"source": 5, "text": planter.text(DEPTH), "id": 9}},
        {"type": 5, "timestamp": 3, "data": {"tag": "breadcrumb", "payload": crumb(planter)}},
    ]);
    let packed = packed(Coding::Deflate, recorded.to_string().as_bytes());
    let recording = [b"{\"segment_id\":0}\n".as_slice(), &packed].concat();
    let mut body =
        format!("{{\"event_id\":\"{id}\"}}\n{{\"type\":\"replay_event\"}}\n{event}\n").into_bytes();
    body.extend(format!("{RECORDING}{}}}\n", recording.len()).into_bytes());
    body.extend(recording);
    body.push(b'\n');
    body
}

/// The events of a recording in an envelope; nothing of another.
pub(crate) fn recording(envelope: &[u8]) -> Vec<u8> {
    let Some(at) = memchr::memmem::find(envelope, RECORDING.as_bytes()) else { return Vec::new() };
    let rest = &envelope[at + RECORDING.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length: usize = std::str::from_utf8(&rest[..digits]).expect("digits").parse().expect("a number");
    let payload = rest.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let payload = &rest[payload..payload + length];
    let events = payload.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    unpacked(None, &payload[events..])
}

/// SPEC: a flag, the length in four bytes, a message: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
pub(crate) fn call(compressed: bool, message: &[u8]) -> Vec<u8> {
    let message = if compressed { packed(Coding::Gzip, message) } else { message.to_vec() };
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[u8::from(compressed)][..], &length, &message].concat()
}

/// The message of a call without its coding.
pub(crate) fn message(body: &[u8]) -> Vec<u8> {
    let (head, message) = body.split_first_chunk::<5>().expect("a frame");
    assert_eq!(message.len(), u32::from_be_bytes(head[1..].try_into().expect("four")) as usize);
    if head[0] == 1 { unpacked(None, message) } else { message.to_vec() }
}

/// Text that names nobody and that no coder makes a hundred times shorter.
fn filler(planter: &mut Planter<'_>, words: usize) -> String {
    let word = |planter: &mut Planter<'_>| {
        ["amber", "basalt", "cedar", "dune", "ember", "fjord", "glacier", "harbour", "inlet", "juniper"]
            [planter.random.below(10)]
    };
    (0..words).map(|_| word(planter)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn long_lines(planter: &mut Planter<'_>) -> Vec<u8> {
    let mut out = String::new();
    while out.len() < LONG_BYTES {
        out += &json!({"level": "info", "detail": planter.text(DEPTH)}).to_string();
        out.push('\n');
        for _ in 0..20 {
            out += &json!({"level": "debug", "detail": filler(planter, 60)}).to_string();
            out.push('\n');
        }
    }
    out.into_bytes()
}

pub(crate) fn long_envelope(planter: &mut Planter<'_>, id: &str) -> Vec<u8> {
    let mut rows = Vec::new();
    while rows.iter().map(String::len).sum::<usize>() < LONG_BYTES {
        rows.push(planter.text(DEPTH));
        rows.push(filler(planter, 1_000));
    }
    let event = json!({"message": planter.text(DEPTH), "extra": {"rows": rows}});
    format!("{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\"}}\n{event}\n").into_bytes()
}
