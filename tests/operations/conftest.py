"""Each test has a proxy and an upstream of its own."""

import pytest

import running


@pytest.fixture
def upstream():
    server = running.Upstream()
    yield server
    server.stop()


@pytest.fixture
def tamis(tmp_path):
    """Starts Tamis with a configuration; the listeners are added."""
    started = []

    def start(config):
        started.append(running.Tamis(tmp_path, config))
        return started[-1]

    yield start
    for server in started:
        server.stop()
