//! Invented events, as real SDKs and log shippers send them.
//!
//! Every address is from the documentation ranges, every name ends in `example.com` or `example.org`, every
//! secret is made up. The n-th sample is always the same: variation comes from a counter.

use crate::command::banner::SAMPLE_KEY;
use serde_json::{Value, json};

/// How many kinds of event there are; after these they come again with other people in them.
pub const KINDS: usize = 12;

/// One request to send.
#[derive(Clone)]
pub struct Sample {
    /// What it shows, in a few words.
    pub name: &'static str,
    /// Path and query of the request.
    pub path: &'static str,
    /// Its content type.
    pub content_type: &'static str,
    /// Its other headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body, without content-encoding.
    pub body: Vec<u8>,
}

/// An endless stream of samples, each kind in turn.
pub fn samples() -> impl Iterator<Item = Sample> {
    const MAKE: [fn(&Cast) -> Sample; KINDS] = [
        python_error,
        gen_ai_transaction,
        gemini_request,
        log_lines,
        browser_error,
        chat_request,
        url_query,
        sentry_logs,
        user_feedback,
        access_log,
        contact_form,
        session,
    ];
    (0_usize..).map(|turn| MAKE[turn % KINDS](&Cast::new(turn)))
}

/// Who and what appears in one sample.
struct Cast {
    turn: usize,
    name: &'static str,
    email: String,
    ipv4: String,
    ipv6: String,
    prompt: &'static str,
}

