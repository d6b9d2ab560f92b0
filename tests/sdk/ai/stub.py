"""Stands in for the APIs of OpenAI, Anthropic and Gemini: answers what `planted.json` says for the call that it recognises by its
prompt, and refuses the prompts of `….error` with an error that quotes them. Forms as in the public API references of the three."""

import base64
import http.server
import json
import re
import struct
import threading
import zlib
from pathlib import Path

PLANTED = json.loads(Path(__file__).with_name("planted.json").read_text())
# Model, tokens in, tokens out. Numbers that occur nowhere else: what arrives is looked through for them.
FACTS = {
    "openai.chat": ("gpt-5-mini-2026-01-15", 1217, 3461),
    "openai.tool": ("gpt-5-mini-2026-01-15", 1223, 3463),
    "openai.stream": ("gpt-5-mini-2026-01-15", 1229, 3467),
    "openai.vision": ("gpt-5-mini-2026-01-15", 1231, 3469),
    "openai.responses": ("gpt-5-2026-01-15", 1237, 3491),
    "openai.responses_stream": ("gpt-5-2026-01-15", 1249, 3499),
    "openai.embedding": ("text-embedding-3-small", 1259, 0),
    "openai.image": ("gpt-image-1", 1277, 3511),
    "anthropic.chat": ("claude-sonnet-5-20260115", 1279, 3517),
    "anthropic.tool": ("claude-sonnet-5-20260115", 1283, 3527),
    "anthropic.stream": ("claude-sonnet-5-20260115", 1289, 3529),
    "anthropic.vision": ("claude-sonnet-5-20260115", 1291, 3533),
    "google.chat": ("gemini-3-flash-001", 1297, 3539),
    "google.tool": ("gemini-3-flash-001", 1301, 3541),
    "google.stream": ("gemini-3-flash-001", 1303, 3547),
    "google.vision": ("gemini-3-flash-001", 1307, 3557),
    "google.embedding": ("gemini-embedding-001", 1319, 0),
}
# No other number begins so.
VECTOR = [0.61803398, -0.61803397, 0.61803396] + [nth / 16 for nth in range(13)]


