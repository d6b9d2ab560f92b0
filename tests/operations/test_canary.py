"""`tamis canary` and `tamis health` against a running instance."""

import subprocess

import running
from running import TAMIS, free_port

CONFIG = """
[admin]
token_file = "{token}"
[[routes]]
name = "canary"
protocol = "generic"
match = {{ path = "/canary/**" }}
upstream = "inbox"
policy = "proved"
[[routes]]
name = "events"
protocol = "generic"
match = {{ path = "/events/**" }}
upstream = "http://127.0.0.1:9"
[policies.proved]
preset = "strict"
{policy}
"""


def run(*arguments):
    return subprocess.run([str(TAMIS), *arguments], capture_output=True, text=True, timeout=180)


def config(tmp_path, policy=""):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    return CONFIG.format(token=token, policy=policy)


def runs(server):
    prefix = 'tamis_canary_runs_total{result="'
    lines = [line for line in server.metrics().splitlines() if line.startswith(prefix)]
    return {line[len(prefix) :].split('"')[0]: int(line.rpartition(" ")[2]) for line in lines}


def test_it_comes_through_clean_and_is_counted(tamis, tmp_path):
    server = tamis(config(tmp_path))
    for turn in (1, 2):
        done = run("canary", "-c", str(server.config))
        assert (done.returncode, done.stdout) == (0, "7 values in 7 bodies planted, 0 found in what left\n"), done.stderr
        assert runs(server) == {"clean": turn, "leaked": 0, "failed": 0}
    assert "tamis_canary_last_clean_timestamp_seconds 0" not in server.metrics()


def test_a_policy_with_a_hole_leaks(tamis, tmp_path):
    server = tamis(config(tmp_path, '[policies.proved.actions]\nemail = "keep"'))
    done = run("canary", "-c", str(server.config))
    assert done.returncode == 1
    assert "an e-mail address came through in a JSON document" in done.stderr
    assert "an e-mail address came through in base64 in JSON" in done.stderr
    assert "@example.com" not in done.stdout + done.stderr, "values are not told, though they are invented"
    assert runs(server) == {"clean": 0, "leaked": 1, "failed": 0}


def test_what_does_not_arrive_is_no_proof(tamis, tmp_path):
    server = tamis(config(tmp_path))
    done = run("canary", "-c", str(server.config), "--to", server.url + "/events/a")
    assert done.returncode == 74 and "503" in done.stderr, done.stderr
    assert runs(server) == {"clean": 0, "leaked": 0, "failed": 1}
    done = run("canary", "--to", f"127.0.0.1:{free_port()}/canary", "--admin", server.admin)
    assert done.returncode == 74 and "nothing answers" in done.stderr, done.stderr
    # Without a token nobody is told.
    assert runs(server)["failed"] == 1


def test_a_wrong_token_is_told(tamis, tmp_path):
    server = tamis(config(tmp_path))
    wrong = tmp_path / "wrong"
    wrong.write_text("fedcba9876543210")
    done = run("canary", "--to", server.url + "/canary", "--admin", server.admin, "--token-file", str(wrong))
    assert done.returncode == 74 and "not counted: answered 401" in done.stderr, done.stderr
    assert runs(server) == {"clean": 0, "leaked": 0, "failed": 0}


def test_health_is_what_ready_says(tamis, tmp_path):
    server = tamis(config(tmp_path))
    assert run("health", "-c", str(server.config)).returncode == 0
    assert run("health", "--admin", server.admin).returncode == 0
    done = run("health", "--admin", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1 and "nothing answers" in done.stderr
    server.stop()
    assert run("health", "--admin", server.admin).returncode == 1


def test_the_manual_pages_are_written(tmp_path):
    assert ".TH tamis 1" in run("man").stdout
    assert run("man", "--dir", str(tmp_path)).returncode == 0
    assert (tmp_path / "tamis-canary.1").read_text().count("\\-\\-token\\-file") >= 1
    for shell in ("bash", "zsh", "fish"):
        assert "canary" in run("completions", shell).stdout
    assert running.DEPLOY.is_dir()
