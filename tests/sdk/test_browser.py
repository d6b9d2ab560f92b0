"""A browser on another origin: its preflight is answered, its envelopes are taken, its SDK notices nothing."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading

import pytest

import servers
from servers import HERE, capture

EVENT_ID = "0123456789ab4def8123456789abcdef"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """The page's program with the SDK in one file."""
    target = tmp_path_factory.mktemp("bundle") / "page.js"
    esbuild = HERE / "node_modules" / ".bin" / "esbuild"
    subprocess.run([esbuild, "browser_page.js", "--bundle", "--log-level=error", f"--outfile={target}"], cwd=HERE, check=True)
    return target


@pytest.fixture
def open_page(bundle, tmp_path):
    """Serves the page, opens it in Chromium, gives back what it found."""
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=pages.serve_forever, daemon=True).start()

    def open_(url):
        studio = {
            "dsn": capture.dsn(url),
            "endpoint": f"{url}/api/{capture.INVENTED['project_id']}/envelope/",
            "key": capture.INVENTED["public_key"],
            "envelope": servers.plain_envelope(EVENT_ID).decode(),
            "user": capture.INVENTED["users"][0],
            "prompt": capture.INVENTED["prompts"]["short"],
        }
        shutil.copy(bundle, tmp_path / "page.js")
        page = f"<!doctype html><meta charset=utf-8><title>studio</title><script>window.studio = {json.dumps(studio)}</script>"
        (tmp_path / "index.html").write_text(page + "<script src=page.js></script>", encoding="utf-8")
        assert CHROMIUM, "needs chromium: run `make test`, or set CHROMIUM to a browser"
        done = subprocess.run(
            ["node", str(HERE / "browser.mjs"), f"http://localhost:{pages.server_address[1]}/"],
            env=dict(os.environ, CHROMIUM=CHROMIUM),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    yield open_
    pages.shutdown()


def assert_taken(page, events):
    plain, sdk = page["outcome"]
    assert plain.get("status") == 200, page
    assert sdk.get("flushed") is True, page
    assert EVENT_ID in events, page
    assert sdk["event_id"] in events, page
    assert not [line for line in page["console"] if "CORS" in line], page


def test_without_tamis_the_page_reaches_bugsink(bugsink, open_page):
    assert_taken(open_page(bugsink.url), bugsink.events())
    assert capture.INVENTED["users"][0]["email"] in bugsink.everything()


def test_a_page_on_another_origin_reports_through_tamis(bugsink, tamis, open_page):
    page = open_page(tamis(bugsink.url).url)
    assert_taken(page, bugsink.events())
    assert servers.residue(bugsink.everything()) == []
    for address, event in bugsink.events().values():
        assert address is None
        assert (event.get("user") or {}).get("ip_address") is None
        assert ((event.get("sdk") or {}).get("settings") or {}).get("infer_ip") != "auto"


def test_the_answer_names_the_same_cross_origin_rules_as_the_server(bugsink, tamis):
    """A preflight through Tamis allows what the server's own answer allows."""
    asked = {
        "Origin": "https://studio.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-sentry-auth",
    }
    direct, through = preflight(bugsink.url, asked), preflight(tamis(bugsink.url).url, asked)
    for answer in (direct, through):
        assert answer["access-control-allow-origin"] in ("*", "https://studio.example.com")
        assert "x-sentry-auth" in answer["access-control-allow-headers"].lower()
        assert "POST" in answer["access-control-allow-methods"]


def preflight(url, headers):
    request = servers.urllib.request.Request(f"{url}/api/{capture.INVENTED['project_id']}/envelope/", None, headers, method="OPTIONS")
    with servers.urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 204)
        return {name.lower(): value for name, value in answer.headers.items()}
