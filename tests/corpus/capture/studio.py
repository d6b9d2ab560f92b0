"""An invented image and video studio that reports to Sentry with `sentry-sdk`.

Usage: SENTRY_DSN=http://key@host/42 python studio.py SCENARIO

Every name, address and prompt comes from `invented.json`. None of it belongs to anyone. Prints the event
ids it was given, one JSON line, so that a test can look for them on the server.
"""

import json
import logging
import os
import sys
import urllib.parse
from pathlib import Path

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware
from sentry_sdk.scrubber import EventScrubber

INVENTED = json.loads(Path(__file__).with_name("invented.json").read_text(encoding="utf-8"))
USERS = INVENTED["users"]
PROMPTS = INVENTED["prompts"]
SECRETS = INVENTED["credentials"]
BROWSER = INVENTED["lookalikes"][0]

# Found in the source context of the frames below, as fixtures in real programs are.
FALLBACK_CONTACT = "fixtures.person@example.net"
RENDER_NODE = "198.51.100.23"

SENT = []


class ContentPolicyError(Exception):
    """The model's safety filter refused the job."""


class RenderError(Exception):
    """A render node gave up."""


def start(**options):
    """Starts the SDK. Its own scrubber is off: the program's data must be on the wire for us to find."""
    settings = {
        "dsn": os.environ["SENTRY_DSN"],
        "release": INVENTED["release"],
        "environment": INVENTED["environment"],
        "server_name": INVENTED["server_name"],
        "send_default_pii": True,
        "event_scrubber": EventScrubber(denylist=[], pii_denylist=[]),
        "auto_session_tracking": False,
        "debug": os.environ.get("STUDIO_DEBUG") == "1",
        "before_send": remember,
        "before_send_transaction": remember,
    }
    if coding := os.environ.get("STUDIO_CODING"):
        settings["_experiments"] = {"transport_compression_algo": coding}
    settings.update(options)
    sentry_sdk.init(**settings)


def remember(event, _hint):
    """Notes the id of each event that leaves."""
    SENT.append(event["event_id"])
    return event


# --- the studio itself -------------------------------------------------------------------------------


def openai_messages():
    """A chat request as the OpenAI client sends it."""
    return [
        {"role": "system", "content": PROMPTS["system"]},
        {"role": "user", "content": PROMPTS["quotes"]},
        {"role": "user", "content": [{"type": "text", "text": PROMPTS["unicode"]}]},
    ]


def gemini_contents():
    """A request as the Gemini client sends it."""
    return [
        {"role": "user", "parts": [{"text": PROMPTS["video"]}]},
        {"role": "model", "parts": [{"text": PROMPTS["answer"]}]},
    ]


def leave_breadcrumbs(count, user):
    """Adds `count` crumbs, of the kinds that integrations leave."""
    for n in range(count):
        kind = n % 4
        if kind == 0:
            query = urllib.parse.urlencode({"owner": user["email"], "page": n})
            sentry_sdk.add_breadcrumb(
                type="http",
                category="httplib",
                data={
                    "url": "https://api.example.com/v1/assets",
                    "method": "GET",
                    "status_code": 200,
                    "http.query": query,
                    "reason": "OK",
                },
            )
        elif kind == 1:
            sentry_sdk.add_breadcrumb(
                category="query",
                message=f"SELECT id, plan FROM account WHERE email = '{user['email']}' AND deleted IS NULL",
                data={"db.system": "postgresql", "rows": n},
            )
        elif kind == 2:
            sentry_sdk.add_breadcrumb(
                category="console",
                level="warning",
                message=f"slow upload from {user['ip_address']} took {900 + n} ms",
                data={"logger": "studio.upload", "arguments": [user["ip_address"], 900 + n]},
            )
        else:
            sentry_sdk.add_breadcrumb(
                category="ui.click",
                message=f"button#generate[data-job='job-7c19f2-{n}']",
                data={"canvas": "1024x1536"},
            )


