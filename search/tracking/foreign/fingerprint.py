"""The fingerprint of a foreign trial: data set and model, as far as they were logged.

It has the shape of `Spec.fingerprint`, so that tasks can be compared
(search/extract/task_similarity.py): data {name, digest, train}, model, epochs. What was not logged
is missing.
"""

from __future__ import annotations

import json
from typing import Any

from search.tracking.runs import Run, clean

# Tags and params in which people log the name of a data set or a model.
DATA_NAMES = ("dataset", "dataset_name", "data_set", "dataset.name")
MODEL_NAMES = ("model", "model_name", "model_type", "model_class", "architecture", "arch")
# The contexts of the data set that a run was trained on, if it has several.
CONTEXTS = ("train", "training")
LONGEST = 200


def described(run: Run, parent: Run | None, model: str) -> dict[str, Any]:
    """Returns the fingerprint of one run; what it lacks is taken from its parent.

    Args:
        run: the trial.
        parent: the run it is nested below, if it was read.
        model: the model as the tool logged it; empty if it did not.
    """
    found: dict[str, Any] = {}
    for each in (run, parent):
        if each is None:
            continue
        data = _logged(each) or _named(each)
        if data:
            found.setdefault("data", data)
        logged = next((each.tags[name] for name in MODEL_NAMES if each.tags.get(name)), "")
        if logged:
            found.setdefault("model", clean(logged[:LONGEST]))
    if model:
        found["model"] = clean(model[:LONGEST])
    return found


def _logged(run: Run) -> dict[str, Any]:
    """Returns the data set that `mlflow.log_input` logged."""
    if not run.inputs:
        return {}
    chosen = next((each for each in run.inputs if each.get("context") in CONTEXTS), run.inputs[0])
    data: dict[str, Any] = {"name": clean(chosen["name"]), "digest": clean(chosen["digest"])}
    rows = _rows(chosen.get("profile", ""))
    return data | ({"train": rows} if rows else {})


def _rows(profile: str) -> int:
    """Returns the number of examples in a data set's profile; 0 if it is not stated."""
    try:
        facts = json.loads(profile)
        shape = facts.get("features_shape")
        rows = facts.get("num_rows", shape[0] if isinstance(shape, list) and shape else 0)
        return rows if isinstance(rows, int) and 0 < rows < 2**53 else 0
    except (ValueError, AttributeError, RecursionError):
        return 0


def _named(run: Run) -> dict[str, Any]:
    for source in (run.tags, run.params):
        for name in DATA_NAMES:
            if source.get(name):
                return {"name": clean(source[name][:LONGEST])}
    return {}
