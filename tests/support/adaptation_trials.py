"""Tiny bases of every kind and a training loop, for the tests of adaptation methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.adaptation import adapt
from models.adaptation.adapted_model import Adapted
from models.catalog import Value, complete
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from tests.support.tiny_models import tiny_bert, tiny_gpt2, tiny_vit

MODELS = {
    "classification": "text_classifier",
    "entities": "entity_tagger",
    "dialogue": "causal_model",
    "images": "vision_transformer",
}
NAMES = ("a", "b", "c")


def configured(kind: str, method: str, **values: Value) -> dict[str, Value]:
    """A complete configuration for a tiny model, without dropout unless asked for."""
    given: dict[str, Value] = {"adaptation": method, "dropout": 0.0}
    if method in ("lora", "dora", "adalora"):
        given[f"{method}.dropout"] = 0.0
    if kind != "images":
        given["max_length"] = 16
    return complete(MODELS[kind], given | {k.replace("__", "."): v for k, v in values.items()})


def load(folder: Path, kind: str) -> LoadedBase:
    """A tiny base: BERT for classes and entities, GPT-2 for dialogue, ViT for images."""
    write = {"dialogue": tiny_gpt2, "images": tiny_vit}.get(kind, tiny_bert)
    if not folder.exists():
        write(folder)
    names = () if kind == "dialogue" else NAMES
    image = (1, 8, 8) if kind == "images" else None
    return LoadedBase(locate_base(str(folder)), kind, names, image=image)


def prepare(
    loaded: LoadedBase, configuration: Mapping[str, Value], *, seed: int = 0, steps: int = 4
) -> Adapted:
    """A fresh model under the configuration's method."""
    own_copy = configuration["adaptation"] == "full"
    model = loaded.fresh(seed, configuration, own_copy=own_copy)
    return adapt(model, configuration, steps=steps, seed=seed)


def batch(kind: str, seed: int = 0) -> dict[str, Any]:
    """Three examples; the last text has two tokens of padding."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "images":
        return {"pixel_values": torch.rand(3, 1, 8, 8, generator=generator)}
    mask = torch.ones(3, 6, dtype=torch.long)
    mask[2, 4:] = 0
    return {
        "input_ids": torch.randint(1, 120, (3, 6), generator=generator),
        "attention_mask": mask,
    }


def optimizer(adapted: Adapted) -> torch.optim.Optimizer:
    groups = [{**group, "lr": 0.01 * group["scale"]} for group in adapted.parameter_groups(0.01)]
    return torch.optim.AdamW(groups)


def train(
    adapted: Adapted, kind: str, steps: range, adamw: torch.optim.Optimizer | None = None
) -> None:
    """Steps numbered as in `steps`, each on a batch of its own; the classes to learn are all 1."""
    adamw = adamw or optimizer(adapted)
    adapted.model.train()
    for step in steps:
        logits = adapted.model(**batch(kind, step)).logits
        loss = -logits.log_softmax(-1)[..., 1].mean()
        penalty = adapted.penalty()
        torch.autograd.backward(loss if penalty is None else loss + penalty)
        adamw.step()
        adapted.after_step(step)
        adamw.zero_grad()


def logits(model: nn.Module, kind: str) -> Tensor:
    """Logits of one fixed batch in evaluation mode."""
    model.eval()
    with torch.no_grad():
        output: Tensor = model(**batch(kind)).logits
    return output
