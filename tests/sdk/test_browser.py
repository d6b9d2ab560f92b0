"""A browser on another origin: its preflight is answered, its envelopes are taken, its SDK notices nothing."""

import servers
from servers import capture

EVENT_ID = "0123456789ab4def8123456789abcdef"
PLAIN = {"envelope": servers.plain_envelope(EVENT_ID).decode()}


def assert_taken(page, events):
    plain, sdk = page["outcome"]
    assert plain.get("status") == 200, page
    assert sdk.get("flushed") is True, page
    assert EVENT_ID in events, page
    assert sdk["event_id"] in events, page
    assert not [line for line in page["console"] if "CORS" in line], page


def test_without_tamis_the_page_reaches_bugsink(bugsink, open_page):
    assert_taken(open_page(bugsink.url, **PLAIN), bugsink.events())
    assert capture.INVENTED["users"][0]["email"] in bugsink.everything()


def test_a_page_on_another_origin_reports_through_tamis(bugsink, tamis, open_page):
    page = open_page(tamis(bugsink.url).url, **PLAIN)
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
