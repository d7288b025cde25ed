from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from models.training.devices import computes, devices


def test_the_cpu_computes() -> None:
    assert computes(torch.device("cpu")) == ""


def test_a_device_that_is_not_there_says_why() -> None:
    assert computes(torch.device("cuda", 99))


def test_a_driver_that_fails_without_a_word_has_a_problem_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ones(*shape: int, device: torch.device) -> torch.Tensor:
        raise RuntimeError

    monkeypatch.setattr(torch, "ones", ones)
    assert computes(torch.device("cpu")) == "RuntimeError()"


@pytest.mark.slow
def test_it_answers_in_json_as_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "models.training.devices"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == devices()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_every_cuda_device_computes() -> None:
    found = devices()["devices"]
    assert found and not any(each["problem"] for each in found)
