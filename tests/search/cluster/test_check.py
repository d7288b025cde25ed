from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from search.cli.doctor import as_lines
from search.cluster.check import Check, passed, run_check


def test_an_error_in_a_check_is_a_failed_check_with_the_message() -> None:
    def breaks() -> Iterator[Check]:
        yield passed("first", "well")
        raise KeyError("what was missing")

    first, second = run_check("subject", breaks, 10)
    assert first.status == "pass"
    assert (second.status, second.name) == ("fail", "subject")
    assert "what was missing" in second.found


def test_all_lines_of_a_mistake_are_shown() -> None:
    mistakes = "python:loop:train:\n" + "\n".join(f"loop.py:{n}: {'wrong ' * 60}" for n in (3, 7))

    def breaks() -> list[Check]:
        raise ValueError(mistakes)

    (check,) = run_check("own code", breaks, 10)
    assert check.found == mistakes
    lines = as_lines(check)
    assert [line[30:] for line in lines[:3]] == mistakes.splitlines()
    assert lines[0].startswith("FAIL  own code ") and lines[3].strip().startswith("fix: ")


def test_a_check_that_hangs_fails_at_its_time_limit() -> None:
    began = time.monotonic()
    (check,) = run_check("subject", lambda: [time.sleep(30)], 0.2)  # type: ignore[list-item, func-returns-value]
    assert check.status == "fail" and "no answer" in check.found
    assert time.monotonic() - began < 10


def test_a_check_that_did_not_pass_must_say_how_to_fix_it() -> None:
    with pytest.raises(AssertionError):
        Check("subject", "fail", "broken")
