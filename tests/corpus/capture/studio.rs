//! An invented image and video studio that reports to Sentry with the `sentry` crate.
//!
//! Run as an example by the capture script (`SENTRY_DSN=… cargo run --example studio SCENARIO`) and as a
//! module by the test with the real SDK. Every name, address and prompt comes from `invented.json`; see
//! `studio.py` for its larger twin.

use sentry::protocol::{Breadcrumb, Context, Event, Level, Map, Request, User, Value};
use sentry::{ClientOptions, Hub, Scope, TransactionContext};
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the SDK may take to send what it holds.
const FLUSH: Duration = Duration::from_secs(20);

/// Takes the DSN from `SENTRY_DSN` and the scenario from the only argument.
#[allow(dead_code, reason = "the test with the real SDK uses this file as a module and calls `run`")]
fn main() -> Result<(), Box<dyn Error>> {
    let dsn = std::env::var("SENTRY_DSN")?;
    let scenario = std::env::args().nth(1).ok_or("usage: studio SCENARIO")?;
    run(&dsn, &scenario)
}

/// Runs one scenario against `dsn` and waits until the SDK has sent everything.
///
/// # Errors
/// An unknown scenario, or an SDK that could not flush in time.
pub(crate) fn run(dsn: &str, scenario: &str) -> Result<(), Box<dyn Error>> {
    let data: Value = serde_json::from_str(include_str!("invented.json"))?;
    let options = ClientOptions::new()
        .dsn(dsn)
        .release(text(&data, "/release"))
        .environment(text(&data, "/environment"))
        .server_name(text(&data, "/server_name"))
        .send_default_pii(true)
        .attach_stacktrace(true)
        .traces_sample_rate(1.0);
    let client = Arc::new(sentry::Client::from_config(sentry::apply_defaults(options)));
    let hub = Arc::new(Hub::new(Some(Arc::clone(&client)), Arc::new(Scope::default())));
    let report: fn(&Value) = match scenario {
        "small" => small,
        "small-clean" => small_clean,
        "error" => error,
        "transaction" => transaction,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "unknown scenario").into()),
    };
    Hub::run(hub, || report(&data));
    if client.flush(Some(FLUSH)) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::TimedOut, "the SDK still holds events").into())
    }
}

/// The string at a JSON pointer of the invented data.
fn text(data: &Value, pointer: &str) -> String {
    data.pointer(pointer)
        .and_then(Value::as_str)
        .expect("the pointer names a string of invented.json")
        .to_owned()
}

fn user(data: &Value, index: usize) -> User {
    let field = |name: &str| text(data, &format!("/users/{index}/{name}"));
    User {
        id: Some(field("id")),
        email: Some(field("email")),
        username: Some(field("username")),
        ip_address: field("ip_address").parse().ok(),
        ..User::default()
    }
}

/// A render node that gave up, and why.
#[derive(Debug)]
struct RenderError {
    node: String,
    cause: io::Error,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "render node {} gave up", self.node)
    }
}

impl Error for RenderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

fn small(data: &Value) {
    let (mail, peer) = (text(data, "/users/0/email"), text(data, "/users/0/ip_address"));
    sentry::configure_scope(|scope| {
        scope.set_user(Some(user(data, 0)));
        scope.set_extra("prompt", text(data, "/prompts/short").into());
    });
    let event = Event {
        message: Some(format!("render queue is full, told {mail} at {peer}")),
        level: Level::Warning,
        ..Event::default()
    };
    sentry::capture_event(event);
}

fn small_clean(_data: &Value) {
    sentry::configure_scope(|scope| scope.set_tag("model", "gpt-image-1"));
    let event = Event { message: Some("render queue is full".to_owned()), ..Event::default() };
    sentry::capture_event(event);
}

fn error(data: &Value) {
    let mail = text(data, "/users/1/email");
    for n in 0..30 {
        sentry::add_breadcrumb(Breadcrumb {
            category: Some("query".to_owned()),
            message: Some(format!("SELECT plan FROM account WHERE email = '{mail}' LIMIT {n}")),
            data: Map::from([("db.system".to_owned(), "postgresql".into())]),
            ..Breadcrumb::default()
        });
    }
    let body = json!({
        "model": "gpt-image-1",
        "messages": [{"role": "user", "content": text(data, "/prompts/quotes")}],
    });
    let request = request(data, &body);
    sentry::configure_scope(|scope| {
        scope.set_user(Some(user(data, 1)));
        scope.set_tag("plan", "atelier");
        scope.set_extra("webhook_body", json!({"notify": mail}).to_string().into());
        let job = BTreeMap::from([("id".to_owned(), "job-7c19f2".into())]);
        scope.set_context("job", Context::Other(job));
        scope.add_event_processor(move |mut event| {
            event.request = Some(request.clone());
            Some(event)
        });
    });
    let failure = RenderError {
        node: text(data, "/addresses/1"),
        cause: io::Error::other(format!("std::io::Error while mailing {mail}")),
    };
    sentry::capture_error(&failure);
}

/// A request as a web framework's integration fills it in.
fn request(data: &Value, body: &Value) -> Request {
    let peer = text(data, "/users/1/ip_address");
    let bearer = text(data, "/credentials/bearer");
    let headers = [
        ("authorization", format!("Bearer {bearer}")),
        ("x-forwarded-for", format!("{peer}, 198.51.100.23")),
        ("user-agent", text(data, "/lookalikes/0")),
    ];
    Request {
        url: "https://api.example.com/v1/images/generations".parse().ok(),
        method: Some("POST".to_owned()),
        data: Some(body.to_string()),
        query_string: Some("email=m.okafor%2Bstudio%40mail.example.org&style=ink".to_owned()),
        cookies: Some(format!("sid={}", text(data, "/credentials/cookie"))),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        env: Map::from([("REMOTE_ADDR".to_owned(), peer)]),
    }
}

fn transaction(data: &Value) {
    sentry::configure_scope(|scope| scope.set_user(Some(user(data, 2))));
    let whole = sentry::start_transaction(TransactionContext::new("render_storyboard", "queue.process"));
    for n in 0..20 {
        let span = whole.start_child("gen_ai.chat", "chat gpt-image-1");
        span.set_data("gen_ai.request.model", "gpt-image-1".into());
        span.set_data("gen_ai.usage.input_tokens", (412 + n).into());
        span.set_data("gen_ai.prompt", text(data, "/prompts/video").into());
        let messages = json!([{"role": "user", "content": text(data, "/prompts/unicode")}]);
        span.set_data("gen_ai.input.messages", messages.to_string().into());
        span.set_data("client.address", text(data, "/users/2/ip_address").into());
        span.finish();
    }
    whole.finish();
}
