"""Reads what an instrumentation sent: which planted words it holds and where, and which models and counts of tokens."""

import base64
import collections
import json
import re

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import services
from stub import FACTS, PLANTED, VECTOR

# The words of `planted.json` that are of a language. All others are planted.
PLAIN = set(
    "answer archive brief counts dusk ferry first fox full gondola harbour heron hum kind kites lantern ledger lends looks meets name never "
    "office once oil over paint painting paints past pilot rain roofs rows says shared story style tell tide tides think turns umbrella "
    "until whether answers above keep then".split()
)
# The beginning of every number of the vector, however many digits are written.
VECTOR_BEGINS = str(VECTOR[0])[:7]
MODELS = {model for model, _in, _out in FACTS.values()} | {"gpt-5-mini", "gpt-5", "claude-sonnet-5", "gemini-3-flash"}
# Attributes that hold the whole of a request or an answer as JSON.
BODIES = re.compile(r"\b(input|output)(\.value)?\(json\)")
TOKENS = {count for _model, *counts in FACTS.values() for count in counts if count}


def planted_words():
    """Each planted word, and the call and the role it stands for."""
    words = {
        word: f"{call}/{role}"
        for call, roles in PLANTED.items()
        for role, text in roles.items()
        for word in re.findall(r"[a-z]{6,}", text.lower())
        if word not in PLAIN
    }
    return words | {VECTOR_BEGINS: "embedding/vector"}


WORDS = planted_words()
ANY = re.compile("|".join(map(re.escape, WORDS)))


def found(text):
    """Which calls and roles a text gives away, in whatever coding."""
    return {WORDS[word] for reading in readings(text) for word in ANY.findall(reading.lower())}


def readings(text):
    """What a text says, also in base64 of what is no text and in bytes written as numbers."""
    for said in services.readings(text.encode("utf-8", "surrogatepass")):
        yield said
        for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", said):
            yield base64.b64decode(run[: len(run) // 4 * 4].translate(str.maketrans("-_", "+/"))).decode("latin-1")
        for run in re.findall(r"(?:\b\d{1,3}\b[\s,]+(?:\"\d+\":\s*)?){16,}", said):
            numbers = [int(number) for number in re.findall(r"\b(\d{1,3})\b(?!\"?:)", run)]
            yield "".join(chr(number) for number in numbers if number < 256)


def documents(request):
    """The documents of a request, each with the name of its kind."""
    kind = request.headers.get("content-type", "")
    if "/envelope" in request.path:
        yield from envelope(request.plain)
    elif "protobuf" in kind:
        yield "otlp", otlp(request)
    elif request.path.endswith(("/v1/traces", "/otel")):
        yield "otlp", plain(json.loads(request.plain))
    elif "json" in kind:
        yield request.path.split("?")[0], json.loads(request.plain)


def envelope(body):
    """The items of an envelope of Sentry."""
    head, _, rest = body.partition(b"\n")
    yield "envelope", json.loads(head)
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        yield header["type"], json.loads(rest[:length])
        rest = rest[length:].lstrip(b"\n")


def otlp(request):
    """Spans or log records as JSON, their attributes as members."""
    message = ExportLogsServiceRequest if request.path.endswith("/logs") else ExportTraceServiceRequest
    return plain(MessageToDict(message.FromString(request.plain)))


def plain(value):
    """Attributes and values of OTLP as the JSON that they stand for."""
    if isinstance(value, list):
        if value and all(isinstance(each, dict) and set(each) <= {"key", "value"} and "key" in each for each in value):
            return {each["key"]: plain(each.get("value", {})) for each in value}
        return [plain(each) for each in value]
    if isinstance(value, dict):
        for arm in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
            if set(value) == {arm}:
                return value[arm]
        if set(value) == {"intValue"}:
            return int(value["intValue"])
        if set(value) == {"arrayValue"} or set(value) == {"kvlistValue"}:
            return plain(next(iter(value.values())).get("values", []))
        return {key: plain(inner) for key, inner in value.items()}
    return value


def leaves(value, path=""):
    """Every leaf with its path; JSON in a string is looked into."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}(key)", key
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path + "[]")
    elif isinstance(value, str) and value[:1] in ("{", "[") and (inner := parsed(value)) is not None:
        yield from leaves(inner, path + "(json)")
    else:
        yield path, value


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


# What makes a conversation of use without its words: structure, names of tools and models, kinds, reasons, settings.
KEPT = set(
    "call_id detail encoding_format finish_reason finish_reasons frequency_penalty max_output_tokens max_tokens mediatype mime_type mimetype "
    "media_type modality model model_version name object parallel_tool_calls required role status stop_reason temperature tool_call_id "
    "tool_choice tool_name tool_use_id toolcallid toolname top_k top_p type".split()
)
CONVERSATION = re.compile(r"gen_ai|\bllm\.|\bai\.|\$ai_|\b(in|out)put\.|langfuse|logRecords")


def kept(path):
    """Whether what stands at a path is of a conversation and on the list of what is kept: its last name tells."""
    last = re.sub(r"\[\]|\(json\)", "", path).removesuffix(".value").rsplit(".", 1)[-1]
    return last.lower() in KEPT and CONVERSATION.search(path)


class Arrived:
    """All that arrived of one program."""

    def __init__(self, requests):
        self.requests = [request for request in requests if request.body]
        self.leaves = [
            (f"{kind}{path}", value) for request in self.requests for kind, document in documents(request) for path, value in leaves(document)
        ]

    def planted(self):
        """Calls and roles of which a word arrived, and the paths at which it did."""
        at = {}
        for path, value in self.leaves:
            for name in found(value if isinstance(value, str) else repr(value)):
                at.setdefault(name, set()).add(path)
        whole = [part for request in self.requests for part in (request.path, json.dumps(request.headers), request.plain.decode("latin-1"))]
        for name in set().union(*map(found, whole)) - set(at):
            at[name] = {"outside of all leaves"}
        return at

    def facts(self):
        """Models and counts of tokens that arrived, each with the path at which it did. Copies in whole bodies do not count."""
        kept = set()
        for path, value in self.leaves:
            if BODIES.search(path):
                continue
            if value in MODELS:
                kept.add((path, value))
            elif re.search("token|usage", path, re.IGNORECASE) and str(value).isdigit() and int(value) in TOKENS:
                kept.add((path, int(value)))
        return kept

    def kept(self):
        """How often each value on the list of what is kept arrived at each path."""
        return collections.Counter((path, str(value)) for path, value in self.leaves if kept(path) and not found(str(value)))
