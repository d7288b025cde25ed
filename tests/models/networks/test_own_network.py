"""A user's own network is checked by a pass of two examples before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from models.catalog import complete
from models.data.loading import ImageSplits
from models.networks.own_network import check_image_network, check_text_network
from tests.support.tiny_texts import tiny_base, tiny_texts

HEADER = """\
import random
import numpy
import torch
from torch import nn

def flat(data):
    return int(torch.tensor(data.shape).prod())

class Net(nn.Module):
    def __init__(self, configuration, data):
        super().__init__()
        self.first = nn.Linear(flat(data), int(configuration["model.width"]))
        self.last = nn.Linear(int(configuration["model.width"]), data.classes)

    def forward(self, images):
        return self.last(torch.relu(self.first(images.flatten(1))))

"""
BUILD = "def build(configuration, data):\n    "
CONFIGURATIONS = [complete("network", {"model.width": width}) for width in (4, 8, 6)]


def check(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: ImageSplits,
    text: str,
    configurations: list[Mapping[str, Any]] | None = None,
) -> None:
    module = f"net_{abs(hash(text)):x}"
    (folder / f"{module}.py").write_text(text)
    monkeypatch.chdir(folder)
    check_image_network(f"python:{module}:build", configurations or CONFIGURATIONS, data)


RIGHT = {
    "a module of one's own": "return Net(configuration, data)",
    "a head that begins at zero": (
        "net = Net(configuration, data); nn.init.zeros_(net.last.weight); return net"
    ),
    "weights drawn by NumPy": (
        "net = Net(configuration, data)\n"
        "    scale = numpy.random.rand() + random.random()\n"
        "    net.last.weight.data.mul_(scale); return net"
    ),
    "few units, all negative before their ReLU": (
        "net = Net(configuration, data); nn.init.constant_(net.first.bias, -2.0); return net"
    ),
    "few units, most of them dropped": (
        "return nn.Sequential(nn.Flatten(), nn.Linear(flat(data), configuration['model.width']), "
        "nn.ReLU(), nn.Dropout(0.9), nn.Linear(configuration['model.width'], data.classes))"
    ),
    "parts frozen on purpose": (
        "net = Net(configuration, data); net.first.requires_grad_(False); return net"
    ),
    "a configuration given on": "return Net({**configuration}, data)",
    "a configuration that it changes": (
        "configuration = configuration | {'batch_size': 1}; configuration.pop('patience'); "
        "return Net(configuration.copy(), data)"
    ),
    "normalisation over the batch": (
        "return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(flat(data)), "
        "nn.Linear(flat(data), configuration['model.width']), nn.ReLU(inplace=True), "
        "nn.Linear(configuration['model.width'], data.classes))"
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_sound_network_passes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: ImageSplits
) -> None:
    check(tmp_path, monkeypatch, few_digits, HEADER + BUILD + RIGHT[name])


def end(expression: str) -> str:
    """A network whose forward pass returns an expression of its logits `x`."""
    return (
        "class Changed(Net):\n    def forward(self, images):\n"
        f"        x = super().forward(images)\n        return {expression}\n"
        + BUILD + "return Changed(configuration, data)"
    )  # fmt: skip


def begin(expression: str) -> str:
    """A network whose forward pass begins with an expression of its `images`."""
    return (
        "class Changed(Net):\n    def forward(self, images):\n"
        f"        return super().forward({expression})\n"
        + BUILD + "return Changed(configuration, data)"
    )  # fmt: skip


WRONG = {
    "softmax": (end("x.softmax(1)"), ["probabilities", "leave the softmax out"]),
    "classes": (end("x.argmax(1)"), ["shape (2,)", "data.classes logits"]),
    "integers": (end("(x * 0).long()"), ["torch.int64", "return logits"]),
    "a tuple": (end("(x, x)"), ["returns tuple", "not a tensor", "return the logits (2, 10)"]),
    "too few outputs": (end("x[:, 1:]"), ["9 outputs for 10 classes"]),
    "a mean over the batch": (end("x.mean(0)"), ["shape (10,) for 2 examples"]),
    "one axis too many": (end("x[..., None]"), ["shape (2, 10, 1)"]),
    "NaN": (end("x / 0 * 0"), ["not finite before any training"]),
    "no gradient": (end("x.detach()"), ["no gradient, so nothing would be trained", "detach()"]),
    "images detached": (begin("images.detach()"), ["the images get no gradient", "no attack"]),
    "images rounded": (begin("(images * 255).round() / 255"), ["the images get no gradient"]),
    "images to integers": (begin("(images * 255).byte().float()"), ["images get no gradient"]),
    "images changed in place": (begin("images.sub_(0.5)"), ["failed on two examples", "in-place"]),
    "a shape that does not fit": (begin("images[:, :, 1:]"), ["line", "failed on two examples"]),
    "a part without use": (
        BUILD + "net = Net(configuration, data); net.spare = nn.Linear(2, 2); return net",
        ["spare.weight, spare.bias", "get no gradient", "requires_grad=False on purpose"],
    ),
    "nothing to train": (
        BUILD + "return Net(configuration, data).requires_grad_(False)",
        ["no parameter to train"],
    ),
    "no module": (BUILD + "return 3", ["returned int, not a torch.nn.Module"]),
    "a class instead": (BUILD + "return Net", ["returned type"]),
    "layers in a list": (
        BUILD + "net = Net(configuration, data); hidden = [nn.Linear(flat(data), flat(data))]\n"
        "    net.register_forward_pre_hook(lambda net, images: hidden[0](images[0].flatten(1)))\n"
        "    return net",
        ["same state_dict gives other logits", "nn.ModuleList"],
    ),
    "chance in evaluation": (
        begin("nn.functional.dropout(images, 0.5)"),
        ["two passes in evaluation mode", "self.training"],
    ),
    "lazy layers": (
        BUILD + "return nn.Sequential(nn.Flatten(), nn.LazyLinear(data.classes))",
        ["1.weight, 1.bias", "give lazy layers their sizes"],
    ),
    "no device": (
        BUILD + "return Net(configuration, data).to('meta')", ["first.weight", "build on the CPU"],
    ),
    "state that is no tensor": (
        "class Changed(Net):\n    def get_extra_state(self):\n        return {'calls': 1}\n"
        "    def set_extra_state(self, state):\n        pass\n"
        + BUILD + "return Changed(configuration, data)",
        ["_extra_state", "keep state in buffers"],
    ),
    "a script": (
        BUILD + "return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(flat(data), 10)))",
        ["cannot be copied", "without torch.jit"],
    ),
    "a mode that returns nothing": (
        "class Changed(Net):\n    def train(self, mode=True):\n        super().train(mode)\n"
        + BUILD + "return Changed(configuration, data)",
        ["train() of the network does not return it", "return self"],
    ),
    "an exit": (BUILD + "raise SystemExit(2)", ["it failed: ", "SystemExit: 2"]),
    "an exit while importing": ("import argparse\nargparse.ArgumentParser().parse_args(['--no'])\n"
                                + BUILD + "pass", ["importing it failed: ", "SystemExit: 2"]),
    "one argument": ("def build(configuration):\n    return 1", ["it failed: TypeError"]),
    "not callable": ("build = 3", ["is a int", "build(configuration, data)"]),
    "its own exception": (
        BUILD + "raise RuntimeError('no weights here')",
        ["RuntimeError: no weights here", "line", "'model.width': 4"],
    ),
    "an unknown hyperparameter": (
        BUILD + "configuration['model.depth']",
        ["reads configuration['model.depth']", "neither the space nor task.settings has"],
    ),
    "a hyperparameter as an attribute": (
        BUILD + "configuration.width",
        ["line", "has no attribute 'width'", "fix: write configuration[NAME]"],
    ),
    "a hyperparameter without prefix": (BUILD + "configuration['width']", ["'model.'"]),
    "a failing import": ("import no_such_library\n" + BUILD + "pass", ["importing it failed",
                         "line", "no_such_library"]),
    "an import from a package of our name": (
        "import models.layers\n" + BUILD + "pass", ["Twentieth has a package models too", "rename"],
    ),
    "an error while importing": ("1 / 0\n" + BUILD + "pass", ["ZeroDivisionError", "line"]),
    "a configuration without effect": (
        BUILD + "return Net({'model.width': 5}, data)",
        ["never reads model.width", "remove the hyperparameter from the space"],
    ),
    "chance of its own": (
        "import time\n" + BUILD + "torch.manual_seed(time.time_ns() % 2**31); "
        "return Net(configuration, data)",
        ["differ between two networks of one seed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_network_that_cannot_be_searched_is_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: ImageSplits
) -> None:
    text, words = WRONG[name]
    with pytest.raises(ValueError) as error:
        check(tmp_path, monkeypatch, few_digits, HEADER + text)
    message = str(error.value)
    assert message.startswith("python:net_"), message
    assert all(word in message for word in words), message
    assert "fix: " in message or name in ("its own exception", "one argument") or "line" in message


@pytest.mark.parametrize(
    "width", ["configuration.setdefault('model.width', 4)", "{**configuration}['model.width']",
              "copy.deepcopy(configuration)['model.width']", "'%(model.width)s' % configuration"]
)  # fmt: skip
def test_a_hyperparameter_may_be_read_in_any_way_of_a_dict(
    width: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: ImageSplits
) -> None:
    body = f"import copy; return Net({{'model.width': int({width})}}, data)"
    check(tmp_path, monkeypatch, few_digits, HEADER + BUILD + body)


def test_a_hyperparameter_read_under_one_value_of_another_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: ImageSplits
) -> None:
    body = """\
