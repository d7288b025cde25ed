"""The evaluation of any image classifier under a threat: what the built-in trainings report.

They evaluate by `evaluate` themselves, so a user's own training that calls it has the same metrics,
under the same names, of the same examples. Accuracies under attack are upper bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.corruptions import corrupted_accuracy
from models.adversarial.pixels.evaluation import (
    AttackOutcome,
    Replay,
    correct,
    fgsm_correct,
    fixed_subset,
    measure,
)
from models.adversarial.threat_model import Threat


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The robustness of a classifier on n images, of which k were attacked.

    Attributes:
        metrics: `accuracy.clean` and the means over corruptions on all images, the accuracies under
            attack on those attacked.
        index: Positions (k,) of the attacked images, int64, ascending.
        outcome: Which of them withstood the full attack, and adversarial examples.
        warnings: Those of the checks for gradient masking; empty if they were not asked for.
    """

    metrics: dict[str, float]
    index: Tensor
    outcome: AttackOutcome
    warnings: tuple[GradientMaskingWarning, ...] = ()

    @property
    def adversarial_examples(self) -> Tensor:
        """Those of `outcome`: the clean image where there is none."""
        return self.outcome.adversarial_examples


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    checks: bool = False,
    replays: Sequence[Replay] = (),
) -> Evaluation:
    """Attack a classifier and return its metrics, with the adversarial examples that were found.

    The model is evaluated in eval mode; the mode of its modules is restored. Equal arguments give
    equal results, whatever the global generators are at.

    Args:
        model: maps images to logits (n, classes); normalisation is part of it.
        images: float32 (n, channels, height, width) in [0, 1]; moved to the model's device.
        labels: int64 (n,).
        threat: norm, epsilon, attacks, and the number of images to attack (`examples`).
        checks: whether to look for gradient masking, which takes several times as long.
        replays: adversarial examples of other models, tried first; indices count attacked images.

    Raises:
        TypeError: an argument is of another type; says which to give.
        ValueError: images are not in [0, 1], or there is not one label for each.
    """
    images, labels = _checked(model, images, labels, threat)
    index = torch.from_numpy(fixed_subset(len(labels), threat.examples, threat.seed))
    index = index.to(images.device)
    attacked, truth = images[index], labels[index]
    found = measure(model, attacked, truth, threat, threat.seed, replays=replays)
    metrics = {
        "accuracy.clean": float(correct(model, images, labels).mean()),
        threat.metric(): float(found.robust.mean()),
        threat.fgsm_metric(): float(fgsm_correct(model, attacked, truth, threat).mean()),
        **corrupted_accuracy(model, images, labels, threat.seed),
    }
    warnings = tuple(check(model, attacked, truth, threat, threat.seed)) if checks else ()
    return Evaluation(metrics, index, found, warnings)


def _checked(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat
) -> tuple[Tensor, Tensor]:
    """Return images and labels on the model's device."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; fix: give a torch.nn.Module")
    if not isinstance(threat, Threat):
        raise TypeError(f"threat is a {type(threat).__name__}; fix: give a "
                        "search.robustness.Threat, such as Threat(epsilon=8 / 255)")  # fmt: skip
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            hint = "torch.from_numpy(it)" if isinstance(value, np.ndarray) else "a tensor"
            raise TypeError(f"{name} is a {type(value).__name__}; fix: give {hint}")
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images have the shape {tuple(images.shape)}; fix: give (n, channels, "
                         "height, width), n > 0")  # fmt: skip
    if not images.is_floating_point():
        raise TypeError(f"images are {images.dtype}; fix: give float32 in [0, 1], such as "
                        "images.float() / 255")  # fmt: skip
    low, high = float(images.min()), float(images.max())
    if not 0 <= low <= high <= 1:
        raise ValueError(f"images lie in [{low:g}, {high:g}]; fix: give pixels in [0, 1], and "
                         "normalise them inside the model")  # fmt: skip
    if labels.shape != (len(images),) or labels.is_floating_point():
        raise ValueError(f"labels are {labels.dtype} {tuple(labels.shape)}; fix: give the class of "
                         f"each of the {len(images)} images as a whole number")  # fmt: skip
    device = next((each.device for each in model.parameters()), images.device)
    return images.to(device, torch.float32), labels.to(device, torch.int64)
