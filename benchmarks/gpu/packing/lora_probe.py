"""LoRA members on one frozen encoder: packed against the loop."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.made_up_data import encoder_folder
from benchmarks.gpu.packing.equality import GOAL, difference
from benchmarks.gpu.packing.lora import LoraLoopMember, PackedLoraMembers
from benchmarks.gpu.packing.members import draw_members
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, in_turn, ratios, spread
from models.networks.base_model import BaseModel, locate_base
from models.networks.transformer import LoadedBase

_WORDS = 1000


def run(setting: Setting) -> Findings:
    """Measure both for 1 to 64 members of short texts."""
    batch, length = size_of(setting)
    rows: list[list[Any]] = []
    raw: dict[int, dict[str, list[float]]] = {}
    left_out: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = encoder_folder(Path(folder) / "encoder", is_full=setting.is_full)
        located = locate_base(str(place))
        differences = _differences(located, setting, batch, length)
        base = _load(located, setting.device)
        last = 0.0
        for count in setting.sized((1, 4, 16, 64), (1, 2)):
            if count > 1 and setting.left < 4 * last:
                left_out.append((f"{count} members", NO_TIME))
                continue
            before = setting.left
            works = _works(base, count, (batch, length), setting)
            seconds = in_turn(setting, works, setting.sized(4, 1))
            raw[count] = seconds
            steps = steps_of(count, setting)
            milliseconds = 1000 * statistics.median(seconds["loop"]) / count / steps
            rows.append([count, f"{milliseconds:.1f}",
                         spread(ratios(seconds["loop"], seconds["packed"]))])  # fmt: skip
            last = before - setting.left
    single, double = differences
    note = f"Batches of {batch} texts of {length} tokens a member, rank 8 on the attention."
    return Findings(
        [Table("LoRA members: how many times faster than the loop",
               ["members", "loop: ms a step", "gain"], rows, note)],
        left_out,
        [(f"gradients differ from the loop's by at most {GOAL:.0e} in float32 ({single:.1e})",
          single <= GOAL),
         (f"in float64 by at most 1e-14 ({double:.1e})", double <= 1e-14)],
        {"seconds": raw},
    )  # fmt: skip


def steps_of(count: int, setting: Setting) -> int:
    """Return how many steps a time has; fewer of many members, who make it long enough."""
    return int(setting.sized(max(1, 8 // count), 1))


def size_of(setting: Setting) -> tuple[int, int]:
    """Return texts a batch and tokens a text; on a CPU the largest packed step is seconds."""
    if not setting.is_full:
        return 4, 8
    return (16, 64) if setting.device == "cuda" else (4, 16)


def _works(
    base: LoadedBase, count: int, size: tuple[int, int], setting: Setting
) -> dict[str, Callable[[], None]]:
    members = draw_members(count)
    precision = torch.bfloat16 if setting.device == "cuda" else None
    steps = steps_of(count, setting)
    tokens, labels = _batch(count, size, setting.device)
    loops = [LoraLoopMember(base, member, precision) for member in members]
    packed = PackedLoraMembers(base, members, precision)

    def loop() -> None:
        for each, texts, truth in zip(loops, tokens, labels, strict=True):
            for _ in range(steps):
                each.step(texts, truth)

    def together() -> None:
        for _ in range(steps):
            packed.step(tokens, labels)

    return {"loop": loop, "packed": together}


def _differences(
    located: BaseModel, setting: Setting, batch: int, length: int
) -> tuple[float, float]:
    """Return the largest difference of gradients of three members in float32 and float64."""
    members = draw_members(3)
    tokens, labels = _batch(3, (batch, length), setting.device)
    found = []
    for dtype in (torch.float32, torch.float64):
        base = _load(located, setting.device)
        loops = [LoraLoopMember(base, member, dtype=dtype) for member in members]
        for loop, texts, truth in zip(loops, tokens, labels, strict=True):
            loop.backward(texts, truth)
        gradient, _ = PackedLoraMembers(base, members, dtype=dtype).backward(tokens, labels)
        found.append(difference(gradient, torch.stack([loop.gradient() for loop in loops])))
    return found[0], found[1]


def _load(located: BaseModel, device: str) -> LoadedBase:
    return LoadedBase(located, "classification", ("no", "yes"), device=device)


def _batch(count: int, size: tuple[int, int], device: str) -> tuple[Tensor, Tensor]:
    """Return tokens (members, batch, length) and labels (members, batch)."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, _WORDS, (count, *size), generator=generator)
    labels = torch.randint(0, 2, (count, size[0]), generator=generator)
    return tokens.to(device), labels.to(device)
