"""The catalog of models, with their hyperparameters and metrics, and of data sets.

Imports no torch, so that specifications and history are checked quickly. It is not a search space:
ranges here are the legal ones, which a specification narrows.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.adversarial.threat_model import TextThreat, Threat
from models.data.description import DataDescription, TextDescription, describe_data
from models.data.kind import guess_kind
from models.data.sources import DataError
from models.hyperparameters.cnn import CNN, CNN_ARCHITECTURE, NETWORK
from models.hyperparameters.hyperparameter import (
    OWN_PREFIX,
    Hyperparameter,
    Value,
    is_active,
    usual,
)
from models.hyperparameters.transformer import (
    CAUSAL_MODEL,
    TEXT_CLASSIFIER,
    TEXT_NETWORK,
    TRANSFORMER_ARCHITECTURE,
    VISION_TRANSFORMER,
)
from models.kinds import KINDS
from models.scores.cost_names import CPU_SECONDS, GPU_SECONDS, MODEL_COSTS, SECONDS_SO_FAR
from models.scores.metric_names import MetricName, corruption_metric, on_split

__all__ = [
    "MODELS",
    "NETWORKS",
    "OWN_PREFIX",
    "AnyThreat",
    "DataDescription",
    "DataError",
    "Hyperparameter",
    "TextDescription",
    "TextThreat",
    "Threat",
    "Value",
    "architecture",
    "catalog_name",
    "cheap_metric",
    "compared_metric",
    "complete",
    "data_kind",
    "default_threat",
    "describe_data",
    "guess_kind",
    "is_active",
    "is_own",
    "metrics",
    "needs_base",
    "robust_metric",
    "robust_name",
    "usual",
]

AnyThreat = Threat | TextThreat


@dataclass(frozen=True)
class _Model:
    """A model of the catalog.

    `kind` is that of its data, `architecture` the hyperparameters that determine its weights.
    """

    kind: str
    hyperparameters: Iterable[Hyperparameter]
    architecture: tuple[str, ...] = TRANSFORMER_ARCHITECTURE
    needs_base: bool = True


# How many examples, and of entities how many of these, are behind the objectives.
_COUNTS = ("examples", "attacked_examples")
_ENTITY_COUNTS = ("entities", "attacked_entities")
# The kinds of models/adversarial/pixels/corruptions.py, which needs torch.
_CORRUPTED = tuple(map(corruption_metric, ("", "noise", "blur", "contrast")))
_MODELS = {
    "cnn": _Model("images", CNN, CNN_ARCHITECTURE, needs_base=False),
    "text_classifier": _Model("classification", TEXT_CLASSIFIER),
    "text_ranker": _Model("ranking", TEXT_CLASSIFIER),
    "entity_tagger": _Model("entities", TEXT_CLASSIFIER),
    "causal_model": _Model("dialogue", CAUSAL_MODEL),
    "vision_transformer": _Model("images", VISION_TRANSFORMER),
    # A user's own network: trained and evaluated as the models above, with hyperparameters of its
    # own, whose names begin with OWN_PREFIX.
    "network": _Model("images", NETWORK, (), needs_base=False),
    "text_network": _Model("classification", TEXT_NETWORK, ()),
}
# No names of models: a specification names the builder of its network instead.
NETWORKS = ("network", "text_network")

MODELS: Mapping[str, Mapping[str, Hyperparameter]] = {
    name: {each.name: each for each in model.hyperparameters} for name, model in _MODELS.items()
}


def catalog_name(model: str | None, network: object, base: object) -> str:
    """Return the name here of a model, or of a user's own network; "" for a training function."""
    if network is not None:
        return "network" if base is None else "text_network"
    return model or ""


def data_kind(model: str) -> str:
    """Return the kind of data of a model: "images", or one of `models.kinds.TEXT_KINDS`.

    Raises:
        ValueError: an unknown model.
    """
    return _known(model).kind


def needs_base(model: str) -> bool:
    """Return whether a model starts from a pretrained one.

    Raises:
        ValueError: an unknown model.
    """
    return _known(model).needs_base


def architecture(model: str) -> tuple[str, ...]:
    """Return the hyperparameters that determine the shape and function of a model's weights.

    A trial that starts from the weights of another one takes their values from it. Some may be
    inactive. Of a user's own network they are all whose names begin with OWN_PREFIX, and are not
    listed here.

    Raises:
        ValueError: an unknown model.
    """
    found, known = _known(model), MODELS[model]
    return tuple(name for name in found.architecture if name in known)


def default_threat(model: str) -> AnyThreat:
    """Return the default threat of a model.

    Raises:
        ValueError: an unknown model.
    """
    return Threat() if data_kind(model) == "images" else TextThreat()


