"""Location of a pretrained model: a folder, the Hugging Face hub, or an installed package.

Imports no torch and runs no code of a model: weights are safetensors, never pickles, and models
that ask for code are refused. A model is identified by the hash of its content, not by its path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
# Files of a hub download: weights, configurations, vocabularies. No pickles and no code.
_PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model"]
_SIDE_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
)
# Any of these makes a tokenizer; without one, transformers builds an empty one for some models.
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
_CONVERT = (
    "pickle weights are never loaded; fix: convert them on a machine that you can lose, with "
    "AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
)


@dataclass(frozen=True)
class BaseModel:
    """A pretrained model on disk, checked: its weights are complete and are safetensors.

    `name` is the reference without local paths; `digest` has 12 hex digits over the configuration,
    the weights and the tokenizer's files; `architecture` is the class that wrote it.
    """

    name: str
    folder: Path
    digest: str
    architecture: str
    model_type: str


def locate_base(reference: str) -> BaseModel:
    """Return the model of a reference: a folder, `hub:NAME[@REVISION]`, or `package:MODULE`.

    A package is found without importing it; its folder `model` holds the model.

    Raises:
        ValueError: there is no such folder, repository or package; the configuration is missing,
            unreadable or asks for code or quantisation; or the weights are missing, incomplete or
            pickles. The message says what to do.
    """
    kind, _, rest = reference.partition(":")
    if kind == "hub":
        folder, name = _download(rest), reference
    elif kind == "package":
        folder, name = _package_folder(rest), reference
    else:
        folder = Path(os.path.expanduser(reference))
        name = folder.resolve().name
    if not folder.is_dir():
        raise ValueError(f"{reference}: no folder {folder}; fix: give the folder of a pretrained "
                         "model, hub:NAME or package:MODULE")  # fmt: skip
    config = _configuration(folder)
    weights = _weight_files(folder)
    sides = [folder / side for side in _SIDE_FILES] + sorted(folder.glob("*.model"))
    architectures = config.get("architectures") or [""]
    return BaseModel(
        name=name,
        folder=folder,
        digest=_digest([path for path in sides if path.is_file()] + weights),
        architecture=str(architectures[0]),
        model_type=str(config["model_type"]),
    )


def require_tokenizer(folder: Path) -> None:
    """Refuse the folder of a model of texts that has no tokenizer; it is not loaded.

    Raises:
        ValueError: it has none.
    """
    if not any((folder / name).is_file() for name in TOKENIZERS):
        found = (
            sorted(path.name for path in folder.iterdir()) if folder.is_dir() else "no such folder"
        )
        raise ValueError(f"{folder}: no tokenizer ({found}); fix: save it there with "
                         "save_pretrained, which writes tokenizer.json")  # fmt: skip


def _download(name: str) -> Path:
    # Imported here: only this source needs it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(repository, revision=revision or None, allow_patterns=_PATTERNS)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"hub:{name} cannot be downloaded ({error}); fix: check the name and the network, or "
            "give a local folder"
        ) from error
    return Path(folder)


def _package_folder(module: str) -> Path:
    """Return the folder `model` of an installed package; parts after a dot are subfolders."""
    top, *parts = module.split(".")
    if not re.fullmatch(r"\w+(\.\w+)*", module):
        raise ValueError(
            f"package:{module}: invalid; fix: give the name of a Python module, as in package:a_b"
        )
    # NOTE: find_spec imports the parents of a dotted name, so it gets the first part alone.
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"package:{module}: no such package is installed; fix: install it, "
                         "or give a local folder")  # fmt: skip
    return Path(next(iter(spec.submodule_search_locations))).joinpath(*parts, "model")


def _configuration(folder: Path) -> dict[str, Any]:
    """Read config.json, and refuse models that need an adapter, code or quantisation."""
    if (folder / "adapter_config.json").exists():
        raise ValueError(f"{folder}: holds an adapter (adapter_config.json), not a whole model; "
                         "fix: merge it into its base, or give the base")  # fmt: skip
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: no config.json; fix: give the folder of a pretrained model")
    config = read_json(folder / "config.json")
    tokenizer = folder / "tokenizer_config.json"
    for name, settings in (
        ("config.json", config),
        ("tokenizer_config.json", read_json(tokenizer) if tokenizer.is_file() else {}),
    ):
        if settings.get("auto_map"):
            raise ValueError(
                f"{folder / name}: auto_map asks to run code that comes with the model, which is "
                "never done; fix: give a model whose architecture transformers has itself"
            )
    if config.get("quantization_config"):
        raise ValueError(f"{folder / 'config.json'}: the weights are quantised; fix: give the "
                         "model in float32, float16 or bfloat16")  # fmt: skip
    if not config.get("model_type"):
        raise ValueError(f"{folder / 'config.json'}: no model_type; fix: save the model with "
                         "transformers 4 or later")  # fmt: skip
    return config


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of the model's weights, checked to be complete."""
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    if not (folder / _INDEX).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        pickles += sorted(path.name for path in folder.glob("*.pt"))
        problem = f"only {', '.join(pickles)}: {_CONVERT}" if pickles else (
            f"no {_WEIGHTS}; fix: give a folder that save_pretrained wrote")  # fmt: skip
        raise ValueError(f"{folder}: {problem}")
    shard_of = read_json(folder / _INDEX).get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise ValueError(
            f"{folder / _INDEX}: no weight_map; fix: copy or download the folder again"
        )
    shards = sorted({str(shard) for shard in shard_of.values()})
    outside = [shard for shard in shards if Path(shard).name != shard]
    if outside:
        raise ValueError(f"{folder / _INDEX}: names files outside the folder: {outside}")
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise ValueError(f"{folder}: {len(missing)} of {len(shards)} shards are missing, the first "
                         f"{missing[0]}; fix: copy or download the folder again")  # fmt: skip
    return [folder / shard for shard in shards]


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file of a model's folder.

    Raises:
        ValueError: it holds no object in JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error}); fix: copy it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds no JSON object; fix: copy it again")
    return content


def _digest(files: list[Path]) -> str:
    """Return 12 hex digits over names and contents of the files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()[:12]
