"""The contract of adaptations: what each of `ADAPTATIONS` keeps, on every kind of data it is for.

A new method is one more line there.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from models.hyperparameters.transformer import METHODS
from models.networks.architectures import supported
from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import (
    batch,
    configured,
    load,
    logits,
    optimizer,
    prepare,
    train,
)

MERGING = ("full", "lora", "dora", "adalora", "ia3")
TYPES = {"classification": "bert", "entities": "bert", "dialogue": "gpt2", "images": "vit"}
# Method -> what trains, by name in the plain model; the head (classifier) comes on top.
ADAPTATIONS = {
    "full": r".*",
    "lora": r".*\.(query|key|value|dense|c_attn|c_proj|[qkvo]_proj)\.lora_[AB]\.weight",
    "dora": r".*\.(query|key|value|dense|c_attn|c_proj|[qkvo]_proj)\.lora_([AB]|magnitude_vector)"
    r"\.weight",
    "adalora": r".*\.(query|key|value|dense|c_attn|c_proj|[qkvo]_proj)\.lora_[ABE]",
    "prefix": r"prompt_encoder\.embedding\.weight",
    "ia3": r".*\.ia3_l",
    "adapters": r".*(\.adapter\.(down|up)|\.layers?\.\d.*(LayerNorm|layernorm_\w+)|ln_[12])"
    r"\.(weight|bias)",
}
PAIRS = [
    (method, kind)
    for kind, model_type in TYPES.items()
    for method in ADAPTATIONS
    if supported(method, model_type, kind) is None
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedBase]:
    folder = tmp_path_factory.mktemp("bases")
    return {kind: load(folder / kind, kind) for kind in TYPES}


@pytest.fixture(params=PAIRS, ids=["-".join(pair) for pair in PAIRS])
def case(request: pytest.FixtureRequest, bases: dict[str, LoadedBase]) -> Iterator[Any]:
    method, kind = request.param
    before = bases[kind].checksum()
    yield method, kind, bases[kind], configured(kind, method)
    assert bases[kind].checksum() == before, "a trial reached the base"


def test_every_method_is_under_contract() -> None:
    assert set(ADAPTATIONS) == set(METHODS)


def plain(name: str) -> str:
    """The name without peft's wrapping, undone here by other means than in the code."""
    name = re.sub(r"^base_model\.(model\.)?", "", name)
    return re.sub(r"\.modules_to_save(?=\.)|\.default", "", name)


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def test_it_starts_as_the_pretrained_model(case: Any) -> None:
    """All but a prefix, which attention sees from the first step."""
    method, kind, base, configuration = case
    if method == "prefix":
        pytest.skip("it is drawn at random")
    untouched = base.fresh(0, configuration, own_copy=True)
    expected = logits(untouched, kind)
    torch.testing.assert_close(logits(prepare(base, configuration).model, kind), expected)


def test_only_the_intended_weights_train_and_all_of_them_do(case: Any) -> None:
    """Three steps change them all; its state holds them, and its count and groups are of them."""
    method, kind, base, configuration = case
    adapted = prepare(base, configuration, steps=10)
    before = snapshot(adapted.model)
    train(adapted, kind, range(1, 4))
    after = snapshot(adapted.model)
    changed = {plain(name) for name in after if not torch.equal(before[name], after[name])}
    allowed = {name for name in map(plain, after) if re.fullmatch(ADAPTATIONS[method], name)}
    if kind != "dialogue":
        allowed |= {"classifier.weight", "classifier.bias"}
    assert changed == allowed
    assert set(adapted.state()) >= changed
    assert adapted.trainable_parameters == sum(adapted.state()[name].numel() for name in changed)
    groups = adapted.parameter_groups(0.01)
    assert sum(p.numel() for g in groups for p in g["params"]) == adapted.trainable_parameters


def test_a_saved_state_gives_the_same_logits_bit_for_bit(case: Any) -> None:
    """Through safetensors, into a model that began with another seed."""
    _, kind, base, configuration = case
    adapted = prepare(base, configuration)
    untrained = logits(adapted.model, kind)
    train(adapted, kind, range(1, 5))
    state = adapted.state()
    assert all(type(tensor) is torch.Tensor for tensor in state.values())
    again = prepare(base, configuration, seed=9)  # another seed: all of it must come from the state
    again.load(load_safetensors(save_safetensors(state)))
    expected = logits(adapted.model, kind)
    assert torch.equal(logits(again.model, kind), expected)
    assert not torch.allclose(untrained, expected, atol=1e-3)
    assert all(torch.equal(again.state()[name], tensor) for name, tensor in state.items())