def robust_name(model: str) -> str:
    """Return a spec's name of the robust metric: "accuracy.robust", of entities "f1.robust".

    Of a ranking it is "ndcg_at_10.robust".

    Raises:
        ValueError: an unknown model.
    """
    return MetricName.parse(robust_metric(model, default_threat(model))).role


def robust_metric(model: str, threat: AnyThreat) -> str:
    """Return the name of a model's full robust metric under a threat.

    Raises:
        ValueError: an unknown model.
    """
    return threat.metric() if isinstance(threat, Threat) else threat.metric(data_kind(model))


def cheap_metric(model: str, threat: AnyThreat) -> str:
    """Return the name of the cheap robust metric that a model reports after every epoch.

    Raises:
        ValueError: an unknown model.
    """
    if isinstance(threat, Threat):
        return on_split("selection", threat.cheap_metric())
    return on_split("selection", threat.cheap_metric(data_kind(model)))


def compared_metric(model: str, threat: AnyThreat, objective: str) -> str:
    """Return the metric by which a scheduler compares trials on an objective after every epoch.

    Clean metrics are those of the selection part, because the objective part is evaluated once, at
    the end; so is the cheap robust metric that stands for the full one. Any other objective is
    returned itself; a scheduler needs it after every epoch.

    Raises:
        ValueError: an unknown model.
    """
    substitutes = {robust_metric(model, threat): cheap_metric(model, threat)}
    substitutes |= {name: on_split("selection", name) for name in KINDS[data_kind(model)].metrics}
    return substitutes.get(objective, objective)


def complete(model: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return `values`, checked, with the defaults of all other active hyperparameters (`usual`).

    An inactive value is checked and left out: a task may fix `sgd.momentum` while its trials
    choose the optimizer. A network's own hyperparameters come last, as they are.

    Raises:
        ValueError: an unknown model or name (with the nearest valid one), or an illegal value.
    """
    _known(model)
    known = MODELS[model]
    own = {name: value for name, value in values.items() if is_own(model, name)}
    for name in values:
        if name not in known and name not in own:
            raise ValueError(f"unknown hyperparameter {name!r} of {model}{_nearest(name, known)}")
    configuration: dict[str, Value] = {}
    for name, hyperparameter in known.items():
        value = hyperparameter.check(values.get(name, usual(hyperparameter, configuration)))
        if is_active(hyperparameter, configuration):
            configuration[name] = value
    return configuration | own


def is_own(model: str, name: str) -> bool:
    """Return whether a hyperparameter is one of a user's own network."""
    return model in NETWORKS and name.startswith(OWN_PREFIX)


def metrics(model: str, threat: AnyThreat) -> tuple[str, ...]:
    """Return the names of the metrics of every trial of `model`, except `epoch`, in order.

    The metrics of the objective part, which the objectives are among, come with the last epoch
    only. Metrics of some trials only (targeted APGD, confirmation, test) are not included, but for
    `seconds.gpu`, which trials on a GPU have.

    Raises:
        ValueError: an unknown model.
    """
    found = _known(model)
    clean = KINDS[found.kind].metrics
    every_epoch: tuple[str, ...] = ("loss.train",)
    every_epoch += ("loss.validation",) if found.needs_base else ()
    costs: tuple[str, ...] = tuple(
        f"{unit}.{part}" for unit in ("seconds", "work") for part in ("train", "evaluation")
    )
    if isinstance(threat, Threat):
        chosen_by = (*clean, threat.cheap_metric(), threat.fgsm_metric(), "collapsed")
        every_epoch += tuple(on_split("selection", each) for each in chosen_by)
        attacked = (threat.metric(), threat.fgsm_metric(), *_CORRUPTED)
        at_the_end = (*clean, *attacked, "epoch.selected")
        costs = ("gradients.train", *costs)
    else:
        every_epoch += tuple(on_split("selection", each) for each in clean)
        every_epoch += (cheap_metric(model, threat),)
        counts = (*_COUNTS, *_ENTITY_COUNTS) if found.kind == "entities" else _COUNTS
        at_the_end = (*clean, threat.metric(found.kind), "queries.mean",
                      "words_changed.share", *threat.embedding_metrics(), *counts)  # fmt: skip
    if found.needs_base:
        costs = (*costs, "seconds.setup", "memory.peak_mb")
    costs = (*costs, SECONDS_SO_FAR, CPU_SECONDS, GPU_SECONDS, *MODEL_COSTS)
    return tuple(dict.fromkeys((*every_epoch, *at_the_end, *costs)))


def _known(model: str) -> _Model:
    if model not in _MODELS:
        raise ValueError(f"unknown model {model!r}{_nearest(model, MODELS)}")
    return _MODELS[model]


def _nearest(name: str, valid: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {sorted(valid)}"
