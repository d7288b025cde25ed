"""Explanations of an image classifier: right, wrong and attacked examples with their attributions.

What is explained is the logit of the class that the model predicts, relative to a black or grey
image. Not for pictures (`picture.py`) nor for texts (`texts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.pixels.evaluation import fixed_subset, measure
from models.adversarial.threat_model import Threat
from models.explanations.integrated_gradients import Attribution, integrated_gradients

Baseline = Literal["black", "grey"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
Group = Literal["right", "wrong", "attacked"]
GROUPS: tuple[Group, ...] = get_args(Group)
# Images among which the examples are looked for: enough for errors of an accurate model.
CANDIDATES = 256


@dataclass(frozen=True, eq=False)
class View:
    """An image as the model sees it: the class predicted, and what speaks for it.

    `image` is (channels, height, width) in [0, 1], on the CPU.
    """

    image: Tensor
    predicted: int
    attribution: Attribution


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """An explained example of a split.

    `attacked` is its adversarial example; None in the groups "right" and "wrong".
    """

    group: Group
    example: int
    label: int
    clean: View
    attacked: View | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """The image, and its adversarial example if there is one."""
        return (self.clean,) if self.attacked is None else (self.clean, self.attacked)


def explain_images(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    count: int,
    baseline: Baseline = "black",
) -> list[ExplainedImage]:
    """Explain the first examples of each group, in the fixed order of a threat's seed.

    Right: classified correctly, also under attack where there are such. Wrong: misclassified.
    Attacked: misclassified only under the threat's PGD.

    Args:
        model: from images in [0, 1] to logits; left unchanged.
        images: (n, channels, height, width), on the model's device.
        labels: (n,).
        threat: how images are attacked.
        count: the most examples of a group; a group may have fewer.
        baseline: where the way of the gradients begins.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    index = fixed_subset(len(labels), CANDIDATES, threat.seed)
    images, labels = images[torch.from_numpy(index)], labels[torch.from_numpy(index)]
    with preserve_state(model):
        found = measure(model, images, labels, threat, threat.seed + 1)
        robust = np.flatnonzero(found.robust)
        right = robust if len(robust) else np.flatnonzero(found.clean)
        chosen: dict[Group, Sequence[int]] = {
            "right": right[:count].tolist(),
            "wrong": np.flatnonzero(~found.clean)[:count].tolist(),
            "attacked": found.misclassified[:count].tolist(),
        }
        return [
            ExplainedImage(
                group, int(index[at]), int(labels[at]), _view(model, images[at], baseline),
                _view(model, found.adversarial_examples[at], baseline)
                if group == "attacked" else None,
            )
            for group, places in chosen.items() for at in places
        ]  # fmt: skip


def explain_logit(
    model: nn.Module, image: Tensor, target: int, baseline: Baseline = "black"
) -> Attribution:
    """Return the attribution of one logit to the pixels of an image (channels, height, width)."""
    start = torch.full_like(image, 0.0 if baseline == "black" else 0.5)
    return integrated_gradients(lambda batch: model(batch)[:, target], image[None], start[None])


def _view(model: nn.Module, image: Tensor, baseline: Baseline) -> View:
    with torch.no_grad():
        predicted = int(model(image[None]).argmax())
    attribution = explain_logit(model, image, predicted, baseline)
    return View(image.detach().cpu(), predicted, attribution)
