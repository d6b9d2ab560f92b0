"""Captures what real Sentry SDKs send, and writes it down so that a second capture gives the same files.

Usage: python tests/corpus/capture/capture.py    (from the repository, with the SDKs of `make test` installed)

Runs every scenario of `studio.py`, `studio.mjs` and `studio.rs` against a recording server on loopback.
Ids and times are replaced by fixed ones, paths and facts of the machine by those of an invented host;
item lengths are then put right. Everything else stays as the SDK wrote it, byte for byte.

Writes `tests/corpus/sentry/<sdk>-<scenario>.envelope` and, beside them, what a test may ask of each file:
`planted.json` (must not leave), `planted-later.json` (personal too, but found only by later rules),
`kept.json` (must survive byte for byte).
"""

import datetime
import gzip
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import zlib
from pathlib import Path

import brotli

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
OUT = ROOT / "tests" / "corpus" / "sentry"
INVENTED_TEXT = (HERE / "invented.json").read_text(encoding="utf-8")
INVENTED = json.loads(INVENTED_TEXT)
EPOCH = datetime.datetime(2025, 10, 9, 16, 0, 0, tzinfo=datetime.timezone.utc)

PYTHON = [
    "small", "small-clean", "auto-ip", "lookalikes", "error", "error-clean", "error-large", "chained", "hard",
    "transaction", "transaction-large", "transaction-clean", "logs", "metrics", "session", "check-in",
]  # fmt: skip
NODE = [
    "small", "small-clean", "auto-ip", "error", "gemini", "error-large", "error-clean", "transaction",
    "transaction-static", "transaction-large", "logs", "session", "check-in", "feedback", "hard",
]  # fmt: skip
RUST = ["small", "small-clean", "error", "transaction"]


# --- recording ---------------------------------------------------------------------------------------


class Request:
    """What arrived: headers by lower-case name, the body as sent and decoded."""

    def __init__(self, path, headers, raw):
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.raw = raw
        self.body = DECODERS[self.headers.get("content-encoding", "identity")](raw)


DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, "deflate": zlib.decompress, "identity": bytes}


class Recorder(http.server.ThreadingHTTPServer):
    """Answers as Sentry does and keeps each request, in order of arrival."""

    daemon_threads = True

    def __init__(self, status=200, headers=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.headers = headers or {}
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def bodies(self):
        return [request.body for request in self.requests]


def dsn(url):
    """The invented project's DSN at a server."""
    return f"{url.replace('://', '://' + INVENTED['public_key'] + '@')}/{INVENTED['project_id']}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.requests.append(Request(self.path, self.headers, self.read_body()))
        answer = b"{}"
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

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


def run(command, scenario):
    """The envelopes that one scenario sends."""
    recorder = Recorder()
    env = dict(os.environ, SENTRY_DSN=dsn(recorder.url), TZ="UTC", LC_ALL="C.UTF-8")
    subprocess.run([*command, scenario], cwd=HERE, env=env, check=True, stdout=subprocess.DEVNULL)
    recorder.shutdown()
    return recorder.bodies


# --- envelopes ---------------------------------------------------------------------------------------


def split(body):
    """The header line of an envelope and its items as (header line, payload)."""
    head, _, rest = body.partition(b"\n")
    items = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        if not line:
            continue
        length = json.loads(line).get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        else:
            payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        items.append((line, payload))
    return head, items


def join(head, items, final_newline):
    lines = [head]
    for line, payload in items:
        fixed = re.sub(rb'("length":\s*)\d+', rb"\g<1>%d" % len(payload), line)
        lines += [fixed, payload]
    return b"\n".join(lines) + (b"\n" if final_newline else b"")


def kind(body):
    """The type of the first item, which names the file where a scenario sends several envelopes."""
    _, items = split(body)
    return json.loads(items[0][0])["type"]


# --- normalising -------------------------------------------------------------------------------------

ID = re.compile(r"(?<![0-9A-Za-z.])(?:[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9A-Za-z])")
ISO = re.compile(r"(20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)")
UNIX = re.compile(r"(?<![\d.\-])(1[7-9]\d{8})(\.\d+)?(?![\d.])")
POINTER = re.compile(r"0x[0-9a-f]{6,16}")

# Facts of the machine, by key. The values are those of an invented host.
FACTS = [
    (r'("(?:free_memory|app_memory|free_storage)":\s*)\d+', r"\g<1>4294967296"),
    (r'("(?:memory_size|storage_size)":\s*)\d+', r"\g<1>8589934592"),
    (r'("processor_count":\s*)\d+', r"\g<1>4"),
    (r'("processor_frequency":\s*)[\d.]+', r"\g<1>2400"),
    (r'"[^"]*(?:Xeon|EPYC|AMD |Intel|ARM|Neoverse)[^"]*"', '"Invented CPU"'),
    (r'("(?:device|process|app)\.[a-z_.]*(?:memory|storage|count|pid|frequency)[a-z_.]*":\s*\{"value":)[\d.]+', r"\g<1>4096"),
    (r'("kernel_version":\s*)"[^"]*"', r'\g<1>"6.1.0-18-amd64"'),
    (r'("(?:build|version)":\s*)"#\d+[^"]*"', r'\g<1>"6.1.0-18-amd64"'),
    (r'("thread\.id":\s*)(?:"\d+"|\d+(?=[,}]))', r'\g<1>"1"'),
    (r'("thread\.id":\s*\{[^}]*"value":\s*)("?)\d+("?)', r"\g<1>\g<2>1\g<3>"),
    (r'("thread_id":\s*)\d+', r"\g<1>1"),
    (r'("(?:sample_rand)":\s*)"[\d.]+"', r'\g<1>"0.421337"'),
    (r"(sentry-sample_rand=)[\d.]+", r"\g<1>0.421337"),
    (r'("duration":\s*)0\.\d+', r"\g<1>0.1845"),
    (r"(127\.0\.0\.1:)\d{4,5}", r"\g<1>8000"),
    (r'("(?:net\.(?:host|peer)\.port|client\.port|server\.port|network\.peer\.port|net\.transport\.port)":\s*)\d+', r"\g<1>8000"),
]  # fmt: skip


def places():
    """Paths of this machine, longest first, and where they lie on the invented host."""
    interpreter = Path(sys.base_prefix)
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    found = {
        str(HERE): "/srv/app",
        str(ROOT / "tests" / "sdk" / "node_modules"): "/srv/app/node_modules",
        sys.prefix: "/srv/venv",
        str(ROOT): "/srv/app",
        str(interpreter): "/usr",
        str(Path.home()): "/home/app",
        str(cargo / "registry" / "src"): "/usr/share/cargo/registry",
    }
    return sorted(found.items(), key=lambda pair: -len(pair[0]))


def seconds(match):
    """A time match as microseconds since 1970."""
    if match.re is UNIX:
        return int(match[1]) * 1_000_000 + int(((match[2] or ".0")[1:] + "000000")[:6])
    instant = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.timezone.utc)
    return int(instant.timestamp()) * 1_000_000 + int(((match[2] or ".0")[1:] + "000000")[:6])


