"""Writes a trial's model into a folder that others can load, with its model card.

The files of the model are `models/weights/export.py`'s; here the trial is found and described.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from models.networks.base_model import locate_base
from models.scores.metric_names import MetricName
from search.transfer.best import values_on_test
from search.transfer.sources import WeightSource, find_trial
from search.transfer.weights import lineage_in_words


def export_trial(tracking_uri: str, reference: str, folder: Path) -> str:
    """Exports the trial `SEARCH#TRIAL`, or of an MLflow run id; returns what to say about it.

    Raises:
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: its data set or its base cannot be read, or has changed since.
        FileExistsError: the folder holds something.
    """
    from models.weights.export import export  # torch costs seconds
    from models.weights.rebuild import Trained

    source = find_trial(tracking_uri, reference)
    if not source.has_checkpoint:
        raise LookupError(
            f"no checkpoint of {source.name} is left in {source.checkpoints}: mount the folder, or "
            f"name another trial"
        )
    task = source.spec.task
    base = locate_base(task.base) if task.base else None
    known = source.fingerprint.get("base") or {}
    if base is not None and base.digest != known.get("digest"):
        raise ValueError(
            f"{source.name} adapted {known.get('name')}@{known.get('digest')}, but {task.base} is "
            f"{base.digest} now; put the base back"
        )
    trained = Trained(
        source.name, task.model, source.configuration, task.data, source.checkpoints, base,
        source.initial,
    )  # fmt: skip
    exported = export(trained, folder)
    card = model_card(source, exported.label_names, exported.how, source.summary.environment)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return f"{source.name} is in {folder}: {files}"


# Measures that are no quality of the model.
_COSTS = ("seconds", "memory", "parameters", "queries", "words_changed", "loss", "examples")


def model_card(
    source: WeightSource, label_names: Sequence[str], how: str, versions: Mapping[str, str]
) -> str:
    """The card's text.

    Args:
        source: The trial.
        label_names: Of its classes or tags; empty for a language model.
        how: Lines of Python that load the model.
        versions: Part -> version, of what it was trained with.
    """
    data = source.fingerprint["data"]
    sections = [
        _front_matter(source, data),
        f"# {source.spec.task.name}, {source.name}",
        f"Model: {source.spec.task.model.replace('_', ' ')}, found by a hyperparameter search with "
        f"Twentieth.",
        f"## Use\n\n```python\n{how}\n```",
        f"Labels by number: {_listed(label_names)}." if label_names else "",
        f"## Metrics\n\n{_metrics(source)}",
        f"## Data\n\n{_data(data)}",
        f"## Base\n\n{_base(source)}" if source.fingerprint.get("base") else "",
        f"## Hyperparameters\n\n```yaml\n{_yaml(source.configuration)}```",
        f"## Weights it started from\n\n{_start(source)}",
        f"## How it was made\n\n{_made(source, versions)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(source: WeightSource, data: Mapping[str, Any]) -> str:
    base = source.fingerprint.get("base") or {}
    record: dict[str, Any] = {
        "library_name": "transformers" if base else "pytorch",
        "license": "other",
        "license_name": f"that of its data ({data.get('licence') or 'not stated'})",
        "tags": ["twentieth", source.spec.task.model],
    }
    return f"---\n{_yaml(record)}---"


def _metrics(source: WeightSource) -> str:
    trial = source.trial
    last = {
        name: float(curve[max(curve)])
        for name, curve in trial.curves.items()
        if curve and MetricName.parse(name).split != "test"
    }
    last |= dict(zip(trial.metrics, trial.values, strict=False))
    test = values_on_test(trial)
    lines = ["| metric | validation | test [95% interval] |", "|---|---|---|"]
    names = map(MetricName.parse, dict.fromkeys((*trial.metrics, *sorted(last), *test)))
    shown = [name for name in names if name.measure not in _COSTS]
    for name in shown:
        bound, metric = ", upper bound" if name.is_upper_bound else "", str(name)
        validation, tested = _number(last.get(metric)), _tested(test.get(metric))
        lines.append(f"| {name}{bound} | {validation} | {tested} |")
    text = "\n".join(lines)
    if any(name.is_upper_bound for name in shown):
        text += (
            "\n\nValues under attack are upper bounds: the attack named need not find the worst "
            "case. The validation split took part in choosing this trial, the test split did not."
        )
    return text


def _data(data: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{data[split]} {split}" for split in ("train", "validation", "test"))
    licence = data.get("licence") or "not stated"
    return f"{data['name']}, digest {data['digest']}: {sizes} examples. Licence: {licence}."


def _base(source: WeightSource) -> str:
    base = source.fingerprint["base"]
    return (
        f"{base['name']}, digest {base['digest']} over its configuration, weights and tokenizer. "
        f"Its licence and its training data are its authors' to tell."
    )


def _start(source: WeightSource) -> str:
    if source.lineage:
        return lineage_in_words(source.lineage)
    return "The pretrained base alone." if source.fingerprint.get("base") else "None: from scratch."


def _made(source: WeightSource, versions: Mapping[str, str]) -> str:
    trial = source.trial
    made = ", ".join(f"{part} {version}" for part, version in versions.items())
    return (
        f"Trial {trial.number} of the search {source.summary.search} (MLflow run {trial.run_id}, "
        f"task {trial.task}), {trial.epoch} epochs, {trial.seconds:.0f} seconds. Made with: {made}."
    )


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"


def _tested(result: Any) -> str:
    if result is None:
        return ""
    interval = "" if result.low is None else f" [{result.low:.3f}, {result.high:.3f}]"
    return f"{result.value:.4f}{interval}"


def _listed(label_names: Sequence[str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(label_names))


def _yaml(record: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True)
    return text
