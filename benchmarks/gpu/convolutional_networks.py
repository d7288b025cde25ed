"""Training steps of the CNN, plain and residual, by precision and memory format.

Whole steps on images that are on the device already: forward, backward, AdamW. In "float32" cuDNN
may round convolutions to TF32, as PyTorch does by default; "exact float32" forbids it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.made_up_data import CIFAR, CLASSES, image_tensors
from benchmarks.gpu.packing.members import reduced
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, in_turn, ratios, spread
from models.catalog import complete
from models.hyperparameters.hyperparameter import Value
from models.networks import cnn
from models.networks.builder import NetworkData, build
from models.training.optimizer import build_optimizer

_PRECISIONS: dict[str, torch.dtype | None] = {
    "float32": None, "exact float32": None, "bfloat16": torch.bfloat16,
}  # fmt: skip
_FORMATS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}


def run(setting: Setting) -> Findings:
    """Measure both networks; each time is that of a few steps."""
    batch, steps = setting.sized(512, 16), setting.sized(10, 1)
    images, labels = image_tensors(batch, setting.sized(CIFAR, (3, 8, 8)), setting.device)
    rows: list[list[str]] = []
    left_out, finite = [], []
    for name, configuration in _networks(setting).items():
        if rows and setting.left < 5:
            left_out.append((name, NO_TIME))
            continue
        trainings = {
            (precision, form): _Training(configuration, images, labels, precision, form)
            for precision in _PRECISIONS for form in _FORMATS
            if precision != "exact float32" or (form == "channels last" and images.is_cuda)
        }  # fmt: skip
        works: dict[str, Callable[[], object]] = {
            " in ".join(key): _repeated(training, steps) for key, training in trainings.items()
        }
        seconds = in_turn(setting, works, setting.sized(5, 1))
        first = next(iter(seconds.values()))
        rows += [
            [name, work, spread([batch * steps / each for each in times], 0),
             spread(ratios(first, times))]
            for work, times in seconds.items()
        ]  # fmt: skip
        finite += [training.is_finite for training in trainings.values()]
    note = (
        f"Batches of {batch} images of {'x'.join(map(str, images.shape[1:]))}; median (least to "
        "greatest) of rounds in turn."
    )
    header = ["network", "precision and memory format", "images a second", "over the first"]
    return Findings(
        [Table("Training steps", header, rows, note)],
        left_out,
        [("losses and weights stay finite in every precision and format", all(finite))],
    )


def _networks(setting: Setting) -> dict[str, dict[str, Value]]:
    """Return the configurations: a plain network, and ResNet-18 where sizes are full."""
    width, stages = setting.sized(64, 4), setting.sized("2-2-2-2", "1-1")
    shared: dict[str, Value] = {"width": width, "normalisation": "batch"}
    plain = complete("cnn", {**shared, "blocks": setting.sized(4, 2)})
    residual = complete("cnn", {**shared, "block": "residual", "stages": stages})
    return {f"plain, width {width}": plain, f"residual {stages}, width {width}": residual}


class _Training:
    """A network and its optimizer."""

    def __init__(
        self, configuration: dict[str, Value], images: Tensor, labels: Tensor, precision: str,
        form: str,
    ) -> None:  # fmt: skip
        half = torch.full((images.shape[1], 1, 1), 0.5)
        shape, names = tuple(images.shape[1:]), tuple(map(str, range(CLASSES)))
        network = build(cnn.build, configuration, NetworkData(shape, CLASSES, names, half, half), 0)
        self._network: nn.Module = network.to(images.device)
        self._network.to(memory_format=_FORMATS[form])  # type: ignore[call-overload]
        self._images = images.to(memory_format=_FORMATS[form])
        self._labels, self._precision = labels, precision
        self._optimizer = build_optimizer(network, configuration)
        for group in self._optimizer.param_groups:
            group["lr"] = 1e-3

    def step(self) -> None:
        """Make one step."""
        with _exactly(self._precision), reduced(_PRECISIONS[self._precision], self._images.device):
            logits = self._network(self._images)
        loss = functional.cross_entropy(logits.float(), self._labels)
        self._optimizer.zero_grad(set_to_none=True)
        with _exactly(self._precision):
            torch.autograd.backward(loss)
        self._optimizer.step()

    @property
    def is_finite(self) -> bool:
        """Whether all weights and statistics are finite."""
        tensors = self._network.state_dict().values()
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


@contextmanager
def _exactly(precision: str) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision != "exact float32" and before
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _repeated(training: _Training, steps: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(steps):
            training.step()

    return work
