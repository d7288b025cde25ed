"""Initial weights reach a model as they were, head rows by label name, and are kept safely."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.weights.initial import InitialWeights, apply_initial, load_initial, save_initial


def network(labels: int, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, labels))


def weights_of(model: nn.Module, names: tuple[str, ...]) -> InitialWeights:
    return InitialWeights(model.state_dict(), ("2.weight", "2.bias"), names)


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_the_body_is_copied_and_the_head_is_copied_by_name() -> None:
    source, target = network(2, seed=1), network(3, seed=2)
    before = copies(target)
    apply_initial(target, weights_of(source, ("cat", "dog")), ("dog", "cow", "cat"))
    assert torch.equal(target[0].weight, source[0].weight)
    assert torch.equal(target[2].weight[[0, 2]], source[2].weight[[1, 0]])
    assert torch.equal(target[2].bias[[0, 2]], source[2].bias[[1, 0]])
    assert torch.equal(target[2].weight[1], before["2.weight"][1])
    assert torch.equal(target[2].bias[1], before["2.bias"][1])


def test_the_model_shares_no_memory_with_the_weights() -> None:
    source, target = network(2, seed=1), network(2, seed=2)
    apply_initial(target, weights_of(source, ("a", "b")), ("a", "b"))
    before = copies(source)
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in source.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [({"9.weight": torch.zeros(1)}, "no tensor 9.weight"),
     ({"0.weight": torch.zeros(5, 3)}, r"0.weight is \(4, 3\) here, but \(5, 3\)"),
     ({"2.weight": torch.zeros(2, 7)}, "2.weight is")],
)  # fmt: skip
def test_another_architecture_is_refused_before_anything_is_copied(
    change: dict[str, Tensor], message: str
) -> None:
    source, target = network(2, seed=1), network(2, seed=2)
    before = copies(target)
    weights = InitialWeights(source.state_dict() | change, ("2.weight", "2.bias"), ("a", "b"))
    with pytest.raises(ValueError, match=message):
        apply_initial(target, weights, ("a", "b"))
    assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())


def test_without_label_names_all_tensors_are_copied() -> None:
    source, target = network(2, seed=1), network(2, seed=2)
    apply_initial(target, InitialWeights(source.state_dict(), (), ()), ())
    expected = copies(source)
    assert all(torch.equal(expected[name], each) for name, each in target.state_dict().items())


def test_a_file_is_named_by_its_content_and_gives_back_the_same(tmp_path: Path) -> None:
    tied = torch.arange(6.0).reshape(2, 3)
    channels_last = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    weights = InitialWeights(
        {"a": tied, "b": tied, "c": channels_last, "n": torch.tensor(7)},
        ("a",), ("x", "y"), is_merged=False, lineage={"search": "s", "trial": 3},
    )  # fmt: skip
    path = save_initial(tmp_path / "new", weights)
    assert save_initial(tmp_path / "new", weights) == path
    assert [path] == list((tmp_path / "new").iterdir())
    back = load_initial(path)
    assert back.tensors.keys() == weights.tensors.keys()
    assert all(torch.equal(back.tensors[name], weights.tensors[name]) for name in back.tensors)
    assert replace(back, tensors={}) == replace(weights, tensors={})
    other = save_initial(tmp_path / "new", replace(weights, lineage={"search": "t"}))
    assert other != path


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = save_initial(tmp_path, InitialWeights({"a": torch.zeros(2)}, (), ()))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="does not have the hash"):
        load_initial(path)
