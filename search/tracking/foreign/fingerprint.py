"""What a foreign trial was trained on: data set and model, as far as anybody said.

In the shape of `Spec.fingerprint`, so that tasks can be compared
(search/extract/task_similarity.py): data {name, digest, train}, model, epochs. What nobody said is
not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from search.tracking.runs import Run, clean

# Tags and params that people name a data set or a model by.
DATA_NAMES = ("dataset", "dataset_name", "data_set", "dataset.name")
MODEL_NAMES = ("model", "model_name", "model_type", "model_class", "architecture", "arch")
# Of several data sets logged with a run, the one it was trained on.
CONTEXTS = ("train", "training")
LONGEST = 200


def described(run: Run, parent: Run | None, model: str) -> dict[str, Any]:
    """The fingerprint of one run; its parent speaks where it is silent.

    Args:
        run: the trial.
        parent: the run it is nested below, if it was read.
        model: what the tool says of the model; empty if it does not.
    """
    found: dict[str, Any] = {}
    for each in (run, parent):
        if each is None:
            continue
        data = _logged(each) or _named(each)
        if data and "data" not in found:
            found["data"] = data
        said = next((each.tags[name] for name in MODEL_NAMES if each.tags.get(name)), "")
        if said and "model" not in found:
            found["model"] = clean(said[:LONGEST])
    if model:
        found["model"] = clean(model[:LONGEST])
    return found


def _logged(run: Run) -> dict[str, Any]:
    """What `mlflow.log_input` left."""
    if not run.inputs:
        return {}
    chosen = next((each for each in run.inputs if each.get("context") in CONTEXTS), run.inputs[0])
    data: dict[str, Any] = {"name": clean(chosen["name"]), "digest": clean(chosen["digest"])}
    rows = _rows(chosen.get("profile", ""))
    return data | ({"train": rows} if rows else {})


def _rows(profile: str) -> int:
    """How many examples a data set's profile tells of; 0 if it does not."""
    try:
        facts = json.loads(profile)
        shape = facts.get("features_shape")
        rows = facts.get("num_rows", shape[0] if isinstance(shape, list) and shape else 0)
        return rows if isinstance(rows, int) and 0 < rows < 2**53 else 0
    except (ValueError, AttributeError, RecursionError):
        return 0


def _named(run: Run) -> dict[str, Any]:
    for source in (run.tags, run.params):
        name = _first(source)
        if name:
            return {"name": clean(name[:LONGEST])}
    return {}


def _first(source: Mapping[str, str]) -> str:
    return next((source[name] for name in DATA_NAMES if source.get(name)), "")
