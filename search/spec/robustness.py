"""How every trial of a spec is attacked: on pixels or on words, as its model wants.

For the section `robustness:` and its names of metrics. The settings themselves and their defaults
are those of `models/threats.py`.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from models.adversarial.word_substitution import load_synonyms
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
from models.epsilons import default_epsilon
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath
from search.spec.parts import Counted, Part, Positive, Whole

PATH: KeyPath = ("robustness",)
# What a threat gives its name to; with a faulty threat such a name cannot be told.
_ATTACKED = ("pgd", "fgsm", "characters", "words", "fgm")


def _read_fraction(value: Any) -> Any:
    """The field writes epsilon as `8/255`."""
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) == 2 and all(part.strip().isdecimal() for part in parts) and int(parts[1]):
        return int(parts[0]) / int(parts[1])
    return value


class Robustness(Part):
    """How every trial on images is attacked; the keys of `Threat`, whose defaults hold.

    Without an epsilon it is the field's for the data set and the norm.
    """

    norm: Literal["linf", "l2"] = Threat.norm
    epsilon: Annotated[Positive | None, BeforeValidator(_read_fraction)] = None
    steps: Counted = Threat.steps
    restarts: Counted = Threat.restarts
    examples: Counted = Threat.examples
    seed: Annotated[Whole, Field(ge=0)] = Threat.seed
    cheap_steps: Counted = Threat.cheap_steps
    cheap_examples: Counted = Threat.cheap_examples
    confirm_examples: Counted = Threat.confirm_examples
    final_examples: Annotated[Whole, Field(ge=0)] = Threat.final_examples


class TextRobustness(Part):
    """How every trial on texts is attacked; the keys of `TextThreat`, whose defaults hold."""

    attack: Literal["characters", "words"] = TextThreat.attack
    share: Annotated[Positive, Field(le=1)] = TextThreat.share
    queries: Counted = TextThreat.queries
    examples: Counted = TextThreat.examples
    seed: Annotated[Whole, Field(ge=0)] = TextThreat.seed
    synonyms: str = TextThreat.synonyms
    cheap_examples: Counted = TextThreat.cheap_examples


def robustness_part(model: Any) -> type[Robustness | TextRobustness]:
    """The keys that `robustness:` takes for a model; an image model's if it is unknown."""
    is_text = model in MODELS and data_kind(model) != "images"
    return TextRobustness if is_text else Robustness


def threat_keys(model: Any) -> tuple[str, ...]:
    """Names of the settings of a model's threat, which no trial may change."""
    return tuple(each.name for each in fields(Threat)) + (
        tuple(each.name for each in fields(TextThreat))
        if robustness_part(model) is TextRobustness
        else ()
    )


def check_robustness(document: Document, folder: Path, must_exist: bool) -> AnyThreat | None:
    """The threat every trial is judged under; None if its settings are wrong."""
    raw, model = document.data.get("robustness", {}), _model(document)
    if raw and str(model or "").startswith("python:"):
        document.add(PATH, "does nothing for your own training function; remove it")
    robustness = read_part(document, PATH, robustness_part(model), raw)
    if isinstance(robustness, TextRobustness):
        return _text_threat(document, robustness, folder, must_exist)
    if robustness is None:
        return None
    if "epsilon" in robustness.model_fields_set and robustness.epsilon is None:
        document.add((*PATH, "epsilon"), "is empty: give a size, or remove the key")
        return None
    epsilon = robustness.epsilon or _default_epsilon(document, robustness.norm)
    if epsilon is None:
        return None
    if robustness.norm == "linf" and epsilon > 1:
        message = "is on the pixel scale [0, 1]; write 8 grey levels as 8/255"
        document.add((*PATH, "epsilon"), message, epsilon)
    if robustness.cheap_steps >= robustness.steps:
        message = f"must be below steps ({robustness.steps}), or it is not cheaper"
        document.add((*PATH, "cheap_steps"), message, robustness.cheap_steps)
        return None
    return Threat(**(robustness.model_dump() | {"epsilon": epsilon}))


def _default_epsilon(document: Document, norm: Literal["linf", "l2"]) -> float | None:
    """The field's epsilon for the document's data set; noted as missing where it has none."""
    task = document.data.get("task")
    data = task.get("data") if isinstance(task, dict) else None
    settings = data if isinstance(data, dict) else {"name": data}
    sources = [settings.get(key) for key in ("name", "parquet", "hub")]
    names = [source for source in sources if isinstance(source, str) and source]
    size = settings.get("image_size")
    is_wrong = any(problem.key.startswith("task.data") for problem in document.problems)
    if _model(document) not in MODELS or len(names) != 1 or is_wrong:
        return Threat.epsilon  # the task is wrong, which is said there, or nothing is attacked
    height = size if isinstance(size, int) and size > 0 else None
    epsilon = default_epsilon(names[0].removeprefix("hub:"), norm, height)
    if epsilon is None:
        message = (
            f"is missing, and the field has none for {names[0]}: give the size of the attack in "
            "pixels [0, 1], such as 8/255 (linf)"
        )
        document.add((*PATH, "epsilon"), message)
    return epsilon


def _text_threat(
    document: Document, robustness: TextRobustness, folder: Path, must_exist: bool
) -> TextThreat | None:
    """A threat to texts, its table found; a cheap figure not asked for stays the cheaper one."""
    before, settings = len(document.problems), robustness.model_dump()
    if robustness.cheap_examples > robustness.examples:
        settings["cheap_examples"] = robustness.examples
        if "cheap_examples" in robustness.model_fields_set:
            message = f"must not exceed examples ({robustness.examples})"
            document.add((*PATH, "cheap_examples"), message, robustness.cheap_examples)
    if robustness.attack == "words" and not robustness.synonyms:
        document.add((*PATH, "synonyms"), "attack words needs a table of synonyms: name its file")
    elif robustness.attack == "characters" and robustness.synonyms:
        message = "attack characters uses no table; remove it, or choose attack: words"
        document.add((*PATH, "synonyms"), message, robustness.synonyms)
    elif robustness.synonyms:
        file = (folder / Path(robustness.synonyms).expanduser()).resolve()
        settings["synonyms"] = str(file)
        if must_exist:
            _check_synonyms(document, file, robustness.synonyms)
    return TextThreat(**settings) if len(document.problems) == before else None


def _check_synonyms(document: Document, file: Path, written: str) -> None:
    try:
        load_synonyms(file)
    except DataError as error:
        document.add((*PATH, "synonyms"), str(error), written)


def short_name(document: Document) -> str:
    """What a spec calls its robust figure, whatever the threat: changing that changes the name."""
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

    On images not what picked the epoch (`selection.`), which flatters, nor FGSM's figure: one step
    up the cross-entropy is deceived by the scale of the logits.
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
    judged = threat or default_threat(_model(document))
    if not isinstance(judged, Threat):
        return False
    return metric.startswith(("selection.", judged.fgsm_metric(), "epoch."))


def is_attacked(metric: str) -> bool:
    """Whether a metric has its name from a threat."""
    _, _, rest = metric.partition(".")
    return rest.startswith(_ATTACKED)


def _model(document: Document) -> Any:
    task = document.data.get("task")
    model = task.get("model") if isinstance(task, dict) else None
    return model if isinstance(model, str) else None
