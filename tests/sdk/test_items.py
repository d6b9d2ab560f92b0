"""What real SDKs send beside events: replays, files, profiles; and rate limits on the way back."""

import json
import shutil
import subprocess
import sys
import zlib

import pytest

import servers
from chosen import marked
from servers import HERE, capture
from services import PLANTED
from test_tamis import items

USER = capture.INVENTED["users"][0]
ALLOW = """unscanned_pass_consent = "screenshots show invented data"
attachments = { allow = ["image/png"] }
"""


def run(command, url, *arguments, directory=HERE):
    env = dict(servers.os.environ, SENTRY_DSN=capture.dsn(url), NODE_PATH=str(HERE / "node_modules"))
    done = subprocess.run([*command, *arguments], cwd=directory, env=env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def python(scenario, url, program=HERE / "items.py"):
    return run([sys.executable, str(program)], url, scenario, USER["email"], USER["ip_address"])


def unpacked(header, payload):
    """A payload as text: of a recording what is packed in it."""
    if header["type"] != "replay_recording":
        return payload.decode("utf-8", "replace")
    line, _, packed = payload.partition(b"\n")
    return (line + b"\n" + zlib.decompress(packed)).decode()


def everything(recorder):
    return "\n".join(
        json.dumps(header) + unpacked(header, payload) for body in recorder.bodies for header, payload in items(body)
    )


def assert_framed(recorder):
    """Lengths lead from item to item, and containers hold as many as they say."""
    for body in recorder.bodies:
        for header, payload in items(body):
            assert header.get("length", len(payload)) == len(payload)


# --- files and profiles ------------------------------------------------------------------------------


def test_without_tamis_files_hold_what_was_planted(recorder):
    python("files", recorder.url)
    assert {USER["email"], USER["ip_address"]} <= set(servers.residue(everything(recorder)))


@pytest.mark.parametrize("allowed", [False, True])
def test_text_files_are_scrubbed_and_pictures_follow_the_policy(recorder, tamis, allowed):
    proxy = tamis(recorder.url, policy=ALLOW if allowed else "")
    output = python("files", proxy.url)
    assert not [line for line in output.splitlines() if any(word in line.lower() for word in servers.COMPLAINTS)]
    assert servers.residue(everything(recorder)) == []
    assert_framed(recorder)
    [body] = recorder.bodies
    names = [header.get("filename") for header, _ in items(body)]
    assert names == [None, "of [email], today.log", "state.json"] + (["shot.png"] if allowed else [])
    payloads = dict(zip(names, [payload for _, payload in items(body)]))
    assert payloads["of [email], today.log"] == b"12:01 login of [email]\n12:02 from [ip]\n"
    assert json.loads(payloads["state.json"]) == {"owner": {"email": "[email]"}, "open": 3}
    if allowed:
        sys.path.insert(0, str(HERE))
        from items import PICTURE

        assert payloads["shot.png"] == PICTURE
    else:
        dropped = [line for line in proxy.metrics().splitlines() if 'outcome="dropped"' in line and 'reason="binary"' in line]
        assert [line.split()[-1] for line in dropped] == ["1"]
    assert f'tamis_unscanned_pass_enabled{{route="sentry"}} {int(allowed)}' in proxy.metrics()


def test_a_profile_loses_the_names_of_home_directories_and_nothing_else(recorder, tamis, tmp_path):
    program = tmp_path / "home" / "invented-jane" / "items.py"
    program.parent.mkdir(parents=True)
    shutil.copy(HERE / "items.py", program)
    python("profile", tamis(recorder.url).url, program)
    [profile] = [json.loads(payload) for body in recorder.bodies for header, payload in items(body) if header["type"] == "profile"]
    frames = profile["profile"]["frames"]
    assert "spin_in_invented_frame" in {frame["function"] for frame in frames}
    paths = [frame["abs_path"] for frame in frames if frame["function"] == "spin_in_invented_frame"]
    assert paths and all(path.endswith("/home/[person]/items.py") for path in paths)
    assert "invented-jane" not in everything(recorder)
    assert profile["profile"]["samples"]


# --- rate limits -------------------------------------------------------------------------------------

LIMITS = [
    (200, {}),
    (200, {"X-Sentry-Rate-Limits": "60:error:organization:quota, 2700:transaction:key"}),
    (200, {"X-Sentry-Rate-Limits": "60:transaction:organization"}),
    (429, {"Retry-After": "60"}),
    (429, {"X-Sentry-Rate-Limits": "60::organization"}),
    (413, {}),
    (503, {}),
]
PROGRAMS = {"python": [sys.executable, str(HERE / "items.py"), "limits", "", ""], "node": ["node", str(HERE / "limits.mjs")]}


def messages(recorder):
    """The messages that arrived, in order."""
    payloads = [payload for body in recorder.bodies for header, payload in items(body) if header["type"] == "event"]
    return [json.loads(payload)["message"] for payload in payloads]


@pytest.mark.parametrize("sdk", PROGRAMS)
@pytest.mark.parametrize(("status", "headers"), [LIMITS[0], *map(marked, LIMITS[1:3]), LIMITS[3], *map(marked, LIMITS[4:])])
def test_an_sdk_heeds_rate_limits_as_without_tamis(tamis, sdk, status, headers):
    seen = []
    for through in (False, True):
        recorder = capture.Recorder(status, headers)
        run(PROGRAMS[sdk], tamis(recorder.url).url if through else recorder.url)
        seen.append(messages(recorder))
        recorder.shutdown()
    assert seen[0] == seen[1]
    stopped = status == 429 or "error" in headers.get("X-Sentry-Rate-Limits", "")
    assert len(seen[1]) == (1 if stopped else 3)


# --- replays and tunnels, in Chromium ----------------------------------------------------------------

STUDIO = {name: PLANTED[name] for name in ("ip", "token", "prompt")}
SCRUBBED = "mail from [email] at [ip] with [credential]"


def replay(open_page, url, **studio):
    page = open_page(url, "replay_page.js", **STUDIO, **studio)
    assert page["outcome"].get("flushed") is True, page
    assert not [line for line in page["console"] if "CORS" in line], page
    return page["outcome"]


def recordings(recorder):
    found = []
    for body in recorder.bodies:
        for header, payload in items(body):
            if header["type"] == "replay_recording":
                assert payload.partition(b"\n")[2][:1] == b"x", "it is packed with zlib"
                line, _, events = unpacked(header, payload).partition("\n")
                found.append((json.loads(line), json.loads(events)))
    return found


def attributes(segments, name):
    """The attributes of the element with this id, where the page is first seen."""
    nodes = [event["data"]["node"] for _, events in segments for event in events if event["type"] == 2]
    for node in nodes:  # which grows as it is read
        if node.get("attributes", {}).get("id") == name:
            return node["attributes"]
        nodes.extend(node.get("childNodes", []))
    return {}


def test_without_tamis_a_recording_holds_what_was_typed(recorder, open_page):
    replay(open_page, recorder.url)
    text = everything(recorder)
    assert set(PLANTED.values()) <= set(servers.residue(text, PLANTED.values()))
    assert USER["email"][:-3] + '"' in text
    assert PLANTED["token"][:-3] + '"' in text


@pytest.mark.parametrize("tunnelled", [False, True])
def test_a_replay_arrives_without_what_was_planted(recorder, tamis, open_page, tunnelled):
    if tunnelled:
        # The SDK names the project as the vendor has it; the proxy's own host stands in the tunnel alone.
        dsn = f"https://{capture.INVENTED['public_key']}@o1.ingest.example.com/{capture.INVENTED['project_id']}"
        proxy = tamis(recorder.url, route=f'tunnel = ["{dsn}"]')
        outcome = replay(open_page, proxy.url, dsn=dsn, tunnel=f"{proxy.url}/monitoring")
    else:
        proxy = tamis(recorder.url)
        outcome = replay(open_page, proxy.url)
    text = everything(recorder)
    assert servers.residue(text, [*capture.planted(), *PLANTED.values()]) == []
    # No beginning of what was typed either.
    assert [name for name, value in PLANTED.items() if value[:8] in text] == []
    assert_framed(recorder)
    segments = recordings(recorder)
    assert [line["segment_id"] for line, _ in segments] == list(range(len(segments)))
    kinds = {event["type"] for _, events in segments for event in events}
    assert {2, 3, 4, 5} <= kinds, "snapshot, changes, page and custom events"
    typed = [event["data"]["text"] for _, events in segments for event in events if event["data"].get("source") == 5]
    assert set(typed) == {"[person]"}
    assert len(typed) == sum(map(len, PLANTED.values())) + len(" "), "one for each key that was struck"
    assert {"data-said": SCRUBBED}.items() <= attributes(segments, "said").items()
    assert SCRUBBED in [added["node"].get("textContent") for _, events in segments for event in events for added in event["data"].get("adds", [])]
    custom = [event["data"]["payload"] for _, events in segments for event in events if event["type"] == 5]
    assert f"logged in {SCRUBBED}" in [payload.get("message") for payload in custom]
    [fetched] = [payload["data"]["request"] for payload in custom if payload.get("op") == "resource.fetch"]
    assert fetched["headers"]["x-owner"] == SCRUBBED
    assert fetched["body"] == {"prompt": "[prompt chars=54 words=10]", "owner": "[email]", "said": SCRUBBED, "attempts": 3}
    replays = [json.loads(p) for body in recorder.bodies for h, p in items(body) if h["type"] == "replay_event"]
    assert replays and {event["replay_id"] for event in replays} == {outcome["replay_id"]}
    assert [event["segment_id"] for event in replays] == [line["segment_id"] for line, _ in segments]
    assert outcome["event_id"] in [error for event in replays for error in event["error_ids"]]
    assert {event["user"]["id"] for event in replays} == {USER["id"]}
    assert all(event["user"].get("ip_address") is None for event in replays)
    events = [json.loads(p) for body in recorder.bodies for h, p in items(body) if h["type"] == "event"]
    assert outcome["event_id"] in {event["event_id"] for event in events}
    paths = {request.path.partition("?")[0] for request in recorder.requests}
    assert paths == {f"/api/{capture.INVENTED['project_id']}/envelope/"}
    assert not [line for line in proxy.metrics().splitlines() if 'outcome="dropped"' in line and not line.endswith(" 0")]


def test_a_tunnel_for_another_project_reaches_nobody(recorder, tamis, open_page):
    proxy = tamis(recorder.url, route='tunnel = ["https://ffffffffffffffffffffffffffffffff@o1.ingest.example.com/7"]')
    open_page(proxy.url, "replay_page.js", **STUDIO, tunnel=f"{proxy.url}/monitoring")
    assert recorder.requests == []
    assert 'reason="dsn_refused"' in proxy.metrics()
