"""The log at its most talkative: our own records alone, and nothing of what senders sent in them."""

import json
import socket
import struct
import urllib.parse

import pytest
from running import eventually, fetch

CONFIG = """
[log]
format = "{format}"
[[routes]]
name = "events"
protocol = "generic"
match = {{ path = "/events/**" }}
upstream = "http://127.0.0.1:9"
[[routes]]
name = "kept"
protocol = "generic"
match = {{ path = "/kept/**" }}
upstream = "inbox"
"""
PLANTED = ["ada@example.com", "192.0.2.77", "s3cret-header", "quokka"]
BODY = b'{"user":{"email":"ada@example.com","ip_address":"192.0.2.77"},"note":"quokka"}'


def send_h2(url):
    """One POST over HTTP/2 in clear, its header fields as literals, so that a library would have them to tell of."""

    def literal(name, value):
        return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    def frame(kind, flags, stream, payload):
        return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload

    host = urllib.parse.urlsplit(url)
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/kept/quokka?mail=ada@example.com"),
        (":authority", host.netloc),
        ("content-type", "application/json"),
        ("authorization", "s3cret-header"),
    ]
    block = b"".join(literal(name, value) for name, value in fields)
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block) + frame(0, 1, 1, BODY))
        answer = b""
        # Until our stream's end: a frame with END_STREAM on stream 1.
        while True:
            at = 0
            while at + 9 <= len(answer):
                length = int.from_bytes(answer[at : at + 3], "big")
                kind, flags, stream = answer[at + 3], answer[at + 4], int.from_bytes(answer[at + 5 : at + 9], "big")
                if stream == 1 and kind in (0, 1) and flags & 1 and at + 9 + length <= len(answer):
                    return
                assert not (stream == 1 and kind == 3), "the stream was reset"
                at += 9 + length
            piece = connection.recv(65536)
            assert piece, "the connection was closed"
            answer += piece


def send_some(url):
    headers = {"Content-Type": "application/json", "X-Other": "s3cret-header", "Cookie": "quokka=1"}
    assert fetch(url + "/kept/quokka?mail=ada@example.com", BODY, headers)[0] == 200
    assert fetch(url + "/events/quokka", BODY, headers)[0] == 503
    assert fetch(url + "/nowhere/quokka", BODY, headers)[0] == 404
    assert fetch(url + "/kept/quokka", BODY[:-5], headers)[0] == 400
    send_h2(url)


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_of_a_sender_is_logged(form, tamis, monkeypatch):
    monkeypatch.setenv("TAMIS_LOG", "trace,h2=trace,hyper=trace")
    server = tamis(CONFIG.format(format=form))
    send_some(server.url)
    eventually("requests are told of", lambda: server.log.read_text().count("tamis::access") >= 4)
    server.stop()
    text = server.log.read_text()
    assert [value for value in PLANTED if value in text] == []
    if form == "json":
        records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert {record["target"].split("::")[0] for record in records} == {"tamis"}
        access = [record["fields"] for record in records if record["target"] == "tamis::access"]
        assert {fields["route"] for fields in access} == {"events", "kept"}
        assert {fields["code"] for fields in access} == {200, 400, 503}


def test_by_default_requests_are_not_told_of(tamis, monkeypatch):
    monkeypatch.delenv("TAMIS_LOG", raising=False)
    server = tamis(CONFIG.format(format="json"))
    send_some(server.url)
    server.stop()
    assert "tamis::access" not in server.log.read_text()
