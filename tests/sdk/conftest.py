"""Servers for the tests with real SDKs. Each test has a database, an upstream and a proxy of its own."""

import pytest

import servers


@pytest.fixture(scope="session")
def bugsink_database(tmp_path_factory):
    return servers.bugsink_database(tmp_path_factory.mktemp("bugsink-migrated"))


@pytest.fixture
def bugsink(bugsink_database, tmp_path_factory):
    server = servers.Bugsink(tmp_path_factory.mktemp("bugsink"), bugsink_database)
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

    def start(upstream, protocol="sentry"):
        started.append(servers.Tamis(tmp_path, upstream, protocol))
        return started[-1]

    yield start
    for server in started:
        server.stop()
