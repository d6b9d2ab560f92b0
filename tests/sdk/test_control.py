"""Without Tamis: the same programs straight to the same servers, to show that the other tests can fail."""

import pytest

import servers
from servers import capture, run_program


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_without_tamis_bugsink_stores_what_was_planted(bugsink, sdk):
    report = run_program(sdk, "error", bugsink.url)
    assert report.returncode == 0 and not report.complaints, report.output
    assert set(report.event_ids) <= set(bugsink.events())
    left = servers.residue(bugsink.everything())
    user = capture.INVENTED["users"][0]
    assert user["email"] in left
    assert user["ip_address"] in left
    assert any("bakery" in form for form in left)


def test_without_tamis_bugsink_stores_the_senders_address(bugsink):
    event_id = "0123456789ab4def8123456789abcdef"
    assert servers.post(bugsink.url, servers.plain_envelope(event_id), {"X-Forwarded-For": "192.0.2.44"}) == 200
    address, _event = bugsink.events()[event_id]
    assert address == "192.0.2.44"


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_a_refusal_shows_in_the_report_of_a_program(sdk):
    refusing = capture.Recorder(status=400)
    report = run_program(sdk, "small", refusing.url)
    refusing.shutdown()
    assert report.complaints, report.output
