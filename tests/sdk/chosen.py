"""Which clients `make test` runs: one for each protocol and language. `make test-all` runs all of them."""

import pytest


def chosen(cases, *core):
    """The cases, all but those in `core` marked as left out by `make test`. A name in `core` that is no case is a mistake."""
    assert set(core) <= set(cases), set(core) - set(cases)
    return [case if case in core else marked(case) for case in cases]


def marked(case):
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.every)
