"""Exports a trial's model into a folder that others can load, with a model card.

`models/weights/export.py` writes the model; here the trial is found and described.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from models.networks.own_code import PREFIX
from models.scores.metric_names import MetricName
from search.history import Trial
from search.history.plurals import counted
from search.objectives.objective import value_text
from search.spec.own_code import NOTHING, Allowed
from search.transfer.best import values_on_test
from search.transfer.inherited_weights import lineage_in_words
from search.transfer.sources import WeightSource, check_checkpoint, find_trial


def export_trial(
    tracking_uri: str, reference: str, folder: Path, allowed: Allowed = NOTHING
) -> str:
    """Exports the trial `SEARCH#TRIAL`, or of an MLflow run id; returns a message for the user.

    Raises:
        PermissionError: it has a network of the user's, whose code was not allowed or has changed.
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: its data set or its base cannot be read, or has changed since.
        FileExistsError: the folder is not empty.
    """
    from models.weights.export import export  # torch costs seconds

    source = find_trial(tracking_uri, reference)
    check_checkpoint(source)
    trained = source.trained(source.spec.task.base, allowed)
    known = source.fingerprint.get("base") or {}
    if trained.base is not None and trained.base.digest != known.get("digest"):
        raise ValueError(
            f"{source.name} adapted {known.get('name')}@{known.get('digest')}, but "
            f"{source.spec.task.base} is {trained.base.digest} now; fix: restore the base"
        )
    exported = export(trained, folder)
    card = model_card(source, exported.label_names, exported.how, source.summary.environment)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return f"exported {source.name} to {folder}: {files}"


# Measures that say nothing about the quality of the model.
_COSTS = ("seconds", "work", "memory", "parameters", "queries", "words_changed", "loss")


def model_card(
    source: WeightSource, label_names: Sequence[str], how: str, versions: Mapping[str, str]
) -> str:
    """Writes the model card.

    Args:
        source: The trial.
        label_names: Names of its classes or tags; empty for a language model.
        how: Lines of Python that load the model.
        versions: Part -> version, of the software it was trained with.
    """
    data, base, trial = source.fingerprint["data"], source.fingerprint.get("base"), source.trial
    licence = data.get("licence") or "not stated"
    front_matter: dict[str, Any] = {
        "library_name": "transformers" if base else "pytorch",
        "license": "other",
        "license_name": f"that of its data ({licence})",
        "tags": ["twentieth", source.spec.task.model or "pytorch"],
    }
    labels = ", ".join(f"{number} {name}" for number, name in enumerate(label_names))
    sizes = ", ".join(f"{data[split]} {split}" for split in ("train", "validation", "test"))
    from_scratch = "The pretrained base alone." if base else "None: trained from scratch."
    made = ", ".join(f"{part} {version}" for part, version in versions.items())
    sections = [
        f"---\n{_yaml(front_matter)}---",
        f"# {source.spec.task.name}, {source.name}",
        f"{_what(source)}, found by a hyperparameter search with Twentieth.",
        f"## Use\n\n```python\n{how}\n```",
        f"Labels by number: {labels}." if labels else "",
        f"## Metrics\n\n{_metrics(trial)}",
        f"## Data\n\n{data['name']}, digest {data['digest']}: {sizes} examples. Licence: "
        f"{licence}.",
        f"## Base\n\n{base['name']}, digest {base['digest']} over its configuration, weights and "
        f"tokenizer. For its licence and its training data, see its authors' documentation."
        if base
        else "",
        f"## Hyperparameters\n\n```yaml\n{_yaml(source.configuration)}```",
        f"## Initial weights\n\n{lineage_in_words(source.lineage) or from_scratch}",
        f"## Training\n\nTrial {trial.number} of the search {source.summary.search} (MLflow run "
        f"{trial.run_id}, task {trial.task}), {counted(trial.epoch, 'epoch')}, "
        f"{trial.seconds:.0f} seconds. Software: {made}.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what(source: WeightSource) -> str:
    task = source.spec.task
    if task.network is None:
        return f"Model: {task.trains.replace('_', ' ')}"
    digest = source.fingerprint.get("code", "unknown")
    return f"Network: built by `{task.network.removeprefix(PREFIX)}`, source digest {digest}"


def _metrics(trial: Trial) -> str:
    last = {
        name: trial.last(name)
        for name, curve in trial.curves.items()
        if curve and MetricName.parse(name).split != "test"
    }
    last |= trial.by_metric
    test = values_on_test(trial)
    lines = ["| metric | validation | test (95 %) |", "|---|---|---|"]
    names = map(MetricName.parse, dict.fromkeys((*trial.metrics, *sorted(last), *test)))
    shown = [
        name
        for name in names
        if name.measure not in _COSTS and not name.is_count and name.bound is None
    ]
    for name in shown:
        bound, metric = ", upper bound" if name.is_upper_bound else "", str(name)
        validation = value_text(last.get(metric, math.nan))
        lines.append(f"| {name}{bound} | {validation} | {test.get(metric, '')} |")
    text = "\n".join(lines)
    if any(name.is_upper_bound for name in shown):
        text += (
            "\n\nValues under attack are upper bounds: the attack named need not find the worst "
            "case. The validation split took part in choosing this trial, the test split did not."
        )
    return text


def _yaml(record: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True))
