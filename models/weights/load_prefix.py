"""Loads the prefix in this folder onto its base; it needs torch, transformers and peft.

    from load_model import load
    model = load("THIS FOLDER", "FOLDER OF THE BASE")
    tokenizer = transformers.AutoTokenizer.from_pretrained("THIS FOLDER")

The base is named in adapter.json by the hash of its weights, and is checked against it.
`twentieth export` copies this file beside the weights.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import transformers
from peft import PeftModel
from safetensors.torch import load_file

CLASSES = (
    "AutoModelForSequenceClassification", "AutoModelForTokenClassification",
    "AutoModelForCausalLM",
)  # fmt: skip


def load(folder: str | Path, base: str | Path) -> Any:
    """The base with its prefix and head, in evaluation mode."""
    root = Path(folder)
    record = json.loads((root / "adapter.json").read_text(encoding="utf-8"))
    check_base(record["base"], Path(base))
    if record["class"] not in CLASSES:
        raise ValueError(f"adapter.json names a class {record['class']!r}; known are {CLASSES}")
    labels = record["label_names"]
    options: dict[str, Any] = {"ignore_mismatched_sizes": True}
    if labels:
        options["id2label"] = dict(enumerate(labels))
        options["label2id"] = {name: index for index, name in enumerate(labels)}
    model: Any = getattr(transformers, record["class"]).from_pretrained(base, **options)
    if (root / "body.safetensors").exists():
        model.load_state_dict(load_file(root / "body.safetensors"), strict=False)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = record["pad_token_id"]
    return PeftModel.from_pretrained(model, str(root), local_files_only=True).eval()


def check_base(record: dict[str, Any], folder: Path) -> None:
    """Whether the weights in `folder` are those that were adapted."""
    for name, digest in record["weights"].items():
        with (folder / Path(name).name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise ValueError(f"{folder / name} is not the base {record['name']}: its SHA-256 is "
                             f"{found}, not {digest}")  # fmt: skip
