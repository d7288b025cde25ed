"""The contract of schedulers: what each of `SCHEDULERS`, as a spec may name it, keeps.

A new scheduler, or another way for objectives to count, is one more line there. Trials report by
hand what their curves say; no Ray is started.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from search.history import Trial
from search.optimize.compared import compared_metrics
from search.optimize.outcome import COLLAPSED, METRICS
from search.optimize.plan import Plan
from search.optimize.scheduler import scheduler_for
from search.spec import Scheduler
from tests.support.plans import a_plan

TRIALS, EPOCHS = 16, 9  # with the rungs 1, 2, 4 and 8
# One trial in five ends by its own patience after so many epochs.
PATIENT, PATIENCE = 5, 6

MULTI = {"name": "multi_objective_asha", "grace_epochs": 1, "reduction_factor": 2}
LEFT, RIGHT = ({"metric": name, "direction": "maximize"} for name in ("left", "right"))
BOUND = {"role": "constraint", "bound": 0.5}
TOLERANCE = {"role": "lexicographic", "tolerance": 0.1}

# Name -> what it says in a spec.
SCHEDULERS: dict[str, dict[str, Any]] = {
    "none": {"scheduler": {"name": "none"}},
    "asha": {"scheduler": MULTI | {"name": "asha"}},
    "no rung": {"scheduler": MULTI | {"grace_epochs": EPOCHS}},
    "one objective": {"scheduler": MULTI, "objectives": [LEFT]},
    "two objectives": {"scheduler": MULTI},
    "a bound": {"scheduler": MULTI, "objectives": [LEFT, RIGHT | BOUND]},
    "a tolerance": {"scheduler": MULTI, "objectives": [LEFT, RIGHT | TOLERANCE]},
    "a minimised one": {
        "scheduler": MULTI,
        "objectives": [LEFT, RIGHT | {"direction": "minimize"}],
    },
}

Curve = Mapping[int, Mapping[str, float]]  # epoch -> metric -> value
Step = tuple[int, int]  # number of a trial, and an epoch of it
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]


@pytest.fixture(params=SCHEDULERS)
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    budget = {"trials": TRIALS, "epochs": EPOCHS}
    return a_plan(tmp_path, **{"budget": budget} | SCHEDULERS[request.param])


def random_curves(seed: int) -> dict[int, Curve]:
    """Values in [0, 1], without a tie, of two metrics of each trial."""
    values = np.random.default_rng(seed).random((TRIALS, EPOCHS, 2))
    return {
        number: {
            epoch: {"left": float(values[number, epoch - 1, 0]),
                    "right": float(values[number, epoch - 1, 1])}
            for epoch in range(1, last_epoch(number) + 1)
        }
        for number in range(TRIALS)
    }  # fmt: skip


def last_epoch(number: int) -> int:
    return PATIENCE if number % PATIENT == PATIENT - 1 else EPOCHS


def random_steps(seed: int) -> list[Step]:
    """Each trial's epochs in order, those of several trials in any."""
    generator = np.random.default_rng(seed)
    left = {number: list(range(1, last_epoch(number) + 1)) for number in range(TRIALS)}
    steps = []
    while left:
        number = int(generator.choice(sorted(left)))
        steps.append((number, left[number].pop(0)))
        if not left[number]:
            del left[number]
    return steps


def report(
    scheduler: Any, number: int, epoch: int, metrics: Mapping[str, float], **more: Any
) -> str:
    """What the scheduler says to a result as Ray flattens it."""
    trial = SimpleNamespace(
        trial_id=f"t{number}", config={"number": number, "must_end": False}, status="RUNNING"
    )
    flat = {f"{METRICS}/{name}": value for name, value in metrics.items()}
    is_last = epoch == last_epoch(number)
    result = flat | {"epoch": epoch, "done": is_last, "ended": is_last and epoch < EPOCHS} | more
    said = str(scheduler.on_trial_result(None, trial, result))
    if result["done"]:
        scheduler.on_trial_complete(None, trial, result)
    return said


def play(
    scheduler: Any,
    curves: Mapping[int, Curve],
    steps: Sequence[Step],
    stopped: set[int] | None = None,
    more: Callable[[Step], dict[str, Any]] = lambda step: {},
) -> dict[Step, str]:
    """What is said at each step; a trial that was stopped reports no more."""
    stopped, said = set(stopped or ()), {}
    for number, epoch in steps:
        if number not in stopped:
            step = (number, epoch)
            said[step] = report(scheduler, number, epoch, curves[number][epoch], **more(step))
            stopped |= {number} if said[step] == "STOP" else set()
    return said


