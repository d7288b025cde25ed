"""The final judgement of an image model: what of its robustness is still true outside the search.

A search prefers what looks good on the examples that it measures, so its figures flatter. Here the
model meets two sets that chose nothing: part C of the validation split, and once the test split,
where AutoAttack is the judge; and the checks against false security say whether to believe any of
it. Figures are upper bounds of the true robust accuracy, with witnesses that prove them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import SecurityWarning, check
from models.adversarial.pixels.adversarial_examples import AdversarialExamples, model_digest
from models.adversarial.pixels.autoattack import is_installed, standard_parts
from models.adversarial.pixels.evaluation import Replay, fixed_subset, measure
from models.adversarial.pixels.metrics import (
    AttackMetric,
    AttackName,
    attack_metric,
    clean_metric,
    worst_case,
)
from models.adversarial.threat_model import Threat
from models.scores.metric_names import on_split

# Epsilons of the curve as multiples of the threat's: close where a search looks, and far enough
# that a curve that does not come down says so.
CURVE = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
# Enough for a curve (a standard error of 3.5 points at most), and nine attacks stay cheap.
CURVE_EXAMPLES = 200


class Subject(Protocol):
    """What is judged: a training, or a model rebuilt from its checkpoint."""

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Images (n, channels, height, width) in [0, 1] of a part or of "test", and labels."""

    def classifier(self) -> nn.Module:
        """Images to logits."""


@dataclass(frozen=True, eq=False)
class RobustnessEvaluation:
    """What was found.

    Attributes:
        metrics: Of the trial's run: `confirmation.*` and `test.*`.
        warnings: Reasons not to believe the figures; none is the rule.
        texts: Files for people and programs: robustness.json, warnings.md.
        witnesses: Of the worst case on the test split.
    """

    metrics: dict[str, float]
    warnings: tuple[SecurityWarning, ...]
    texts: dict[str, str]
    witnesses: AdversarialExamples


def evaluate_robustness(training: Subject, threat: Threat) -> RobustnessEvaluation:
    """Confirms a finished model on part C and judges it on the test split.

    The test split's random starts have a seed of their own, so nothing chosen on the validation
    split was chosen against them. AutoAttack runs where it is installed and `final_examples` is
    not 0; then all attacks see the same `final_examples` test images, else all.
    """
    model, seed = training.classifier(), threat.seed + 1
    confirmed = _clean_and(["pgd"], model, *training.examples("confirmation"), threat, seed)
    images, labels = training.examples("test")
    index = _index(len(labels), threat.final_examples or len(labels), threat, images)
    attacked = images[index], labels[index]
    attacks: list[AttackName] = ["fgsm", "pgd", "apgdt"]
    if threat.final_examples and is_installed():
        attacks.append("autoattack")
    figures = _clean_and(attacks, model, *attacked, threat, seed)
    figures.append(worst_case(figures[1:], threat))
    warnings = tuple(check(model, *attacked, threat, seed))
    metrics = _metrics(confirmed, figures, clean_metric(model, images, labels))
    curve = accuracy_curve(model, *attacked, threat, seed)
    document = {
        "threat": dataclasses.asdict(threat),
        "confirmation": [each.to_json() for each in confirmed],
        "test": [each.to_json() for each in figures],
        "curve": [each.to_json() for each in curve],
        "autoattack": _parts(model, images) if "autoattack" in attacks else [],
        "warnings": [dataclasses.asdict(each) for each in warnings],
    }
    texts = {"robustness.json": json.dumps(document, indent=1) + "\n"}
    if warnings:
        texts["warnings.md"] = warnings_text(warnings)
    return RobustnessEvaluation(
        metrics, warnings, texts, adversarial_examples_of(figures[-1], index, "test", model, threat)
    )


def accuracy_curve(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[AttackMetric]:
    """Accuracy under the full attack at each epsilon of `CURVE`, on `CURVE_EXAMPLES` at most.

    What broke an example in a small ball lies in every larger one, so it is shown there, too.
    """
    some = _index(len(labels), CURVE_EXAMPLES, threat, images)
    images, labels = images[some], labels[some]
    points, broken = [clean_metric(model, images, labels)], list[Replay]()
    for multiple in CURVE[1:]:
        at = threat.at(multiple * threat.epsilon)
        measured = measure(model, images, labels, at, seed, replays=broken)
        points.append(AttackMetric("pgd", at.metric(), at.epsilon, 0.0, measured))
        found = torch.from_numpy(measured.broken).to(images.device)
        broken = [Replay(found, measured.witnesses[found])]
    return points


def adversarial_examples_of(
    found: AttackMetric, index: Tensor, split: str, model: nn.Module, threat: Threat
) -> AdversarialExamples:
    """The witnesses of a figure on the examples `index` (n,) of a split."""
    broken = torch.from_numpy(found.measured.broken).to(index.device)
    return AdversarialExamples(
        attacked=index.cpu(),
        index=index[broken].cpu(),
        images=found.measured.witnesses[broken].detach().cpu(),
        norm=threat.norm,
        epsilon=threat.epsilon,
        split=split,
        metric=found.metric,
        model=model_digest(model),
    )


def warnings_text(warnings: Sequence[SecurityWarning]) -> str:
    """Warnings as Markdown, three parts each and what was measured."""
    return "\n".join(each.as_markdown() for each in warnings)


def _clean_and(
    attacks: Sequence[AttackName],
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
) -> list[AttackMetric]:
    attacked = [attack_metric(name, model, images, labels, threat, seed) for name in attacks]
    return [clean_metric(model, images, labels), *attacked]


def _metrics(
    confirmed: Sequence[AttackMetric], tested: Sequence[AttackMetric], clean: AttackMetric
) -> dict[str, float]:
    """`clean` is of the whole test split; the others of the examples that were attacked."""
    metrics = {on_split("confirmation", each.metric): each.accuracy for each in confirmed}
    metrics[on_split("confirmation", "examples")] = float(confirmed[0].examples)
    metrics |= {on_split("test", each.metric): each.accuracy for each in (*tested, clean)}
    metrics[on_split("test", "examples")] = float(clean.examples)
    metrics[on_split("test", "attacked_examples")] = float(tested[0].examples)
    return metrics


def _index(n: int, count: int, threat: Threat, images: Tensor) -> Tensor:
    return torch.from_numpy(fixed_subset(n, count, threat.seed)).to(images.device)


def _parts(model: nn.Module, images: Tensor) -> list[str]:
    with torch.no_grad():
        return list(standard_parts(int(model(images[:1]).shape[1])))
