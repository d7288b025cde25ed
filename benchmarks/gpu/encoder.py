"""Fine-tuning of an encoder of MiniLM's size, as a trial does it, by method of adaptation.

The weights are random, so accuracies say nothing; seconds, memory and precision do not depend on
that. On a GPU the layers must compute in bfloat16 in training and in float32 in evaluation.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.made_up_data import encoder_folder, text_splits
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table
from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.hyperparameters.hyperparameter import Value
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning

METHODS = ("full", "lora", "adapters")


def run(setting: Setting) -> Findings:
    """Fine-tune with each method for two epochs; the second one's seconds count."""
    data = text_splits(setting.sized(2048, 32), setting.sized(62, 6))
    threat = TextThreat(examples=4, cheap_examples=2, queries=10)
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
            training = TextFineTuning(
                _configuration(method, setting), data, epochs=2, seed=0, threat=threat, base=base
            )
            dtypes = _watched(training.model)
            *_, last = training.run()
            seconds = last["seconds.train"]
            rows.append([
                method, f"{len(data.train) / seconds:.0f}", f"{seconds:.2f}",
                f"{last['parameters.trainable']:,.0f}", f"{last['memory.peak_mb']:.0f}",
                f"{last['loss.train']:.3f}",
            ])  # fmt: skip
            expected = torch.bfloat16 if setting.device == "cuda" else torch.float32
            claims += [
                (f"{method}: the loss is finite", math.isfinite(last["loss.train"])),
                (f"{method}: layers compute in {_name(expected)}, in evaluation in float32",
                 dtypes == {(True, expected), (False, torch.float32)}),
            ]  # fmt: skip
        claims.append(("the frozen base is unchanged", base.checksum() == before))
    words = setting.sized(64, 8)
    note = f"{len(data.train)} texts of {words} tokens, the second of two epochs."
    header = ["method", "texts a second", "seconds an epoch", "trained weights", "peak MiB", "loss"]
    return Findings([Table("Fine-tuning", header, rows, note)], left_out, claims)


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
