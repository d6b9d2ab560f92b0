"""An SDK that has its events in the address of a picture: the page sees the picture, the event arrives without what was planted."""

import base64
import http.server
import json
import threading
import urllib.parse

import pytest

import servers
from servers import capture
from services import PLANTED

NOTED = {name: PLANTED[name] for name in ("ip", "token")}
USER = capture.INVENTED["users"][0]
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class Pictures(http.server.BaseHTTPRequestHandler):
    """Answers a `GET` of the store endpoint as Sentry does, and keeps what it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "image/gif")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(PICTURE)))
        self.end_headers()
        self.wfile.write(PICTURE)

    def log_message(self, *_args):
        pass


@pytest.fixture
def pictures():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.asked = []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def arrived(server):
    """The query of the one address that was asked for, and the event in it."""
    [address] = server.asked
    path, query = address.split("?")
    assert path == f"/api/{capture.INVENTED['project_id']}/store/"
    query = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
    return query, json.loads(query.pop("sentry_data"))


def test_without_tamis_the_address_says_what_was_planted(pictures, open_page):
    assert open_page(pictures.url, "raven_page.js", **NOTED)["outcome"] == "ravenSuccess"
    _query, event = arrived(pictures)
    assert event["message"] == f"mail from {USER['email']} at {NOTED['ip']} with {NOTED['token']}"
    assert event["user"]["email"] == USER["email"]


def test_through_tamis_the_picture_comes_and_nothing_that_was_planted_arrives(pictures, tamis, open_page):
    assert open_page(tamis(pictures.url).url, "raven_page.js", **NOTED)["outcome"] == "ravenSuccess"
    query, event = arrived(pictures)
    assert query == {
        "sentry_version": "4",
        "sentry_client": "raven-js/1.1.22",
        "sentry_key": capture.INVENTED["public_key"],
    }
    assert event["message"] == "mail from [email] at [ip] with [credential]"
    assert event["user"] == {"email": "[email]"}
    assert (event["release"], event["tags"]["plan"]) == ("studio-web@2.14.0", "free")
    assert servers.residue(pictures.asked[0], [USER["email"], *NOTED.values()]) == []