class Normaliser:
    """Replaces what changes from run to run. One per scenario: an id keeps its stand-in across envelopes."""

    def __init__(self, name, bodies):
        self.name = name
        self.ids = {}
        texts = [body.decode("utf-8") for body in bodies]
        times = {seconds(m) for text in texts for r in (ISO, UNIX) for m in r.finditer(text) if not self.ours(m[0])}
        self.times = {instant: rank for rank, instant in enumerate(sorted(times))}

    @staticmethod
    def ours(text):
        """Whether the program itself wrote this, so that it stays."""
        return text in INVENTED_TEXT or text.startswith("2025-10-09T16:0")

    def stand_in(self, match):
        if self.ours(match[0]):
            return match[0]
        plain = match[0].replace("-", "")
        fresh = hashlib.sha256(f"{self.name} {len(self.ids)}".encode()).hexdigest()[: len(plain)]
        if len(plain) == 32:
            fresh = fresh[:12] + "4" + fresh[13:16] + "a" + fresh[17:]
        fresh = self.ids.setdefault(plain, fresh)
        if "-" in match[0]:
            fresh = "-".join((fresh[:8], fresh[8:12], fresh[12:16], fresh[16:20], fresh[20:]))
        return fresh

    def instant(self, match):
        if self.ours(match[0]):
            return match[0]
        moment = EPOCH + datetime.timedelta(microseconds=self.times[seconds(match)] * 1009 + 1237)
        digits = len(match[2]) - 1 if match[2] else 0
        fraction = ("." + (f"{moment.microsecond:06d}" + "7" * digits)[:digits]) if digits else ""
        if match.re is UNIX:
            return f"{int(moment.timestamp())}{fraction}"
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + match[3]

    def text(self, text):
        for here, there in places():
            text = text.replace(here, there)
        text = re.sub(r"/usr/share/cargo/registry/[^/\"]+/", "/usr/share/cargo/registry/", text)
        text = re.sub(r"/rustc/[0-9a-f]{40}/", "/rustc/", text)
        text = text.replace(os.uname().release, "6.1.0-18-amd64").replace(f'"{os.uname().nodename}"', '"web-1"')
        for pattern, replacement in FACTS:
            text = re.sub(pattern, replacement, text)
        text = POINTER.sub("0x7f0000000000", text)
        text = ISO.sub(self.instant, text)
        text = UNIX.sub(self.instant, text)
        return ID.sub(self.stand_in, text)

    def envelope(self, body):
        head, items = split(body)

        def fix(part):
            return self.text(part.decode("utf-8")).encode("utf-8")

        fixed = [(fix(line), fix(payload)) for line, payload in items]
        return join(fix(head), fixed, body.endswith(b"\n"))


