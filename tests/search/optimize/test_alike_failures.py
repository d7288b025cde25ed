"""When a search has failed: its trials fail alike, one after another."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.optimize import alike_failures
from search.optimize.alike_failures import AlikeFailures, kind_of
from search.optimize.outcome import Outcome

TRACEBACK = """Traceback (most recent call last):
  File "/mine/loop.py", line {line}, in train
    read()
KeyError: 'label'
"""


def failed(line: int = 7) -> Outcome:
    return Outcome("failed", reason=TRACEBACK.format(line=line))


def after(*outcomes: Outcome, most: int = 3) -> AlikeFailures:
    found = AlikeFailures(most)
    for number, outcome in enumerate(outcomes):
        found.note(number, outcome)
    return found


def test_three_trials_that_fail_alike_end_the_search_with_the_place() -> None:
    found = after(failed(), failed(), failed())
    assert found.numbers == [0, 1, 2]
    assert found.why == (
        "3 trials in a row failed alike: KeyError: 'label' (/mine/loop.py:7); fix the cause and "
        "resume the search, which runs them again"
    )


@pytest.mark.parametrize(
    "between",
    [
        failed(8), Outcome("failed", reason="not finite: left"),
        Outcome("failed", reason="the robust accuracy is in doubt, and ..."),
        Outcome("failed", reason="Traceback\nMemoryError\nout of memory"),
        Outcome("failed", reason="Traceback\nMemoryError\nout of memory, also alone"),
        Outcome("complete", 3, (1.0,)), Outcome("stopped", 1, reason="stopped by the scheduler"),
    ],
)  # fmt: skip
def test_what_is_not_alike_begins_the_count_anew(between: Outcome) -> None:
    assert after(failed(), failed(), between, failed(), failed()).why == ""


def test_once_a_trial_has_not_failed_it_takes_three_times_as_many() -> None:
    complete = Outcome("complete", 3, (1.0,))
    assert after(complete, *[failed()] * 8).why == ""
    assert "9 trials in a row failed alike" in after(complete, *[failed()] * 9).why


def test_zero_never_ends_the_search() -> None:
    assert after(*[failed()] * 50, most=0).why == ""


def test_the_first_verdict_stays() -> None:
    """Trials that were running when the search failed end after it, and are run again too."""
    found = after(*[failed()] * 4)
    assert found.why.startswith("3 trials") and found.numbers == [0, 1, 2, 3]


def test_the_place_is_in_the_users_code_if_the_failure_went_through_it() -> None:
    ours = Path(alike_failures.__file__).with_name("trainable.py")
    reason = TRACEBACK.format(line=7).replace(
        "KeyError", f'  File "{ours}", line 9, in step\nKeyError'
    )
    assert kind_of(Outcome("failed", reason=reason)) == "KeyError: 'label' (/mine/loop.py:7)"
