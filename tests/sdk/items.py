"""An invented program that sends the items that are no events: files and a profile.

Usage: SENTRY_DSN=http://key@host/42 python items.py SCENARIO
"""

import json
import os
import sys
import time

import sentry_sdk

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + bytes(range(256))


def start(**options):
    sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], debug=True, auto_session_tracking=False, default_integrations=False, **options)


def files(email, address):
    start()
    log = f"12:01 login of {email}\n12:02 from {address}\n"
    state = json.dumps({"owner": {"email": email}, "open": 3})
    with sentry_sdk.new_scope() as scope:
        scope.add_attachment(bytes=log.encode(), filename=f"of {email}, today.log", content_type="text/plain")
        scope.add_attachment(bytes=state.encode(), filename="state.json", content_type="application/json")
        scope.add_attachment(bytes=PICTURE, filename="shot.png", content_type="image/png")
        sentry_sdk.capture_message("render queue is full")


def spin_in_invented_frame(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def profile(_email, _address):
    start(traces_sample_rate=1.0, profiles_sample_rate=1.0)
    with sentry_sdk.start_transaction(op="render", name="render one frame"):
        spin_in_invented_frame(0.5)


def limits(_email, _address):
    start()
    for nth in range(3):
        sentry_sdk.capture_message(f"message {nth}")
        sentry_sdk.flush(timeout=10)


if __name__ == "__main__":
    {"files": files, "profile": profile, "limits": limits}[sys.argv[1]](*sys.argv[2:])
    sentry_sdk.flush(timeout=10)
