"""Servers for the tests with real SDKs. Each test has a database, an upstream and a proxy of its own."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading

import pytest

import servers
from servers import capture


@pytest.fixture(scope="session")
def bugsink_database(tmp_path_factory):
    return servers.bugsink_database(tmp_path_factory.mktemp("bugsink-migrated"))


@pytest.fixture
def bugsink(bugsink_database, tmp_path_factory):
    server = servers.Bugsink(tmp_path_factory.mktemp("bugsink"), bugsink_database)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory):
    """One for all tests: it takes its time to start. Each looks at a trace of its own."""
    server = servers.Phoenix(tmp_path_factory.mktemp("phoenix"))
    yield server
    server.stop()


@pytest.fixture
def recorder():
    server = servers.capture.Recorder()
    yield server
    server.shutdown()


@pytest.fixture
def tamis(tmp_path):
    """Starts Tamis in front of an upstream given by its URL."""
    started = []

    def start(upstream, **options):
        started.append(servers.Tamis(tmp_path, upstream, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A page's program with the SDK in one file."""
    directory = tmp_path_factory.mktemp("bundle")
    esbuild = servers.HERE / "node_modules" / ".bin" / "esbuild"

    def bundle_(program):
        target = directory / program
        if not target.exists():
            subprocess.run([esbuild, program, "--bundle", "--log-level=error", f"--outfile={target}"], cwd=servers.HERE, check=True)
        return target

    return bundle_


@pytest.fixture
def open_page(bundle, tmp_path):
    """Serves a page with one program, opens it in Chromium, gives back what it found."""
    directory = tmp_path / "pages"
    directory.mkdir()
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory))
    threading.Thread(target=pages.serve_forever, daemon=True).start()

    def open_(url, program="browser_page.js", **options):
        studio = {
            "dsn": capture.dsn(url),
            "endpoint": f"{url}/api/{capture.INVENTED['project_id']}/envelope/",
            "key": capture.INVENTED["public_key"],
            "user": capture.INVENTED["users"][0],
            "prompt": capture.INVENTED["prompts"]["short"],
        } | options
        shutil.copy(bundle(program), directory / "page.js")
        page = f"<!doctype html><meta charset=utf-8><title>studio</title><body><script>window.studio = {json.dumps(studio)}</script>"
        (directory / "index.html").write_text(page + "<script src=page.js></script>", encoding="utf-8")
        assert CHROMIUM, "needs chromium: run `make test`, or set CHROMIUM to a browser"
        done = subprocess.run(
            ["node", str(servers.HERE / "browser.mjs"), f"http://localhost:{pages.server_address[1]}/"],
            env=dict(os.environ, CHROMIUM=CHROMIUM),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    yield open_
    pages.shutdown()
