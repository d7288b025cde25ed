"""The survival benchmark finds what has gone wrong, and nothing where nothing has."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.survival.counts import counts
from benchmarks.survival.run import KILLS, KINDS, moment, spec_of
from search.spec import spec_from_yaml
from search.tracking.store import open_client
from search.tracking.write.journal import Event
from tests.support.stores import migrated_store

TRIALS, EPOCHS = 2, 2
NOTHING = {"lost": 0, "doubled": 0, "repeated": 0, "left RUNNING": 0}


def place(
    folder: Path,
    runs: list[tuple[int, str, str, float, list[int]]],
    events: list[tuple[str, int, dict[str, Any]]],
    notes: list[tuple[float, int, int]],
) -> Any:
    """Makes what is left of a search.

    Args:
        folder: For its store and its notes.
        runs: Number, state, status, x, and the epochs of its curve.
        events: Name, time and fields.
        notes: x, epoch and time of what was trained.
    """
    shutil.copy(migrated_store(), folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = open_client(uri)
    experiment = client.create_experiment("survival", artifact_location=str(folder))
    for number, state, status, x, steps in runs:
        tags = {
            "kind": "trial", "search": "s-1", "number": str(number), "state": state,
            "configuration": json.dumps({"x": x}),
        }  # fmt: skip
        run = client.create_run(experiment, tags={f"twentieth.{k}": v for k, v in tags.items()})
        for step in steps:
            client.log_metric(run.info.run_id, "score", 0.5, step=step)
        client.update_run(run.info.run_id, status=status)
    lines = [json.dumps({"x": x, "epoch": epoch, "time": at}) for x, epoch, at in notes]
    (folder / "trained.jsonl").write_text("\n".join(lines))
    listed = [Event(name, time, 1, fields, 0) for name, time, fields in events]
    return SimpleNamespace(uri=uri, search="s-1", folder=folder, events=lambda: listed)


GOOD = [(0, "complete", "FINISHED", 0.1, [1, 2]), (1, "complete", "FINISHED", 0.2, [1, 2])]
STARTS = [
    ("start", 10 * n, {"number": n, "configuration": {"x": x}}) for n, x in ((0, 0.1), (1, 0.2))
]
EPOCH = [("epoch", 20, {"number": 0, "epoch": 1, "metrics": {}})]
TRAINED = [(0.1, 1, 15), (0.1, 2, 25), (0.2, 1, 45), (0.2, 2, 55)]
FINISHED = {0: 30}


def counted(folder: Path, **changes: Any) -> Mapping[str, int]:
    """Counts what differs from nothing in a search in which all went well but these."""
    given = {"runs": GOOD, "events": STARTS + EPOCH, "notes": TRAINED} | changes
    own = bool(given.pop("own", False))
    found = counts(place(folder, **given), TRIALS, EPOCHS, FINISHED, has_checkpoints=own)
    return {name: count for name, count in found.items() if count}


@pytest.mark.slow
def test_each_fault_is_counted_as_what_it_is(tmp_path: Path) -> None:
    again = ("start", 40, STARTS[0][2])
    cases: list[tuple[dict[str, Any], dict[str, int]]] = [
        ({}, {}),
        ({"own": True}, {}),
        ({"runs": GOOD[:1]}, {"lost": 1}),
        ({"runs": [GOOD[0], (1, "interrupted", "KILLED", 0.2, [1, 2])]}, {"lost": 1}),
        ({"runs": [GOOD[0], (1, "complete", "FINISHED", 0.2, [2])]}, {"lost": 1}),
        ({"runs": [*GOOD, (1, "running", "RUNNING", 0.3, [])]},
         {"lost": 2, "doubled": 1, "left RUNNING": 1}),
        ({"runs": [GOOD[0], (1, "complete", "FINISHED", 0.1, [1, 2])]}, {"doubled": 1}),
        ({"events": [*STARTS, *EPOCH, again]}, {"repeated": 1}),
        ({"notes": [*TRAINED, (0.1, 2, 35)]}, {"repeated": 1}),
        # In flight: without checkpoints of its own a function trains its first epoch again.
        ({"notes": [(0.1, 1, 5), *TRAINED, (0.1, 1, 22)]}, {}),
        ({"notes": [(0.1, 1, 5), *TRAINED, (0.1, 1, 22)], "own": True}, {"repeated": 1}),
    ]  # fmt: skip
    for number, (changes, expected) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert counted(folder, **changes) == expected, changes


def test_a_seed_draws_the_same_moments_again_and_each_phase_comes() -> None:
    def drawn(seed: int) -> list[Any]:
        rng = random.Random(seed)
        return [moment(rng, kill) for kill in range(KILLS)]

    assert drawn(3) == drawn(3) != drawn(4)
    phases = [each.phase for seed in range(10) for each in drawn(seed)]
    assert {"starting", "training", "ending"} == set(phases)
    assert KINDS.count("server away") == KINDS.count("own checkpoints") == 1 and len(KINDS) == 5


def test_the_specs_can_be_run(tmp_path: Path) -> None:
    for kind in set(KINDS):
        spec = spec_from_yaml(json.dumps(spec_of(kind, 0, tmp_path)))
        assert spec.budget.trials == 6 and spec.resources.parallelism == 2
