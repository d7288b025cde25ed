"""Hours are those of the GPUs, or else of the CPUs, and are said in a unit that reads well."""

from __future__ import annotations

import pytest

from search.transfer.costs import Cost, cost_of, saved_in_words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "cost"),
    [
        ("resources: {gpus: 0.5, cpus: 4}", Cost(0.5, "GPU")),
        ("resources: {cpus: 2}", Cost(2.0, "core")),
        ("resources: {cpus: 2.0, gpus: 0.0, parallelism: 3, memory_gb: null}", Cost(2.0, "core")),
        ("name: digits", None),
        ("resources: none", None),
        ("resources: {gpus: -1}", None),
        ("[", None),
        ("", None),
        ("a: " + "[" * 5000, None),
    ],
)
def test_the_cost_of_a_trial_is_read_from_the_stored_spec(spec: str, cost: Cost | None) -> None:
    assert cost_of(spec) == cost


def test_hours_are_seconds_of_trials_by_what_a_trial_occupies() -> None:
    assert Cost(0.5, "GPU").hours(7200) == 1.0
    assert Cost(4, "core").hours(900) == 1.0


@pytest.mark.parametrize(
    ("hours", "words"),
    [(31.4, "31 GPU-hours"), (-1.25, "1.2 GPU-hours"), (0.5, "30 GPU-minutes"),
     (0.005, "18 GPU-seconds")],
)  # fmt: skip
def test_hours_are_said_in_a_unit_that_reads_well(hours: float, words: str) -> None:
    assert Cost(1, "GPU").in_words(hours) == words


@pytest.mark.parametrize(
    ("trials", "hours", "words"),
    [
        (3, 2.0, "saved 3 trials and 2.0 GPU-hours"),
        (-1, -2.0, "lost 1 trial and 2.0 GPU-hours"),
        (1.5, None, "saved 1.5 trials"),
        (2, -2.0, "saved 2 trials, and lost 2.0 GPU-hours"),
        (0, 0.5, "saved no trial, and saved 30 GPU-minutes"),
        (0, 0.0, "saved no trial"),
        (-1, -0.0001, "lost 1 trial"),  # a third of a second
    ],
)
def test_trials_and_hours_may_point_in_different_directions(
    trials: float, hours: float | None, words: str
) -> None:
    assert saved_in_words(trials, hours, Cost(1, "GPU")) == words
