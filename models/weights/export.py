"""Export of a trained model to a folder that others can load without this project.

A CNN is written as safetensors with the list of its layers, a user's own network as safetensors
with the name and the source digest of its builder. A transformer whose adaptation merges
is written as a plain transformer, or as an adapter of PEFT if one is asked for; prefixes and
bottleneck adapters are written alone, with the base identified by the hash of its weights.
`load_model.py` in the folder loads what transformers or PEFT cannot. The model card is written
elsewhere, by the search, which knows the trial.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file
from torch import nn

from models.catalog import data_kind
from models.kinds import KINDS
from models.networks.base_model import BaseModel
from models.networks.cnn import CNN
from models.networks.own_code import locate_code, normalised_source, parts_of
from models.networks.residual import Residual
from models.scores.trivial import TrivialScores, trivial_scores
from models.weights.from_checkpoint import changed_body
from models.weights.onnx_model import check_has_onnx, to_onnx
from models.weights.peft_adapter import check_base_is_unchanged, check_is_peft, save_adapter
from models.weights.rebuild import RebuiltModel, TrainedTrial, rebuild
from models.weights.usage import Loading, Usage, base_lines, onnx_usage, usage

Form = Literal["model", "adapter", "onnx"]
LOADER = "load_model.py"
_IMPORT_LOADER = "from load_model import load  # load_model.py of this folder"
BODY = "body.safetensors"  # weights of the base that an earlier trial changed
# Constructor arguments of each type of layer.
_ARGUMENTS = {
    nn.Conv2d: ("in_channels", "out_channels", "kernel_size", "stride", "padding"),
    nn.BatchNorm2d: ("num_features",),
    nn.GroupNorm: ("num_groups", "num_channels"),
    nn.MaxPool2d: ("kernel_size",),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.AdaptiveMaxPool2d: ("output_size",),
    nn.Linear: ("in_features", "out_features"),
    nn.Dropout: ("p",),
}


@dataclass(frozen=True)
class Exported:
    """The result of an export: what its card needs.

    Attributes:
        label_names: Classes or tags by number; empty for a language model.
        library: Which library loads it: "transformers", "peft", or "pytorch" with `load_model.py`.
        is_merged: Whether the folder holds the whole model; without it a base is needed.
        usage: How to predict with it.
        trivial: The scores on its data without any learning.
        onnx: The check of `model.onnx` in words, and code that runs it; empty without one.
    """

    label_names: tuple[str, ...]
    library: str
    is_merged: bool
    usage: Usage
    trivial: TrivialScores
    onnx: tuple[str, ...] = ()


def export(trained: TrainedTrial, folder: Path, form: Form = "model") -> Exported:
    """Write the model of a trial into an empty or new folder.

    Args:
        trained: The trial.
        folder: Made if it does not exist.
        form: "adapter" writes an adapter of PEFT, without the base; "onnx" writes `model.onnx` in
            addition to the weights.

    Raises:
        FileExistsError: the folder is not empty.
        FileNotFoundError: the trial's checkpoint is missing.
        DataError: its data set, which has the names of its labels, cannot be read.
        ValueError: its model cannot be written in this form.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty; fix: name a new folder")
    if form == "adapter":
        check_is_peft(trained.name, trained.configuration)
    elif form == "onnx":
        check_has_onnx(trained)
    rebuilt = rebuild(trained)
    if form == "adapter":
        check_base_is_unchanged(trained.name, rebuilt.adapted, rebuilt.plain)
    graph = to_onnx(trained.name, rebuilt) if form == "onnx" else None
    folder.mkdir(parents=True, exist_ok=True)
    if graph is not None:
        (folder / "model.onnx").write_bytes(graph.content)
    has_template = _write_tokenizer(trained, folder)
    library, is_merged, loading = _write(trained, rebuilt, folder, form)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes for the owner only; the folder is for others
    told = usage(trained, rebuilt, loading, has_template=has_template)
    config = None if rebuilt.plain is None else rebuilt.plain.config
    trivial = trivial_scores(rebuilt.splits, getattr(config, "vocab_size", None))
    onnx = () if graph is None else (graph.check, onnx_usage(rebuilt))
    return Exported(rebuilt.label_names, library, is_merged, told, trivial, onnx)


