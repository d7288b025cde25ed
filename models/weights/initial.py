"""Initial weights: what one trial learned, in a form that another trial can start from.

One safetensors file holds the tensors and, in its metadata, the lineage: where they come from and
what was checked. The file is named by the hash of its content, so that what a trial started from
can be told for good, and a trial that is resumed needs nothing of its source any more.

Weights of a method that merges (full, LoRA, DoRA, AdaLoRA, IA3) are those of a plain model and go
below whatever adaptation the target puts on top. Prefixes and adapters cannot be merged; theirs
fit a model under the same adaptation only. How both are taken from a checkpoint: `extract.py`.
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

from models.weights.head_rows import Rows, carry_rows, rows_by_name

_KEY = "twentieth"  # one key alone: the order of several in the file is not fixed
DIGITS = 16  # of the content's SHA-256 in a file's name


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        tensors: Parameters and buffers by their names in the model they are applied to. Of a
            fine-tuned model only those that differ from the base.
        head: Names of the tensors with one row a label.
        label_names: Labels of these rows.
        is_merged: Whether they belong to a plain model, below any adaptation.
        lineage: Lineage and checks, JSON-ready; empty before they were made.
    """

    tensors: Mapping[str, Tensor]
    head: tuple[str, ...]
    label_names: tuple[str, ...]
    is_merged: bool = True
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Carried:
    """What was applied: label names of the head's rows, and how many tensors in all."""

    rows_carried: tuple[str, ...]
    rows_fresh: tuple[str, ...]
    tensors: int


def apply_initial(model: nn.Module, initial: InitialWeights, label_names: Sequence[str]) -> Carried:
    """Copies initial weights into a model, in place; nothing is copied if anything does not fit.

    Head rows travel by label name; rows of labels that the source did not know stay as they are.
    Merged weights go into the plain model, before an adaptation is put on; others after it.

    Args:
        model: on any device; built like the source, but for the number of labels.
        initial: from `load_initial`.
        label_names: of the target's rows.

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
                carry_rows(own[name], tensor.to(own[name]), rows)
            else:
                own[name].copy_(tensor)
    return _carried(initial, rows)


def _check_fit(own: Mapping[str, Tensor], name: str, tensor: Tensor, *, is_head: bool) -> None:
    if name not in own:
        raise ValueError(
            f"initial weights: this model has no tensor {name}; the model and its adaptation must "
            f"be built like the source's"
        )
    first = 1 if is_head else 0
    if own[name].shape[first:] != tensor.shape[first:]:
        here, there = tuple(own[name].shape), tuple(tensor.shape)
        raise ValueError(
            f"initial weights: {name} is {here} here, but {there} in the source; both must be of "
            f"one architecture"
        )


def _carried(initial: InitialWeights, rows: Rows) -> Carried:
    if not initial.head:
        return Carried((), (), len(initial.tensors))
    return Carried(rows.carried, rows.fresh, len(initial.tensors))


def save_initial(folder: Path, initial: InitialWeights) -> Path:
    """Writes the weights into `folder` under the hash of their content; returns the file.

    Writing the same again changes nothing.
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
    """What `save_initial` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the content is not what its name says, or was written by something else.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:DIGITS] != path.stem:
        raise ValueError(
            f"{path}: damaged, its content has another hash than its name says; start a new search"
        )
    record = _record(path)
    return InitialWeights(
        tensors=load(content),
        head=tuple(record["head"]),
        label_names=tuple(record["label_names"]),
        is_merged=bool(record["is_merged"]),
        lineage=record["lineage"],
    )


def _record(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if _KEY not in metadata:
        raise ValueError(f"{path}: holds no initial weights of a trial")
    record: dict[str, Any] = json.loads(metadata[_KEY])
    return record