def describe(user):
    """Fills user, tags, contexts and extra."""
    sentry_sdk.set_user(dict(user))
    sentry_sdk.set_tag("plan", "atelier")
    sentry_sdk.set_tag("model", "gpt-image-1")
    sentry_sdk.set_tag("edge_peer", user["ip_address"])
    sentry_sdk.set_context("job", {"id": "job-7c19f2", "canvas": "1024x1536", "steps": 28, "cfg_scale": 7.5})
    sentry_sdk.set_context("account", {"owner_email": user["email"], "seats": 3})
    scope = sentry_sdk.get_current_scope()
    scope.set_extra("prompt", PROMPTS["short"])
    scope.set_extra("negative_prompt_length", len(PROMPTS["negative"]))
    scope.set_extra("webhook_body", json.dumps({"notify": user["email"], "attempts": [1, 2, 3]}))
    scope.set_extra(
        "queue_message",
        json.dumps({"id": 9007199254740993, "body": json.dumps({"prompt": PROMPTS["quotes"], "from": user["ip_address"]})}),
    )
    scope.set_extra("callback", "https://hooks.example.com/done?mail=" + urllib.parse.quote(user["email"], safe=""))
    scope.set_extra("api_key", SECRETS["api_key"])


def call_model(job, user, messages):
    prompt = job["prompt"]
    client_ip = user["ip_address"]
    user_email = user["email"]
    if job["model"] and prompt and client_ip and user_email:
        raise ContentPolicyError("content_policy_violation: safety filter refused the job")
    return messages


def render(job, user, depth):
    """Goes `depth` calls down, as tilers and node graphs do, each with locals of its own."""
    tile = {"x": depth * 64, "y": depth * 32, "peer": user["ip_address"], "seed": 1234567 + depth}
    request = {"prompt": PROMPTS["short"], "model": job["model"], "size": "1024x1536", "notify": user["email"]}
    labels = [f"layer-{depth}-{n}" for n in range(8)]
    if depth > 0:
        return render(job, user, depth - 1), tile, request, labels
    messages = openai_messages()
    contact, node = FALLBACK_CONTACT, RENDER_NODE
    return call_model(job, user, messages), contact, node


def new_job():
    return {"id": "job-7c19f2", "prompt": PROMPTS["short"], "model": "gpt-image-1", "size": "1024x1536"}


def environ(user, body):
    """A WSGI request as a load balancer hands it on."""
    query = urllib.parse.urlencode({"email": user["email"], "style": "watercolour"}, quote_via=urllib.parse.quote)
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v1/images/generations",
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": user["ip_address"],
        "HTTP_HOST": "api.example.com",
        "HTTP_USER_AGENT": BROWSER,
        "HTTP_ACCEPT": "application/json",
        "HTTP_AUTHORIZATION": "Bearer " + SECRETS["bearer"],
        "HTTP_COOKIE": "sid=" + SECRETS["cookie"] + "; theme=dark",
        "HTTP_X_FORWARDED_FOR": user["ip_address"] + ", 198.51.100.23",
        "HTTP_REFERER": "https://studio.example.com/edit?invite=" + urllib.parse.quote(user["email"], safe=""),
        "wsgi.url_scheme": "https",
    }


def serve_request(user, body, handler):
    """Runs `handler` inside the SDK's WSGI middleware, with the body that a web framework would have read."""

    def with_body(event, _hint):
        event.setdefault("request", {})["data"] = body
        return event

    def app(_environ, start_response):
        sentry_sdk.get_isolation_scope().add_event_processor(with_body)
        handler()
        start_response("200 OK", [])
        return [b""]

    try:
        middleware = SentryWsgiMiddleware(app)
        list(middleware(environ(user, json.dumps(body)), lambda *_args: None))
    except (ContentPolicyError, RenderError):
        pass  # the middleware has reported it


# --- scenarios ---------------------------------------------------------------------------------------


def small():
    start(default_integrations=False)
    sentry_sdk.set_user(dict(USERS[0]))
    sentry_sdk.set_tag("plan", "atelier")
    sentry_sdk.get_current_scope().set_extra("prompt", PROMPTS["short"])
    sentry_sdk.capture_message(f"render queue is full, told {USERS[0]['email']} at {USERS[0]['ip_address']}", level="warning")


def small_clean():
    start(default_integrations=False)
    sentry_sdk.set_tag("plan", "atelier")
    sentry_sdk.set_tag("model", "gpt-image-1")
    sentry_sdk.capture_message("render queue is full", level="warning")


