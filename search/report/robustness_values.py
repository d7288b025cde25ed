"""The robustness of a search's trials: evaluations of the best, and confirmations.

Read from their runs and checked: `robustness.json` comes from a store that others write to. Not for
showing it (robustness_section.py, robustness_plot.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from models.adversarial.checks.search_warnings import GAP, REPLACED, search_warnings
from models.adversarial.checks.warning import GradientMaskingWarning
from models.scores.metric_names import Attack, MetricName, unconfirmed
from search.history import Trial

FILE = "robustness.json"


@dataclass(frozen=True)
class Count:
    """An accuracy as counts: how many of `examples` withstood an attack within `epsilon`."""

    attack: str
    metric: str
    epsilon: float
    examples: int
    correct: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.examples or not self.examples:
            raise ValueError(f"{self.correct} of {self.examples} examples")

    @property
    def share(self) -> float:
        """The accuracy."""
        return self.correct / self.examples


@dataclass(frozen=True)
class EvaluatedTrial:
    """One of the best trials, as evaluated after the search; counts in the order of evaluation."""

    number: int
    epsilon: float
    test: tuple[Count, ...]
    curve: tuple[Count, ...]
    warnings: tuple[GradientMaskingWarning, ...]


@dataclass(frozen=True)
class ConfirmedTrial:
    """A trial whose robust accuracy was confirmed by stronger attacks.

    Attributes:
        cheap: Robust accuracy under the search's own attack, on the objective part of validation.
        stronger: Robust accuracy under all attacks together, on some of these examples.
        attacks: What was run in addition to the search's own attack.
        gap: Share of the same examples that only the stronger attacks changed to a wrong class.
        kept: The robust accuracy that counts.
        is_replaced: Whether the cheap value was replaced, since the gap was too large.
        is_excluded: Whether the trial does not count, since its accuracy may be false.
        is_best: Whether it is one of the best trials.
        warnings: What its confirmation warned of.
    """

    number: int
    cheap: float
    stronger: float
    attacks: str
    gap: float
    kept: float
    is_replaced: bool
    is_excluded: bool
    is_best: bool
    warnings: tuple[GradientMaskingWarning, ...]

    @property
    def before(self) -> float:
        """Robust accuracy under the search's own attack on the examples of `stronger`."""
        return self.stronger + self.gap


# The accuracy of a confirmation -> its attacks; searches of earlier versions have the second.
_CONFIRMATIONS: Mapping[Attack | None, str] = {"worst": "APGD-T and Square", "apgdt": "APGD-T"}
_COUNTS = TypeAdapter(tuple[Count, ...])
_WARNINGS = TypeAdapter(tuple[GradientMaskingWarning, ...])


def evaluated_trials(
    best: Sequence[Trial], texts: Mapping[str, Mapping[str, str]]
) -> list[EvaluatedTrial]:
    """The evaluations of the best trials, in their order; without those that have none.

    Args:
        best: The best trials of the search.
        texts: Run id -> file name -> text.
    """
    found = [_evaluated(each, texts.get(each.run_id, {}).get(FILE, "")) for each in best]
    return [each for each in found if each is not None]


def confirmed_trials(trials: Iterable[Trial], best: Sequence[Trial]) -> list[ConfirmedTrial]:
    """Every trial that was confirmed, by number."""
    numbers = {each.number for each in best}
    found = [_confirmed(trial, trial.number in numbers) for trial in trials]
    return sorted((each for each in found if each), key=lambda each: each.number)


def _confirmed(trial: Trial, is_best: bool) -> ConfirmedTrial | None:
    values = dict(sorted(trial.last_values.items()))
    names = [each for each in map(MetricName.parse, values) if each.split == "validation"]
    attacked = {name.attack: values[str(name)] for name in reversed(names)}
    robust = [str(name) for name in names if name.role == "accuracy.robust"]
    # An earlier version measured a cheaper one on the same split.
    robust = [name for name in robust if name in trial.metrics] or robust
    by = next((attack for attack in _CONFIRMATIONS if attack in attacked), None)
    if by is None or len(robust) != 1:
        return None
    kept = values[robust[0]]
    return ConfirmedTrial(
        trial.number, values.get(unconfirmed(robust[0]), kept), attacked[by], _CONFIRMATIONS[by],
        values.get(GAP, 0.0), kept, values.get(REPLACED) == 1.0,
        trial.cause == "masked gradients", is_best, tuple(search_warnings(values)),
    )  # fmt: skip


def _evaluated(best: Trial, text: str) -> EvaluatedTrial | None:
    """Reads an evaluation; None for a text that is not one."""
    try:
        document = json.loads(text)
        return EvaluatedTrial(
            number=best.number,
            epsilon=float(document["threat"]["epsilon"]),
            test=_COUNTS.validate_python(document["test"]),
            curve=_COUNTS.validate_python(document["curve"]),
            warnings=_WARNINGS.validate_python(document["warnings"]),
        )
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return None
