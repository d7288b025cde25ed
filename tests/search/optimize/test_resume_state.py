"""A resumed search: the state read from its runs, and what it suggests next."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from search.optimize.plan import trial_seed
from search.optimize.resume_state import resume_state_of
from search.tracking.read.history import load_history
from tests.support.asked_searchers import (
    CHOICES,
    CONDITIONAL,
    prior,
    reported,
    run_to_the_end,
    searcher_of,
    study_trials,
)
from tests.support.plans import a_plan
from tests.support.stores import RANDOM, new_store


def test_interrupted_trials_come_first_with_their_own_number_configuration_and_origin(
    tmp_path: Path,
) -> None:
    origin = {"step": "portfolio", "source_runs": ["p1"]}
    own = [
        prior(0, "complete", 0.5, values=(0.1, 0.2)),
        prior(1, "interrupted", 1.25, epoch=2, origin=origin),
        prior(2, "running", 1.5, epoch=1),
    ]
    searcher = searcher_of(a_plan(tmp_path, trials=4, resources={"parallelism": 3}), own)
    configs = [searcher.suggest(trial_id) for trial_id in "abc"]
    assert [config["number"] for config in configs] == [1, 2, 3]
    assert [config["configuration"]["x"] for config in configs[:2]] == [1.25, 1.5]
    assert configs[0]["checkpoints"] == str(tmp_path / "checkpoints" / "trial_0001")
    assert configs[0]["seed"] == trial_seed(0, 1)
    assert searcher.asked["a"].proposal.origin == origin


def test_interrupted_trials_are_asked_even_when_the_budget_is_used_up(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=1), [prior(0, "interrupted", 0.5)])
    assert searcher.has_more()
    assert [config["number"] for config in run_to_the_end(searcher)] == [0]


def test_an_extended_search_never_repeats_what_it_has_tried(tmp_path: Path) -> None:
    own = [
        prior(0, "complete", "a", values=(0.1, 0.2)), prior(1, "failed", "b"),
    ]  # fmt: skip
    searcher = searcher_of(a_plan(tmp_path, trials=9, space=CHOICES), own)
    assert [config["configuration"]["x"] for config in run_to_the_end(searcher)] == ["c"]


def test_a_number_that_never_started_does_not_cost_the_search_a_trial(tmp_path: Path) -> None:
    # Two are asked at once; 2 had started when the driver died, 1 had not, so it has no run.
    own = [prior(0, "complete", 0.5, values=(0.1, 0.2)), prior(2, "interrupted", 0.75)]
    asked = run_to_the_end(searcher_of(a_plan(tmp_path, trials=4), own))
    numbers = {trial.number for trial in own} | {config["number"] for config in asked}
    assert len(numbers) == 4


def test_an_interrupted_conditional_trial_is_asked_again_as_it_was(tmp_path: Path) -> None:
    configuration = {"optimizer": "adamw", "adamw.beta": 0.875}
    own = [prior(0, "interrupted", 0, configuration=configuration)]
    config = searcher_of(a_plan(tmp_path, space=CONDITIONAL), own).suggest("a")
    assert isinstance(config, dict) and config["configuration"] == configuration


def test_a_resumed_search_keeps_choices_apart_that_are_equal_in_python(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for number, (state, x) in enumerate([("complete", 2), ("interrupted", False)]):
        fields = {"number": number, "configuration": {"x": x}, "origin": RANDOM}
        values = [0.5, 0.5] if state == "complete" else []
        store.journal.append("start", **fields, checkpoints="/nowhere")
        store.journal.append("end", **fields, state=state, epoch=3, values=values, reason="")
    store.writer().drain()
    own = load_history(store.uri).prior_trials(state=None)
    space = {"x": {"type": "categorical", "choices": [0, False, 2]}}
    asked = run_to_the_end(searcher_of(a_plan(tmp_path, trials=9, space=space), own))
    assert [repr(config["configuration"]["x"]) for config in asked] == ["False", "0"]


def test_a_study_rebuilt_from_its_runs_equals_the_one_that_was_lost(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, trials=5)
    first = searcher_of(plan)
    own = []
    for number, (state, result) in enumerate(
        [
            ("complete", reported(3, left=0.1, right=0.2)),
            ("stopped", reported(2, left=0.3, right=0.4)),
            ("failed", reported(1, left=math.nan, right=0.4)),
            ("stopped", reported(1, left=0.3)),
        ]
    ):
        config = first.suggest(f"t{number}")
        outcome = first.end(f"t{number}", result)
        assert outcome is not None
        curves = {name: {result["epoch"]: value} for name, value in result["metrics"].items()}
        own.append(
            prior(number, state, config["configuration"]["x"], epoch=result["epoch"],
                  curves=curves, values=(0.1, 0.2) if state == "complete" else (),
                  reason=outcome.reason)
        )  # fmt: skip
    rebuilt = searcher_of(plan, own)
    rebuilt.suggest("next")
    assert [told(trial) for trial in study_trials(rebuilt)[:4]] == [
        told(trial) for trial in study_trials(first)
    ]


def told(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.state, trial.params, trial.distributions, trial.values, trial.user_attrs


def test_trials_outside_the_space_keep_their_numbers_but_are_not_learned_from(
    tmp_path: Path,
) -> None:
    own = [prior(0, "complete", 99.0, values=(1.0, 1.0)), prior(1, "failed", 0.5)]
    progress = resume_state_of(a_plan(tmp_path), own)
    assert [trial.number for trial in progress.finished] == [1]
    assert progress.next_number == 2