def recorded(curves: Mapping[int, Curve], said: Mapping[Step, str]) -> list[Trial]:
    """The trials as a store gives them back to a search that resumes, the newest first."""
    reached = {number: epoch for number, epoch in said}
    trials = []
    for number, last in reversed(reached.items()):
        is_complete = last == last_epoch(number)
        state = "stopped" if said[number, last] == "STOP" else "interrupted"
        seen = {
            metric: {epoch: curves[number][epoch][metric] for epoch in range(1, last + 1)}
            for metric in ("left", "right")
        }
        trials.append(
            Trial(state="complete" if is_complete else state, configuration={}, curves=seen,
                  epoch=last, number=number)
        )  # fmt: skip
    return trials


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trial_that_is_best_is_never_stopped(plan: Plan, seed: int) -> None:
    """The best in every objective at every epoch, whenever it arrives at a rung."""
    curves, steps = random_curves(seed), random_steps(seed)
    best_right = -2.0 if plan.spec.objectives[-1].direction == "minimize" else 2.0
    for best in (0, 3, PATIENT - 1):
        all_over = {epoch: {"left": 2.0, "right": best_right} for epoch in curves[best]}
        said = play(scheduler_for(plan, []), curves | {best: all_over}, steps)
        assert {said[best, epoch] for epoch in all_over} == {"CONTINUE"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_resumed_search_decides_as_an_uninterrupted_one(plan: Plan, seed: int) -> None:
    """From wherever it is cut off, with nothing but what was recorded until then."""
    curves, steps = random_curves(seed), random_steps(seed)
    expected = play(scheduler_for(plan, []), curves, steps)
    for cut in range(0, len(steps), 17):
        before = {step: expected[step] for step in steps[:cut] if step in expected}
        stopped = {number for (number, _), said in before.items() if said == "STOP"}
        resumed = scheduler_for(plan, recorded(curves, before))
        after = play(resumed, curves, steps[cut:], stopped)
        assert before | after == expected, f"cut off after {cut} steps"


def test_only_a_scheduler_that_compares_stops_anybody(plan: Plan) -> None:
    """About half at each rung; `none` nobody, nor one whose first rung is at the last epoch."""
    said = play(scheduler_for(plan, []), random_curves(0), random_steps(0))
    assert ("STOP" in said.values()) == bool(compared_metrics(plan.spec))


def test_the_epoch_drives_it_and_never_rays_count(plan: Plan) -> None:
    """Ray's `training_iteration` starts again in every new Tuner."""
    curves, steps = random_curves(1), random_steps(1)
    counts = np.random.default_rng(0).integers(1, EPOCHS, len(steps)).tolist()
    counted = dict(zip(steps, counts, strict=True))
    said = play(
        scheduler_for(plan, []), curves, steps,
        more=lambda step: {"training_iteration": counted[step]},
    )  # fmt: skip
    assert said == play(scheduler_for(plan, []), curves, steps)


@pytest.mark.parametrize("others", [0, 1, 6])
def test_nan_ends_a_trial_at_its_first_rung(plan: Plan, others: int) -> None:
    """In any objective that is compared, however few have been there; what is not is no matter."""
    for metric in compared_metrics(plan.spec):
        scheduler = scheduler_for(plan, [])
        for number in range(1, others + 1):
            report(scheduler, number, 1, {"left": 0.1, "right": 0.1})
        values = {"left": 0.9, "right": 0.9} | {metric: math.nan}
        assert report(scheduler, 0, 1, values) == "STOP"
    if not compared_metrics(plan.spec):
        scheduler = scheduler_for(plan, [])
        assert report(scheduler, 0, 1, dict.fromkeys(("left", "right"), math.nan)) == "CONTINUE"


def test_a_trial_that_has_collapsed_ends_at_any_epoch(plan: Plan) -> None:
    """Also between two rungs, without any, and if it is the best; `none` stops nobody."""
    scheduler = scheduler_for(plan, [])
    best = {"left": 0.9, "right": 0.5}
    assert report(scheduler, 0, 1, best | {COLLAPSED: 0.0}) == "CONTINUE"
    assert report(scheduler, 0, 2, best) == "CONTINUE"
    expected = "CONTINUE" if plan.spec.scheduler.name == "none" else "STOP"
    assert report(scheduler, 0, 3, best | {COLLAPSED: 1.0}) == expected


def test_every_scheduler_that_a_spec_may_name_is_under_contract() -> None:
    names = get_args(Scheduler.model_fields["name"].annotation)
    assert names and set(names) == {each["scheduler"]["name"] for each in SCHEDULERS.values()}
