"""What broke earlier trials of a search, kept to be shown to later ones first.

A model may hide its gradients, but not what another model's gradients found: adversarial images
transfer. One search has one folder, one trial one file in it: `<name>.safetensors` with `index`
int64 (k,) and `images` float32 (k, channels, height, width) in [0, 1]. `index` counts within the
examples that every trial of the search is attacked on.

NOTE: What a trial is shown depends on which trials ended before it. Its figure can only fall by it.
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

# Each file costs a forward pass over what it holds. The full attack costs about 300: ten steps up
# ten losses, a backward pass being two forward ones. So these add about 5 % and no more, and the
# newest come from the trials that the search has steered towards.
NEWEST = 16
_SUFFIX = ".safetensors"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AttackMemory:
    """The memory of one search as one trial sees it.

    Attributes:
        folder: Where the files of all trials are; made when first written to.
        name: Of this trial, `trial_0007`: it reads all files but its own and writes only that.
    """

    folder: Path
    name: str

    def replays(self, images: Tensor) -> list[Replay]:
        """What broke other trials on `images` (n, channels, height, width), newest first.

        At most 16 files are read. A file that is damaged or of other images is passed over with a
        warning, for a trial must not fail by what another one left.
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
                    "Raised because %s cannot be replayed: %s. This trial is not shown what broke "
                    "that one, so its robust accuracy may look higher than it is. Delete the file "
                    "if another search or version wrote it.",
                    file, error,
                )  # fmt: skip
                continue
            device = images.device
            replays.append(Replay(found.index.to(device), found.images.to(device)))
        return replays

    def store(self, index: npt.NDArray[np.int64], witnesses: Tensor) -> None:
        """Add what broke this trial: images (k, channels, height, width) of the examples `index`.

        What was stored for an example before is replaced. The file appears complete or not at
        all; those that no trial would read any more are removed. Nothing broken writes nothing.

        Raises:
            ValueError: not one image for each example, or images that no attack can show.
            OSError: the folder cannot be written to.
        """
        if len(index) == 0:
            return
        if len(index) != len(witnesses):
            raise ValueError(f"{len(index)} examples and {len(witnesses)} images: give one each")
        order = torch.from_numpy(np.argsort(index, kind="stable"))
        added = Replay(torch.from_numpy(index)[order], witnesses.detach().cpu()[order])
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
    """What the file holds of other examples, and what is added."""
    try:
        before = _read(file)
        if before.images.shape[1:] != added.images.shape[1:]:
            return added
    except (OSError, ValueError, SafetensorError):
        return added  # there is none, or it is of no use to anybody
    kept = ~torch.isin(before.index, added.index)
    index = torch.cat([before.index[kept], added.index])
    images = torch.cat([before.images[kept], added.images])
    order = index.argsort()
    return Replay(index[order], images[order])


def _read(file: Path) -> Replay:
    """What a file holds, on the CPU.

    Raises:
        OSError, SafetensorError, ValueError: it is missing, damaged, or not what `store` writes.
    """
    tensors = load_file(file)
    if set(tensors) != {"index", "images"}:
        raise ValueError(f"it holds {sorted(tensors)} instead of images and index")
    found = Replay(tensors["index"], tensors["images"])
    _check(found)
    return found


def _check(replay: Replay) -> None:
    """Whether it can be what an attack found on some examples.

    Raises:
        ValueError: it cannot.
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
    """Whether it was made from images like these.

    Raises:
        ValueError: it was not.
    """
    if found.images.shape[1:] != images.shape[1:]:
        raise ValueError(f"its images are {tuple(found.images.shape[1:])}, not "
                         f"{tuple(images.shape[1:])}")  # fmt: skip
    if len(found.index) and int(found.index[-1]) >= len(images):
        raise ValueError(f"it names example {int(found.index[-1])} of {len(images)}")
