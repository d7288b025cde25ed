"""Fine-tuning of an encoder of MiniLM's size, as a trial trains it, by method of adaptation.

The weights are random, so accuracies say nothing; seconds, memory and precision do not depend on
that. On a GPU the layers must compute in bfloat16 in training and in float32 in evaluation. The
metrics of a trial are left out, for they need scikit-learn.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.made_up_data import encoder_folder, text_splits
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, timed
from models.adversarial.embeddings.perturbed_logits import perturbed
from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.peak_memory import reset_peak_memory
from models.training.text.text_batches import TextBatches
from models.training.transformer_optimization import TransformerOptimization

METHODS = ("full", "lora", "adapters")


def run(setting: Setting) -> Findings:
    """Fine-tune with each method for two epochs; the second one's seconds count."""
    data = text_splits(setting.sized(2048, 32), setting.sized(62, 6))
    rows: list[list[str]] = []
    left_out, claims = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = encoder_folder(Path(folder) / "encoder", is_full=setting.is_full)
        base = LoadedBase(
            locate_base(str(place)), "classification", data.label_names, device=setting.device
        )
        before = base.checksum()
        for method in METHODS:
            if rows and setting.left < 5:
                left_out.append((method, NO_TIME))
                continue
            row, loss, dtypes = _train(base, data, _configuration(method, setting), setting.device)
            rows.append([method, *row])
            expected = torch.bfloat16 if setting.device == "cuda" else torch.float32
            claims += [
                (f"{method}: the loss is finite", math.isfinite(loss)),
                (f"{method}: layers compute in {_name(expected)}, in evaluation in float32",
                 dtypes == {(True, expected), (False, torch.float32)}),
            ]  # fmt: skip
        claims.append(("the frozen base is unchanged", base.checksum() == before))
    words = setting.sized(64, 8)
    note = f"{len(data.train)} texts of {words} tokens, the second of two epochs."
    header = ["method", "texts a second", "seconds an epoch", "trained weights", "peak MiB", "loss"]
    return Findings([Table("Fine-tuning", header, rows, note)], left_out, claims)


def _train(
    base: LoadedBase, data: TextSplits, configuration: dict[str, Value], device: str
) -> tuple[list[str], float, set[tuple[bool, torch.dtype]]]:
    """Train two epochs, then evaluate a batch.

    Returns:
        What the table says of the second epoch, its loss, and (is in training, dtype) of a layer.
    """
    reset_peak_memory(base.device)
    batches = TextBatches(data, base, configuration, TextThreat())
    optimization = TransformerOptimization(base, batches, configuration, epochs=2, seed=0)
    model = optimization.adapted.model
    dtypes = _watched(model)
    optimization.epoch(0)
    losses: list[float] = []
    seconds = timed(device, lambda: losses.append(optimization.epoch(1)))
    costs = optimization.costs()
    inputs = batches.tensors([0, 1])
    del inputs["labels"]
    with torch.no_grad():
        perturbed(model.eval(), inputs, exactly=True)(None)
    row = [
        f"{len(data.train) / seconds:.0f}", f"{seconds:.2f}",
        f"{optimization.adapted.trainable_parameters:,}", f"{costs['memory.peak_mb']:.0f}",
        f"{losses[0]:.3f}",
    ]  # fmt: skip
    return row, losses[0], dtypes


def _configuration(method: str, setting: Setting) -> dict[str, Value]:
    values: dict[str, Value] = {
        "adaptation": method, "batch_size": setting.sized(64, 8), "max_length": 64,
    }  # fmt: skip
    return complete("text_classifier", values)


def _watched(model: nn.Module) -> set[tuple[bool, torch.dtype]]:
    """Return a set that fills with (is in training, dtype) of a linear layer's outputs."""
    seen: set[tuple[bool, torch.dtype]] = set()
    layer = next(
        part for name, part in model.named_modules()
        if name.endswith("layer.0.intermediate.dense")
    )  # fmt: skip

    def look(module: Any, _: Any, output: Tensor) -> None:
        seen.add((module.training, output.dtype))

    layer.register_forward_hook(look)
    return seen


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
