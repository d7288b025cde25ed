"""Load the network in this folder; it needs torch, safetensors and the function that builds it.

    from my_network import build  # the function that config.json names as "builder"
    from load_model import load
    model, label_names = load("THIS FOLDER", build)
    logits = model(images)  # float images (batch, channels, height, width), pixels in [0, 1]

`twentieth export` copies this file next to the weights.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn


def load(
    folder: str | Path,
    build: Callable[..., nn.Module],
    base: str | Path | None = None,
    *,
    check_source: bool = True,
) -> tuple[nn.Module, list[str]]:
    """Return the network in eval mode, and the names of its classes by their number.

    Args:
        folder: of the export.
        build: the builder.
        base: folder of the pretrained model, for a network on texts.
        check_source: whether the builder must come from the source that built the network.

    Raises:
        ValueError: `build` comes from another source.
    """
    root = Path(folder)
    config = json.loads((root / "config.json").read_text(encoding="utf-8"))
    if check_source:
        _check_source(build, config)
    data = SimpleNamespace(
        shape=tuple(config["shape"]),
        classes=len(config["label_names"]),
        label_names=tuple(config["label_names"]),
        mean=torch.tensor(config["mean"]).reshape(-1, 1, 1),
        std=torch.tensor(config["std"]).reshape(-1, 1, 1),
        base=base,
    )
    model = build(config["hyperparameters"], data)
    model.load_state_dict(load_file(root / "model.safetensors"))
    return model.eval(), list(config["label_names"])


def _check_source(build: Any, config: dict[str, Any]) -> None:
    """Compare the builder's file with the digest that the export noted."""
    module, _, function = config["builder"].partition(":")
    # Where it is defined: its own module may import it from another one.
    named = sys.modules.get(module)
    file = named.__file__ if named and getattr(named, function, None) is build else None
    content = Path(file).read_bytes().replace(b"\r\n", b"\n") if file else b""
    if hashlib.sha256(content).hexdigest() != config["sources"][module]:
        raise ValueError(
            f"{file or build} is not the source of {config['builder']} that this network was "
            "built by; fix: restore it, or load(..., check_source=False)"
        )
