"""Initial weights: the weights of one trial, in a form that another trial can start from.

One safetensors file holds the tensors and, in its metadata, the lineage: where they come from and
what was checked. The file is named by the hash of its content, which identifies what a trial
started from, and a resumed trial does not need its source any more.

Weights of a method that merges (full, LoRA, DoRA, AdaLoRA, IA3) belong to a plain model and go
below the target's adaptation. Prefixes and adapters cannot be merged and fit only a model under the
same adaptation. `from_checkpoint.py` takes both from a checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from models.weights.head_rows import rows_by_name

_KEY = "twentieth"  # one key only: the order of several in the file is not fixed
DIGITS = 16  # digits of the content's SHA-256 in a file's name


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        tensors: Parameters and buffers by their names in the target model; of a fine-tuned model
            only those that differ from the base.
        head: Names of the tensors with one row for each label.
        label_names: Labels of these rows.
        is_merged: Whether they belong to a plain model, below any adaptation.
        lineage: Lineage and checks, JSON-ready; empty until they are added.
    """

    tensors: Mapping[str, Tensor]
    head: tuple[str, ...]
    label_names: tuple[str, ...]
    is_merged: bool = True
    lineage: Mapping[str, Any] = field(default_factory=dict)


def apply_initial(model: nn.Module, initial: InitialWeights, label_names: Sequence[str]) -> None:
    """Copy initial weights into a model, in place; nothing is copied if any tensor does not fit.

    Head rows are copied by label name; rows of labels that the source lacks stay as they are.
    Merged weights go into the plain model before it is adapted, others into the adapted model.

    Args:
        model: on any device; of the source's architecture except for the number of labels.
        initial: from `load_initial`.
        label_names: labels of the target's rows.

    Raises:
        ValueError: the model has no such tensor, or one of another shape.
    """
    rows = rows_by_name(initial.label_names, label_names)
    own = model.state_dict()
    for name, tensor in initial.tensors.items():
        _check_fit(own, name, tensor, is_head=name in initial.head)
    with torch.no_grad():
        for name, tensor in initial.tensors.items():
            if name in initial.head:
                for old, new in rows.pairs:
                    own[name][new].copy_(tensor[old])
            else:
                own[name].copy_(tensor)


def _check_fit(own: Mapping[str, Tensor], name: str, tensor: Tensor, *, is_head: bool) -> None:
    if name not in own:
        raise ValueError(
            f"initial weights: this model has no tensor {name}; fix: use the model and the "
            f"adaptation of the source"
        )
    first = 1 if is_head else 0
    if own[name].shape[first:] != tensor.shape[first:]:
        here, there = tuple(own[name].shape), tuple(tensor.shape)
        raise ValueError(
            f"initial weights: {name} is {here} here, but {there} in the source; fix: use the "
            f"architecture of the source"
        )


def save_initial(folder: Path, initial: InitialWeights) -> Path:
    """Write the weights into `folder` under the hash of their content, and return the file.

    Writing the same weights again changes nothing.
    """
    record = {
        "head": list(initial.head),
        "label_names": list(initial.label_names),
        "is_merged": initial.is_merged,
        "lineage": dict(initial.lineage),
    }
    # Tied weights share memory, which safetensors refuses to write.
    tensors = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in initial.tensors.items()
    }
    content = save(tensors, metadata={_KEY: json.dumps(record, sort_keys=True)})
    path = folder / f"{hashlib.sha256(content).hexdigest()[:DIGITS]}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    return path


def load_initial(path: Path) -> InitialWeights:
    """Read what `save_initial` wrote, to the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the content's hash is not in its name, or it holds something else.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:DIGITS] != path.stem:
        raise ValueError(
            f"{path}: damaged, its content does not have the hash in its name; "
            "fix: start a new search"
        )
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if _KEY not in metadata:
        raise ValueError(f"{path}: holds no initial weights of a trial")
    record = json.loads(metadata[_KEY])
    return InitialWeights(
        tensors=load(content),
        head=tuple(record["head"]),
        label_names=tuple(record["label_names"]),
        is_merged=bool(record["is_merged"]),
        lineage=record["lineage"],
    )
