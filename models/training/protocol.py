"""The protocol of a training, and the protocols of its optional capabilities.

`search/optimize/trainable.py` uses nothing else of a training. Each capability is a protocol of its
own, tested by `isinstance`, which compares method names only; so a class defines the methods of a
capability only if all of its instances have it. The contract: `tests/contracts/test_trainings.py`.
Imports no torch: a user's function may need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn


class Training(Protocol):
    """A seeded training: the same arguments give the same metrics.

    A training that diverges reports NaN once and ends; it does not raise.
    """

    @property
    def ended(self) -> bool:
        """Whether `run` yields nothing more: by budget, early stopping or divergence."""

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding one dict of metrics after each."""

    def state_dict(self) -> dict[str, object]:
        """Return a copy of all that training changed, plain values and tensors, at any epoch.

        A training made with the same arguments that loads it continues as if uninterrupted.
        """

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Continue from `state_dict`, before `run` is called."""


@runtime_checkable
class EvaluatedTraining(Training, Protocol):
    """A training whose data have a test split."""

    def evaluate_test(self) -> dict[str, float]:
        """Return metrics of the test split, named `test.*`; NaN after divergence."""


@runtime_checkable
class ConfirmedTraining(EvaluatedTraining, Protocol):
    """A training that evaluates itself after the search, where nothing was selected."""

    def evaluate_confirmation(self) -> dict[str, float]:
        """Return metrics of the confirmation part, named `confirmation.*`; NaN after divergence."""

    def test_tables(self) -> dict[str, str]:
        """Return tables of the test split by file name; {} after divergence."""


@runtime_checkable
class AttackableTraining(EvaluatedTraining, Protocol):
    """A training of an image classifier, evaluated by attacks on pixels.

    It is a `models.adversarial.pixels.final_evaluation.Subject`.
    """

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images (n, channels, height, width) in [0, 1] and labels (n,), on the device.

        Args:
            part: "selection", "objective" or "confirmation" of the validation split, or "test".
        """

    def classifier(self) -> nn.Module:
        """Return the model from images to logits, in evaluation mode; once ended, the picked one.

        It may be called at any epoch.
        """

    def confirm(self) -> dict[str, float]:
        """Return metrics of a stronger attack and those replaced; {} before the end or diverged."""


@runtime_checkable
class TabulatedTraining(Training, Protocol):
    """A training that gives tables for people to read."""

    def tables(self) -> dict[str, str]:
        """Return the tables of an ended training by file name; {} after divergence."""
