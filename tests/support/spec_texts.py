"""A correct spec of fine-tuning, small sets of texts and a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

from tests.support.text_folders import write_texts

CLASSES = ("weather", "sport")
TEXTS = (
    ("the sun is warm", 0), ("rain falls in the north", 0), ("snow and cold wind", 0),
    ("the team won again", 1), ("a goal in the last minute", 1), ("they lost the match", 1),
)  # fmt: skip


def fine_tuning(**changes: Any) -> str:
    """Return a text classifier's spec; keywords replace top-level keys."""
    spec: dict[str, Any] = {
        "name": "texts",
        "task": {
            "name": "texts", "data": "data/texts", "model": "text_classifier", "base": "model",
            "settings": {"max_length": 32},
        },
        "objectives": [
            {"metric": "accuracy.clean", "direction": "maximize"},
            {"metric": "accuracy.robust", "direction": "maximize"},
        ],
        "space": {
            "adaptation": {"type": "categorical", "choices": ["full", "lora"]},
            "full.learning_rate": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
            "lora.rank": {"type": "int", "low": 2, "high": 8},
        },
        "budget": {"trials": 2, "epochs": 2},
    }  # fmt: skip
    return yaml.safe_dump(spec | changes, sort_keys=False)


def with_task(**changes: Any) -> str:
    """Return the spec with keys of its task replaced; None removes one."""
    task = yaml.safe_load(fine_tuning())["task"] | changes
    return fine_tuning(task={key: value for key, value in task.items() if value is not None})


def write_sentences(folder: Path) -> Path:
    texts, labels = zip(*TEXTS, strict=True)
    return write_texts(folder, {"text": [*texts], "label": [*labels]}, CLASSES)


def write_model(folder: Path, **config: Any) -> Path:
    """Write a folder that looks like a small BERT; its weights fit no model."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"model_type": "bert", "architectures": ["BertModel"], "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(settings | config))
    save_file({"weight": np.zeros(3, np.float32)}, folder / "model.safetensors")
    return folder


def place(folder: Path, text: str, below: str = "") -> Path:
    """Write a spec file next to its data and model; return its path."""
    write_sentences(folder / "data" / "texts")
    write_model(folder / below / "model")
    (folder / "spec.yaml").write_text(text)
    return folder / "spec.yaml"
