"""How every trial of a spec is attacked: on pixels or on words, as its model wants.

For the section `robustness:` and its names of metrics. It is read as `Threat` or `TextThreat`
(`models/adversarial/threat_model.py`), which declare the settings, their limits and their
defaults; here is what only the rest of a spec can say: the epsilon of its data set, and the folder
of its table.
"""

from __future__ import annotations

import dataclasses
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
from models.scores.metric_names import MetricName
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath

PATH: KeyPath = ("robustness",)


def threat_type(model: Any) -> type[AnyThreat]:
    """The threat whose keys `robustness:` takes for a model; an image model's if it is unknown."""
    is_text = model in MODELS and data_kind(model) != "images"
    return TextThreat if is_text else Threat


def threat_keys(model: Any) -> tuple[str, ...]:
    """Names of the settings of a model's threat, which no trial may change."""
    kinds = dict.fromkeys((Threat, threat_type(model)))
    return tuple(each.name for kind in kinds for each in dataclasses.fields(kind))


def check_robustness(document: Document, folder: Path, must_exist: bool) -> AnyThreat | None:
    """The threat every trial is judged under; None if its settings are wrong."""
    raw, model = document.data.get("robustness", {}), _model(document)
    if raw and str(model or "").startswith("python:"):
        document.add(PATH, "does nothing for your own training function; remove it")
    if threat_type(model) is TextThreat:
        return _text_threat(document, raw, folder, must_exist)
    return _pixel_threat(document, raw)


def _pixel_threat(document: Document, raw: Any) -> Threat | None:
    """A threat to images; without an epsilon it is the field's for the data set and the norm."""
    before = len(document.problems)
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
    """The field's epsilon for the document's data set; noted as missing where it has none."""
    task = document.data.get("task")
    data = task.get("data") if isinstance(task, dict) else None
    settings = data if isinstance(data, dict) else {"name": data}
    sources = [settings.get(key) for key in ("name", "parquet", "hub")]
    names = [source for source in sources if isinstance(source, str) and source]
    size = settings.get("image_size")
    is_wrong = any(problem.key.startswith("task.data") for problem in document.problems)
    if _model(document) not in MODELS or len(names) != 1 or is_wrong:
        return threat.epsilon  # the task is wrong, which is said there, or nothing is attacked
    height = size if isinstance(size, int) and size > 0 else None
    epsilon = default_epsilon(names[0].removeprefix("hub:"), threat.norm, height)
    if epsilon is None:
        message = (
            f"is missing, and the field has none for {names[0]}: give the size of the attack in "
            "pixels [0, 1], such as 8/255 (linf)"
        )
        document.add((*PATH, "epsilon"), message)
    return epsilon


def _text_threat(document: Document, raw: Any, folder: Path, must_exist: bool) -> TextThreat | None:
    """A threat to texts, its table found; on the way no more are attacked than at the end."""
    examples = read_whole(raw.get("examples")) if isinstance(raw, dict) else None
    if type(examples) is int and examples >= 1:
        raw = {"cheap_examples": min(TextThreat.cheap_examples, examples), **raw}
    threat = read_part(document, PATH, TextThreat, raw)
    if threat is None or not threat.synonyms:
        return threat
    before = len(document.problems)
    file = (folder / Path(threat.synonyms).expanduser()).resolve()
    if must_exist:
        _check_synonyms(document, file, threat.synonyms)
    is_usable = len(document.problems) == before
    return dataclasses.replace(threat, synonyms=str(file)) if is_usable else None


def _check_synonyms(document: Document, file: Path, written: str) -> None:
    try:
        load_synonyms(file)
    except DataError as error:
        document.add((*PATH, "synonyms"), str(error), written)


def short_name(document: Document) -> str:
    """What a spec calls its robust metric, whatever the threat: changing that changes the name."""
    model = _model(document)
    return robust_name(model) if model in MODELS else "accuracy.robust"


def full_name(document: Document, metric: str, threat: AnyThreat | None) -> str:
    """A metric's name in the store: that of the threat for the short name, else itself."""
    model = _model(document)
    if threat is None or model not in MODELS or metric != robust_name(model):
        return metric
    return robust_metric(model, threat)


def reported_metrics(document: Document, threat: AnyThreat | None) -> tuple[str, ...]:
    """What of a trial of the document's catalog model may be an objective; empty without one.

    On images not what picked the epoch (`selection.`), which flatters, nor FGSM's accuracy: one
    step up the cross-entropy is deceived by the scale of the logits.
    """
    return tuple(
        metric for metric in _measured(document, threat) if not _is_barred(document, metric, threat)
    )


def why_no_objective(document: Document, metric: str, threat: AnyThreat | None) -> str:
    """What is wrong with an objective that is none of `reported_metrics`."""
    if metric in _measured(document, threat):
        return "is measured, but may be no objective: it flatters, or is easily deceived"
    return "this model reports no such metric"


def _measured(document: Document, threat: AnyThreat | None) -> tuple[str, ...]:
    model = _model(document)
    return metrics(model, threat or default_threat(model)) if model in MODELS else ()


def _is_barred(document: Document, metric: str, threat: AnyThreat | None) -> bool:
    if not isinstance(threat or default_threat(_model(document)), Threat):
        return False
    name = MetricName.parse(metric)
    return name.split == "selection" or name.attack == "fgsm" or name.measure == "epoch"


def _model(document: Document) -> Any:
    task = document.data.get("task")
    model = task.get("model") if isinstance(task, dict) else None
    return model if isinstance(model, str) else None
