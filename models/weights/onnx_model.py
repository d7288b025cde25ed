"""A network on images as `model.onnx`, checked by ONNX Runtime against torch.

The graph takes float32 images (batch, channels, height, width) with pixels in [0, 1] as `images`,
for any size of the batch, normalises them as the network does, and returns `logits` (batch,
classes). It needs the extra `onnx`. Not for texts, nor for pretrained models, for which Hugging
Face's Optimum has exporters that know each architecture.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.catalog import data_kind
from models.weights.rebuild import RebuiltModel, TrainedTrial

# What torch's exporter and the check need: packages of the extra `onnx`.
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
# Both compute in float32, in another order: some 1e-6 of the largest logit in a deep network.
TOLERANCE = 1e-4
_CHECKED = 64  # images of the test split, at most


@dataclass(frozen=True)
class OnnxModel:
    """A graph as bytes, and how it compares with torch.

    `difference` is the largest absolute one of a logit over `images` images of the test split.
    """

    content: bytes
    difference: float
    images: int

    @property
    def check(self) -> str:
        """A sentence on the comparison."""
        return (
            f"model.onnx: on {self.images} images of the test split the logits of ONNX "
            f"Runtime and torch differ by at most {self.difference:.2g}"
        )


def check_has_onnx(trained: TrainedTrial) -> None:
    """Check that a trial's model can be written as ONNX, before it is rebuilt.

    Raises:
        ValueError: It is a model of texts or a pretrained one, or the extra is not installed.
    """
    if data_kind(trained.model) != "images" or trained.base is not None:
        raise ValueError(
            f"{trained.name} is of model {trained.model}; ONNX is written of CNNs and own networks "
            "on images; fix: leave --onnx out, and convert the exported folder with Hugging Face's "
            "Optimum"
        )
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"ONNX needs the packages {', '.join(missing)}; fix: in the project's folder, "
            "`pip install -c constraints.txt -e '.[onnx]'`"
        )


def to_onnx(name: str, rebuilt: RebuiltModel) -> OnnxModel:
    """Return a network as ONNX, checked on images of the test split, one by one and in a batch.

    Args:
        name: Name of the trial, for messages.
        rebuilt: Its network, in eval mode on the CPU.

    Raises:
        ValueError: torch cannot export the network, or ONNX Runtime computes other logits.
    """
    splits = rebuilt.splits
    pixels = torch.tensor(splits.test_images[:_CHECKED]).to(torch.float32) / float(splits.scale)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        try:
            _write(rebuilt.model, pixels[:2], file)
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            raise ValueError(
                f"{name}: torch cannot write this network as ONNX ({_first_line(error)}); fix: "
                "leave --onnx out, or build it of layers that torch.export can trace"
            ) from error
        content = file.read_bytes()
    with torch.no_grad():
        expected = rebuilt.model(pixels).numpy()
    try:
        found = _run(content, pixels.numpy())
    except Exception as error:  # the errors of ONNX Runtime have no class of their own in common
        raise ValueError(
            f"{name}: ONNX Runtime cannot run this network ({_first_line(error)}); nothing was "
            "written; fix: leave --onnx out; of float64 it has few layers"
        ) from error
    difference = float(np.abs(found - expected).max())
    # Float32 has a relative precision, so large logits may differ by more.
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ValueError(
            f"{name}: ONNX Runtime's logits differ from torch's by up to {difference:.2g} on "
            f"{len(pixels)} images; nothing was written; fix: leave --onnx out; a network that is "
            "random or keeps state in eval mode has no graph"
        )
    return OnnxModel(content, difference, len(pixels))


def _first_line(error: Exception) -> str:
    """Return the first line of what torch or ONNX Runtime says, without the colours of a screen."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return (plain or repr(error)).splitlines()[0]


def _write(model: nn.Module, images: torch.Tensor, file: Path) -> None:
    batch: Any = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code
        torch.onnx.export(
            model,
            (images,),
            file,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: batch},),
            dynamo=True,
            external_data=False,  # one file; networks of this project are far below its 2 GB
            verbose=False,
        )


def _run(content: bytes, images: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
    """Return the logits of ONNX Runtime; the first image goes alone, the others in a batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    parts = [each for each in (images[:1], images[1:]) if len(each)]
    return np.concatenate([session.run(["logits"], {"images": each})[0] for each in parts])
