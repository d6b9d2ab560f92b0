"""Settings of the Bugsink server that the tests start. Lies in the directory of its database when it runs."""

from pathlib import Path

from bugsink.settings.default import *  # noqa: F403

HERE = Path(__file__).resolve().parent

SECRET_KEY = "only-for-tests-" + "x" * 40
TIME_ZONE = "UTC"
DATABASES["default"]["NAME"] = str(HERE / "db.sqlite3")  # noqa: F405
DATABASES["snappea"]["NAME"] = str(HERE / "snappea.sqlite3")  # noqa: F405
# Events are digested before the sender is answered, so that a test may look at once.
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
# As behind one proxy: a sender's address that came through shows in `events_event.remote_addr`.
USE_X_FORWARDED_FOR = True
X_FORWARDED_FOR_PROXY_COUNT = 1
BUGSINK = {
    "BASE_URL": "http://localhost:8000",
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "PHONEHOME": False,
    "KEEP_ENVELOPES": 1000,
    "INGEST_STORE_BASE_DIR": str(HERE / "ingest"),
}