def _write_tokenizer(trained: TrainedTrial, folder: Path) -> bool:
    """Write the base's tokenizer, if it has texts, and return whether it has a chat template."""
    if trained.base is None or data_kind(trained.model) == "images":
        return False
    from models.networks.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(trained.base.folder, data_kind(trained.model))
    tokenizer.save_pretrained(folder)
    return tokenizer.chat_template is not None


# The library that loads it, whether it is a whole model, and the lines that do so.
_Written = tuple[str, bool, Loading]


def _write(trained: TrainedTrial, rebuilt: RebuiltModel, folder: Path, form: Form) -> _Written:
    if trained.network is not None:
        return _export_network(trained, rebuilt, folder)
    if trained.base is None:
        return _export_cnn(rebuilt, folder)
    if data_kind(trained.model) == "images":
        _write_preprocessing(trained.base, rebuilt, folder)
    if form == "adapter":
        return _export_adapter(trained, trained.base, rebuilt, folder)
    merged = rebuilt.adapted.merged()
    if merged is None:
        return _export_adaptation(trained, trained.base, rebuilt, folder)
    merged.save_pretrained(folder, safe_serialization=True)
    loads = KINDS[data_kind(trained.model)].auto_class
    line = f'model = {loads}.from_pretrained(".").eval()'
    return "transformers", True, Loading((f"from transformers import {loads}",), (line,))


def _export_cnn(rebuilt: RebuiltModel, folder: Path) -> _Written:
    model = rebuilt.model
    assert isinstance(model, CNN)
    config = {
        "model": "cnn",
        "shape": list(model.shape),
        "label_names": list(rebuilt.label_names),
        "hyperparameters": model.configuration,
        "features": [_layer(each) for each in model.features],
        "classifier": [_layer(each) for each in model.classifier],
    }
    _write_json(folder / "config.json", config)
    _save_weights(model, folder)
    _copy_loader("load_cnn.py", folder)
    return "pytorch", True, Loading((_IMPORT_LOADER,), ('model, names = load(".")',))


def _export_network(trained: TrainedTrial, rebuilt: RebuiltModel, folder: Path) -> _Written:
    """Write the weights of a user's own network, and what its builder is to be given."""
    assert trained.network is not None and rebuilt.data is not None
    module, function = parts_of(trained.network)
    code = locate_code(trained.network)
    config = {
        "builder": f"{module}:{function}",
        "digest": code.digest,
        "sources": {
            name: hashlib.sha256(normalised_source(file)).hexdigest()
            for name, file in sorted(code.files.items())
        },
        "hyperparameters": dict(trained.configuration),
        "shape": list(rebuilt.data.shape),
        "label_names": list(rebuilt.label_names),
        "mean": rebuilt.data.mean.flatten().tolist(),
        "std": rebuilt.data.std.flatten().tolist(),
    }
    _write_json(folder / "config.json", config)
    _save_weights(rebuilt.model, folder)
    _copy_loader("load_network.py", folder)
    below = base_lines(trained.base) if trained.base else Loading((), ())
    given = f'".", {function}' + (", base" if trained.base else "")
    imports = (f"from {module} import {function}", _IMPORT_LOADER, *below.imports)
    return (
        "pytorch",
        not trained.base,
        Loading(imports, (*below.lines, f"model, names = load({given})")),
    )


def _save_weights(model: nn.Module, folder: Path) -> None:
    # Tied weights share memory, which safetensors refuses to write.
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors")