if configuration["model.kind"] == "wide":
        return Net({"model.width": configuration["model.wide_width"]}, data)
    return Net({"model.width": 4}, data)"""
    kinds = [{"model.kind": "narrow"}, {"model.kind": "narrow"},
             {"model.kind": "wide", "model.wide_width": 9}]  # fmt: skip
    configurations = [complete("network", each) for each in kinds]
    check(tmp_path, monkeypatch, few_digits, HEADER + BUILD + body, configurations)


def text_check(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    data = tiny_texts("classification")
    base = tiny_base(folder / "bert", "classification", data.label_names).base
    module = f"net_{abs(hash(text)):x}"
    (folder / f"{module}.py").write_text(text)
    monkeypatch.chdir(folder)
    given = [complete("text_network", {"model.hidden": width}) for width in (4, 8)]
    check_text_network(f"python:{module}:build", given, data, base)


@pytest.mark.slow
def test_a_head_over_a_pretrained_model_is_checked_on_two_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text_check(tmp_path, monkeypatch, "from tests.support.networks import text_head as build\n")


@pytest.mark.slow
def test_a_network_of_texts_without_embeddings_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        HEADER
        + """
class Bag(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.table = nn.EmbeddingBag(2000, classes)

    def forward(self, input_ids, **_):
        return self.table(input_ids)

def build(configuration, data):
    return Bag(configuration["model.hidden"], data.classes)
"""
    )
    with pytest.raises(ValueError, match=r"no module has get_input_embeddings.*fix: keep a model"):
        text_check(tmp_path, monkeypatch, text)
