"""What the tests of analytics and language-model SDKs share: planted values, a service that takes everything, and
readings of what arrived: whatever can be decoded there is decoded."""

import base64
import http.server
import json
import re
import sys
import threading
import urllib.parse
import zlib

import zstandard

PLANTED = {
    "ip": "192.0.2.44",
    "email": "jane.roe@example.com",
    "token": "ghp_0123456789abcdefghijABCDEFGHIJKLMNOP",
    "prompt": "A paper lantern harbour at dusk with seven blue herons",
}
PHC = "phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX"
WRITE_KEY = "0123456789abcdefghijABCDEFGHIJKL"
PUBLIC_KEY, SECRET_KEY = "pk-lf-0123456789abcdef", "sk-lf-0123456789abcdef"
API_KEY = "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"
LAYERS_MAX = 6


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.body = method, path, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def plain(self):
        """The body without its content coding, labelled or not."""
        return unpacked(self.body) or self.body

    @property
    def json(self):
        return json.loads(self.plain)

    def residue(self):
        """The planted values that any reading of the request still holds."""
        whole = [self.path.encode(), json.dumps(self.headers).encode(), self.body]
        texts = [text for part in whole for text in readings(part)]
        return sorted({name for name, value in PLANTED.items() for text in texts if value in text})


def unpacked(data):
    """The content of gzip, zlib or zstd; `None` if it is none."""
    try:
        if data[:2] == b"\x1f\x8b":
            return zlib.decompressobj(31).decompress(data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        if data[:1] == b"\x78":
            return zlib.decompressobj().decompress(data)
    except (zlib.error, zstandard.ZstdError):
        pass
    return None


def readings(data, layers=LAYERS_MAX):
    """Every text that `data` says, through any codings on top of one another."""
    inner = unpacked(data)
    if inner is not None and layers:
        yield from readings(inner, layers - 1)
    text = data.decode("utf-8", "replace")
    yield text
    if not layers:
        return
    percent = urllib.parse.unquote_plus(text)
    if percent != text:
        yield from readings(percent.encode(), layers - 1)
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}={0,2}", text):
        try:
            decoded = base64.b64decode(run.translate(str.maketrans("-_", "+/")) + "=" * (-len(run) % 4))
        except ValueError:
            continue
        if unpacked(decoded) is not None or decoded.isascii():
            yield from readings(decoded, layers - 1)
    for string in re.findall(r'"(?:[^"\\]|\\.)*"', text):
        if "\\" not in string:
            continue
        try:
            value = json.loads(string)
            # gzip written as characters.
            yield from readings(value.encode("latin-1") if value[:1] == "\x1f" else value.encode(), layers - 1)
        except (ValueError, UnicodeEncodeError):
            continue


class Service(http.server.ThreadingHTTPServer):
    """Answers as the services do and keeps each request, in order of arrival."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def posted(self, path):
        """The requests with a body whose path begins so."""
        return [request for request in self.requests if request.method != "GET" and request.path.startswith(path)]


INFO = {
    "version": "0.10.0",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
        "size_limit": 100,
        "size_limit_bytes": 20971520,
    },
}


def answer(request):
    """Status and JSON body, as the real service gives them."""
    path = request.path.split("?")[0].rstrip("/")
    if path.endswith("/ingestion"):
        ids = [{"id": event["id"], "status": 201} for event in request.json["batch"]]
        return 207, {"successes": ids, "errors": []}
    if path.endswith("/api/public/media"):
        # An id that is not the beginning of the digest keeps the current SDK from uploading.
        media = request.json["sha256Hash"][:22].translate(str.maketrans("+/", "-_"))
        return 201, {"mediaId": media, "uploadUrl": f"http://{request.headers['host']}/store/upload"}
    if path.endswith("/info"):
        return 200, INFO
    if "/runs" in path:
        return 202, {"message": "ok"}
    if path.endswith(("/flags", "/decide")):
        flag = {"key": "beta", "enabled": True, "variant": None, "reason": {}, "metadata": {"id": 1, "version": 1, "payload": None}}
        return 200, {"flags": {"beta": flag}, "errorsWhileComputingFlags": False, "requestId": "r", "featureFlags": {"beta": True}}
    if "/array/" in path and path.endswith("/config"):
        return 200, REMOTE_CONFIG
    if path.endswith("/i/v1/analytics/events"):
        return 200, {"results": {event["uuid"]: {"result": "ok"} for event in request.json["batch"]}}
    if path.startswith("/v1/"):
        return 200, {"success": True}
    return 200, {"status": 1}


# Session replay is switched on from afar, as a project does.
REMOTE_CONFIG = {
    "supportedCompression": ["gzip", "gzip-js"],
    "hasFeatureFlags": True,
    "surveys": False,
    "heatmaps": False,
    "autocapture_opt_out": False,
    "sessionRecording": {"endpoint": "/s/", "recorderVersion": "v2", "consoleLogRecordingEnabled": False},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = Request(self.command, self.path, self.headers, self.read_body())
        self.server.requests.append(request)
        status, body = answer(request)
        self.reply(status, json.dumps(body).encode())

    do_GET = do_PATCH = do_PUT = do_POST

    def do_OPTIONS(self):
        self.reply(200, b"")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if origin := self.headers.get("Origin"):
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Allow-Credentials", "true")
            self.send_header("Access-Control-Allow-Headers", self.headers.get("Access-Control-Request-Headers", "*"))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_args):
        pass


def parts(request):
    """The parts of a multipart body: name to (headers, content)."""
    boundary = request.headers["content-type"].split("boundary=")[1].strip('"').encode()
    found = {}
    for part in request.plain.split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:].partition(b"\r\n\r\n")
        headers = {line.split(b":")[0].decode().lower(): line.split(b":", 1)[1].strip().decode() for line in head.split(b"\r\n")}
        name = re.search(r'name="([^"]*)"', headers["content-disposition"])[1]
        found[name] = (headers, content[:-2])
    return found
