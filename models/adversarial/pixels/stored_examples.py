"""The files of adversarial examples: written by evaluations, read back to verify them.

A file is safetensors: `attacked` int64 (n,), the positions of the examples that the accuracy is
measured on; `index` int64 (k,), those of them that only the attack made misclassified; `images`
float32 (k, channels, height, width) in [0, 1]; and, as metadata, norm, epsilon, split, metric and
model. Anybody may have written one: it is checked before it is read, and never unpickled.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.adversarial.pixels.adversarial_examples import SPLITS, AdversarialExamples
from models.scores.metric_names import MetricName

_FORMAT = "twentieth adversarial examples 1"
_TEXTS = ("norm", "epsilon", "split", "metric", "model")
# Tensors, with their types in a header of safetensors.
_TENSORS = {"attacked": "I64", "index": "I64", "images": "F32"}
# Bytes of that header. Ours have about 600; reading one of safetensors' own limit takes a gigabyte.
_LONGEST_HEADER = 10_000


def save_adversarial_examples(examples: AdversarialExamples, file: Path) -> None:
    """Write a file, renamed into place when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(examples, name) for name in _TENSORS}
    texts = {name: str(getattr(examples, name)) for name in _TEXTS}
    texts["epsilon"] = repr(examples.epsilon)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, temporary, {"format": _FORMAT, **texts})
    temporary.replace(file)


def load_adversarial_examples(
    file: Path, shape_of: Callable[[str], tuple[int, ...]]
) -> AdversarialExamples:
    """Read and check a file of `save_adversarial_examples`; no more memory than its split takes.

    Args:
        file: anything at all.
        shape_of: the shape (examples, channels, height, width) of the images of a split.

    Raises:
        ValueError: there is no such file, it is damaged, or it contradicts itself or the split.
    """
    try:
        _check_header(file)
        with safe_open(file, framework="pt") as opened:
            texts = _checked_texts(opened.metadata() or {})
            shapes = {name: _shape(opened, name) for name in opened.keys()}
            _check_shapes(shapes, shape_of(texts["split"]))
            tensors = {name: opened.get_tensor(name) for name in shapes}
        _check_values(**tensors)
        return AdversarialExamples(
            **tensors, split=texts["split"], metric=texts["metric"], model=texts["model"]
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{file.name} holds no adversarial examples: {error}") from error


def _check_header(file: Path) -> None:
    """Check the length that a file gives of its header, before anything reads it."""
    with file.open("rb") as opened:
        start = opened.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= _LONGEST_HEADER:
        raise ValueError(f"it begins with a header of {length} bytes, not 1 to {_LONGEST_HEADER}")


def _checked_texts(texts: dict[str, str]) -> dict[str, str]:
    """Return the metadata; the ball that they state must be that of the metric's name."""
    if texts.get("format") != _FORMAT:
        raise ValueError(f"its format is {texts.get('format')!r}")
    if missing := [name for name in _TEXTS if name not in texts]:
        raise ValueError(f"it does not state its {', '.join(missing)}")
    name = MetricName.parse(texts["metric"])
    size = float(texts["epsilon"])
    # A name has ten digits.
    is_size = math.isclose(size, name.epsilon or 0.0, rel_tol=1e-9)
    if texts["norm"] != name.norm or not is_size:
        raise ValueError(
            f"it states a ball of {size:g} in {texts['norm']!r}, and its metric is "
            f"{texts['metric']!r}"
        )
    if texts["split"] not in SPLITS:
        raise ValueError(f"its split is {texts['split']!r}, not one of {', '.join(SPLITS)}")
    return texts


def _shape(opened: Any, name: str) -> tuple[int, ...]:
    """Return the shape of a tensor without reading it.

    Raises:
        ValueError: it has another name or type than those of a file of ours.
    """
    tensor = opened.get_slice(name)
    if _TENSORS.get(name) != tensor.get_dtype():
        raise ValueError(f"it has {name!r} of type {tensor.get_dtype()}")
    return tuple(tensor.get_shape())


def _check_shapes(shapes: dict[str, tuple[int, ...]], split: tuple[int, ...]) -> None:
    if set(shapes) != set(_TENSORS):
        raise ValueError(f"it has {', '.join(sorted(shapes))}, not {', '.join(_TENSORS)}")
    attacked, index, images = (shapes[name] for name in _TENSORS)
    if len(attacked) != 1 or not 0 < attacked[0] <= split[0]:
        raise ValueError(f"attacked is {attacked} of {split[0]} examples")
    if len(index) != 1 or index[0] > attacked[0] or images != (*index, *split[1:]):
        raise ValueError(f"index is {index} and images are {images}, of images {split[1:]}")


def _check_values(attacked: Tensor, index: Tensor, images: Tensor) -> None:
    for name, each in (("attacked", attacked), ("index", index)):
        if not bool((each[1:] > each[:-1]).all()) or bool((each < 0).any()):
            raise ValueError(f"{name} is no ascending list of positions")
    if not torch.isin(index, attacked).all():
        raise ValueError("it has adversarial examples of examples that were not attacked")
    if not ((images >= 0) & (images <= 1)).all():  # NaN fails both
        raise ValueError("it has pixels outside [0, 1]")