def test_a_state_is_a_copy(case: Any) -> None:
    """Training goes on and leaves it as it was."""
    _, kind, base, configuration = case
    adapted = prepare(base, configuration)
    state = adapted.state()
    before = {name: tensor.clone() for name, tensor in state.items()}
    train(adapted, kind, range(1, 3))
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_a_merged_model_is_plain_and_agrees(case: Any, tmp_path: Path) -> None:
    """Of the base model's own class and names, saved and loaded by its library, and a copy."""
    method, kind, base, configuration = case
    adapted = prepare(base, configuration)
    train(adapted, kind, range(1, 5))
    merged = adapted.merged()
    assert (merged is not None) == (method in MERGING)
    if merged is None:
        return
    expected = logits(adapted.model, kind)
    torch.testing.assert_close(logits(merged, kind), expected, rtol=0, atol=1e-4)
    fresh = base.fresh(0, configuration, own_copy=True)
    assert type(merged) is type(fresh)
    assert set(merged.state_dict()) == set(fresh.state_dict())
    merged.save_pretrained(tmp_path)
    reloaded = type(merged).from_pretrained(tmp_path)
    assert set(reloaded.state_dict()) == set(fresh.state_dict())
    own = reloaded.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in merged.state_dict().items())
    with torch.no_grad():  # the fixture then finds the base as it was
        for weight in merged.parameters():
            weight.zero_()
    assert torch.equal(logits(adapted.model, kind), expected)


@pytest.mark.slow
def test_the_next_trial_starts_as_from_a_base_just_loaded(case: Any, tmp_path: Path) -> None:
    """Whatever the trial before it did to the base that both share."""
    _, kind, base, configuration = case
    adapted = prepare(base, configuration)
    train(adapted, kind, range(1, 4))
    adapted.merged()
    next_one = prepare(base, configuration, seed=3)
    just_loaded = prepare(load(base.base.folder, kind), configuration, seed=3)
    assert torch.equal(logits(next_one.model, kind), logits(just_loaded.model, kind))


@pytest.mark.slow
def test_an_interrupted_training_equals_one_that_was_not(case: Any) -> None:
    """Weights and optimizer pass through a file after two of four steps."""
    _, kind, base, configuration = case
    whole = prepare(base, configuration)
    train(whole, kind, range(1, 5))
    first = prepare(base, configuration)
    adamw = optimizer(first)
    train(first, kind, range(1, 3), adamw)
    saved = io.BytesIO()
    torch.save({"weights": first.state(), "optimizer": adamw.state_dict()}, saved)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    second = prepare(base, configuration, seed=5)
    second.load(state["weights"])
    adamw = optimizer(second)
    adamw.load_state_dict(state["optimizer"])
    train(second, kind, range(3, 5), adamw)
    expected, found = whole.state(), second.state()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_the_same_seed_gives_the_same_start(case: Any) -> None:
    """Whatever the global generator is at."""
    _, _, base, configuration = case
    one, other = prepare(base, configuration, seed=4), prepare(base, configuration, seed=4)
    torch.randn(3)
    assert all(torch.equal(other.state()[name], tensor) for name, tensor in one.state().items())


def test_checkpointed_gradients_are_the_same(case: Any) -> None:
    """Gradient checkpointing computes activations again and changes no gradient."""
    method, kind, base, configuration = case
    if method == "prefix":
        pytest.skip("refused, see the tests of prefix tuning")
    gradients = []
    for checkpointing in (False, True):
        wanted = configuration | {"gradient_checkpointing": checkpointing}
        adapted = prepare(base, wanted)
        train(adapted, kind, range(1, 2))  # what starts at zero would hide gradients below it
        torch.autograd.backward(adapted.model(**batch(kind)).logits.square().sum())
        trained = [w for g in adapted.parameter_groups(0.0) for w in g["params"]]
        gradients.append([weight.grad for weight in trained])
        merged = adapted.merged()
        assert merged is None or not merged.is_activation_checkpointing
    for plain_one, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain_one, checkpointed)


def test_a_state_of_another_method_is_refused(bases: dict[str, LoadedBase]) -> None:
    base = bases["classification"]
    lora = prepare(base, configured("classification", "lora")).state()
    with pytest.raises(ValueError, match="load into the same method"):
        prepare(base, configured("classification", "ia3")).load(lora)
    other = prepare(base, configured("classification", "lora", lora__rank=4))
    with pytest.raises(ValueError, match=r"has shape \(8, 16\), in the model \(4, 16\)"):
        other.load(lora)
