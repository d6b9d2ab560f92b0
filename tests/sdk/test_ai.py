"""SDKs of models, instrumented in every way, through Tamis: nothing of a conversation arrives, models and counts of tokens do.

The programs of `ai/` run in environments of their own; each runs twice at once, with Tamis and without."""

import fnmatch
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import servers
import services
from chosen import marked
from servers import HERE, ROOT

sys.path.append(str(HERE / "ai"))

import arrivals  # noqa: E402
from stub import FACTS, Stub  # noqa: E402

AI_VENV = Path(os.environ.get("AI_VENV", ROOT / ".venv-ai"))
# By these trackers group, so what is taken out of them leaves the same token whatever it was.
EXCEPTION = re.compile(r"exception(\.values\[\]\.value|\.message|_list\[\]\.value)$")
# Of what is no content, how much must arrive as it was.
KEPT_MIN = 0.98
ALL = set(arrivals.WORDS.values())


def named(patterns):
    """The calls and roles that patterns such as `openai.image/*` stand for; one that stands for none is a mistake."""
    names = [(pattern, fnmatch.filter(ALL, pattern)) for pattern in patterns.split()]
    assert all(each for _pattern, each in names), patterns
    return {name for _pattern, each in names for name in each}


class Case:
    """One instrumentation: how its program is run, and what it does not record though it was said."""

    def __init__(self, program, protocol, unrecorded):
        self.program, self.protocol, self.unrecorded = program, protocol, named(unrecorded)

    def run(self, stub, target):
        """Runs the program to its end; what it complains of is printed by it."""
        language, _, name = self.program.partition("-")
        command = {"python": [AI_VENV / "bin" / "python", HERE / "ai" / "program.py"], "node": ["node", HERE / "ai" / "program.mjs"]}
        return subprocess.run([*command[language], name, stub, target], capture_output=True, text=True, timeout=150)


SENTRY_PYTHON = (
    "*/stop */vector anthropic.chat/tool_result google.*/tool_description google.chat/tool_argument google.vision/picture google.vision/upload openai.image/* "
    "openai.responses/reasoning"
)
# The AI SDK speaks to the stand-in of OpenAI alone, and tells nobody of pictures that it makes.
NO_VERCEL = "anthropic.* google.* openai.image/*"
CASES = [
    Case("python-sentry", "sentry", SENTRY_PYTHON),
    Case("python-sentry_streamed", "sentry", SENTRY_PYTHON),
    Case(
        "python-openllmetry", "otlp",
        "*/stop */vector google.*/system google.*/tool_description google.embedding/input openai.image/* openai.vision/link openai.vision/upload openai.vision/user",
    ),
    Case("python-openllmetry_events", "otlp", "*/stop google.* openai.chat/tool_description openai.tool/tool_description openai.image/*"),
    Case("python-openinference", "otlp", ""),
    Case("python-posthog", "posthog", "anthropic.chat/stop google.chat/stop */vector google.*/tool_description openai.image/* openai.vision/upload"),
    Case("python-langfuse", "langfuse", "anthropic.* google.* */vector openai.chat/stop openai.image/*"),
    Case(
        "node-sentry", "sentry",
        "*/stop */vector google.vision/picture google.vision/upload openai.image/* openai.responses/reasoning anthropic.chat/reasoning openai.responses*/system",
    ),
    Case("node-vercel_sentry", "sentry", f"{NO_VERCEL} */stop */vector openai.responses/reasoning"),
    Case("node-vercel_otel", "otlp", f"{NO_VERCEL} */vector openai.embedding/input"),
    Case("node-vercel_otel_legacy", "otlp", NO_VERCEL),
    Case("node-vercel_posthog", "posthog", f"{NO_VERCEL} */vector openai.embedding/input openai.vision/upload"),
    Case(
        "node-posthog", "posthog",
        "anthropic.chat/stop google.chat/stop anthropic.chat/reasoning openai.responses/reasoning */upload */vector google.chat/tool_argument google.chat/tool_result "
        "google.vision/link google.vision/picture openai.image/*",
    ),
    Case(
        "node-langfuse", "langfuse",
        "anthropic.* google.* */vector openai.image/link openai.image/picture openai.image/revised openai.responses/reasoning openai.responses/tool_argument",
    ),
]  # fmt: skip


class Run:
    """What arrived of one program, straight and through Tamis."""

    def __init__(self, case, directory):
        stub, straight, behind = Stub(), services.Service(), services.Service()
        proxy = servers.Tamis(directory, behind.url, protocol=case.protocol)
        try:
            with ThreadPoolExecutor(2) as pool:
                self.done = list(pool.map(lambda target: case.run(stub.url, target), (straight.url, proxy.url)))
            self.metrics = proxy.metrics()
        finally:
            for server in (stub, straight, behind):
                server.shutdown()
            proxy.stop()
        self.case, self.failures = case, stub.failures
        for done in self.done:
            assert done.returncode == 0, done.stdout + done.stderr
        self.straight, self.through = arrivals.Arrived(straight.requests), arrivals.Arrived(behind.requests)


# One way of instrumenting for each protocol and language.
CORE = ("python-sentry", "python-openllmetry", "python-posthog", "python-langfuse", "node-sentry", "node-vercel_otel", "node-posthog", "node-langfuse")
assert {case.program for case in CASES} >= set(CORE)
PARAMS = [case if case.program in CORE else marked(case) for case in CASES]


@pytest.fixture(scope="module", params=PARAMS, ids=lambda case: case.program)
def run(request, tmp_path_factory):
    return Run(request.param, tmp_path_factory.mktemp("ai"))


def test_without_tamis_the_conversations_arrive(run):
    assert run.failures == []
    assert ALL - set(run.straight.planted()) == run.case.unrecorded


def test_nothing_of_a_conversation_arrives(run):
    assert run.through.planted() == {}


def test_a_tracker_groups_by_what_is_left_of_an_error(run):
    values = [value for path, value in run.through.leaves if EXCEPTION.search(path)]
    assert [value for value in values if "chars=" in value] == []


def test_models_and_counts_of_tokens_arrive(run):
    sent = run.straight.facts()
    _model, *tokens = FACTS["openai.chat"]
    said = {fact for _path, fact in sent}
    assert set(tokens) <= said
    assert said & arrivals.MODELS
    assert sent - run.through.facts() == set()


def test_what_is_no_content_arrives(run):
    sent = run.straight.kept()
    missing = sent - run.through.kept()
    assert 1 - missing.total() / sent.total() >= KEPT_MIN, missing


def test_sending_succeeds(run):
    straight, through = run.done
    assert through.stdout == straight.stdout
    assert run.through.requests
