"""What a trial trains: the protocol of a training, and what only some trainings can do.

`search/optimize/trainable.py` knows nothing else of a training. A capability is a protocol of its
own and asked for by `isinstance`, which looks at the names of methods alone; so a class has the
methods of a capability only if every one of its instances has the capability. The contract is
tested in `tests/contracts/training.py`. Imports no torch: a user's function may need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn


class Training(Protocol):
    """A training under a seed: the same arguments give the same metrics.

    A training that diverges reports NaN once and has then ended; it does not raise.
    """

    @property
    def ended(self) -> bool:
        """Whether `run` yields nothing more: by budget, early stopping or divergence."""

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding one dict of metrics after each."""

    def state_dict(self) -> dict[str, object]:
        """Everything that training changed, at any epoch: plain values and tensors, a copy.

        Loaded into a training made with the same arguments, it continues as if uninterrupted.
        """

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Continue from `state_dict`, before `run` is called."""


@runtime_checkable
class EvaluatedTraining(Training, Protocol):
    """A training whose data have a test split."""

    def evaluate_test(self) -> dict[str, float]:
        """Metrics of the test split, named `test.*`; NaN after divergence."""


@runtime_checkable
class JudgedTraining(EvaluatedTraining, Protocol):
    """A training of an image classifier, judged by attacks on pixels.

    It is a `models.adversarial.pixels.final_evaluation.Subject`.
    """

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images (n, channels, height, width) in [0, 1] and labels (n,), on the device.

        Args:
            part: "selection", "objective" or "confirmation" of the validation split, or "test".
        """

    def classifier(self) -> nn.Module:
        """Return the model from images to logits, in evaluation mode; once ended, the picked one.

        It may be asked for at any epoch.
        """

    def confirm(self) -> dict[str, float]:
        """Metrics of a stronger attack, and those they replace; {} before the end or diverged."""


@runtime_checkable
class TabulatedTraining(Training, Protocol):
    """A training that leaves tables for people to read."""

    def tables(self) -> dict[str, str]:
        """Texts of an ended training by file name; {} after divergence."""
