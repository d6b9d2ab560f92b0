"""An invented program that talks to three models while something instruments it.

Usage: python program.py INSTRUMENTATION STUB TARGET    STUB answers as the models do, TARGET takes the telemetry
"""

import contextlib
import faulthandler
import logging
import sys

import calls

COMPLAINTS = []
MODEL_KEY = "invented-key"


class Complaints(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            COMPLAINTS.append(f"{record.name}: {record.getMessage()}")


def clients(stub):
    """The SDKs, each pointed at the stub."""
    import anthropic
    import openai
    from google import genai

    return {
        "openai": openai.OpenAI(api_key=MODEL_KEY, base_url=f"{stub}/openai/v1", max_retries=0),
        "anthropic": anthropic.Anthropic(api_key=MODEL_KEY, base_url=f"{stub}/anthropic", max_retries=0),
        "google": genai.Client(api_key=MODEL_KEY, http_options={"base_url": f"{stub}/google"}),
    }


def sentry(stub, target, **options):
    import sentry_sdk
    from sentry_sdk.integrations.anthropic import AnthropicIntegration
    from sentry_sdk.integrations.google_genai import GoogleGenAIIntegration
    from sentry_sdk.integrations.openai import OpenAIIntegration

    sentry_sdk.init(
        dsn=target.replace("://", "://0123456789abcdef0123456789abcdef@") + "/42",
        traces_sample_rate=1.0,
        send_default_pii=True,
        include_local_variables=True,
        max_request_body_size="always",
        integrations=[each(include_prompts=True) for each in (OpenAIIntegration, AnthropicIntegration, GoogleGenAIIntegration)],
        **options,
    )
    for provider, client in clients(stub).items():
        with sentry_sdk.start_transaction(op="task", name=f"ask {provider}"):
            calls.make_all(provider, client, sentry_sdk.capture_exception)
    sentry_sdk.flush(timeout=20)


def sentry_streamed(stub, target):
    """Spans one by one, as attributes with their types."""
    sentry(stub, target, _experiments={"trace_lifecycle": "stream"})


@contextlib.contextmanager
def traced(target, headers=None):
    """Spans of everything inside go to `target` by OTLP; errors become events of a span."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{target}/v1/traces", headers=headers)))
    trace.set_tracer_provider(provider)
    with trace.get_tracer("studio").start_as_current_span("ask") as span:
        yield span.record_exception
    provider.shutdown()


def openllmetry(stub, target):
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    with traced(target) as report:
        for each in (OpenAIInstrumentor, AnthropicInstrumentor, GoogleGenerativeAiInstrumentor):
            each().instrument()
        for provider, client in clients(stub).items():
            calls.make_all(provider, client, report)


def openllmetry_events(stub, target):
    """Conversations as log records beside the spans. Not with Gemini, whose events that version cannot encode."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{target}/v1/logs")))
    with traced(target) as report:
        OpenAIInstrumentor(use_attributes=False).instrument(logger_provider=logs)
        AnthropicInstrumentor(use_attributes=False).instrument(logger_provider=logs)
        for provider, client in clients(stub).items():
            if provider != "google":
                calls.make_all(provider, client, report)
    logs.shutdown()


def openinference(stub, target):
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    with traced(target) as report:
        for each in (OpenAIInstrumentor, AnthropicInstrumentor, GoogleGenAIInstrumentor):
            each().instrument()
        for provider, client in clients(stub).items():
            calls.make_all(provider, client, report)


def posthog(stub, target):
    from posthog import Posthog
    from posthog.ai.anthropic import Anthropic
    from posthog.ai.gemini import Client
    from posthog.ai.openai import OpenAI

    analytics = Posthog(
        "phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX", host=target, capture_exception_code_variables=True,
        on_error=lambda error, batch: COMPLAINTS.append(repr(error)),
    )  # fmt: skip
    wrapped = {
        "openai": OpenAI(api_key=MODEL_KEY, base_url=f"{stub}/openai/v1", max_retries=0, posthog_client=analytics),
        "anthropic": Anthropic(api_key=MODEL_KEY, base_url=f"{stub}/anthropic", max_retries=0, posthog_client=analytics),
        "google": Client(api_key=MODEL_KEY, http_options={"base_url": f"{stub}/google"}, posthog_client=analytics),
    }
    for provider, client in wrapped.items():
        calls.make_all(provider, client, lambda error: analytics.capture_exception(error, distinct_id="user-48151"))
    analytics.flush()
    analytics.shutdown()


def langfuse(stub, target):
    from langfuse import Langfuse, observe
    from langfuse.openai import OpenAI

    tracing = Langfuse(public_key="pk-lf-0123456789abcdef", secret_key="sk-lf-0123456789abcdef", base_url=target)
    client = OpenAI(api_key=MODEL_KEY, base_url=f"{stub}/openai/v1", max_retries=0)

    @observe()
    def ask(question):
        calls.make_all("openai", client, lambda error: None)
        return calls.PLANTED["openai.chat"]["completion"]

    ask(calls.PLANTED["openai.chat"]["user"])
    tracing.flush()
    tracing.shutdown()


if __name__ == "__main__":
    # Some SDKs wait for ever for a queue of theirs: then it shows where.
    faulthandler.dump_traceback_later(90, exit=True)
    logging.getLogger().addHandler(Complaints())
    globals()[sys.argv[1]](*sys.argv[2:])
    print("\n".join(COMPLAINTS))
