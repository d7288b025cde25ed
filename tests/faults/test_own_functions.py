"""A user's own training function in real searches: cut off, logged, and failing in every trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cli.stored_searches import log_of_trial, stored_search, trial_document
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.launches import PATIENCE_SECONDS, Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", ["killed", pytest.param("memory", marks=pytest.mark.long)])
def test_a_function_cut_off_in_its_third_epoch_continues_in_its_third(
    place: Place, tmp_path: Path, how: str
) -> None:
    """By `kill -9` of its worker, and out of memory next to another trial, which is retried."""
    trained = tmp_path / "trained"
    spec = hills("counted_epochs", budget={"trials": 2, "epochs": 5})
    spec["space"] = {"x": {"type": "float", "low": -2, "high": 3}}
    spec["task"]["settings"] = {"trained": str(trained), "how": how}
    finished(place.run(spec))
    assert_truthful(place, place.search(), trials=2, epochs=5)
    assert sorted(trained.read_text().split()) == sorted("1 2 3 3 4 5".split() * 2)
    log = log_of_trial(place.uri, place.search(), 0)
    lines = [line for line in log.splitlines() if line.startswith("training epoch")]
    assert lines == [f"training epoch {epoch}" for epoch in (1, 2, 3, 3, 4, 5)]


@pytest.mark.long
def test_a_function_that_fails_in_every_trial_ends_the_search_and_resume_runs_them_again(
    place: Place, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    spec = hills("always_fails", budget={"trials": 8, "epochs": 2})
    spec["resources"] = {"parallelism": 1}
    spec["task"]["settings"] = {"broken": str(broken)}
    command = place.run(spec)
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1, output
    assert "3 trials in a row failed alike: RuntimeError: the table of labels is empty" in output
    search = place.search()
    assert find_summary(open_client(place.uri), search).state == "failed"
    assert {trial.state for trial in place.trials(search)} <= {"failed", "interrupted"}
    stored = stored_search(place.uri, search)
    shown = trial_document(stored, stored.trial(0), {})
    assert shown.reason == "RuntimeError: the table of labels is empty"
    assert "in always_fails" in shown.traceback
    assert "about to fail" in log_of_trial(place.uri, search, 0)
    broken.unlink()
    function = "tests.support.functions:always_fails"
    finished(place.start("resume", search, "--allow-code", function))
    assert find_summary(open_client(place.uri), search).state == "complete"
    assert [trial.state for trial in place.trials(search)] == ["complete"] * 8


def test_a_function_is_given_the_texts_that_its_task_names_and_no_others_later(
    place: Place, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.csv"
    rows = "".join(f"a {number},good\nno {number},bad\n" for number in range(20))
    texts.write_text(f"text,label\n{rows}")
    spec = hills("vowels", budget={"trials": 2, "epochs": 2})
    spec["task"]["data"] = str(texts)
    said = finished(place.run(spec))
    assert "trial.data: classification of texts: 24 train, 8 validation, 8 test" in said
    search = place.search()
    assert all(trial.values[0] == 1.0 for trial in place.trials(search))
    assert find_summary(open_client(place.uri), search).fingerprint["data"]["classes"] == 2
    texts.write_text(f"text,label\n{rows}none,good\n")
    command = place.start("resume", search, "--allow-code", "tests.support.functions:vowels")
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode and f"the data set of {search} was texts@" in " ".join(output.split())


@pytest.mark.long
def test_a_changed_function_continues_a_failed_search(place: Place, tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(
        "def train(configuration, trial):\n"
        "    if configuration['x'] is not None:\n"
        "        raise SystemExit(3)\n"
        "    trial.report({'left': 0, 'right': 0})\n"
    )
    spec = hills(budget={"trials": 4, "epochs": 1})
    spec["resources"] = {"parallelism": 1}
    spec["task"]["train"] = "python:mine:train"
    command = place.run(spec)
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1 and "called sys.exit(3); fix: return" in output
    module.write_text(
        "def train(configuration, trial):\n"
        "    trial.report({'left': configuration['x'], 'right': 0})\n"
    )
    asked = ("--allow-code", "mine:train", "--changed-code")
    finished(place.start("resume", place.search(), *asked))
    assert [trial.state for trial in place.trials(place.search())] == ["complete"] * 4
