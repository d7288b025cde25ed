"""AutoAttack, for the final evaluation of robust accuracy, by the library `pyautoattack`.

Its standard version: APGD on cross-entropy, targeted APGD and targeted FAB towards up to nine
classes, and the black-box Square with 5,000 queries. Its results are verified: every image is
projected into the ball and classified again here. It is too expensive during a search (40 to 90
times PGD-10), so it runs on the best trials afterwards. On a model without any gradient Square
alone runs.

NOTE: The library draws its random numbers batch by batch, so the result for an example depends a
little on which others are still robust. The same arguments give the same result.

Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks"; Andriushchenko et al. 2020 (Square).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.pixels.attacks import Ball, finite_or_zero, margin, margin_loss, slope
from models.adversarial.pixels.evaluation import (
    AttackOutcome,
    Flags,
    correct,
    evaluating,
    record_misclassified,
)
from models.adversarial.threat_model import Threat

PartName = Literal["apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square"]
STANDARD: tuple[PartName, ...] = ("apgd-ce", "apgd-t", "fab-t", "square")
MISSING = (
    "AutoAttack needs the package pyautoattack, which is not installed; fix: in the project's "
    "folder, `pip install -c constraints.txt -e '.[autoattack]'`"
)

_NORMS = {"linf": "Linf", "l2": "L2"}
# Target classes of the standard version; fewer where there are fewer wrong classes.
_TARGETS = 9
# So far below the least logit that softmax gives it exactly 0.
_LAST = 1e4
# Any size works; a batch of the project's largest images fits where their training did.
_BATCH = 250


def is_installed() -> bool:
    """Return whether `pyautoattack` is installed."""
    return importlib.util.find_spec("pyautoattack") is not None


def standard_parts(classes: int) -> tuple[PartName, ...]:
    """Return the attacks of the standard version for a number of classes; `STANDARD` from four on.

    Its targeted loss (DLR) is divided by a difference to the fourth largest logit. With three
    classes the untargeted loss replaces it, with two there is no DLR: Square, FAB and APGD on
    cross-entropy remain.

    Raises:
        ValueError: fewer than two classes.
    """
    if classes < 2:
        raise ValueError(f"{classes} classes: a classifier has at least two")
    if classes == 2:
        return ("apgd-ce", "fab-t", "square")
    return STANDARD if classes > 3 else ("apgd-ce", "apgd-dlr", "fab-t", "square")


def class_count(model: nn.Module, images: Tensor) -> int:
    """Return the number of classes of a model of such images."""
    with torch.no_grad():
        return int(model(images[:1]).shape[1])


def parts_for(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[PartName, ...]:
    """Return the standard version's attacks that can run on a model: Square if it has no gradient.

    Raises:
        ValueError: as `standard_parts`.
    """
    parts = standard_parts(class_count(model, images))
    has_gradient = not slope(model, images[:1], labels[:1], margin_loss).missing
    return parts if has_gradient else ("square",)


def autoattack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
    *,
    attacks: Sequence[PartName] | None = None,
    start: Flags | None = None,
) -> AttackOutcome:
    """Attack images by AutoAttack.

    Args:
        model: maps images to logits; it is left unchanged, as is the global random state.
        images: float32 (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        threat: norm and epsilon.
        seed: seed of everything random.
        attacks: its attacks to run, in this order; None: `parts_for` the model.
        start: which images to attack (n,); the others count as neither clean nor robust.

    Raises:
        ModuleNotFoundError: `pyautoattack` is not installed.
        ValueError: the model has fewer than two classes.
    """
    if not is_installed():
        raise ModuleNotFoundError(MISSING, name="pyautoattack")
    clean = correct(model, images, labels)
    clean = clean if start is None else clean & start
    standing, adversarial = torch.from_numpy(clean.copy()).to(images.device), images.clone()
    index = standing.nonzero()[:, 0]
    if len(index):
        whole = Ball(images, threat.norm, threat.epsilon)
        with evaluating(model), preserve_state(model), _silent():
            model.requires_grad_(False)
            found = _found(model, images[index], labels[index], threat, seed, attacks)
            for i, part in zip(torch.split(index, _BATCH), torch.split(found, _BATCH), strict=True):
                shown = whole.at(i).project(part)
                with torch.no_grad():
                    margins = margin(model(shown), labels[i])
                record_misclassified(i, shown, margins, standing, adversarial)
    return AttackOutcome(standing.cpu().numpy(), clean, adversarial)


def _found(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
    attacks: Sequence[PartName] | None,
) -> Tensor:
    """Return the library's result for each image: an adversarial example, or the image itself."""
    from pyautoattack import AutoAttack

    parts = parts_for(model, images, labels) if attacks is None else tuple(attacks)
    classes = class_count(model, images)
    library = AutoAttack(
        _Guarded(model), norm=_NORMS[threat.norm], eps=threat.epsilon, seed=seed,
        version="standard", device=images.device,
    )  # fmt: skip
    library.attacks_to_run = list(parts)
    library.apgd_targeted.n_target_classes = min(_TARGETS, classes - 1)
    library.fab.n_target_classes = min(_TARGETS, classes - 1)
    found: Tensor = library.run_standard_evaluation(images, labels, batch_size=_BATCH)[0]
    return found


class _Guarded(nn.Module):
    """The logits of a model, and of one class more: that of images whose logits are not finite.

    The library takes the largest logit, and NaN is none: torch's `argmax` would say class 0. The
    class more is ranked last everywhere else, after all that the library looks at. Entries of the
    gradient that are not finite become zero: in L2 they would turn the whole image to NaN.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes + 1) without NaN."""
        shown = images.view_as(images)
        if shown.requires_grad:
            shown.register_hook(finite_or_zero)  # type: ignore[no-untyped-call]
        logits = self.model(shown)
        last = logits.detach().amin(dim=1, keepdim=True) - _LAST
        padded = torch.cat([logits, last], dim=1)
        error = torch.zeros_like(padded)
        error[:, -1] = 1.0
        return torch.where(torch.isfinite(logits).all(dim=1, keepdim=True), padded, error)


@contextmanager
def _silent() -> Iterator[None]:
    """Suppress the library's messages."""
    logger = logging.getLogger("auto-attack")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
