"""A browser on another origin: its preflight is answered, its envelopes are taken, its SDK notices nothing."""

import servers
from servers import capture
from services import PLANTED

EVENT_ID = "0123456789ab4def8123456789abcdef"
PLAIN = {"envelope": servers.plain_envelope(EVENT_ID).decode()} | {name: PLANTED[name] for name in ("ip", "token", "prompt")}
USER = capture.INVENTED["users"][0]


def assert_taken(page, events):
    plain, sdk = page["outcome"]
    assert plain.get("status") == 200, page
    assert sdk.get("flushed") is True, page
    assert EVENT_ID in events, page
    assert sdk["event_id"] in events, page
    assert not [line for line in page["console"] if "CORS" in line], page


def test_without_tamis_the_page_reaches_bugsink(bugsink, open_page):
    assert_taken(open_page(bugsink.url, **PLAIN), bugsink.events())
    assert set(PLANTED.values()) <= set(servers.residue(bugsink.everything(), PLANTED.values()))


def test_a_page_on_another_origin_reports_through_tamis(bugsink, tamis, open_page):
    page = open_page(tamis(bugsink.url).url, **PLAIN)
    assert_taken(page, bugsink.events())
    assert servers.residue(bugsink.everything(), [*capture.planted(), *PLANTED.values()]) == []
    events = bugsink.events()
    assert set(events) == {EVENT_ID, page["outcome"][1]["event_id"]}
    for address, event in events.values():
        assert address is None
        assert event["user"]["id"] == USER["id"]
        assert event["user"].get("ip_address") is None
        assert ((event.get("sdk") or {}).get("settings") or {}).get("infer_ip") != "auto"
    _address, event = events[page["outcome"][1]["event_id"]]
    note = "mail from [email] at [ip] with [credential]"
    assert (event["release"], event["environment"]) == ("studio-web@2.14.0", "production")
    assert event["exception"]["values"][0]["value"] == f"upload failed: {note}"
    assert event["extra"]["prompt"] == "[prompt chars=54 words=10]"
    job = event["contexts"]["job"]
    assert (job["note"], job["client_ip"], job["attempts"], job["cfg_scale"]) == (note, None, 3, 7.5)
    [crumb] = [crumb for crumb in event["breadcrumbs"] if crumb["category"] == "upload"]
    assert (crumb["message"], crumb["data"]) == (note, {"used": "[credential]", "bytes": 48151})


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
