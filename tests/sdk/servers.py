"""The processes that the tests start: Tamis, Bugsink, and the invented programs with their SDKs."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CAPTURE = ROOT / "tests" / "corpus" / "capture"
sys.path.insert(0, str(CAPTURE))

import capture  # noqa: E402  the recorder, the invented data and the forms in which a value can lie in bytes

START_SECONDS = 30
# A first start writes its database and compiles all of its Python.
PHOENIX_START_SECONDS = 240
BUGSINK_VENV = Path(os.environ.get("BUGSINK_VENV", ROOT / ".venv-bugsink"))
PHOENIX_VENV = Path(os.environ.get("PHOENIX_VENV", ROOT / ".venv-phoenix"))
CURRENT_VENV = Path(os.environ.get("CURRENT_VENV", ROOT / ".venv-current"))
TAMIS = Path(os.environ.get("TAMIS_BIN", Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "tamis"))

# What the SDKs log, with `debug` on, when a server did not take an envelope or could not be reached.
COMPLAINTS = (
    "unexpected status code",
    "responded with status code",
    "internal error in sentry",
    "failed to send",
    "encountered error running transport request",
    "error while sending",
)


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process, log, seconds):
    """Returns once `url` answers 200; fails when the process ends or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} before it was ready:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"not ready after {seconds} s:\n{log.read_text()}")


class Server:
    """One process, its log, and its end."""

    def __init__(self, command, ready, log, seconds=START_SECONDS, **options):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, **options)
        try:
            wait_for(ready, self.process, log, seconds)
        except RuntimeError:
            self.stop()
            raise

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tamis(Server):
    """`tamis serve` in front of one upstream, with the `strict` preset."""

    def __init__(self, directory, upstream, protocol="sentry", route=None, policy=""):
        if not TAMIS.exists():
            raise RuntimeError(f"{TAMIS} is not there: run `cargo build`, or set TAMIS_BIN")
        ingest, admin = free_port(), free_port()
        self.url, self.admin = f"http://127.0.0.1:{ingest}", f"http://127.0.0.1:{admin}"
        config = directory / "tamis.toml"
        if route is None:
            route = 'match = { path = "/api/**" }' if protocol == "sentry" else ""
        # Ids that join events become pseudonyms only where there is a key.
        key = directory / "pseudonym.key"
        key.write_text("0123456789abcdef0123456789abcdef")
        user_id = "" if protocol == "sentry" else f'actions = {{ user_id = {{ action = "pseudonym", key_file = "{key}" }} }}'
        # What is not Sentry's, where there is room for it.
        others = f'[[routes]]\nname = "otlp"\nprotocol = "otlp"\nupstream = "{upstream}"\npolicy = "default"'
        others = others if protocol == "sentry" and "match" in route else ""
        config.write_text(
            f"""version = 1
[listen]
ingest = "127.0.0.1:{ingest}"
admin = "127.0.0.1:{admin}"
[[routes]]
name = "{protocol}"
protocol = "{protocol}"
{route}
upstream = "{upstream}"
policy = "default"
{others}
[policies.default]
preset = "strict"
{user_id}
{policy}"""
        )
        super().__init__([str(TAMIS), "serve", "-c", str(config)], self.admin + "/ready", directory / "tamis.log")

    def metrics(self):
        with urllib.request.urlopen(self.admin + "/metrics", timeout=5) as answer:
            return answer.read().decode()


def bugsink_database(directory):
    """A migrated database with the invented project, to copy from: migrating takes seconds."""
    shutil.copy(HERE / "bugsink_conf.py", directory)
    manage = [str(BUGSINK_VENV / "bin" / "bugsink-manage")]
    if not Path(manage[0]).exists():
        raise RuntimeError(f"{manage[0]} is not there: run `make test`, which installs it")
    project = (
        "import uuid; from projects.models import Project; "
        f"Project.objects.create(id={capture.INVENTED['project_id']}, name='studio', "
        f"sentry_key=uuid.UUID('{capture.INVENTED['public_key']}'))"
    )
    for arguments in (["migrate"], ["shell", "-c", project]):
        subprocess.run(manage + arguments, cwd=directory, env=bugsink_env(directory), check=True, capture_output=True)
    return directory / "db.sqlite3"


def bugsink_env(directory):
    return dict(os.environ, DJANGO_SETTINGS_MODULE="bugsink_conf", PYTHONPATH=str(directory))