impl Cast {
    fn new(turn: usize) -> Self {
        const NAMES: [&str; 7] = ["ada", "grace", "alan", "edsger", "barbara", "ken", "margaret"];
        const NETS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];
        const PROMPTS: [&str; 5] = [
            "A red fox in the snow, oil on canvas, soft morning light",
            "Portrait of my daughter Mia at her seventh birthday, watercolour",
            "Write a letter to my landlord about the broken heating in flat 12",
            "Isometric city at night, neon signs, rain, highly detailed",
            "Summarise my blood test: ferritin 9, haemoglobin 10.2",
        ];
        let name = NAMES[turn % NAMES.len()];
        let domain = if turn.is_multiple_of(2) { "example.com" } else { "example.org" };
        Self {
            turn,
            name,
            email: format!("{name}@{domain}"),
            ipv4: format!("{}.{}", NETS[turn % NETS.len()], 2 + turn * 37 % 250),
            ipv6: format!("2001:db8:{:x}::{:x}", turn % 0xffff, 1 + turn * 11 % 0xfff),
            prompt: PROMPTS[turn % PROMPTS.len()],
        }
    }

    /// `digits` hexadecimal digits that differ from sample to sample and by `salt`.
    fn hex(&self, salt: u64, digits: usize) -> String {
        // Multiplying by an odd constant spreads a counter over all bits (Fibonacci hashing).
        let seed = (self.turn as u64 * 16 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{seed:016x}{:016x}", seed.rotate_left(29) ^ 0x5bd1_e995)[..digits].to_owned()
    }

    fn event_id(&self) -> String {
        self.hex(0, 32)
    }

    /// A second of 2026-03-05, one per sample.
    fn time(&self) -> String {
        let second = self.turn % 86_400;
        format!("2026-03-05T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
    }
}

const ENVELOPE: &str = "application/x-sentry-envelope";
const PYTHON: &str = "sentry.python/2.30.0";

/// A request to Sentry's envelope endpoint with one item.
fn envelope(name: &'static str, cast: &Cast, item: &mut Value, payload: &Value) -> Sample {
    let payload = payload.to_string();
    item["length"] = payload.len().into();
    let header =
        json!({ "event_id": cast.event_id(), "sent_at": cast.time(), "sdk": { "name": "sentry.python" } });
    Sample {
        name,
        path: "/api/1/envelope/",
        content_type: ENVELOPE,
        headers: vec![sentry_auth()],
        body: format!("{header}\n{item}\n{payload}\n").into_bytes(),
    }
}

fn sentry_auth() -> (&'static str, String) {
    let auth = format!("Sentry sentry_key={SAMPLE_KEY}, sentry_version=7, sentry_client={PYTHON}");
    ("X-Sentry-Auth", auth)
}

fn generic(name: &'static str, content_type: &'static str, body: String) -> Sample {
    Sample { name, path: "/logs", content_type, headers: Vec::new(), body: body.into_bytes() }
}

/// An image generator that ran out of memory: prompt and key in frame variables, address in a breadcrumb.
fn python_error(cast: &Cast) -> Sample {
    let frame = json!({
        "function": "render", "filename": "studio/render.py", "lineno": 214, "in_app": true,
        "context_line": "    image = pipe(prompt, steps=steps).images[0]",
        "vars": {
            "prompt": cast.prompt, "steps": 30, "owner": cast.email,
            "api_key": format!("demo_{}", cast.hex(3, 24)),
        },
    });
    let event = json!({
        "event_id": cast.event_id(), "timestamp": cast.time(), "platform": "python", "level": "error",
        "release": "studio@2026.3.1", "environment": "production", "server_name": "gpu-worker-3",
        "exception": { "values": [{
            "type": "OutOfMemoryError",
            "value": format!("CUDA out of memory while rendering for {}", cast.email),
            "stacktrace": { "frames": [frame] },
        }] },
        "breadcrumbs": { "values": [
            { "category": "auth", "level": "info", "message": format!("login from {}", cast.ipv4) },
            { "category": "httplib", "data": { "url": "https://models.example.com/v1/weights", "status_code": 200 } },
        ] },
        "user": { "id": format!("u-{}", cast.turn), "email": cast.email, "username": cast.name, "ip_address": cast.ipv4 },
        "request": {
            "method": "POST", "url": "https://studio.example.com/api/render",
            "headers": {
                "Authorization": format!("Bearer demo-{}", cast.hex(4, 32)),
                "Cookie": format!("session={}; theme=dark", cast.hex(5, 32)),
                "User-Agent": "Mozilla/5.0", "X-Forwarded-For": cast.ipv4,
            },
        },
        "sdk": { "name": "sentry.python", "version": "2.30.0" },
    });
    envelope("Python error with frame variables", cast, &mut json!({ "type": "event" }), &event)
}

/// A traced model call: the messages are JSON inside a string.
fn gen_ai_transaction(cast: &Cast) -> Sample {
    let input = json!([
        { "role": "system", "content": "You are a helpful assistant." },
        { "role": "user", "content": format!("{} (reply to {})", cast.prompt, cast.email) },
    ]);
    let output = json!([{ "role": "assistant", "content": format!("Of course, {}! Here is a first draft.", cast.name) }]);
    let trace = json!({ "trace_id": cast.hex(1, 32), "span_id": cast.hex(2, 16), "op": "http.server" });
    let event = json!({
        "event_id": cast.event_id(), "type": "transaction", "transaction": "POST /chat", "platform": "python",
        "timestamp": cast.time(), "start_timestamp": cast.time(), "contexts": { "trace": trace },
        "spans": [{
            "span_id": cast.hex(6, 16), "trace_id": cast.hex(1, 32), "op": "gen_ai.chat", "description": "chat small-1",
            "data": {
                "gen_ai.request.model": "small-1", "gen_ai.usage.input_tokens": 41, "gen_ai.usage.output_tokens": 12,
                "gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string(),
                "client.address": cast.ipv6,
            },
        }],
    });
    envelope("Traced model call", cast, &mut json!({ "type": "transaction" }), &event)
}

/// A failed call to a model in the shape of the Gemini interface, body and all.
fn gemini_request(cast: &Cast) -> Sample {
    let event = json!({
        "event_id": cast.event_id(), "timestamp": cast.time(), "platform": "node", "level": "warning",
        "message": "model answered 429",
        "request": {
            "method": "POST", "url": "https://models.example.com/v1/models/large:generateContent",
            "query_string": format!("key=demo-{}", cast.hex(7, 32)),
            "data": {
                "contents": [{ "role": "user", "parts": [{ "text": cast.prompt }] }],
                "generationConfig": { "temperature": 0.7, "maxOutputTokens": 512 },
            },
        },
        "user": { "ip_address": cast.ipv6, "email": cast.email },
    });
    envelope("Rejected model request", cast, &mut json!({ "type": "event" }), &event)
}

/// What a log shipper sends: a line per record.
fn log_lines(cast: &Cast) -> Sample {
    let line = |level: &str, message: String| json!({ "ts": cast.time(), "level": level, "service": "checkout", "version": "4.18.2", "msg": message });
    let lines = [
        line("info", format!("order 10{} placed by {} from {}", cast.turn, cast.email, cast.ipv4)),
        line("debug", "cache warm, 128 entries".to_owned()),
        line("warn", format!("peer [{}]:443 closed the connection", cast.ipv6)),
    ];
    let body = lines.iter().map(|line| format!("{line}\n")).collect();
    generic("Log lines", "application/x-ndjson", body)
}

/// A browser's error: the item has no length, and asks the server to fill in the sender's address.
fn browser_error(cast: &Cast) -> Sample {
    let event = json!({
        "event_id": cast.event_id(), "timestamp": cast.time(), "platform": "javascript", "level": "error",
        "exception": { "values": [{ "type": "TypeError", "value": "Cannot read properties of undefined" }] },
        "user": { "ip_address": "{{auto}}", "email": cast.email },
        "request": {
            "url": format!("https://shop.example.com/reset?email={}&step=2", cast.email.replace('@', "%40")),
            "headers": { "User-Agent": "Mozilla/5.0", "Referer": "https://shop.example.com/account" },
        },
        "sdk": { "name": "sentry.javascript.browser", "version": "10.2.0", "settings": { "infer_ip": "auto" } },
    });
    let header = json!({ "event_id": cast.event_id(), "sent_at": cast.time() });
    Sample {
        name: "Browser error",
        path: "/api/1/envelope/?sentry_version=7&sentry_key=0123456789abcdef0123456789abcdef",
        content_type: "text/plain;charset=UTF-8",
        headers: vec![("Origin", "https://shop.example.com".to_owned())],
        body: format!("{header}\n{}\n{event}", json!({ "type": "event" })).into_bytes(),
    }
}

/// A chat request that an application logs as it is.
fn chat_request(cast: &Cast) -> Sample {
    let body = json!({
        "model": "small-1", "temperature": 0.2, "request_id": cast.hex(8, 32),
        "messages": [
            { "role": "system", "content": "Answer in one sentence." },
            { "role": "user", "content": cast.prompt },
        ],
        "metadata": { "client_ip": cast.ipv4, "account": cast.email },
    });
    generic("Chat request", "application/json", body.to_string())
}

/// The older endpoint, with an address and an e-mail that hide behind percent-encoding.
fn url_query(cast: &Cast) -> Sample {
    let email = cast.email.replace('@', "%40");
    let event = json!({
        "event_id": cast.event_id(), "timestamp": cast.time(), "platform": "php", "level": "error",
        "logentry": { "message": "Redirect loop for %s", "params": [cast.email], "formatted": format!("Redirect loop for {}", cast.email) },
        "request": {
            "method": "GET", "url": format!("https://shop.example.com/login?next=%2Fme%3Fmail%3D{email}"),
            "query_string": format!("next=%2Fme%3Fmail%3D{email}&from={}", cast.ipv4),
            "env": { "REMOTE_ADDR": cast.ipv4, "SERVER_NAME": "shop.example.com" },
        },
    });
    Sample {
        name: "Percent-encoded query",
        path: "/api/1/store/",
        content_type: "application/json",
        headers: vec![sentry_auth()],
        body: event.to_string().into_bytes(),
    }
}

/// Structured logs in Sentry's container.
fn sentry_logs(cast: &Cast) -> Sample {
    let log = |body: String| {
        json!({
            "timestamp": 1_772_668_800 + cast.turn, "trace_id": cast.hex(1, 32), "level": "info", "body": body,
            "attributes": {
                "user.email": { "type": "string", "value": cast.email },
                "sentry.release": { "type": "string", "value": "studio@2026.3.1" },
            },
        })
    };
    let payload = json!({ "version": 2, "items": [
        log(format!("invite sent to {}", cast.email)),
        log("queue length 3".to_owned()),
    ] });
    let mut item = json!({
        "type": "log", "item_count": 2, "content_type": "application/vnd.sentry.items.log+json",
    });
    envelope("Structured logs", cast, &mut item, &payload)
}

/// Feedback: name, e-mail and text by design.
fn user_feedback(cast: &Cast) -> Sample {
    let feedback = json!({
        "contact_email": cast.email, "name": cast.name, "url": "https://studio.example.com/gallery",
        "message": format!("The export fails. Write to {} please.", cast.email),
    });
    let event = json!({
        "event_id": cast.event_id(), "timestamp": cast.time(), "platform": "javascript",
        "contexts": { "feedback": feedback },
    });
    envelope("User feedback", cast, &mut json!({ "type": "feedback" }), &event)
}

/// Lines of text from a web server.
fn access_log(cast: &Cast) -> Sample {
    let body = format!(
        "{ip} - {user} [05/Mar/2026:10:00:00 +0000] \"GET /account?mail={mail} HTTP/1.1\" 200 512\n\
         {ipv6} - - [05/Mar/2026:10:00:01 +0000] \"GET /static/app-1.2.3.js HTTP/1.1\" 304 0\n",
        ip = cast.ipv4,
        user = cast.email,
        mail = cast.email.replace('@', "%40"),
        ipv6 = cast.ipv6,
    );
    generic("Access log", "text/plain", body)
}

/// A form as a browser posts it.
fn contact_form(cast: &Cast) -> Sample {
    let email = cast.email.replace('@', "%40");
    let body = format!("topic=billing&email={email}&ip={}&plan=team&seats=5", cast.ipv4);
    generic("Form", "application/x-www-form-urlencoded", body)
}

/// Release health: nothing in it is about anybody, so it leaves byte for byte.
fn session(cast: &Cast) -> Sample {
    let payload = json!({
        "sid": cast.hex(9, 32), "init": true, "started": cast.time(), "timestamp": cast.time(), "status": "ok",
        "errors": 0, "attrs": { "release": "studio@2026.3.1", "environment": "production" },
    });
    envelope("Release health", cast, &mut json!({ "type": "session" }), &payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_comes_once_before_any_comes_again() {
        let names: BTreeSet<_> = samples().take(KINDS).map(|sample| sample.name).collect();
        assert_eq!(names.len(), KINDS);
        let (first, again) = (samples().next(), samples().nth(KINDS));
        let (first, again) = (first.expect("endless"), again.expect("endless"));
        assert_eq!(first.name, again.name);
        assert_ne!(first.body, again.body, "other people");
        assert_eq!(samples().nth(5).map(|s| s.body), samples().nth(5).map(|s| s.body));
    }

    #[test]
    fn envelopes_are_framed_right() {
        for sample in samples().take(10 * KINDS).filter(|sample| sample.path.contains("envelope")) {
            let body = String::from_utf8(sample.body).expect("UTF-8");
            let lines: Vec<&str> = body.trim_end().split('\n').collect();
            let [header, item, payload] = lines[..] else { panic!("three lines: {}", sample.name) };
            let (header, item): (Value, Value) =
                (serde_json::from_str(header).expect("JSON"), serde_json::from_str(item).expect("JSON"));
            assert_eq!(header["event_id"].as_str().map(str::len), Some(32));
            assert!(item["length"].is_null() || item["length"] == payload.len(), "{}", sample.name);
            let payload: Value = serde_json::from_str(payload).expect("JSON");
            assert!(
                item["item_count"].is_null() || item["item_count"] == 2 && payload["items"][1].is_object()
            );
        }
    }

    #[test]
    fn only_documentation_names_and_addresses_appear() {
        for sample in samples().take(10 * KINDS) {
            let body = String::from_utf8(sample.body).expect("UTF-8").replace("%40", "@");
            for (at, _) in body.match_indices('@').filter(|(at, _)| !body[..*at].ends_with("studio")) {
                let domain = &body[at + 1..];
                assert!(
                    domain.starts_with("example.com") || domain.starts_with("example.org"),
                    "{}",
                    sample.name
                );
            }
            for (at, _) in body.match_indices("://") {
                let host = body[at + 3..].split('/').next().expect("a host");
                assert!(host.ends_with(".example.com"), "{host}");
            }
        }
    }
}
