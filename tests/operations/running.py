"""What the tests start: Tamis, an upstream that can go away, Prometheus; and the traffic between them."""

import collections
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "tamis.rules.yml"
TAMIS = Path(os.environ.get("TAMIS_BIN", Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "tamis"))
START_SECONDS = 60
# Longer than anything takes; only a failing test waits for it.
LONG_SECONDS = 180


def tool(name):
    """A program of Debian's package `prometheus`."""
    unpacked = Path(os.environ.get("PROMETHEUS_DIR", ROOT / ".cache" / "prometheus" / "usr" / "bin")) / name
    found = unpacked if unpacked.exists() else shutil.which(name)
    assert found, f"needs {name}: run `make test`, which unpacks it"
    return str(found)


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, body=None, headers=None, method=None):
    """Status and text of an answer, whatever the status is."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def eventually(what, check, seconds=LONG_SECONDS):
    """Gives what `check` returns once it is true; fails with `what`, a text or what gives one, when the time is up."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.2)


class Server:
    """One process, its log, and its end."""

    def __init__(self, command, ready, log):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if fetch(ready)[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"not ready: {log.read_text()}")
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tamis(Server):
    """`tamis serve` with a configuration of which only the addresses are filled in."""

    def __init__(self, directory, config):
        if not TAMIS.exists():
            raise RuntimeError(f"{TAMIS} is not there: run `cargo build`, or set TAMIS_BIN")
        ingest, admin = free_port(), free_port()
        scheme = "https" if "[listen.tls]" in config else "http"
        self.url, self.admin = f"{scheme}://127.0.0.1:{ingest}", f"http://127.0.0.1:{admin}"
        self.config = directory / "tamis.toml"
        self.config.write_text(f'version = 1\n[listen]\ningest = "127.0.0.1:{ingest}"\nadmin = "127.0.0.1:{admin}"\n{config}')
        command = [str(TAMIS), "serve", "-c", str(self.config)]
        super().__init__(command, self.admin + "/ready", directory / "tamis.log")

    def metrics(self):
        status, text = fetch(self.admin + "/metrics")
        assert status == 200
        return text


class Upstream:
    """Takes everything at one port; can go away and come back."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = None
        # Path, headers and body of the last requests.
        self.seen = collections.deque(maxlen=100)
        self.start()

    def start(self):
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                seen.append((self.path, self.headers, self.rfile.read(int(self.headers.get("Content-Length") or 0))))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_args):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class Traffic:
    """Invented events of several kinds, again and again, until stopped."""

    EVENT = {
        "message": "Mail to ada@example.com from 192.0.2.7 failed",
        "user": {"email": "ada@example.com", "ip_address": "192.0.2.7", "id": "u-42"},
        "extra": {"prompt": "A red fox in the snow, oil on canvas", "took_ms": 12.25},
    }

    def __init__(self, url, paths):
        self.url = urllib.parse.urlsplit(url)
        self.paths = paths
        self.statuses = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        if self.url.scheme == "https":
            # Whose certificate it is, is not what these tests are about.
            connection = http.client.HTTPSConnection(self.url.netloc, timeout=20, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection(self.url.netloc, timeout=20)
        event = json.dumps(self.EVENT)
        while not self.ending.wait(0.02):
            for path, content_type, body in self.paths(event):
                try:
                    connection.request("POST", path, body, {"Content-Type": content_type})
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses.append(answer.status)
                except OSError:
                    connection.close()

    def stop(self):
        self.ending.set()
        self.thread.join(timeout=30)


class Prometheus(Server):
    """Debian's Prometheus, which scrapes one Tamis and evaluates rules, both twice a second."""

    def __init__(self, directory, target, rules):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        (directory / "rules.yml").write_text(rules)
        (directory / "prometheus.yml").write_text(
            "global: { scrape_interval: 500ms, evaluation_interval: 500ms }\n"
            f"rule_files: [{directory}/rules.yml]\n"
            "scrape_configs:\n"
            f"  - {{ job_name: tamis, static_configs: [{{ targets: ['{urllib.parse.urlsplit(target).netloc}'] }}] }}\n"
        )
        command = [
            tool("prometheus"),
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        super().__init__(command, self.url + "/-/ready", directory / "prometheus.log")

    def api(self, path, **query):
        status, text = fetch(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(text)
        assert status == 200 and answer["status"] == "success", f"{path} {query}: {text}"
        return answer["data"]

    def query(self, expression):
        """The samples of an expression now, as pairs of labels and number."""
        found = self.api("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def alerts(self, severity=None):
        """Alerts that are pending or firing, as a set of (name, state)."""
        labels = [(alert["labels"], alert["state"]) for alert in self.api("alerts")["alerts"]]
        return {(one["alertname"], state) for one, state in labels if severity in (None, one["severity"])}
