"""Devices have names, and a part of a device is said to be one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.training import device_name as module
from models.training.device_name import device_name


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    module._processor.cache_clear()


def test_a_processor_is_named_as_the_kernel_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some  Processor 7\n" * 2)
    monkeypatch.setattr(module, "_PROCESSORS", tmp_path / "cpuinfo")
    assert device_name("cpu", 1) == "Some Processor 7"
    assert device_name("cpu", 2.0) == "2 of Some Processor 7"


@pytest.mark.parametrize("text", ["", "processor\t: 0\n", None])
def test_a_processor_without_a_name_has_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "_PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert device_name("cpu", 1) == "aarch64"


def test_a_gpu_has_a_name_if_the_process_uses_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "NVIDIA H200")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert device_name("cuda", 1.0) == "NVIDIA H200"
    assert device_name("cuda", 0.5) == "0.5 of NVIDIA H200"
    monkeypatch.delitem(sys.modules, "torch")
    assert device_name("cuda", 0.5) == ""
