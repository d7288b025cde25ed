"""Files of adversarial examples: read back unchanged, and refused where they were tampered with."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from models.adversarial.pixels.adversarial_examples import AdversarialExamples, verify
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.pixels.stored_examples import (
    load_adversarial_examples,
    save_adversarial_examples,
)

SHAPE = (6, 1, 2, 2)
TEXTS = {
    "format": "twentieth adversarial examples 1", "norm": "linf", "epsilon": "0.1",
    "split": "test", "metric": "accuracy.worst_linf_0.1", "model": "abc",
}  # fmt: skip


def tensors() -> dict[str, Tensor]:
    attacked = torch.from_numpy(fixed_subset(6, 4, 0))
    return {
        "attacked": attacked,
        "index": attacked[:2].clone(),
        "images": torch.full((2, 1, 2, 2), 0.5),
    }


def read(file: Path) -> AdversarialExamples:
    return load_adversarial_examples(file, lambda split: SHAPE)


def written(folder: Path, texts: dict[str, str], **changes: Tensor) -> Path:
    file = folder / "w.safetensors"
    save_file(tensors() | changes, file, TEXTS | texts)
    return file


@pytest.mark.parametrize(
    "metric", ["accuracy.worst_linf_8_255", "accuracy.pgd10x2_l2_0.3333333333"]
)
def test_adversarial_examples_are_read_back_unchanged(tmp_path: Path, metric: str) -> None:
    made = AdversarialExamples(**tensors(), split="confirmation", metric=metric, model="abc")
    save_adversarial_examples(made, tmp_path / "new" / "w.safetensors")
    found = read(tmp_path / "new" / "w.safetensors")
    for name in ("attacked", "index", "images"):
        assert torch.equal(getattr(found, name), getattr(made, name))
    for name in ("norm", "epsilon", "split", "metric", "model"):
        assert getattr(found, name) == getattr(made, name)
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["w.safetensors"]


def filled(value: float) -> Tensor:
    images = torch.full((2, 1, 2, 2), 0.5)
    images[1, 0, 1, 1] = value
    return images


first = tensors()["index"]
TAMPERED: dict[str, tuple[dict[str, str], dict[str, Tensor], str]] = {
    "a larger ball than its name": ({"epsilon": "0.5"}, {}, "a ball of 0.5"),
    "a ball that is no number": ({"epsilon": "nan"}, {}, "a ball of nan"),
    "a ball in words": ({"epsilon": "large"}, {}, "could not convert"),
    "another norm than its name": ({"norm": "l2"}, {}, "'l2', and its metric"),
    "a norm that is none": ({"norm": "l7"}, {}, "'l7'"),
    "a metric without a ball": ({"metric": "accuracy.clean"}, {}, "its metric is 'accuracy.clean'"),
    "a metric of a terminal": ({"metric": "\x1b[31mx"}, {}, r"'\\x1b"),
    "an unknown split": ({"split": "train"}, {}, "its split is 'train'"),
    "another format": ({"format": "npz"}, {}, "its format is 'npz'"),
    "pixels above 1": ({}, {"images": filled(1.5)}, "outside"),
    "pixels below 0": ({}, {"images": filled(-0.1)}, "outside"),
    "NaN pixels": ({}, {"images": filled(torch.nan)}, "outside"),
    "infinite pixels": ({}, {"images": filled(torch.inf)}, "outside"),
    "images of double precision": ({}, {"images": filled(0.5).double()}, "'images' of type F64"),
    "images of bytes": ({}, {"images": filled(0.5).byte()}, "'images' of type U8"),
    "images of another shape": ({}, {"images": torch.rand(2, 1, 2, 3)}, "of images"),
    "flat images": ({}, {"images": torch.rand(2, 4)}, "of images"),
    "an image too many": ({}, {"images": torch.rand(3, 1, 2, 2)}, "of images"),
    "positions as floats": ({}, {"index": first.float()}, "'index' of type F32"),
    "the same example twice": ({}, {"index": first[[0, 0]]}, "ascending list"),
    "examples out of order": ({}, {"index": first.flip(0)}, "ascending list"),
    "a position before the first": ({}, {"index": torch.tensor([-1, int(first[0])])}, "ascending"),
    "examples that were not attacked": ({}, {"index": torch.tensor([98, 99])}, "not attacked"),
    "no attacked example": ({}, {"attacked": first[:0]}, "attacked is"),
    "more than the split has": ({}, {"attacked": torch.arange(7)}, "attacked is"),
    "labels of its own": ({}, {"labels": torch.zeros(4, dtype=torch.int64)}, "'labels'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_file_that_was_tampered_with_is_refused(tmp_path: Path, kind: str) -> None:
    texts, changes, problem = TAMPERED[kind]
    with pytest.raises(ValueError, match=problem) as raised:
        read(written(tmp_path, texts, **changes))
    assert str(raised.value).startswith("w.safetensors holds no adversarial examples: ")


@pytest.mark.parametrize("missing", TEXTS)
def test_what_a_file_does_not_state_is_named(tmp_path: Path, missing: str) -> None:
    kept = {name: text for name, text in TEXTS.items() if name != missing}
    save_file(tensors(), tmp_path / "w.safetensors", kept)
    with pytest.raises(ValueError, match=missing):
        read(tmp_path / "w.safetensors")


class Runs:
    """What would be run, were it unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def of_length(length: int) -> bytes:
    return struct.pack("<Q", length) + b"{}"


