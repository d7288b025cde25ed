"""What there is to search: models, their hyperparameters, their metrics, and data sets.

Imports no torch, so a specification is checked and history reviewed without starting anything.
It is not a search space: the ranges here are what is legal, a specification narrows them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.description import DataDescription, describe_data
from models.sources import DataError

__all__ = [
    "MODELS",
    "DataDescription",
    "DataError",
    "Hyperparameter",
    "Threat",
    "Value",
    "complete",
    "describe_data",
    "is_active",
    "metric_role",
    "metrics",
]

Value = bool | int | float | str


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter that a model understands, with its legal values and its default.

    `when` maps a parent to the values under which this one has an effect; empty: always.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    default: Value
    low: float | int | None = None
    high: float | int | None = None
    choices: tuple[Value, ...] | None = None
    meaning: str = ""
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def check(self, value: Value) -> Value:
        """Return `value` in this hyperparameter's type (1 becomes 1.0 where a float is meant).

        Raises:
            ValueError: the value is of another type, not finite, or out of range.
        """
        if self.choices is not None:
            if not any(value == c and type(value) is type(c) for c in self.choices):
                raise ValueError(f"{self.name} is {value!r}: choose one of {list(self.choices)}")
            return value
        assert self.low is not None and self.high is not None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{self.name} is {value!r}: give a number ({self.kind})")
        # Written so that NaN, for which every comparison is false, is refused as well.
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} is {value!r}: it must lie in [{self.low}, {self.high}]")
        if self.kind == "float":
            return float(value)
        if value != int(value):
            raise ValueError(f"{self.name} is {value!r}: give a whole number")
        return int(value)


@dataclass(frozen=True)
class Threat:
    """How robustness is judged in a task; no trial can change it.

    `epsilon` is on the pixel scale [0, 1]. `examples` of the validation split (all, if it has
    fewer) are attacked after the last epoch with `steps` and `restarts`; `cheap_examples` of them
    after every epoch with `cheap_steps` and one restart, for schedulers. Where both have the same
    name, the last epoch reports the full one. Figures are upper bounds of the true robust
    accuracy: PGD need not find the worst case.

    Raises:
        ValueError: a setting is out of range.
    """

    norm: Literal["linf", "l2"] = "linf"
    epsilon: float = 0.1
    steps: int = 10
    restarts: int = 1
    examples: int = 297
    seed: int = 0
    cheap_steps: int = 3
    cheap_examples: int = 128

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2"):
            raise ValueError(f"norm is {self.norm!r}: choose 'linf' or 'l2'")
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"epsilon is {self.epsilon!r}: give a positive size in pixels [0, 1]")
        for name in ("steps", "restarts", "examples", "cheap_steps", "cheap_examples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give at least 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}: give 0 or more")
        if self.cheap_steps > self.steps:
            raise ValueError(f"cheap_steps ({self.cheap_steps}) must not exceed steps")

    def metric(self) -> str:
        """Name of the full robust accuracy, `accuracy.pgd10_linf_0.1`; x2 marks two restarts."""
        restarts = f"x{self.restarts}" if self.restarts > 1 else ""
        return f"accuracy.pgd{self.steps}{restarts}_{self._ball()}"

    def cheap_metric(self) -> str:
        """Name of the robust accuracy reported after every epoch."""
        return f"accuracy.pgd{self.cheap_steps}_{self._ball()}"

    def fgsm_metric(self) -> str:
        """Name of the accuracy under one gradient step."""
        return f"accuracy.fgsm_{self._ball()}"

    def _ball(self) -> str:
        text = f"{self.epsilon:.10g}"
        levels = round(self.epsilon * 255)
        # 8/255 is not a short decimal; the field writes it in grey levels.
        if len(text) > 6 and math.isclose(levels / 255, self.epsilon, rel_tol=1e-9):
            text = f"{levels}_255"
        return f"{self.norm}_{text}"


# What `Threat.metric` writes, whatever the attack, the norm and the size.
_ROBUST_ACCURACY = re.compile(r"accuracy\.pgd\d+(x\d+)?_(linf|l2)_[\d._e+-]+")


def metric_role(metric: str) -> str:
    """What a metric measures, its threat model aside: "accuracy.robust", or its own name.

    Values under different threats must never be mixed; ranks within a task may be compared.
    """
    return "accuracy.robust" if _ROBUST_ACCURACY.fullmatch(metric) else metric


def _choice(name: str, default: Value, choices: tuple[Value, ...], meaning: str) -> Hyperparameter:
    return Hyperparameter(name, "categorical", default, choices=choices, meaning=meaning)


def _number(
    name: str, default: float, low: float, high: float, meaning: str, **when: tuple[Value, ...]
) -> Hyperparameter:
    """A float or an int, by the type of its default; keywords name the parent it depends on."""
    kind: Literal["float", "int"] = "int" if isinstance(default, int) else "float"
    return Hyperparameter(name, kind, default, low, high, meaning=meaning, when=when)


_FGSM: dict[str, tuple[Value, ...]] = {"adversarial_training": ("fgsm",)}
_PGD: dict[str, tuple[Value, ...]] = {"adversarial_training": ("pgd",)}
_ADVERSARIAL: dict[str, tuple[Value, ...]] = {"adversarial_training": ("fgsm", "pgd")}

# Parents stand before their children. The defaults are the classic small CNN: two blocks of 32 and
# 64 filters 3x3 with pooling, a fully connected layer of 128, plain training.
_CNN = (
    _choice("optimizer", "adamw", ("sgd", "adamw"), "SGD with Nesterov momentum, or AdamW"),
    _number("sgd.learning_rate", 0.05, 1e-6, 10.0, "peak learning rate", optimizer=("sgd",)),
    _number("sgd.momentum", 0.9, 0.0, 0.999, "Nesterov momentum; 0: plain SGD", optimizer=("sgd",)),
    _number("adamw.learning_rate", 2e-3, 1e-7, 1.0, "peak learning rate", optimizer=("adamw",)),
    _number("weight_decay", 1e-4, 0.0, 1.0, "on weights; not on biases and normalisation"),
    _choice("schedule", "cosine", ("constant", "cosine", "one_cycle"), "learning rate over steps"),
    _number("batch_size", 64, 2, 8192, "examples per step"),
    _number("label_smoothing", 0.0, 0.0, 0.9, "probability spread over all classes"),
    _number("gradient_clip", 0.0, 0.0, 1000.0, "largest gradient norm; 0: off"),
    _choice("augmentation", "none", ("none", "shift", "shift_flip"), "random shifts, mirroring"),
    _number("blocks", 2, 1, 8, "blocks of convolution, normalisation, activation, pooling"),
    _number("width", 32, 1, 1024, "filters of the first block, doubled in each next one"),
    _choice("kernel_size", 3, (1, 3, 5, 7), "side of the filters in pixels"),
    _choice("activation", "relu", ("relu", "gelu", "silu", "tanh"), "non-linearity"),
    _choice("normalisation", "none", ("none", "batch", "group"), "after each convolution"),
    _number("dropout", 0.0, 0.0, 0.95, "share of the fully connected layer dropped"),
    _number("fully_connected_width", 128, 1, 8192, "units before the logits"),
    _choice("adversarial_training", "none", ("none", "fgsm", "pgd"), "attack inside training"),
    _number("fgsm.epsilon", 0.1, 1e-4, 10.0, "size on the pixel scale [0, 1]", **_FGSM),
    # Wong et al. 2020, section 4.1: 1.25 epsilon from a random start; longer steps overfit.
    _number("fgsm.step_size", 1.25, 0.01, 4.0, "multiple of fgsm.epsilon", **_FGSM),
    _number("pgd.epsilon", 0.1, 1e-4, 10.0, "size on the pixel scale [0, 1]", **_PGD),
    # Madry et al. 2018, section 5: 7 steps of a quarter of epsilon on CIFAR-10.
    _number("pgd.steps", 7, 1, 100, "gradient steps", **_PGD),
    _number("pgd.step_size", 0.25, 0.01, 4.0, "multiple of pgd.epsilon", **_PGD),
    _number("adversarial_share", 1.0, 0.01, 1.0, "share of a batch attacked", **_ADVERSARIAL),
)

MODELS: Mapping[str, Mapping[str, Hyperparameter]] = {"cnn": {h.name: h for h in _CNN}}


def is_active(hyperparameter: Hyperparameter, values: Mapping[str, Value]) -> bool:
    """Whether `hyperparameter` has an effect under the parents' `values`."""
    return all(values.get(parent) in allowed for parent, allowed in hyperparameter.when.items())


def complete(model: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return `values`, checked, with the defaults of all other active hyperparameters.

    A value without effect under the others is checked and left out: a task may fix
    `sgd.momentum` while its trials choose the optimizer.

    Raises:
        ValueError: an unknown model or name (with the nearest valid one), or an illegal value.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}{_nearest(model, MODELS)}")
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


def metrics(model: str, threat: Threat) -> tuple[str, ...]:
    """Names of what a trial of `model` reports beside `epoch`, in the order of its reports.

    The full robust accuracy and FGSM's come with the last epoch alone.

    Raises:
        ValueError: an unknown model.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}{_nearest(model, MODELS)}")
    every_epoch = ("loss.train", "accuracy.clean", threat.cheap_metric())
    seconds = ("seconds.train", "seconds.evaluation")
    names = (*every_epoch, threat.metric(), threat.fgsm_metric(), *seconds)
    return tuple(dict.fromkeys(names))


def _nearest(name: str, valid: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {sorted(valid)}"
