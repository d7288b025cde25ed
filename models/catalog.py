"""What there is to search: models, their hyperparameters, their metrics, and data sets.

Imports no torch, so a specification is checked and history reviewed without starting anything.
It is not a search space: the ranges here are what is legal, a specification narrows them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.adversarial.threat_model import TextThreat, Threat
from models.data.description import DataDescription, TextDescription, describe_data
from models.data.sources import DataError
from models.hyperparameters.cnn import CNN, CNN_ARCHITECTURE
from models.hyperparameters.hyperparameter import Hyperparameter, Value, is_active
from models.hyperparameters.transformer import (
    CAUSAL_MODEL,
    ENTITY_TAGGER,
    TEXT_CLASSIFIER,
    TRANSFORMER_ARCHITECTURE,
    VISION_TRANSFORMER,
)
from models.scores.metric_names import corruption_metric, on_split

__all__ = [
    "MODELS",
    "AnyThreat",
    "DataDescription",
    "DataError",
    "Hyperparameter",
    "TextDescription",
    "TextThreat",
    "Threat",
    "Value",
    "architecture",
    "cheap_metric",
    "compared_metric",
    "complete",
    "data_kind",
    "default_threat",
    "describe_data",
    "is_active",
    "metrics",
    "needs_base",
    "robust_metric",
    "robust_name",
]

AnyThreat = Threat | TextThreat


@dataclass(frozen=True)
class _Model:
    """What the catalog knows of a model beside its hyperparameters.

    `clean` are its metrics on the validation split, `architecture` the hyperparameters that fix
    what its weights are.
    """

    kind: str
    hyperparameters: Iterable[Hyperparameter]
    clean: tuple[str, ...]
    architecture: tuple[str, ...] = TRANSFORMER_ARCHITECTURE
    needs_base: bool = True


_CLASSES = ("accuracy.clean", "f1.macro", "matthews")
_ENTITIES = ("f1.clean", "precision.clean", "recall.clean", "accuracy.tokens")
_ANSWERS = ("perplexity", "accuracy.clean")
# Those of models/adversarial/pixels/corruptions.py, which needs torch.
_CORRUPTED = tuple(map(corruption_metric, ("", "noise", "blur", "contrast")))
_MODELS = {
    "cnn": _Model("images", CNN, ("accuracy.clean",), CNN_ARCHITECTURE, needs_base=False),
    "text_classifier": _Model("classification", TEXT_CLASSIFIER, _CLASSES),
    "entity_tagger": _Model("entities", ENTITY_TAGGER, _ENTITIES),
    "causal_model": _Model("dialogue", CAUSAL_MODEL, _ANSWERS),
    "vision_transformer": _Model("images", VISION_TRANSFORMER, ("accuracy.clean",)),
}

MODELS: Mapping[str, Mapping[str, Hyperparameter]] = {
    name: {each.name: each for each in model.hyperparameters} for name, model in _MODELS.items()
}


def data_kind(model: str) -> str:
    """Kind of data a model learns from: "images", "classification", "entities" or "dialogue".

    Raises:
        ValueError: an unknown model.
    """
    return _known(model).kind


def needs_base(model: str) -> bool:
    """Whether a model starts from a pretrained one.

    Raises:
        ValueError: an unknown model.
    """
    return _known(model).needs_base


def architecture(model: str) -> tuple[str, ...]:
    """Names of the hyperparameters that fix the shape of a model's weights and what they compute.

    Who starts from the weights of another trial takes these from it. All may not be active.

    Raises:
        ValueError: an unknown model.
    """
    found, known = _known(model), MODELS[model]
    return tuple(name for name in found.architecture if name in known)


def default_threat(model: str) -> AnyThreat:
    """How robustness of a model is judged unless a spec says otherwise.

    Raises:
        ValueError: an unknown model.
    """
    return Threat() if data_kind(model) == "images" else TextThreat()


def robust_name(model: str) -> str:
    """What a spec calls the robust metric of a model: "accuracy.robust", of entities "f1.robust".

    Raises:
        ValueError: an unknown model.
    """
    return "f1.robust" if data_kind(model) == "entities" else "accuracy.robust"


def robust_metric(model: str, threat: AnyThreat) -> str:
    """Name of a model's full robust metric under a threat.

    Raises:
        ValueError: an unknown model.
    """
    return threat.metric() if isinstance(threat, Threat) else threat.metric(data_kind(model))


def cheap_metric(model: str, threat: AnyThreat) -> str:
    """Name of the robust metric that a model reports after every epoch; on texts but the last.

    Raises:
        ValueError: an unknown model.
    """
    if isinstance(threat, Threat):
        return on_split("selection", threat.cheap_metric())
    return threat.cheap_metric(data_kind(model))


def compared_metric(model: str, threat: AnyThreat, objective: str) -> str:
    """What stands for an objective after every epoch, for a scheduler to compare trials by.

    On images both accuracies are those of the part that picks the epoch: the objectives' own part
    is judged once, at the end. On texts the cheap robust metric stands for the full one. Any other
    objective stands for itself, and may come with the last epoch alone.

    Raises:
        ValueError: an unknown model.
    """
    standing = {robust_metric(model, threat): cheap_metric(model, threat)}
    if isinstance(threat, Threat):
        standing["accuracy.clean"] = on_split("selection", "accuracy.clean")
    return standing.get(objective, objective)


def complete(model: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return `values`, checked, with the defaults of all other active hyperparameters.

    A value without effect under the others is checked and left out: a task may fix
    `sgd.momentum` while its trials choose the optimizer.

    Raises:
        ValueError: an unknown model or name (with the nearest valid one), or an illegal value.
    """
    _known(model)
    known = MODELS[model]
    for name in values:
        if name not in known:
            raise ValueError(f"unknown hyperparameter {name!r} of {model}{_nearest(name, known)}")
    configuration: dict[str, Value] = {}
    for name, hyperparameter in known.items():
        value = hyperparameter.check(values.get(name, hyperparameter.default))
        if is_active(hyperparameter, configuration):
            configuration[name] = value
    return configuration


