"""Load a base with the adapters or the prefix in this folder.

    from load_model import load
    model = load("THIS FOLDER", "FOLDER OF THE BASE")
    tokenizer = transformers.AutoTokenizer.from_pretrained("THIS FOLDER")

It needs torch, safetensors and transformers; a prefix also needs peft. adapter.json holds the hash
of the base's weights, which is checked. `twentieth export` copies this file next to the weights.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

CLASSES = (
    "AutoModelForSequenceClassification", "AutoModelForTokenClassification",
    "AutoModelForCausalLM", "AutoModelForImageClassification",
)  # fmt: skip
_DOWN = ".adapter.down.weight"


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))); Houlsby et al. 2019."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features plus the output of the bottleneck."""
        changed: Tensor = features + self.up(functional.gelu(self.down(features)))
        return changed


def load(folder: str | Path, base: str | Path) -> Any:
    """Return the base with its adapters or prefix and its head, in eval mode."""
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
    body = root / "body.safetensors"
    state = load_file(body) if body.exists() else {}
    if record["method"] == "prefix":
        return _with_prefix(model, state, root, record["pad_token_id"]).eval()
    return _with_adapters(model, load_file(root / "adapter.safetensors") | state).eval()


def _with_prefix(model: Any, state: dict[str, Tensor], root: Path, pad_token_id: int | None) -> Any:
    from peft import PeftModel

    model.load_state_dict(state, strict=False)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = pad_token_id
    return PeftModel.from_pretrained(model, str(root), local_files_only=True)


def _with_adapters(model: Any, state: dict[str, Tensor]) -> Any:
    for name, tensor in state.items():
        if name.endswith(_DOWN):
            module = model.get_submodule(name.removesuffix(_DOWN))
            width, features = tensor.shape
            module.add_module("adapter", Bottleneck(features, width))
            module.register_forward_hook(_pass_through)
    unexpected = model.load_state_dict(state, strict=False).unexpected_keys
    if unexpected:
        raise ValueError(
            f"the base has no weights {unexpected}; fix: give the base of adapter.json"
        )
    return model


def check_base(record: dict[str, Any], folder: Path) -> None:
    """Check that the weights in `folder` are those that were adapted."""
    for name, digest in record["weights"].items():
        with (folder / Path(name).name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise ValueError(f"{folder / name} is not the base {record['name']}: its SHA-256 is "
                             f"{found}, not {digest}")  # fmt: skip


def _pass_through(module: Any, inputs: Any, output: Tensor) -> Tensor:
    adapted: Tensor = module.adapter(output)
    return adapted