class Bugsink(Server):
    """A real server that speaks Sentry's protocol, with one worker and a database of its own."""

    def __init__(self, directory, database):
        shutil.copy(HERE / "bugsink_conf.py", directory)
        self.database = directory / "db.sqlite3"
        shutil.copy(database, self.database)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [str(BUGSINK_VENV / "bin" / "gunicorn"), "--workers", "1", "--threads", "4", "--bind", f"127.0.0.1:{port}", "bugsink.wsgi"]
        ready = self.url + "/health/ready"
        super().__init__(command, ready, directory / "bugsink.log", cwd=directory, env=bugsink_env(directory))

    def query(self, sql):
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def events(self):
        """The events that Bugsink shows, by id: (sender's address, event)."""
        rows = self.query("SELECT event_id, remote_addr, data FROM events_event")
        return {row[0].replace("-", ""): (row[1], json.loads(row[2])) for row in rows}

    def envelopes(self):
        """Every envelope that was posted, as it arrived."""
        return [bytes(row[0]) for row in self.query("SELECT data FROM ingest_envelope ORDER BY id")]

    def everything(self):
        """All text of the database and of the envelopes, for the search for residue."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            dump = "\n".join(connection.iterdump())
        finally:
            connection.close()
        files = [path.read_bytes() for path in (self.database.parent / "ingest").rglob("*") if path.is_file()]
        parts = [dump.encode()] + self.envelopes() + files
        return b"\n".join(parts).decode("utf-8", "replace")


class Phoenix(Server):
    """A real server that takes spans over OTLP, with a database of its own. It shows them in JSON."""

    def __init__(self, directory):
        port, grpc = free_port(), free_port()
        self.url, self.grpc = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{grpc}"
        env = dict(
            os.environ,
            PHOENIX_WORKING_DIR=str(directory),
            PHOENIX_HOST="127.0.0.1",
            PHOENIX_PORT=str(port),
            PHOENIX_GRPC_PORT=str(grpc),
            PHOENIX_TELEMETRY_ENABLED="false",
        )
        command = PHOENIX_VENV / "bin" / "phoenix"
        if not command.exists():
            raise RuntimeError(f"{command} is not there: run `make test`, which installs it")
        super().__init__([str(command), "serve"], self.url + "/healthz", directory / "phoenix.log", PHOENIX_START_SECONDS, env=env)

    def spans(self, trace, count):
        """The spans of one trace, as the server shows them, once there are so many."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with urllib.request.urlopen(f"{self.url}/v1/projects/default/spans?limit=1000", timeout=10) as answer:
                spans = [span for span in json.load(answer)["data"] if span["context"]["trace_id"] == trace]
            if len(spans) >= count:
                return spans
            time.sleep(0.1)
        raise RuntimeError(f"{len(spans)} spans of {count} after {START_SECONDS} s")


class Report:
    """What a program said about its own reporting."""

    def __init__(self, done):
        self.returncode = done.returncode
        self.output = done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"event_ids"')]
        self.event_ids = json.loads(lines[-1])["event_ids"] if lines else None

    @property
    def complaints(self):
        return [line for line in self.output.splitlines() if any(c in line.lower() for c in COMPLAINTS)]


PROGRAMS = {
    "python": [sys.executable, str(CAPTURE / "studio.py")],
    "node": ["node", str(CAPTURE / "studio.mjs")],
}


def run_program(sdk, scenario, url, **env):
    """Runs one scenario of an invented program against the Sentry-like server at `url`."""
    env = dict(os.environ, SENTRY_DSN=capture.dsn(url), STUDIO_DEBUG="1", **env)
    done = subprocess.run([*PROGRAMS[sdk], scenario], env=env, capture_output=True, text=True, timeout=90)
    return Report(done)


def residue(text, values=None):
    """The planted values that `text` still holds, in whatever form."""
    found = {form for value in (values or capture.planted()) for form in capture.forms(value) if form in text}
    return sorted(found)


def post(url, body, headers):
    """Posts an envelope as a plain sender; returns the status."""
    path = f"{url}/api/{capture.INVENTED['project_id']}/envelope/?sentry_version=7&sentry_key={capture.INVENTED['public_key']}"
    try:
        with urllib.request.urlopen(urllib.request.Request(path, body, headers), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def plain_envelope(event_id):
    """A minimal event whose address the server is asked to infer."""
    event = {
        "event_id": event_id,
        "timestamp": 1760025600.001,
        "platform": "javascript",
        "level": "error",
        "logentry": {"formatted": "render queue is full"},
        "user": {"id": "user-48151", "ip_address": "{{auto}}"},
    }
    payload = json.dumps(event)
    return f'{{"event_id":"{event_id}"}}\n{{"type":"event","length":{len(payload)}}}\n{payload}\n'.encode()
