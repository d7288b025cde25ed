"""The adversarial examples of a search's trials, kept to be tried first on later trials.

Adversarial examples transfer between models, so they also find errors of a model that masks its
gradients. One search has one folder, each trial one file in it: `<name>.safetensors` with `index`
int64 (k,) and `images` float32 (k, channels, height, width) in [0, 1]. `index` counts within the
examples that every trial of the search is attacked on.

NOTE: The replays of a trial depend on which trials ended before it. They can only lower its
accuracy.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.adversarial.pixels.evaluation import Replay

# Each file costs a forward pass over its images. The full attack costs about 300: ten steps on ten
# losses, a backward pass counting as two forward ones. So 16 files add about 5 %. The newest come
# from the region that the search has moved to.
NEWEST = 16
_SUFFIX = ".safetensors"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AttackMemory:
    """The attack memory of a search, for one of its trials.

    Attributes:
        folder: The folder of all trials' files; created by the first `store`.
        name: Name of this trial, `trial_0007`: it reads all files but its own and writes only that.
    """

    folder: Path
    name: str

    def replays(self, images: Tensor) -> list[Replay]:
        """Return other trials' adversarial examples for `images` (n, channels, height, width).

        At most 16 files are read, newest first. A file that is damaged or of other images is
        skipped with a warning, because a trial must not fail through the file of another one.
        """
        replays = []
        for file in self._others()[:NEWEST]:
            try:
                found = _read(file)
                _check_fit(found, images)
            except FileNotFoundError:  # another trial has just removed it
                continue
            except (OSError, ValueError, SafetensorError) as error:
                _log.warning(
                    "The adversarial examples in %s cannot be replayed: %s. This trial is evaluated"
                    " without them, so its robust accuracy may be too high; fix: delete the file "
                    "if another search or version wrote it.",
                    file, error,
                )  # fmt: skip
                continue
            device = images.device
            replays.append(Replay(found.index.to(device), found.images.to(device)))
        return replays

    def store(self, index: npt.NDArray[np.int64], adversarial: Tensor) -> None:
        """Add adversarial examples (k, channels, height, width) of the examples `index` (k,).

        They replace earlier ones of the same examples. The file is renamed into place when it is
        complete, and files that no trial would read any more are removed. Without examples nothing
        is written.

        Raises:
            ValueError: the numbers of examples and images differ, or the images are invalid.
            OSError: the folder cannot be written to.
        """
        if len(index) == 0:
            return
        if len(index) != len(adversarial):
            raise ValueError(
                f"{len(index)} examples and {len(adversarial)} images; fix: give one each"
            )
        order = torch.from_numpy(np.argsort(index, kind="stable"))
        added = Replay(torch.from_numpy(index)[order], adversarial.detach().cpu()[order])
        _check(added)
        file = self.folder / f"{self.name}{_SUFFIX}"
        whole = _joined(file, added)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
        save_file({"index": whole.index, "images": whole.images.contiguous()}, temporary)
        temporary.replace(file)
        for old in self._others()[NEWEST:]:
            old.unlink(missing_ok=True)

    def _others(self) -> list[Path]:
        """Files of other trials, newest first."""
        found = []
        for file in self.folder.glob(f"*{_SUFFIX}"):
            if file.stem == self.name:
                continue
            try:
                found.append((file.stat().st_mtime_ns, file.name, file))
            except FileNotFoundError:  # another trial has just removed it
                continue
        return [file for *_, file in sorted(found, reverse=True)]


def _joined(file: Path, added: Replay) -> Replay:
    """Return the file's content for other examples together with what is added."""
    try:
        before = _read(file)
        if before.images.shape[1:] != added.images.shape[1:]:
            return added
    except (OSError, ValueError, SafetensorError):
        return added  # there is no file, or an unusable one
    kept = ~torch.isin(before.index, added.index)
    index = torch.cat([before.index[kept], added.index])
    images = torch.cat([before.images[kept], added.images])
    order = index.argsort()
    return Replay(index[order], images[order])


def _read(file: Path) -> Replay:
    """Read a file to the CPU.

    Raises:
        OSError, SafetensorError, ValueError: it is missing, damaged, or not written by `store`.
    """
    tensors = load_file(file)
    if set(tensors) != {"index", "images"}:
        raise ValueError(f"it holds {sorted(tensors)} instead of images and index")
    found = Replay(tensors["index"], tensors["images"])
    _check(found)
    return found


def _check(replay: Replay) -> None:
    """Check dtypes, shapes, order of the index and range of the pixels.

    Raises:
        ValueError: one of them is wrong.
    """
    index, images = replay.index, replay.images
    if index.dtype != torch.int64 or images.dtype != torch.float32:
        raise ValueError(f"index is {index.dtype} and images are {images.dtype}, which should be "
                         "torch.int64 and torch.float32")  # fmt: skip
    if index.dim() != 1 or images.dim() != 4 or len(index) != len(images):
        raise ValueError(f"index is {tuple(index.shape)} and images are {tuple(images.shape)}, "
                         "which should be (k,) and (k, channels, height, width)")  # fmt: skip
    if (index < 0).any() or (index[1:] <= index[:-1]).any():
        raise ValueError("its index is not ascending from 0, each example once")
    # NaN fails both comparisons.
    if not ((images >= 0) & (images <= 1)).all():
        raise ValueError("it has pixels outside [0, 1]")


def _check_fit(found: Replay, images: Tensor) -> None:
    """Check that a file belongs to images of this shape and number.

    Raises:
        ValueError: it does not.
    """
    if found.images.shape[1:] != images.shape[1:]:
        raise ValueError(f"its images are {tuple(found.images.shape[1:])}, not "
                         f"{tuple(images.shape[1:])}")  # fmt: skip
    if len(found.index) and int(found.index[-1]) >= len(images):
        raise ValueError(f"it names example {int(found.index[-1])} of {len(images)}")