def _layer(layer: nn.Module) -> dict[str, Any]:
    if isinstance(layer, Residual):
        parts = {"body": layer.body, "shortcut": layer.shortcut}
        return {"type": "Residual"} | {
            name: [_layer(each) for each in part] for name, part in parts.items()
        }
    names = _ARGUMENTS.get(type(layer), ())
    arguments = {name: getattr(layer, name) for name in names}
    if isinstance(layer, nn.Conv2d | nn.Linear):
        arguments["bias"] = layer.bias is not None
    return {"type": type(layer).__name__, "arguments": arguments}


def _export_adapter(
    trained: TrainedTrial, base: BaseModel, rebuilt: RebuiltModel, folder: Path
) -> _Written:
    """Write an adapter of PEFT, and how to load it onto its base."""
    kind = data_kind(trained.model)
    save_adapter(rebuilt.adapted, base.name, kind, folder)
    loads = KINDS[kind].auto_class
    assert rebuilt.plain is not None
    options = ["base"]
    if rebuilt.label_names:
        options += [f"num_labels={len(rebuilt.label_names)}", "ignore_mismatched_sizes=True"]
    padding = getattr(rebuilt.plain.config, "pad_token_id", None)
    if KINDS[kind].has_text_class and padding is not None:
        options.append(f"pad_token_id={padding}")  # a decoder's configuration often lacks it
    below = base_lines(base)
    lines = (
        *below.lines,
        f"model = {loads}.from_pretrained({', '.join(options)})",
        'model = PeftModel.from_pretrained(model, ".").eval()',
    )
    imports = (f"from transformers import {loads}", "from peft import PeftModel", *below.imports)
    return "peft", False, Loading(imports, lines)


def _export_adaptation(
    trained: TrainedTrial, base: BaseModel, rebuilt: RebuiltModel, folder: Path
) -> _Written:
    """Write the trained weights without the frozen base, and how to combine both."""
    assert rebuilt.plain is not None
    method = str(rebuilt.adapted.method)
    config: Any = rebuilt.plain.config
    record = {
        "method": method,
        "class": KINDS[data_kind(trained.model)].auto_class,
        "base": {"name": base.name, "digest": base.digest, "weights": _weights(base.folder)},
        "label_names": list(rebuilt.label_names),
        "pad_token_id": getattr(config, "pad_token_id", None),
    }
    _write_json(folder / "adapter.json", record)
    if method == "prefix":
        save_adapter(rebuilt.adapted, base.name, data_kind(trained.model), folder)
    else:
        save_file(rebuilt.adapted.state(), folder / "adapter.safetensors")
    changed = changed_body(rebuilt.adapted, rebuilt.plain)
    if changed:
        body = {rebuilt.adapted.plain_name(name): t.clone() for name, t in changed.items()}
        save_file(body, folder / BODY)
    _copy_loader("load_adapted.py", folder)
    found = base_lines(base)
    lines = (*found.lines, 'model = load(".", base)')
    return "pytorch", False, Loading((_IMPORT_LOADER, *found.imports), lines)


def _weights(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of weights, by its name."""
    digests = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _write_preprocessing(base: BaseModel, rebuilt: RebuiltModel, folder: Path) -> None:
    """Write the preprocessing of images, which a hook does in this project (`PixelInput`)."""
    path = base.folder / "preprocessor_config.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    assert rebuilt.plain is not None
    config: Any = rebuilt.plain.config
    channels, size = int(config.num_channels), config.image_size
    height, width = (size, size) if isinstance(size, int) else size
    settings = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": int(height), "width": int(width)},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / float(rebuilt.splits.scale),
        "do_normalize": True,
        "image_mean": known.get("image_mean") or [0.5] * channels,
        "image_std": known.get("image_std") or [0.5] * channels,
    }
    _write_json(folder / "preprocessor_config.json", settings)


def _copy_loader(name: str, folder: Path) -> None:
    shutil.copyfile(Path(__file__).parent / name, folder / LOADER)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
