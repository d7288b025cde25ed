"""What is known of the robustness of a search's trials: judgements of the best, and confirmations.

Read from what their runs hold, and checked: `robustness.json` lies in a store that others write to.
Not for showing it (robustness_section.py, robustness_plot.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.adversarial.checks.warning import GradientMaskingWarning
from models.scores.metric_names import MetricName, unconfirmed
from search.history import Trial

FILE = "robustness.json"
_PARTS = ("name", "raised_when", "meaning", "remedy", "measured")


@dataclass(frozen=True)
class Count:
    """An accuracy as counts: how many of `examples` withstood an attack within `epsilon`."""

    attack: str
    metric: str
    epsilon: float
    examples: int
    correct: int

    @property
    def share(self) -> float:
        """The accuracy."""
        return self.correct / self.examples


@dataclass(frozen=True)
class EvaluatedTrial:
    """One of the best trials, as judged after the search; counts in the order of the judgement."""

    number: int
    epsilon: float
    confirm_examples: int
    values: Mapping[str, float]  # objective -> value on part B
    confirmation: tuple[Count, ...]
    test: tuple[Count, ...]
    curve: tuple[Count, ...]
    warnings: tuple[GradientMaskingWarning, ...]


@dataclass(frozen=True)
class ConfirmedTrial:
    """A trial whose robust accuracy met a stronger attack.

    Attributes:
        cheap: What the search's own attack found on part B.
        stronger: Both attacks together, on some of part B.
        gap: What only the stronger one broke, on those same examples.
        kept: The value that counts.
    """

    number: int
    cheap: float
    stronger: float
    gap: float
    kept: float
    is_replaced: bool
    is_best: bool

    @property
    def before(self) -> float:
        """What the search's own attack found on those same examples."""
        return self.stronger + self.gap


def evaluated_trials(
    best: Sequence[Trial], texts: Mapping[str, Mapping[str, str]]
) -> list[EvaluatedTrial]:
    """The judgements of the best trials, in their order; without those that have none.

    Args:
        best: What the search calls best.
        texts: Run id -> file name -> text.
    """
    found = [_judged(each, texts.get(each.run_id, {}).get(FILE, "")) for each in best]
    return [each for each in found if each is not None]


def confirmed_trials(trials: Iterable[Trial], best: Sequence[Trial]) -> list[ConfirmedTrial]:
    """Every trial that was confirmed, by number."""
    numbers = {each.number for each in best}
    found = [_confirmed(trial, trial.number in numbers) for trial in trials]
    return sorted((each for each in found if each), key=lambda each: each.number)


def last_values(trial: Trial) -> dict[str, float]:
    """Metric -> the value of its last epoch."""
    return {name: curve[max(curve)] for name, curve in trial.curves.items() if curve}


def _confirmed(trial: Trial, is_best: bool) -> ConfirmedTrial | None:
    values = last_values(trial)
    names = [each for each in map(MetricName.parse, sorted(values)) if each.split == "validation"]
    stronger = next((values[str(name)] for name in names if name.attack == "apgdt"), None)
    robust = [str(name) for name in names if name.role == "accuracy.robust"]
    if stronger is None or len(robust) != 1:
        return None
    kept = values[robust[0]]
    return ConfirmedTrial(
        trial.number, values.get(unconfirmed(robust[0]), kept), stronger,
        values.get("robustness.gap", 0.0), kept, values.get("robustness.replaced") == 1.0, is_best,
    )  # fmt: skip


def _judged(best: Trial, text: str) -> EvaluatedTrial | None:
    """None where the text is no judgement."""
    try:
        document = json.loads(text)
        threat = document["threat"]
        parts = {
            name: tuple(map(_count, document[name])) for name in ("confirmation", "test", "curve")
        }
        warnings = tuple(
            GradientMaskingWarning(**{part: str(each[part]) for part in _PARTS})
            for each in document["warnings"]
        )
        return EvaluatedTrial(
            best.number, float(threat["epsilon"]), int(threat["confirm_examples"]), best.by_metric,
            warnings=warnings, **parts,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def _count(record: Mapping[str, Any]) -> Count:
    found = Count(
        str(record["attack"]), str(record["metric"]), float(record["epsilon"]),
        int(record["examples"]), int(record["correct"]),
    )  # fmt: skip
    if not 0 <= found.correct <= found.examples or not found.examples:
        raise ValueError(f"{found.correct} of {found.examples} examples")
    return found
