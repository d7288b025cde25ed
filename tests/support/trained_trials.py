"""Finished trials on disk, made without training: every trained weight is moved at random."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from models.adaptation import adapt
from models.catalog import complete, data_kind
from models.data.loading import load_data
from models.networks.base_model import BaseModel, locate_base
from models.networks.transformer import LoadedBase
from models.weights.checkpoints import save_checkpoint
from models.weights.rebuild import TrainedTrial
from tests.support.text_folders import write_texts
from tests.support.tiny_models import tiny_bert, tiny_gpt2, tiny_vit, wordpiece

WORDS = "ada sings in oslo and new york while bands play old songs by night".split()


def classes(folder: Path, *names: str) -> Path:
    """Single texts in these classes."""
    texts = [f"{word} sings" for word in WORDS]
    labels = [index % len(names) for index in range(len(texts))]
    return write_texts(folder, {"text": texts, "label": labels}, names)


def entities(folder: Path, first: str, second: str) -> Path:
    """Tagged sentences with two types of entities."""
    tokens = [["ada", "sings", "in", "new", "york"], ["old", "bands", "in", "oslo", "play"]]
    tags = [
        [f"B-{first}", "O", "O", f"B-{second}", f"I-{second}"],
        ["O", f"B-{first}", "O", "O", "O"],
    ]
    return write_texts(folder, {"tokens": tokens, "tags": tags})


def tiny_base(folder: Path, model: str) -> BaseModel:
    """A random base for a model of the catalog."""
    if model == "vision_transformer":
        return locate_base(str(tiny_vit(folder)))
    make = tiny_gpt2 if model == "causal_model" else tiny_bert
    tokenizer = (
        wordpiece([f"{word} day noon dusk" for word in WORDS]) if make is tiny_bert else None
    )
    return locate_base(str(make(folder, tokenizer)))


def finished(
    folder: Path, model: str, data: Path, base: BaseModel, seed: int = 0, **settings: Any
) -> TrainedTrial:
    """A trial of `model` whose weights have moved away from the base's."""
    kind = data_kind(model)
    short = {} if kind == "images" else {"max_length": 32}
    configuration = complete(model, short | settings)
    splits = load_data({"path": str(data)}, kind)
    image = tuple(splits.train_images.shape[1:]) if kind == "images" else None
    loaded = LoadedBase(base, kind, tuple(splits.label_names), image=image)
    plain = loaded.fresh(seed, configuration, own_copy=True)
    adapted = adapt(plain, configuration, steps=20, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    state = adapted.state()
    for name, tensor in state.items():
        if not name.startswith("allocation."):
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    save_checkpoint(folder, 1, 1, [{"loss.train": 1.0}], {"weights": state})
    return TrainedTrial("source#0", model, configuration, {"path": str(data)}, folder, base)


def load_by(folder: Path, *arguments: Any) -> Any:
    """What the loader in an exported folder gives."""
    spec = importlib.util.spec_from_file_location("load_model", folder / "load_model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder, *arguments)
