"""A user's own network is built all over its space before a search, not in its corners alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.optimize.network_check import check_network
from search.spec import Spec, load_spec

SPEC = """\
name: mine
task: {network: "python:my_kernels:build", data: digits}
objectives: [{metric: accuracy.clean, direction: maximize}]
space:
  model.kind: {type: categorical, choices: [narrow, wide]}
  model.kernel: {type: categorical, choices: [3, KERNEL, 7], when: {model.kind: wide}}
  model.width: {type: int, low: 4, high: 1000, log: true}
budget: {trials: 2, epochs: 1}
"""
NETWORK = """\
from torch import nn

class Net(nn.Module):
    def __init__(self, kernel, width, data):
        super().__init__()
        self.same = nn.Conv2d(data.shape[0], data.shape[0], kernel, padding=kernel // 2)
        self.head = nn.Sequential(nn.Conv2d(data.shape[0], width, 1), nn.ReLU(),
                                  nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                  nn.Linear(width, data.classes))

    def forward(self, images):
        return self.head(images + self.same(images))

def build(configuration, data):
    kernel = configuration["model.kernel"] if configuration["model.kind"] == "wide" else 1
    return Net(kernel, configuration["model.width"], data)
"""


def spec_of(folder: Path, kernel: int) -> Spec:
    (folder / "my_kernels.py").write_text(NETWORK)
    (folder / "spec.yaml").write_text(SPEC.replace("KERNEL", str(kernel)))
    return load_spec(folder / "spec.yaml")


def test_a_value_in_the_middle_that_does_not_fit_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_network(spec_of(tmp_path, 5))
    with pytest.raises(ValueError) as raised:
        check_network(spec_of(tmp_path, 4))
    message = str(raised.value)
    assert "my_kernels.py, line 12" in message and "'model.kernel': 4" in message, message
