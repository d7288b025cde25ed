"""LoRA members on one frozen encoder train packed as peft trains each alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.gpu.made_up_data import encoder_folder
from benchmarks.gpu.packing.equality import difference
from benchmarks.gpu.packing.lora import LoraLoopMember, PackedLoraMembers
from benchmarks.gpu.packing.members import draw_members
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase

pytestmark = pytest.mark.slow


def test_gradients_and_steps_are_those_of_peft_alone(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "encoder", is_full=False)
    base = LoadedBase(locate_base(str(folder)), "classification", ("no", "yes"))
    members = draw_members(3)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, 1000, (3, 4, 8), generator=generator)
    labels = torch.randint(0, 2, (3, 4), generator=generator)
    loops = [LoraLoopMember(base, member, dtype=torch.float64) for member in members]
    packed = PackedLoraMembers(base, members, dtype=torch.float64)
    for loop, texts, truth in zip(loops, tokens, labels, strict=True):
        loop.backward(texts, truth)
    gradient, _ = packed.backward(tokens, labels)
    alone = torch.stack([loop.gradient() for loop in loops])
    assert difference(gradient, alone) < 1e-14
    # Every weight learns: an update whose gradient is zero would show nothing.
    assert (alone.abs() > 0).double().mean() > 0.99
    for _ in range(2):
        packed.step(tokens, labels)
        for loop, texts, truth in zip(loops, tokens, labels, strict=True):
            loop.step(texts, truth)
    trained = [
        torch.cat([each.reshape(-1) for each in loop.adapted.state().values()]) for loop in loops
    ]
    assert difference(packed.weights.detach(), torch.stack(trained)) < 1e-9