def claims_a_terabyte() -> bytes:
    """A header whose images would fill the memory, and no data."""
    size = 2**40
    header = {
        name: {"dtype": kind, "shape": [2, 2**36] if name == "images" else [2], "data_offsets": at}
        for name, kind, at in (
            ("attacked", "I64", [0, 16]), ("index", "I64", [16, 32]), ("images", "F32", [32, size]),
        )
    }  # fmt: skip
    text = json.dumps({"__metadata__": TEXTS} | header).encode()
    return struct.pack("<Q", len(text)) + text


BROKEN: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a few bytes": lambda: b"abc",
    "no safetensors": lambda: b"no safetensors at all",
    "an empty header": lambda: of_length(0),
    "a header of 99 megabytes": lambda: of_length(99_000_000),
    "a header of 2^63 bytes": lambda: of_length(2**63),
    "a header that is cut": lambda: of_length(900),
    "images of a terabyte": claims_a_terabyte,
    "half a file": lambda: save(tensors(), TEXTS)[:-20],
    "a pickled object": lambda: pickle.dumps(Runs()),
    "pickled arrays": lambda: np.array([Runs()], dtype=object).dumps(),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "w.safetensors").write_bytes(BROKEN[kind]())
    with pytest.raises(ValueError, match=r"^w\.safetensors holds no adversarial examples: "):
        read(tmp_path / "w.safetensors")


def test_a_folder_or_no_file_is_refused_too(tmp_path: Path) -> None:
    for name in (".", "gone.safetensors"):
        with pytest.raises(ValueError, match="holds no adversarial examples"):
            read(tmp_path / name)


@pytest.mark.parametrize("seed", range(40))
def test_a_file_with_changed_bytes_is_refused_or_verified_as_any_other(
    tmp_path: Path, seed: int
) -> None:
    """Up to eight bytes anywhere: an error of ours, or a bound of the model alone."""
    generator, content = np.random.default_rng(seed), bytearray(save(tensors(), TEXTS))
    for at in generator.integers(len(content), size=generator.integers(1, 9)):
        content[at] = generator.integers(256)
    (tmp_path / "w.safetensors").write_bytes(content)
    try:
        found = read(tmp_path / "w.safetensors")
        model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        checked = verify(model, torch.rand(SHAPE), torch.zeros(6, dtype=torch.int64), found, 0)
    except ValueError:
        return
    assert 0 <= checked.bound <= 1 and checked.confirmed <= checked.in_ball <= 2
