"""A function that a script passed is not stored, and the refusal says what the user can do."""

from __future__ import annotations

import pytest

from search.spec.own_code import NOTHING, require_allowed
from search.spec.sections import Task


def refusal(name: str, task: Task) -> str:
    with pytest.raises(PermissionError) as error:
        require_allowed(name, task, {"code": "0123456789ab"}, NOTHING)
    return str(error.value)


def test_a_search_of_a_passed_function_is_resumed_by_passing_it_again() -> None:
    said = refusal("pets-1201", Task(network="python:__main__:build"))
    assert "fix: pass it there, as search.resume('pets-1201', network=build)" in said


def test_a_trial_of_a_passed_function_wants_a_function_of_a_module() -> None:
    said = refusal("pets-1201#3", Task(network="python:__main__:build"))
    assert "search.resume" not in said
    assert "fix: write build into a module and search with network='python:MODULE:build'" in said
    assert "train='python:MODULE:loop'" in refusal("a#0", Task(train="python:__main__:loop"))