def auto_ip():
    start(default_integrations=False)
    sentry_sdk.set_user({"id": USERS[1]["id"], "ip_address": "{{auto}}"})
    sentry_sdk.capture_message("render queue is full")


def lookalikes():
    start(default_integrations=False)
    scope = sentry_sdk.get_current_scope()
    notes = INVENTED["lookalikes"]
    for start_at in range(0, len(notes), 8):  # the SDK keeps ten entries of a mapping
        scope.set_extra(f"notes_{start_at:02}", {f"note_{n:02}": text for n, text in enumerate(notes[start_at : start_at + 8])})
    sentry_sdk.set_tag("asset", "logo@2x.png")
    sentry_sdk.set_tag("remote", "git@github.com:org/repo")
    sentry_sdk.set_context("versions", {"browser": "Chrome/126.0.0.0", "assembly_version": "4.0.0.0", "ns": 1760025600123456789})
    sentry_sdk.capture_message("std::io::Error while reading logo@2x.png")


def error():
    start()
    user = USERS[0]

    def handler():
        leave_breadcrumbs(24, user)
        describe(user)
        render(new_job(), user, 6)

    body = {"model": "gpt-image-1", "size": "1024x1536", "messages": openai_messages(), "password": SECRETS["password"]}
    serve_request(user, body, handler)


def error_clean():
    start(include_local_variables=False, include_source_context=False)
    for n in range(30):
        sentry_sdk.add_breadcrumb(category="queue", message=f"popped job {n} of 30", data={"canvas": "1024x1536", "waited": n * 3})
    sentry_sdk.set_tag("plan", "atelier")
    sentry_sdk.set_context("job", {"id": "job-7c19f2", "canvas": "1024x1536", "steps": 28, "cfg_scale": 7.5})
    try:
        render(new_job(), USERS[0], 12)
    except ContentPolicyError as cause:
        sentry_sdk.capture_exception(cause)


def error_large():
    start(max_breadcrumbs=100)
    user = USERS[1]

    def handler():
        leave_breadcrumbs(100, user)
        describe(user)
        render(new_job(), user, 90)

    serve_request(user, {"model": "gemini-2.5-flash-image", "contents": gemini_contents()}, handler)


def chained():
    """Two causes, a log record as event, text attached."""
    start()
    user = USERS[2]
    sentry_sdk.set_user(dict(user))
    log = "\n".join(
        f"2025-10-09T16:0{n % 6}:{10 + n} INFO upload from {user['ip_address']} by {user['email']} part={n}" for n in range(40)
    )
    sentry_sdk.get_current_scope().add_attachment(bytes=log.encode(), filename="upload.log", content_type="text/plain")
    try:
        try:
            render(new_job(), user, 3)
        except ContentPolicyError as cause:
            raise RenderError(f"node {RENDER_NODE} gave up, write to {FALLBACK_CONTACT}") from cause
    except RenderError:
        logging.getLogger("studio.render").exception("job of %s failed at %s", user["email"], INVENTED["addresses"][0])


def hard():
    """Personal data where only later rules look: names, phone numbers, prompts in prose and in dumps."""
    start()
    hidden = INVENTED["hard"]
    user = dict(USERS[0], name=hidden["name"])
    sentry_sdk.set_user(user)
    scope = sentry_sdk.get_current_scope()
    scope.set_extra("support_note", f"caller {hidden['name']} left {hidden['phone']}")
    scope.set_extra("request_repr", repr({"model": "gpt-image-1", "prompt": hidden["prompt_in_dump"]}))
    sentry_sdk.add_breadcrumb(category="console", message=f"janeroe88 asked: {hidden['prompt_in_log']}")
    try:
        raise ContentPolicyError(f"prompt rejected: {hidden['prompt_in_error']!r}")
    except ContentPolicyError as cause:
        sentry_sdk.capture_exception(cause)


def ai_spans(count, user):
    """Child spans as the AI integrations make them, content switched on."""
    for n in range(count):
        with sentry_sdk.start_span(op="gen_ai.chat", name="chat gpt-image-1") as span:
            span.set_data("gen_ai.operation.name", "chat")
            span.set_data("gen_ai.system", "openai")
            span.set_data("gen_ai.request.model", "gpt-image-1")
            span.set_data("gen_ai.response.model", "gpt-image-1")
            span.set_data("gen_ai.usage.input_tokens", 412 + n)
            span.set_data("gen_ai.usage.output_tokens", 88 + n)
            if n % 2 == 0:
                span.set_data("gen_ai.input.messages", json.dumps(openai_messages()))
                span.set_data(
                    "gen_ai.output.messages",
                    json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": PROMPTS["answer"]}]}]),
                )
            else:
                span.set_data("gen_ai.prompt", PROMPTS["short"])
                span.set_data("gen_ai.system_instructions", PROMPTS["system"])
        with sentry_sdk.start_span(op="http.client", name="POST https://gpu.example.com/render") as span:
            span.set_data("http.query", "notify=" + urllib.parse.quote(user["email"], safe=""))
            span.set_data("http.response.status_code", 200)
            span.set_data("client.address", user["ip_address"])
        with sentry_sdk.start_span(op="db.query", name="SELECT id FROM job WHERE state = %s") as span:
            span.set_data("db.system", "postgresql")
            span.set_data("db.rows", n)


def transaction():
    start(traces_sample_rate=1.0)
    user = USERS[0]
    with sentry_sdk.start_transaction(op="http.server", name="POST /v1/images/generations"):
        describe(user)
        ai_spans(10, user)


def transaction_large():
    start(traces_sample_rate=1.0)
    user = USERS[2]
    with sentry_sdk.start_transaction(op="queue.process", name="render_storyboard"):
        describe(user)
        ai_spans(62, user)


def transaction_clean():
    start(traces_sample_rate=1.0)
    with sentry_sdk.start_transaction(op="queue.process", name="render_tiles"):
        for n in range(70):
            with sentry_sdk.start_span(op="db.query", name="SELECT id FROM job WHERE state = %s") as span:
                span.set_data("db.system", "postgresql")
                span.set_data("db.rows", n)


def logs():
    start(enable_logs=True)
    for n in range(30):
        user = USERS[n % 3]
        sentry_sdk.logger.warning("upload {part} from {peer} refused", part=n, peer=user["ip_address"])
        sentry_sdk.logger.info(f"mail sent to {user['email']}", attributes={"user.email": user["email"], "job": "job-7c19f2"})
        sentry_sdk.logger.info("model answered", attributes={"gen_ai.prompt": PROMPTS["short"], "gen_ai.usage.input_tokens": 412})


def metrics():
    start()
    for n in range(12):
        sentry_sdk.metrics.count("render.started", 1, attributes={"model": "gpt-image-1"})
        sentry_sdk.metrics.distribution("render.seconds", 1.5 + n, unit="second", attributes={"client.address": USERS[0]["ip_address"]})


def session():
    start(default_integrations=False)
    sentry_sdk.set_user(dict(USERS[0]))
    sentry_sdk.get_isolation_scope().start_session(session_mode="application")
    sentry_sdk.get_isolation_scope().end_session()


def check_in():
    start(default_integrations=False)
    sentry_sdk.crons.capture_checkin(
        monitor_slug="nightly-upscale",
        status="ok",
        duration=12.5,
        monitor_config={"schedule": {"type": "crontab", "value": "0 3 * * *"}, "timezone": "UTC"},
    )


SCENARIOS = {
    "small": small,
    "small-clean": small_clean,
    "auto-ip": auto_ip,
    "lookalikes": lookalikes,
    "error": error,
    "error-clean": error_clean,
    "error-large": error_large,
    "chained": chained,
    "hard": hard,
    "transaction": transaction,
    "transaction-large": transaction_large,
    "transaction-clean": transaction_clean,
    "logs": logs,
    "metrics": metrics,
    "session": session,
    "check-in": check_in,
}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SCENARIOS:
        sys.exit("usage: studio.py " + "|".join(SCENARIOS))
    ignore_logger("sentry_sdk.errors")
    SCENARIOS[sys.argv[1]]()
    sentry_sdk.flush(timeout=20)
    print(json.dumps({"event_ids": SENT}))


if __name__ == "__main__":
    main()
