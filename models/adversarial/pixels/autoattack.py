"""AutoAttack, the final judge of robust accuracy, through the library `pyautoattack`.

Its standard version: APGD on cross-entropy, targeted APGD and targeted FAB towards up to nine
classes, and the black-box Square with 5,000 queries. What it returns is not believed: every image
is brought into the ball and classified again here. Too dear for a search (40 to 90 times PGD-10),
so it is for what a search has found.

NOTE: The library draws its random numbers a batch at a time, so what an example meets depends a
little on which others stand. With the same arguments it finds the same.

Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks"; Andriushchenko et al. 2020 (Square).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, margin
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
    "AutoAttack needs the package pyautoattack, which is not installed: in the project's folder, "
    "`pip install -c constraints.txt -e '.[autoattack]'`"
)

_NORMS = {"linf": "Linf", "l2": "L2"}
# Of the standard version; fewer where there are fewer wrong classes.
_TARGETS = 9
# Any would do; a batch of the project's largest images fits where their training did.
_BATCH = 250


def is_installed() -> bool:
    """Whether `pyautoattack` is there."""
    return importlib.util.find_spec("pyautoattack") is not None


def standard_parts(classes: int) -> tuple[PartName, ...]:
    """The attacks of the standard version for so many classes; `STANDARD` from four on.

    Its targeted loss (DLR) is divided by a difference to the fourth largest logit. With three
    classes the untargeted one takes its place, with two there is none: Square, FAB and APGD on
    cross-entropy remain.

    Raises:
        ValueError: fewer than two classes.
    """
    if classes < 2:
        raise ValueError(f"{classes} classes: a classifier has at least two")
    if classes == 2:
        return ("apgd-ce", "fab-t", "square")
    return STANDARD if classes > 3 else ("apgd-ce", "apgd-dlr", "fab-t", "square")


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
    """Which images withstand AutoAttack, and what broke the others.

    Args:
        model: maps images to logits; it is left as it was, as are the global random numbers.
        images: float32 (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        threat: norm and epsilon.
        seed: of everything random.
        attacks: parts of it, in this order; None: `standard_parts`.
        start: which images to attack at all (n,); the others count as neither clean nor robust.

    Raises:
        ModuleNotFoundError: `pyautoattack` is not installed; says how to.
        ValueError: the model has fewer than two classes.
    """
    if not is_installed():
        raise ModuleNotFoundError(MISSING, name="pyautoattack")
    clean = correct(model, images, labels)
    clean = clean if start is None else clean & start
    standing, witnesses = torch.from_numpy(clean.copy()).to(images.device), images.clone()
    index = standing.nonzero()[:, 0]
    if len(index):
        whole = Ball(images, threat.norm, threat.epsilon)
        with evaluating(model), _contained(model, images.device):
            found = _found(model, images[index], labels[index], threat, seed, attacks)
            for i, part in zip(torch.split(index, _BATCH), torch.split(found, _BATCH), strict=True):
                shown = whole.at(i).project(part)
                with torch.no_grad():
                    margins = margin(model(shown), labels[i])
                record_misclassified(i, shown, margins, standing, witnesses)
    return AttackOutcome(standing.cpu().numpy(), clean, witnesses)


def _found(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
    attacks: Sequence[PartName] | None,
) -> Tensor:
    """What the library shows for each image: an adversarial one, or itself."""
    from pyautoattack import AutoAttack

    with torch.no_grad():
        classes = int(model(images[:1]).shape[1])
    judge = AutoAttack(
        model, norm=_NORMS[threat.norm], eps=threat.epsilon, seed=seed, version="standard",
        device=images.device,
    )  # fmt: skip
    judge.attacks_to_run = list(standard_parts(classes) if attacks is None else attacks)
    judge.apgd_targeted.n_target_classes = min(_TARGETS, classes - 1)
    judge.fab.n_target_classes = min(_TARGETS, classes - 1)
    found: Tensor = judge.run_standard_evaluation(images, labels, batch_size=_BATCH)[0]
    # A NaN would stay NaN in the ball; nothing was found there.
    return torch.where(torch.isfinite(found), found, images)


@contextmanager
def _contained(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Keeps to itself what the library does: seeds, messages, gradients of the parameters."""
    logger = logging.getLogger("auto-attack")
    level = logger.level
    trained = [each for each in model.parameters() if each.requires_grad]
    with ExitStack() as stack:
        stack.callback(logger.setLevel, level)
        stack.callback(lambda: [each.requires_grad_(True) for each in trained])
        logger.setLevel(logging.CRITICAL)
        for each in trained:
            each.requires_grad_(False)
        stack.enter_context(
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
        )
        yield
