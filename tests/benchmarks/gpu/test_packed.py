"""Packed members train as each would alone: gradients, statistics, weights, whatever is packed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.made_up_data import image_tensors
from benchmarks.gpu.packing.equality import compare, difference
from benchmarks.gpu.packing.loop import LoopMember, flat
from benchmarks.gpu.packing.members import Draws, Key, Member, draw, draw_members, mask_width, stack
from benchmarks.gpu.packing.packed import Form, PackedMembers, StackedAdamW

SHAPE = (1, 8, 8)
EXAMPLES = 48
MEMBERS = draw_members(3)
FORMS: tuple[Form, ...] = ("grouped", "unfolded")
KEYS = [
    Key(network, 4, 12, SHAPE, method)  # type: ignore[arg-type]
    for network in ("plain", "residual") for method in ("none", "pgd")
]  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def data(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    images, labels = image_tensors(EXAMPLES, SHAPE, "cpu")
    return images.to(dtype), labels


def draws_of(key: Key, members: list[Member], steps: int) -> list[Draws]:
    images, labels = data()
    features = mask_width(LoopMember(key, members[0], images, labels).network)
    return [draw(key, member, steps, EXAMPLES, features, "cpu") for member in members]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_gradients_are_those_of_the_loop(key: Key, form: Form) -> None:
    found = compare(key, MEMBERS, *data(torch.float32), form)
    # In float64 the sums' order alone differs: about 50 units of its rounding, 2e-16.
    assert found.exact < 1e-14
    assert found.is_rounding
    assert found.statistics < 1e-6 and found.pixels < 0.01


@pytest.mark.parametrize("form", FORMS)
def test_members_with_rates_and_decays_of_their_own_take_the_loops_steps(form: Form) -> None:
    key = KEYS[3]
    images, labels = data()
    draws = draws_of(key, MEMBERS, 4)
    loops = [LoopMember(key, member, images, labels) for member in MEMBERS]
    packed, together = PackedMembers(key, MEMBERS, images, labels, form=form), stack(draws)
    for number in range(4):
        losses = [loop.step(drawn, number) for loop, drawn in zip(loops, draws, strict=True)]
        torch.testing.assert_close(packed.step(together, number), torch.stack(losses))
    alone = torch.stack([flat(loop.network) for loop in loops])
    # AdamW divides by the gradient's own size, so a rounding of 1e-16 of a tiny one grows.
    assert difference(packed.weights, alone) < 1e-8


def test_a_member_does_not_depend_on_what_is_packed_with_it() -> None:
    key = KEYS[1]
    images, labels = data()
    last, both = MEMBERS[2], [MEMBERS[0], MEMBERS[2]]
    alone = PackedMembers(key, [last], images, labels)
    packed = PackedMembers(key, both, images, labels)
    alone.step(stack(draws_of(key, [last], 1)), 0)
    packed.step(stack(draws_of(key, both, 1)), 0)
    torch.testing.assert_close(packed.weights[1], alone.weights[0], rtol=1e-9, atol=1e-12)


def test_members_draw_from_generators_of_their_own() -> None:
    key = KEYS[1]
    first, second = draws_of(key, MEMBERS[:2], 2)
    again = draws_of(key, MEMBERS[:2], 2)[1]
    assert torch.equal(second.order, again.order) and torch.equal(second.mask, again.mask)
    assert not torch.equal(first.order, second.order)
    assert second.order.flatten().unique().numel() == 24, "an epoch shows each example once"
    kept = 1 / (1 - MEMBERS[1].dropout)
    assert second.mask.unique().tolist() == pytest.approx([0.0, kept], abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_mixed_precision_keeps_statistics_and_weights_in_float32(form: Form) -> None:
    key = KEYS[2]
    images, labels = data(torch.float32)
    draws = draws_of(key, MEMBERS, 1)
    together = stack(draws)
    shown, truth = images[together.order[:, 0]], labels[together.order[:, 0]]
    loops = [LoopMember(key, member, images, labels, torch.bfloat16) for member in MEMBERS]
    for loop, drawn, seen, known in zip(loops, draws, shown, truth, strict=True):
        loop.backward(seen, known, drawn.mask[0])
    mixed = PackedMembers(key, MEMBERS, images, labels, torch.bfloat16, form)
    gradient, _ = mixed.backward(shown, truth, together.mask[:, 0])
    exact = PackedMembers(key, MEMBERS, images, labels, None, form)
    reference, _ = exact.backward(shown, truth, together.mask[:, 0])
    assert {each.dtype for each in mixed.statistics().values()} == {torch.float32}
    loop_gradient = torch.stack([loop.gradient() for loop in loops])
    # bfloat16 has 8 bits: what it costs is the same for both, and they differ by less.
    lost = (gradient - reference).norm(dim=1) / reference.norm(dim=1)
    apart = (gradient - loop_gradient).norm(dim=1) / reference.norm(dim=1)
    assert (1e-3 < lost).all() and (apart < lost).all()


def test_adamw_on_a_matrix_is_pytorchs_member_by_member() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn((2, 5), generator=generator, dtype=torch.float64)
    rates, decays = [0.1, 0.01], [0.5, 0.0]
    weights, decayed = start.clone(), torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    ours = StackedAdamW(weights, decayed, torch.tensor(rates)[:, None].double(),
                        torch.tensor(decays)[:, None].double())  # fmt: skip
    parts = [[row[:3].clone(), row[3:].clone()] for row in start]
    theirs = [
        torch.optim.AdamW([{"params": [row[0]], "weight_decay": decay},
                           {"params": [row[1]], "weight_decay": 0.0}], lr=rate)
        for row, rate, decay in zip(parts, rates, decays, strict=True)
    ]  # fmt: skip
    for _ in range(5):
        gradient = torch.randn((2, 5), generator=generator, dtype=torch.float64)
        ours.step(gradient)
        for row, values, optimizer in zip(parts, gradient, theirs, strict=True):
            row[0].grad, row[1].grad = values[:3], values[3:]
            optimizer.step()
    torch.testing.assert_close(weights, torch.stack([torch.cat(row) for row in parts]))


def test_the_difference_is_the_largest_entrys_over_the_gradients_norm() -> None:
    reference = torch.tensor([[3.0, 4.0], [6.0, 8.0]])
    gradient = torch.tensor([[3.0, 4.5], [6.0, 8.0]])
    assert difference(gradient, reference) == pytest.approx(0.5 / 5)
