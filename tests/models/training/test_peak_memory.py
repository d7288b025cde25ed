"""The peak of one trial, on a process that has had others before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from models.training import peak_memory
from models.training.peak_memory import peak_memory_mb, reset_peak_memory

CPU = torch.device("cpu")
MIB = 200


@pytest.fixture(autouse=True)
def _looks_anew() -> Iterator[None]:
    peak_memory._is_resettable.cache_clear()
    yield
    peak_memory._is_resettable.cache_clear()


def use(mib: int) -> None:
    """Touches every page of so much peak_memory, and gives it back."""
    np.ones(mib * 2**20, dtype=np.uint8).sum()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_holds_what_was_given_back_until_it_is_reset() -> None:
    if not peak_memory._is_resettable():
        pytest.skip("this machine does not let a process reset its mark")
    reset_peak_memory(CPU)
    before = peak_memory_mb(CPU)
    use(MIB)
    peak = peak_memory_mb(CPU)
    assert peak - before > 0.8 * MIB, "200 MiB were in use"
    reset_peak_memory(CPU)
    assert peak_memory_mb(CPU) < peak - 0.5 * MIB, "the next trial starts from what is left"


@pytest.mark.slow
def test_a_machine_that_lets_nothing_be_reset_tells_what_is_resident(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peak_memory, "_RESET", tmp_path / "missing" / "clear_refs")
    reset_peak_memory(CPU)
    kept = np.ones(MIB * 2**20, dtype=np.uint8)
    with_it = peak_memory_mb(CPU)
    del kept
    assert peak_memory_mb(CPU) < with_it - 0.5 * MIB


@pytest.mark.gpu
def test_the_peak_on_a_gpu_is_what_torch_has_allocated() -> None:
    device = torch.device("cuda")
    reset_peak_memory(device)
    before = peak_memory_mb(device)
    torch.ones(MIB * 2**20, dtype=torch.uint8, device=device)
    assert peak_memory_mb(device) - before == pytest.approx(MIB, abs=2)
    reset_peak_memory(device)
    assert peak_memory_mb(device) == pytest.approx(before, abs=2)
