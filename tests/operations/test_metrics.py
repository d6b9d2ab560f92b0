"""What `/metrics` says, held against promtool, the documentation, and a sender who tries to make it grow."""

import http.client
import itertools
import re
import socket
import ssl
import subprocess
import urllib.parse

import trustme
from running import Traffic, eventually, fetch, tool
from test_rules import documented

CONFIG = """
[[routes]]
name = "events"
protocol = "generic"
match = { path = "/events/**" }
upstream = "inbox"
[[routes]]
name = "sentry"
protocol = "sentry"
match = { path = "/api/**" }
upstream = "inbox"
"""


def families(text):
    return set(re.findall(r"^# TYPE (\w+) ", text, re.M))


def series(text):
    return [line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]


def send(tamis, method="POST", path="/events/a", headers=None, body=b"{}"):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(tamis.url).netloc, timeout=20)
    connection.request(method, path, body, headers or {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def place(tamis):
    url = urllib.parse.urlsplit(tamis.url)
    return url.hostname, url.port


def use_everything(tamis):
    """Requests after which every kind of metric has been counted once."""
    assert send(tamis, body=b'{"user":{"email":"ada@example.com"}}') == 200
    assert send(tamis, path="/nowhere") == 404
    assert send(tamis, headers={"Content-Type": "application/json", "Content-Encoding": "lzma"}) == 415
    with socket.create_connection(place(tamis), timeout=20) as bare:
        bare.sendall(b"GET / HTTP/1.1\nhost: a\n\n")
        assert bare.recv(12) == b"HTTP/1.1 400"


def test_promtool_has_nothing_to_say(tamis):
    server = tamis(CONFIG)
    use_everything(server)
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=server.metrics(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_documentation_names_what_there_is(tamis, upstream, tmp_path):
    """Every metric that is exposed is documented, and every documented one is exposed once it has something to say."""
    shadow = '[policies.shadow]\nmode = "shadow"\nunscanned_pass_consent = "a test"\n'
    server = tamis(
        CONFIG
        + f'[[routes]]\nname = "watched"\nprotocol = "generic"\nmatch = {{ path = "/watched/**" }}\nupstream = "{upstream.url}"\npolicy = "shadow"\n'
        + shadow
        # Where nobody is: what is counted is there at 0.
        + '[telemetry.traces]\nendpoint = "http://127.0.0.1:9/v1/traces"\n'
    )
    use_everything(server)
    assert send(server, path="/watched/a", body=b'{"email":"ada@example.com"}') == 200
    assert families(server.metrics()) | families(secured(tamis, tmp_path).metrics()) == documented()


def secured(tamis, directory):
    """With certificates on both sides, and one sender who shook hands."""
    chain, key = directory / "chain.pem", directory / "key.pem"
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    key.write_bytes(issued.private_key_pem.bytes())
    chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    files = f'cert_file = "{chain}", key_file = "{key}"'
    server = tamis(
        f"tls = {{ {files} }}\n"
        + f'[[routes]]\nname = "events"\nprotocol = "generic"\nupstream = {{ url = "https://localhost:1", {files} }}\n'
    )
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(place(server), timeout=20) as plain, trusting.wrap_socket(plain):
        return server


def test_a_sender_cannot_add_a_series(tamis):
    """Random paths, methods, headers, types and bodies: after a first round of each kind nothing new appears."""
    server = tamis(CONFIG)
    kinds = list(
        itertools.product(
            ("POST", "GET", "PUT", "BREW"),
            ("/events/{}", "/api/{}/envelope/", "/{}", "/events/a?key={}"),
            ("application/json", "text/plain", "application/x-{}"),
        )
    )

    def a_round(word):
        for method, path, content_type in kinds:
            headers = {"Content-Type": content_type.format(word), "User-Agent": word, f"X-{word}": word, "Content-Encoding": word[:2]}
            for coded in (headers, {name: value for name, value in headers.items() if name != "Content-Encoding"}):
                send(server, method, path.format(word), coded, f'{{"{word}":"{word}@example.com"}}'.encode())

    a_round("quokka")
    known = set(series(server.metrics()))
    for at in range(5):
        a_round(f"quokka{at}")
    text = server.metrics()
    assert set(series(text)) - known == set()
    assert "quokka" not in text
    assert len(known) < 2000


def test_gauges_fall_back_when_it_is_quiet(tamis):
    server = tamis(CONFIG)
    traffic = Traffic(server.url, lambda event: [("/events/a", "application/json", event)])
    eventually("traffic", lambda: len(traffic.statuses) > 20)
    traffic.stop()
    assert set(traffic.statuses) == {200}

    def quiet():
        text = server.metrics()
        return 'tamis_requests_in_flight{route="events"} 0' in text and "tamis_memory_held_bytes 0" in text

    eventually("quiet", quiet)
    assert fetch(server.admin + "/api/v1/ledger")[0] == 200
