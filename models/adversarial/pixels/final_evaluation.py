"""The final evaluation of an image model: its robustness on data that the search has not used.

A search selects by the examples that it measures, so its metrics are optimistic. Here the model is
evaluated on two sets that selected nothing: the confirmation part of the validation split, and the
test split, by AutoAttack; checks for gradient masking say whether the accuracies can be trusted.
They are upper bounds of the true robust accuracy, proved by adversarial examples.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.gradient_masking_outputs import ONE_CLASS
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.adversarial_examples import AdversarialExamples, model_digest
from models.adversarial.pixels.autoattack import is_installed, parts_for
from models.adversarial.pixels.evaluation import Replay, fixed_subset, measure
from models.adversarial.pixels.metrics import (
    AttackMetric,
    attack_metric,
    clean_metric,
    worst_case,
)
from models.adversarial.threat_model import Threat
from models.scores.metric_names import AttackName, on_split

# Epsilons of the curve as multiples of the threat's: dense below it, and large enough to show a
# curve that does not fall.
CURVE = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
# Enough for a curve (a standard error of 3.5 points at most), and nine attacks remain cheap.
CURVE_EXAMPLES = 200
# The attacks as people are told of them while they run.
_IN_WORDS = {"fgsm": "FGSM", "pgd": "PGD", "apgdt": "targeted APGD", "autoattack": "AutoAttack"}


class Subject(Protocol):
    """What is evaluated: a training, or a model rebuilt from its checkpoint."""

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images (n, channels, height, width) in [0, 1] of a part or "test", and labels."""

    def classifier(self) -> nn.Module:
        """Return the model from images to logits."""


@dataclass(frozen=True, eq=False)
class RobustnessEvaluation:
    """The result of the final evaluation.

    Attributes:
        metrics: Metrics for the trial's run: `confirmation.*` and `test.*`.
        warnings: Warnings of gradient masking; usually none.
        texts: Files by name: robustness.json, warnings.md.
        adversarial_examples: Those of the worst case on the test split.
    """

    metrics: dict[str, float]
    warnings: tuple[GradientMaskingWarning, ...]
    texts: dict[str, str]
    adversarial_examples: AdversarialExamples


def evaluate_robustness(training: Subject, threat: Threat) -> Iterator[str | RobustnessEvaluation]:
    """Evaluate a finished model on the confirmation part and on the test split.

    Yields each step in words before it is taken, as some take minutes; the result is the last item.

    Random starts have another seed than on the validation split, so nothing was selected against
    them. If AutoAttack is installed and `final_examples` is not 0, all attacks use the same
    `final_examples` test images, else all test images. A model that answers one class and that PGD
    does not change gets no expensive attack: all collapsed trials of a search may have the same
    values, and so be among its best.
    """
    model, seed = training.classifier(), threat.seed + 1
    part = training.examples("confirmation")
    confirmed = [clean_metric(model, *part)]
    confirmed += yield from _attacked(["pgd"], model, *part, threat, seed, "confirmation")
    images, labels = training.examples("test")
    index = _index(len(labels), threat.final_examples or len(labels), threat, images)
    attacked = images[index], labels[index]
    yield "checks for gradient masking"
    warnings = tuple(check(model, *attacked, threat, seed))
    tested = [clean_metric(model, *attacked)]
    tested += yield from _attacked(["fgsm", "pgd"], model, *attacked, threat, seed, "test")
    is_constant = any(each.name == ONE_CLASS for each in warnings)
    if not is_constant or tested[-1].accuracy < tested[0].accuracy:
        attacks: list[AttackName] = ["apgdt"]
        attacks += ["autoattack"] * bool(threat.final_examples and is_installed())
        tested += yield from _attacked(attacks, model, *attacked, threat, seed, "test")
    parts = parts_for(model, *attacked) if tested[-1].attack == "autoattack" else ()
    tested.append(worst_case(tested[1:], threat))
    metrics = _metrics(confirmed, tested, clean_metric(model, images, labels))
    yield f"PGD at {len(CURVE) - 1} epsilons"
    curve = accuracy_curve(model, *attacked, threat, seed)
    document = {
        "threat": dataclasses.asdict(threat),
        "confirmation": [each.to_json() for each in confirmed],
        "test": [each.to_json() for each in tested],
        "curve": [each.to_json() for each in curve],
        "autoattack": list(parts),
        "warnings": [dataclasses.asdict(each) for each in warnings],
    }
    texts = {"robustness.json": json.dumps(document, indent=1) + "\n"}
    if warnings:
        texts["warnings.md"] = warnings_text(warnings)
    yield RobustnessEvaluation(
        metrics, warnings, texts, adversarial_examples_of(tested[-1], index, "test", model)
    )


def accuracy_curve(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[AttackMetric]:
    """Measure the accuracy under the full attack at each epsilon of `CURVE`.

    It uses at most `CURVE_EXAMPLES` images. Adversarial examples of a small ball lie in every
    larger one, so they are tried there too.
    """
    some = _index(len(labels), CURVE_EXAMPLES, threat, images)
    images, labels = images[some], labels[some]
    points, replays = [clean_metric(model, images, labels)], list[Replay]()
    for multiple in CURVE[1:]:
        at = threat.at(multiple * threat.epsilon)
        measured = measure(model, images, labels, at, seed, replays=replays)
        points.append(AttackMetric("pgd", at.metric(), at.epsilon, 0.0, measured))
        found = torch.from_numpy(measured.misclassified).to(images.device)
        replays = [Replay(found, measured.adversarial_examples[found])]
    return points


def adversarial_examples_of(
    found: AttackMetric, index: Tensor, split: str, model: nn.Module
) -> AdversarialExamples:
    """Return the adversarial examples behind a metric of the examples `index` (n,) of a split."""
    wrong = torch.from_numpy(found.measured.misclassified).to(index.device)
    return AdversarialExamples(
        attacked=index.cpu(),
        index=index[wrong].cpu(),
        images=found.measured.adversarial_examples[wrong].detach().cpu(),
        split=split,
        metric=found.metric,
        model=model_digest(model),
    )


def warnings_text(warnings: Sequence[GradientMaskingWarning]) -> str:
    """Return warnings as Markdown: three parts each and the measured values."""
    return "\n".join(each.as_markdown() for each in warnings)


def _attacked(
    attacks: Sequence[AttackName],
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
    split: str,
) -> Generator[str, None, list[AttackMetric]]:
    """Yield each attack in words before it runs; return its metric."""
    attacked = []
    for name in attacks:
        yield f"{_IN_WORDS[name]} on {len(labels)} {split} images"
        attacked.append(attack_metric(name, model, images, labels, threat, seed))
    return attacked


def _metrics(
    confirmed: Sequence[AttackMetric], tested: Sequence[AttackMetric], clean: AttackMetric
) -> dict[str, float]:
    """Name the metrics; `clean` is of the whole test split, the others of the attacked examples."""
    metrics = {on_split("confirmation", each.metric): each.accuracy for each in confirmed}
    metrics[on_split("confirmation", "examples")] = float(confirmed[0].examples)
    metrics |= {on_split("test", each.metric): each.accuracy for each in (*tested, clean)}
    metrics[on_split("test", "examples")] = float(clean.examples)
    metrics[on_split("test", "attacked_examples")] = float(tested[0].examples)
    return metrics


def _index(n: int, count: int, threat: Threat, images: Tensor) -> Tensor:
    return torch.from_numpy(fixed_subset(n, count, threat.seed)).to(images.device)
