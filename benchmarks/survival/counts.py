"""Counts what a search that was killed has lost, doubled, repeated and left RUNNING.

The store is asked as any client would, and compared with the journal and with the training's notes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.survival.place import Place
from search.tracking import tag_names
from search.tracking.store import all_experiments, all_runs, open_client

COUNTED = ("lost", "doubled", "repeated", "left RUNNING")


def counts(
    place: Place, trials: int, epochs: int, finished: Mapping[int, int], *, has_checkpoints: bool
) -> dict[str, int]:
    """Returns how many trials or epochs have gone wrong, by kind.

    - lost: trials that are not complete in the store, and epochs that their curves lack;
    - doubled: further runs of a trial, configurations and epochs that are there twice;
    - repeated: finished trials that began again, epochs trained again after a trial had finished,
      or, with checkpoints of the function's own, after they had been recorded;
    - left RUNNING: runs of this state, the search's own included.

    Args:
        place: Where the search is.
        trials: Its budget.
        epochs: Of each trial.
        finished: The trials that had ended before the last kill: number -> when (ms).
        has_checkpoints: Whether the function keeps checkpoints of its own.
    """
    client = open_client(place.uri)
    experiments = [each.experiment_id for each in all_experiments(client)]
    every = all_runs(client, experiments, f"tags.`{tag_names.SEARCH}` = '{place.search}'")
    runs = [run for run in every if run.data.tags[tag_names.KIND] == "trial"]
    numbers = Counter(int(run.data.tags[tag_names.NUMBER]) for run in runs)
    complete = {
        int(run.data.tags[tag_names.NUMBER])
        for run in runs
        if run.data.tags[tag_names.STATE] == "complete" and run.info.status == "FINISHED"
    }
    configurations = Counter(run.data.tags[tag_names.CONFIGURATION] for run in runs)
    steps = [
        Counter(point.step for point in client.get_metric_history(run.info.run_id, "score"))
        for run in runs
    ]
    return {
        "lost": len(set(range(trials)) - complete)
        + sum(len(set(range(1, epochs + 1)) - each.keys()) for each in steps),
        "doubled": sum(map(_further, (numbers, configurations, *steps))),
        "repeated": _repeated(place, finished, has_checkpoints),
        "left RUNNING": sum(run.info.status == "RUNNING" for run in every),
    }


def _further(found: Counter[Any]) -> int:
    return sum(count - 1 for count in found.values())


def _repeated(place: Place, finished: Mapping[int, int], has_checkpoints: bool) -> int:
    """Counts starts of finished trials, and epochs that were trained for nothing."""
    events = place.events()
    began_again = sum(
        event.name == "start" and event.time > finished.get(event.fields["number"], event.time)
        for event in events
    )
    x_of = {
        event.fields["number"]: event.fields["configuration"]["x"]
        for event in events
        if event.name == "start"
    }
    recorded = {
        (x_of[event.fields["number"]], event.fields["epoch"]): event.time
        for event in events
        if event.name == "epoch"
    }
    ended = {x_of[number]: moment for number, moment in finished.items()}
    notes = (place.folder / "trained.jsonl").read_text().splitlines()
    again = 0
    for note in map(json.loads, notes):
        until = ended.get(note["x"])
        if has_checkpoints:
            until = recorded.get((note["x"], note["epoch"]), until)
        again += until is not None and note["time"] > until
    return began_again + again
