"""Reads the section `robustness`: how every trial is attacked, on pixels or on words.

The section is read as `Threat` or `TextThreat` (`models/adversarial/threat_model.py`), which
declare the settings, their limits and their defaults. Added here is what depends on the rest of the
spec: the epsilon of the data set, the folder of the table, and the names of metrics.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from models.adversarial.epsilons import default_epsilon
from models.adversarial.text.word_substitution import load_synonyms
from models.catalog import (
    MODELS,
    AnyThreat,
    DataError,
    TextThreat,
    Threat,
    data_kind,
    default_threat,
    metrics,
    robust_metric,
    robust_name,
)
from models.hyperparameters.hyperparameter import read_whole
from models.scores.cost_names import GPU_SECONDS
from models.scores.metric_names import MetricName
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath

PATH: KeyPath = ("robustness",)


def threat_type(model: str) -> type[AnyThreat]:
    """Return the threat that `robustness` describes for a model; on images if it is unknown."""
    is_text = model in MODELS and data_kind(model) != "images"
    return TextThreat if is_text else Threat


def threat_keys(model: str) -> tuple[str, ...]:
    """Return the settings of threats to a model, which no trial may change."""
    kinds = dict.fromkeys((Threat, threat_type(model)))
    return tuple(each.name for kind in kinds for each in dataclasses.fields(kind))


def check_robustness(document: Document, folder: Path, must_exist: bool) -> AnyThreat | None:
    """Return the threat under which every trial is evaluated; None if its settings are wrong."""
    raw = document.data.get("robustness", {})
    if threat_type(document.model) is TextThreat:
        return _text_threat(document, raw, folder, must_exist)
    return _pixel_threat(document, raw)


def _pixel_threat(document: Document, raw: Any) -> Threat | None:
    """Read a threat to images; the default epsilon is the usual one of the data set and norm.

    Epochs are attacked with fewer steps than the end, also where `steps` is below the default.
    """
    before = len(document.problems)
    steps = read_whole(raw.get("steps")) if isinstance(raw, dict) else None
    if type(steps) is int and steps == 1 and "cheap_steps" not in raw:
        fix = (
            "must be at least 2: robustness.cheap_steps, the attack after every epoch, is below it"
        )
        document.add((*PATH, "steps"), fix, steps)
        return None
    if type(steps) is int and steps > 1:
        raw = {"cheap_steps": min(Threat.cheap_steps, steps - 1), **raw}
    if isinstance(raw, dict) and raw.get("epsilon", "") is None:
        document.add((*PATH, "epsilon"), "is empty: give a size, or remove the key")
        raw = {key: value for key, value in raw.items() if key != "epsilon"}
    threat = read_part(document, PATH, Threat, raw)
    if threat is None or len(document.problems) > before:
        return None
    if threat.cheap_steps == threat.steps:
        message = f"must be below steps ({threat.steps}), or it is not cheaper"
        document.add((*PATH, "cheap_steps"), message, threat.cheap_steps)
        return None
    if "epsilon" not in raw:
        epsilon = _default_epsilon(document, threat)
        return None if epsilon is None else threat.at(epsilon)
    if threat.norm == "linf" and threat.epsilon > 1:
        message = "is on the pixel scale [0, 1]; write 8 grey levels as 8/255"
        document.add((*PATH, "epsilon"), message, threat.epsilon)
    return threat


def _default_epsilon(document: Document, threat: Threat) -> float | None:
    """Return the usual epsilon of the document's data set; note that it is missing without one."""
    data = document.task.get("data")
    settings = data if isinstance(data, dict) else {"name": data}
    sources = [settings.get(key) for key in ("name", "path", "hub")]
    names = [source for source in sources if isinstance(source, str) and source]
    is_wrong = any(problem.key.startswith("task.data") for problem in document.problems)
    is_unused = document.known is None and not _has_own_threat(document)
    if is_unused or is_wrong or (len(names) != 1 and not document.is_function):
        return threat.epsilon  # the task is wrong, which is noted there, or nothing is attacked
    size = settings.get("image_size")
    height = size if isinstance(size, int) and size > 0 else None
    name = names[0].removeprefix("hub:") if names else "this task"
    epsilon = default_epsilon(name, threat.norm, height)
    if epsilon is None:
        document.add(
            (*PATH, "epsilon"),
            f"is missing, and no size of attack is usual for {name}: give one in pixels [0, 1], "
            "such as 8/255 (linf)",
        )
    return epsilon


def _text_threat(document: Document, raw: Any, folder: Path, must_exist: bool) -> TextThreat | None:
    """Read a threat to texts and find its table; epochs attack no more texts than the end does."""
    examples = read_whole(raw.get("examples")) if isinstance(raw, dict) else None
    if type(examples) is int and examples >= 1:
        raw = {"cheap_examples": min(TextThreat.cheap_examples, examples), **raw}
    threat = read_part(document, PATH, TextThreat, raw)
    if threat is None or not threat.synonyms:
        return threat
    file = (folder / os.path.expanduser(threat.synonyms)).resolve()
    try:
        if must_exist:
            load_synonyms(file)
    except DataError as error:
        document.add((*PATH, "synonyms"), str(error), threat.synonyms)
        return None
    return dataclasses.replace(threat, synonyms=str(file))


def short_name(document: Document) -> str:
    """Return a spec's name of its robust metric, which does not change with the threat."""
    return robust_name(document.model) if document.known else "accuracy.robust"


def full_name(document: Document, metric: str, threat: AnyThreat | None) -> str:
    """Return a metric's name in the store: that of the threat for the short name, else itself."""
    if isinstance(threat, Threat) and _has_own_threat(document):
        return threat.metric() if metric == short_name(document) else metric
    if threat is None or document.known is None or metric != short_name(document):
        return metric
    return robust_metric(document.model, threat)


def _has_own_threat(document: Document) -> bool:
    """Return whether the threat is for the user's own training function (`trial.threat`)."""
    return document.is_function and bool(document.data.get("robustness"))


def reported_metrics(document: Document, threat: AnyThreat | None) -> tuple[str, ...]:
    """Return the metrics that may be objectives of the document's model; empty without a model.

    For images this excludes those that picked the epoch (`selection.`), which are biased upwards,
    and FGSM's accuracy: one step up the cross-entropy is deceived by the scale of the logits.
    """
    measured = _measured(document, threat)
    if not measured or not isinstance(threat or default_threat(document.model), Threat):
        return measured
    names = [MetricName.parse(metric) for metric in measured]
    return tuple(
        metric
        for metric, name in zip(measured, names, strict=True)
        if name.split != "selection" and name.attack != "fgsm" and name.measure != "epoch"
    )


def why_no_objective(document: Document, metric: str, threat: AnyThreat | None) -> str:
    """Say why a metric that is none of `reported_metrics` cannot be an objective."""
    if metric == GPU_SECONDS:
        return "is a cost of trials on a GPU; set resources.gpus, or take seconds.cpu"
    if metric in _measured(document, threat):
        return "is measured, but may be no objective: it is biased upwards, or easily deceived"
    return "this model reports no such metric"


def _measured(document: Document, threat: AnyThreat | None) -> tuple[str, ...]:
    model, resources = document.model, document.data.get("resources")
    if not document.known:
        return ()
    on_gpu = isinstance(resources, dict) and bool(resources.get("gpus"))
    found = metrics(model, threat or default_threat(model))
    return tuple(each for each in found if each != GPU_SECONDS or on_gpu)