def metrics(model: str, threat: AnyThreat) -> tuple[str, ...]:
    """Names of what every trial of `model` reports beside `epoch`, in the order of its reports.

    The objectives on images, and the diagnostics beside the full robust metric, come with the last
    epoch alone. What only some trials get (targeted APGD, confirmation, test) is not among them.

    Raises:
        ValueError: an unknown model.
    """
    found = _known(model)
    every_epoch: tuple[str, ...] = ("loss.train",)
    every_epoch += ("loss.validation",) if found.needs_base else ()
    costs: tuple[str, ...] = ("seconds.train", "seconds.evaluation")
    if isinstance(threat, Threat):
        chosen_by = (*found.clean, threat.cheap_metric(), threat.fgsm_metric(), "collapsed")
        every_epoch += tuple(on_split("selection", each) for each in chosen_by)
        attacked = (threat.metric(), threat.fgsm_metric(), *_CORRUPTED)
        at_the_end = (*found.clean, *attacked, "epoch.selected")
        costs = ("gradients.train", *costs)
    else:
        every_epoch += (*found.clean, cheap_metric(model, threat))
        at_the_end = (threat.metric(found.kind), "queries.mean", "words_changed.share",
                      *threat.embedding_metrics())  # fmt: skip
    if found.needs_base:
        costs = (*costs, "seconds.setup", "parameters.trainable", "memory.peak_mb")
    return tuple(dict.fromkeys((*every_epoch, *at_the_end, *costs)))


def _known(model: str) -> _Model:
    if model not in _MODELS:
        raise ValueError(f"unknown model {model!r}{_nearest(model, MODELS)}")
    return _MODELS[model]


def _nearest(name: str, valid: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {sorted(valid)}"