# --- what a test may ask of a file -------------------------------------------------------------------


def forms(value):
    """A value as it can lie in the bytes: plain, JSON-escaped to three levels, percent-encoded, as Python prints it."""
    found = [value, urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value), repr(value)[1:-1]]
    for base in (value, repr(value)[1:-1]):
        for ascii_only in (True, False):
            escaped = base
            for _level in range(3):
                escaped = json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
                found.append(escaped)
    return list(dict.fromkeys(found))


def lies_in(values, body):
    text = body.decode("utf-8")
    return sorted({form for value in values for form in forms(value) if form in text})


def clips(prompt):
    """A prompt and two pieces of it, for where an SDK or a server cuts long strings."""
    words = prompt.replace("\n", " ").split(" ")
    return [prompt, " ".join(words[:5]), " ".join(words[-4:])]


def planted():
    people = INVENTED["users"]
    values = [person["email"] for person in people] + [person["ip_address"] for person in people]
    values += [person["username"] for person in people] + [INVENTED["hard"]["name"], INVENTED["hard"]["phone"]]
    values += INVENTED["emails"] + INVENTED["addresses"] + list(INVENTED["credentials"].values())
    prompts = [*INVENTED["prompts"].values(), INVENTED["hard"]["prompt_in_error"], INVENTED["hard"]["prompt_in_dump"]]
    return values + [clip for prompt in prompts for clip in clips(prompt)]


def planted_later():
    return clips(INVENTED["hard"]["prompt_in_log"])


ID_KEYS = ("event_id", "trace_id", "span_id", "parent_span_id", "sid", "check_in_id", "replay_id")
TIME_KEYS = ("timestamp", "start_timestamp", "started")


def walk(value, found):
    """Collects ids, times and module versions as they are written."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ID_KEYS and isinstance(inner, str):
                found.add(inner)
            elif key in TIME_KEYS and isinstance(inner, (str, Digits)):
                found.add(str(inner))
            elif key == "modules" and isinstance(inner, dict):
                found.update(f'"{version}"' for version in inner.values())
            else:
                walk(inner, found)
    elif isinstance(value, list):
        for inner in value:
            walk(inner, found)


class Digits(str):
    """A JSON number with the digits it was written with."""


def kept(body):
    """What must leave as it came: ids, times, versions, and our look-alikes where the file holds them."""
    found = set()
    head, items = split(body)
    for part in [head] + [payload for line, payload in items if json.loads(line)["type"] != "attachment"]:
        walk(json.loads(part, parse_float=Digits, parse_int=Digits), found)
    fixed = lies_in(INVENTED["kept"] + INVENTED["lookalikes"], body)
    text = body.decode("utf-8")
    return fixed + sorted(entry for entry in found if entry in text)[:60]


# --- main --------------------------------------------------------------------------------------------


def check_neutral(name, body):
    """Refuses a file that still names this machine."""
    text = body.decode("utf-8")
    user = Path.home().name
    for trace in (str(ROOT), str(Path.home()) + "/", f"/home/{user}/", os.uname().release, f'"{os.uname().nodename}"', "/.cargo/"):
        if trace in text:
            sys.exit(f"{name}: still names this machine ({trace})")


def main():
    subprocess.run(["cargo", "build", "--quiet", "--example", "studio"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    programs = [
        ("python", PYTHON, [sys.executable, str(HERE / "studio.py")]),
        ("node", NODE, ["node", str(HERE / "studio.mjs")]),
        ("rust", RUST, [str(target / "debug" / "examples" / "studio")]),
    ]
    OUT.mkdir(exist_ok=True)
    for old in OUT.glob("*.envelope"):
        old.unlink()
    lists = {"planted.json": {}, "planted-later.json": {}, "kept.json": {}}
    for sdk, scenarios, command in programs:
        for scenario in scenarios:
            bodies = [body for body in run(command, scenario) if kind(body) != "client_report"]
            normaliser = Normaliser(f"{sdk} {scenario}", bodies)
            taken = set()
            for body in bodies:
                name = f"{sdk}-{scenario}.envelope"
                if kind(body).startswith("session") and scenario != "session":
                    name = f"{sdk}-{scenario}-session.envelope"
                if name in taken:
                    name = f"{sdk}-{scenario}-{len(taken) + 1}.envelope"
                taken.add(name)
                fixed = normaliser.envelope(body)
                check_neutral(name, fixed)
                (OUT / name).write_bytes(fixed)
                lists["planted.json"][name] = lies_in(planted(), fixed)
                lists["planted-later.json"][name] = lies_in(planted_later(), fixed)
                lists["kept.json"][name] = kept(fixed)
                print(f"{len(fixed):>8} {name}")
    for name, entries in lists.items():
        (OUT / name).write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
