"""An invented program that reports three events at once with one SDK: `reactions_program.py SDK URL`.

Prints what the SDK said about its own sending, its log from warnings on, as one line of JSON.
"""

import faulthandler
import json
import logging
import sys

from services import API_KEY, PHC, PLANTED, PUBLIC_KEY, SECRET_KEY, WRITE_KEY

NAMES = ["opened-cart", "paid-cart", "left-cart"]
SAID = []
NOTE = {"note": f"mail from {PLANTED['email']}"}


class Said(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            SAID.append(f"{record.levelname} {record.name}: {record.getMessage()}")


def failed(error, _events):
    """What an SDK hands over of a failed batch: the error, and how long it was told to wait."""
    SAID.append(f"failed: {error!r} {error} retry_after={getattr(error, 'retry_after', None)}")


def posthog(url, **options):
    from posthog import Posthog

    client = Posthog(PHC, host=url, gzip=True, flush_at=3, max_retries=1, on_error=failed, **options)
    for name in NAMES:
        client.capture(name, distinct_id=PLANTED["email"], properties=NOTE)
    client.flush()
    client.shutdown()


def posthog_v1(url):
    """The protocol that answers for each event."""
    posthog(url, capture_mode="v1")


def segment_like(client):
    for name in NAMES:
        client.track(PLANTED["email"], name, NOTE)
    client.flush()
    client.join()


def segment(url):
    """Without Retry-After it would not try again."""
    from segment.analytics.client import Client

    segment_like(Client(WRITE_KEY, host=url, gzip=True, upload_size=3, max_retries=0, on_error=failed))


def rudderstack(url):
    from rudderstack.analytics.client import Client

    segment_like(Client(WRITE_KEY, host=url, upload_size=3, max_retries=1, on_error=failed))


def langfuse(url):
    from langfuse import Langfuse

    client = Langfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY, host=url, flush_at=3, max_retries=2)
    for name in NAMES:
        client.trace(name=name, user_id=PLANTED["email"], metadata=NOTE)
    client.flush()
    client.shutdown()


def langfuse_otlp(url):
    """The current SDK, which sends OpenTelemetry."""
    from langfuse import Langfuse

    client = Langfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY, base_url=url)
    for name in NAMES:
        with client.start_as_current_observation(name=name, input=NOTE):
            pass
    client.flush()
    client.shutdown()


def langsmith(url):
    """One run with three names in it: a batch of runs may be cut anywhere."""
    import uuid

    from langsmith import Client

    client = Client(api_url=url, api_key=API_KEY)
    # Its threads end when they count no references but their own.
    held = [client] * 4
    run = uuid.UUID("0197c1f0-0000-7000-8000-000000000001")
    order = f"20260101T000000000000Z{run}"
    client.create_run("-".join(NAMES), NOTE, "chain", id=run, trace_id=run, dotted_order=order, project_name="fox", outputs=NOTE)
    client.flush()
    client.cleanup()
    held.clear()


def otlp(exporter):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    for name in NAMES:
        tracers.get_tracer("shop").start_span(name, attributes=NOTE).end()
    SAID.append(exporter.export(kept.get_finished_spans()).name)


def otlp_protobuf(url):
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # The exporter drops what an answer says; the session still has it.
    session = requests.Session()
    session.hooks["response"] = lambda answer, **_: SAID.append(f"{answer.status_code} {answer.headers.get('Retry-After')} {answer.content.hex()}")
    otlp(OTLPSpanExporter(endpoint=f"{url}/v1/traces", session=session))


def otlp_json(url):
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

    otlp(OTLPSpanExporter(endpoint=f"{url}/v1/traces"))


def otlp_grpc(url):
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    otlp(OTLPSpanExporter(endpoint=url, insecure=True))


if __name__ == "__main__":
    logging.getLogger().addHandler(Said())
    # Some SDKs wait for ever for a queue of theirs: then it shows where.
    faulthandler.dump_traceback_later(50, exit=True)
    globals()[sys.argv[1]](sys.argv[2])
    print(json.dumps(SAID))