def png(text):
    """A picture of one pixel that says `text` in a comment, so that its bytes can be told from any other's."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tEXt", b"Comment\x00" + text.encode()), (b"IDAT", zlib.compress(b"\x00\x00\x80\x80")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def picture(text):
    return base64.b64encode(png(text)).decode()


def call_of(provider, body):
    """The call whose prompt stands in a request."""
    for name, roles in PLANTED.items():
        prompt = roles.get("user") or roles.get("input") or roles.get("prompt")
        if name.startswith(provider) and json.dumps(prompt)[1:-1] in body:
            return name
    raise LookupError(f"no prompt of {provider} in the request")


def words(text):
    """A text in the pieces in which it is streamed."""
    return re.findall(r"\S+\s*", text)


# --- OpenAI


def openai(path, body):
    call = call_of("openai", body)
    request, roles = json.loads(body), PLANTED[call]
    if call.endswith(".error"):
        message = f"Invalid prompt: your prompt \"{roles['user']}\" was flagged as violating our usage policy."
        return 400, {"error": {"message": message, "type": "invalid_request_error", "param": "messages", "code": "invalid_prompt"}}
    model, tokens_in, tokens_out = FACTS[call]
    chat_usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    if path.endswith("/embeddings"):
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        else:
            vector = VECTOR
        data = [{"object": "embedding", "index": 0, "embedding": vector}]
        return 200, {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": tokens_in, "total_tokens": tokens_in}}
    if path.endswith("/images/generations"):
        drawn = [
            {"b64_json": picture(roles["picture"]), "revised_prompt": roles["revised"]},
            {"url": f"https://images.example.com/gen/{roles['link']}.png?sig=0123456789abcdef", "revised_prompt": roles["revised"]},
        ]
        usage = {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        return 200, {"created": 1764000000, "data": drawn, "usage": usage | {"input_tokens_details": {"image_tokens": 0, "text_tokens": tokens_in}}}
    if path.endswith("/responses"):
        return openai_responses(call, request, model, tokens_in, tokens_out)
    head = {"id": f"chatcmpl-{call.replace('.', '-')}", "created": 1764000000, "model": model}
    if request.get("stream"):
        deltas = [{"role": "assistant", "content": ""}] + [{"content": word} for word in words(roles["completion"])]
        chunk = head | {"object": "chat.completion.chunk"}
        chunks = [chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks += [chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, chunk | {"choices": [], "usage": chat_usage}]
        return 200, [(None, each) for each in chunks] + [(None, "[DONE]")]
    message = {"role": "assistant", "content": roles.get("completion"), "refusal": None}
    if call.endswith(".tool"):
        arguments = json.dumps({"port": roles["tool_argument"], "hours": 6})
        message["tool_calls"] = [{"id": "call_tide1", "type": "function", "function": {"name": "tide_table", "arguments": arguments}}]
    reason = "tool_calls" if call.endswith(".tool") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return 200, head | {"object": "chat.completion", "choices": [choice], "usage": chat_usage}


def openai_responses(call, request, model, tokens_in, tokens_out):
    roles = PLANTED[call]
    text = {"type": "output_text", "text": roles["completion"], "annotations": [], "logprobs": []}
    output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}]
    if "reasoning" in roles:
        output.insert(0, {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": roles["reasoning"]}]})
        arguments = json.dumps({"port": roles["tool_argument"], "hours": 6})
        output.append({"id": "fc_1", "type": "function_call", "call_id": "call_tide2", "name": "tide_table", "arguments": arguments, "status": "completed"})
    usage = {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    base = {
        "id": f"resp_{call.replace('.', '_')}", "object": "response", "created_at": 1764000000, "model": model, "error": None,
        "incomplete_details": None, "instructions": request.get("instructions"), "metadata": {}, "parallel_tool_calls": True,
        "temperature": 1.0, "tool_choice": "auto", "tools": request.get("tools") or [], "top_p": 1.0,
    }  # fmt: skip
    done = base | {"status": "completed", "output": output, "usage": usage}
    if not request.get("stream"):
        return 200, done
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.created", "response": base | {"status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": output[0] | {"status": "in_progress", "content": []}},
        {"type": "response.content_part.added", "part": empty} | at,
    ]
    events += [{"type": "response.output_text.delta", "delta": word, "logprobs": []} | at for word in words(roles["completion"])]
    events += [
        {"type": "response.output_text.done", "text": roles["completion"], "logprobs": []} | at,
        {"type": "response.content_part.done", "part": text} | at,
        {"type": "response.output_item.done", "output_index": 0, "item": output[0]},
        {"type": "response.completed", "response": done},
    ]
    return 200, [(event["type"], event | {"sequence_number": nth}) for nth, event in enumerate(events)]


# --- Anthropic


def anthropic(_path, body):
    call = call_of("anthropic", body)
    request, roles = json.loads(body), PLANTED[call]
    if call.endswith(".error"):
        message = f"messages.0.content: the text \"{roles['user']}\" is not allowed"
        return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"}
    model, tokens_in, tokens_out = FACTS[call]
    usage = {"input_tokens": tokens_in, "output_tokens": tokens_out, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    content = [{"type": "text", "text": roles["completion"]}] if "completion" in roles else []
    if "reasoning" in roles:
        content.insert(0, {"type": "thinking", "thinking": roles["reasoning"], "signature": "c2lnbmF0dXJl"})
    if call.endswith(".tool"):
        content.append({"type": "tool_use", "id": "toolu_2", "name": "tide_table", "input": {"port": roles["tool_argument"], "hours": 6}})
    reason = "tool_use" if call.endswith(".tool") else "end_turn"
    head = {"id": f"msg_{call.replace('.', '_')}", "type": "message", "role": "assistant", "model": model}
    if not request.get("stream"):
        return 200, head | {"content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}
    start = head | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage | {"output_tokens": 1}}
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    events += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words(roles["completion"])]
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": tokens_out}},
        {"type": "message_stop"},
    ]
    return 200, [(event["type"], event) for event in events]


# --- Gemini


def google(path, body):
    call = call_of("google", body)
    roles = PLANTED[call]
    if call.endswith(".error"):
        message = f"Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), \"{roles['user']}\""
        return 400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    model, tokens_in, tokens_out = FACTS[call]
    if "mbedContent" in path:
        vector = {"values": VECTOR, "statistics": {"tokenCount": tokens_in}}
        return 200, {"embeddings": [vector], "embedding": vector}
    usage = {"promptTokenCount": tokens_in, "candidatesTokenCount": tokens_out, "totalTokenCount": tokens_in + tokens_out}
    parts = []
    if "reasoning" in roles:
        parts.append({"text": roles["reasoning"], "thought": True})
    if "completion" in roles:
        parts.append({"text": roles["completion"]})
    if call.endswith(".tool"):
        parts.append({"functionCall": {"name": "tide_table", "args": {"port": roles["tool_argument"], "hours": 6}}})
    if "picture" in roles:
        parts.append({"inlineData": {"mimeType": "image/png", "data": picture(roles["picture"])}})
    tail = {"modelVersion": model, "responseId": f"r-{call.replace('.', '-')}"}

    def answer(these, reason, **more):
        candidate = {"index": 0, "content": {"role": "model", "parts": these}} | ({"finishReason": reason} if reason else {})
        return {"candidates": [candidate]} | more | tail

    if "stream" not in path:
        return 200, answer(parts, "STOP", usageMetadata=usage)
    pieces = words(roles["completion"])
    chunks = [answer([{"text": piece}], None, usageMetadata=usage | {"candidatesTokenCount": 1}) for piece in pieces[:-1]]
    return 200, [(None, chunk) for chunk in chunks + [answer([{"text": pieces[-1]}], "STOP", usageMetadata=usage)]]


class Stub(http.server.ThreadingHTTPServer):
    """The three APIs on one port; `failures` says what it could not answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        provider = {"openai": openai, "anthropic": anthropic, "google": google}[self.path.split("/")[1]]
        try:
            status, answer = provider(self.path, body)
        except (LookupError, ValueError) as error:
            self.server.failures.append(f"{self.path}: {error!r}")
            status, answer = 501, {"error": {"message": "the stub does not know this call", "type": "stub", "code": 501}}
        if isinstance(answer, list):
            lines = [(f"event: {event}\n" if event else "") + f"data: {said if isinstance(said, str) else json.dumps(said)}\n\n" for event, said in answer]
            self.reply(status, "text/event-stream", "".join(lines).encode())
        else:
            self.reply(status, "application/json", json.dumps(answer).encode())

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass
