"""Invented programs that report with real SDKs of analytics and language-model services.

Usage: python services_programs.py SDK URL    prints what the SDK said about its own sending as one line of JSON
"""

import faulthandler
import json
import logging
import sys
import time

from services import API_KEY, PHC, PLANTED, PUBLIC_KEY, SECRET_KEY, WRITE_KEY

COMPLAINTS = []


class Complaints(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            COMPLAINTS.append(f"{record.name}: {record.getMessage()}")


logging.getLogger().addHandler(Complaints())
NOTE = f"mail from {PLANTED['email']} at {PLANTED['ip']} with {PLANTED['token']}"


def posthog(url):
    from posthog import Posthog

    client = Posthog(PHC, host=url, gzip=True, on_error=lambda error, batch: COMPLAINTS.append(repr(error)), sync_mode=False)
    for name in ("opened", "rendered", "paid"):
        client.capture(name, distinct_id=PLANTED["email"], properties={"note": NOTE, "$ip": PLANTED["ip"], "n": 1.5})
    client.set(distinct_id=PLANTED["email"], properties={"email": PLANTED["email"], "name": "Jane Roe"})
    client.alias(previous_id="anon-1", distinct_id=PLANTED["email"])
    client.capture("$ai_generation", distinct_id=PLANTED["email"], properties={"$ai_input": [{"role": "user", "content": PLANTED["prompt"]}], "$ai_model": "m"})
    flag = client.feature_enabled("beta", PLANTED["email"], person_properties={"email": PLANTED["email"]})
    client.flush()
    client.shutdown()
    return {"flag": flag, "events": 6}


def segment_like(client):
    client.identify(PLANTED["email"], {"email": PLANTED["email"], "name": "Jane Roe", "address": {"street": "1 Example Road"}})
    client.alias("anon-1", PLANTED["email"])
    client.track(PLANTED["email"], "Rendered", {"note": NOTE, "prompt": PLANTED["prompt"]}, context={"ip": PLANTED["ip"]})
    client.page(PLANTED["email"], "Docs", "Start", {"url": f"https://shop.example.com/?mail={PLANTED['email']}"})
    client.flush()
    client.shutdown() if hasattr(client, "shutdown") else client.join()
    return {"events": 4}


def segment(url):
    from segment.analytics.client import Client

    return segment_like(Client(WRITE_KEY, host=url, gzip=True, on_error=lambda error, items: COMPLAINTS.append(repr(error))))


def rudderstack(url):
    from rudderstack.analytics.client import Client

    return segment_like(Client(WRITE_KEY, host=url, on_error=lambda error, items: COMPLAINTS.append(repr(error))))


def langfuse(url):
    from langfuse import Langfuse
    from langfuse.media import LangfuseMedia

    client = Langfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY, host=url)
    trace = client.trace(name="render", user_id=PLANTED["email"], session_id="s-1", input=PLANTED["prompt"], metadata={"note": NOTE})
    generation = trace.generation(name="draw", model="gpt-5", input=[{"role": "user", "content": PLANTED["prompt"]}])
    generation.end(output={"role": "assistant", "content": f"drawn: {PLANTED['prompt']}"}, usage={"input": 9, "output": 4})
    trace.span(name="upload", input=LangfuseMedia(content_bytes=b"\x89PNG" + PLANTED["email"].encode(), content_type="image/png"))
    client.score(trace_id=trace.id, name="thumbs", value=1, comment=NOTE)
    client.flush()
    client.shutdown()
    return {"trace": trace.id, "generation": generation.id}


def langfuse_otlp(url):
    """The current SDK, which sends OpenTelemetry."""
    from langfuse import Langfuse, propagate_attributes
    from langfuse.media import LangfuseMedia

    client = Langfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY, base_url=url)
    with propagate_attributes(user_id=PLANTED["email"], session_id="s-1", metadata={"note": NOTE}):
        with client.start_as_current_observation(name="render", input=PLANTED["prompt"], metadata={"note": NOTE}) as root:
            messages = [{"role": "user", "content": PLANTED["prompt"]}]
            with root.start_as_current_observation(name="draw", as_type="generation", model="gpt-5", input=messages) as generation:
                generation.update(output={"role": "assistant", "content": f"drawn: {PLANTED['prompt']}"}, usage_details={"input": 9, "output": 4})
            picture = LangfuseMedia(content_bytes=b"\x89PNG" + PLANTED["email"].encode(), content_type="image/png")
            with root.start_as_current_observation(name="upload", input=picture):
                pass
    client.create_score(trace_id=root.trace_id, name="thumbs", value=1, comment=NOTE)
    client.flush()
    client.shutdown()
    return {"trace": root.trace_id, "spans": [root.id, generation.id]}


def langsmith(url):
    import uuid

    from langsmith import Client

    client = Client(api_url=url, api_key=API_KEY)
    # Its threads end when they count no references but their own. They count too many of those while one of them is only
    # starting, and then the one here looks like none.
    held = [client] * 4
    run = uuid.UUID("0197c1f0-0000-7000-8000-000000000001")
    order = f"20260101T000000000000Z{run}"
    client.create_run(
        "draw", {"messages": [{"role": "user", "content": PLANTED["prompt"]}]}, "llm", id=run, trace_id=run, dotted_order=order,
        project_name="fox", extra={"metadata": {"user_id": PLANTED["email"], "note": NOTE}},
        attachments={"notes": ("text/plain", NOTE.encode()), "picture": ("image/png", b"\x89PNG\x00" + PLANTED["email"].encode())},
    )  # fmt: skip
    client.flush()
    client.update_run(run, outputs={"text": f"drawn: {PLANTED['prompt']}"}, error=NOTE, trace_id=run, dotted_order=order)
    client.create_feedback(run, "thumbs", score=1, comment=NOTE, trace_id=run)
    client.flush()
    time.sleep(0.5)
    client.cleanup() if hasattr(client, "cleanup") else None
    held.clear()
    return {"run": str(run)}


if __name__ == "__main__":
    # Some SDKs wait for ever for a queue of theirs: then it shows where.
    faulthandler.dump_traceback_later(90, exit=True)
    said = globals()[sys.argv[1]](sys.argv[2])
    print(json.dumps({"said": said, "complaints": COMPLAINTS}))
