"""How far the gradients of packed members are from those of the loop, at the same weights.

The difference of a member is the largest difference of an entry, relative to the gradient's norm:
max_i |packed_i - loop_i| / ||loop||_2, over all weights. In float32 it cannot be zero: sums are
added up in another order. So three numbers are told: the difference in float32, the loop's own
rounding (its difference from the loop in float64), and the difference in float64, which is that of
the algorithm. With an attack the gradients are taken at the loop's adversarial images, and the
share of pixels for which the packed attack ends elsewhere is told: PGD steps by the sign of a
gradient, which rounding turns around where it is nearly zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.gpu.packing.loop import LoopMember
from benchmarks.gpu.packing.members import Draws, Key, Member, draw, mask_width, stack
from benchmarks.gpu.packing.packed import Form, PackedMembers

# Of the difference in float32: about two units of its rounding.
GOAL = 2e-7


@dataclass(frozen=True)
class Differences:
    """The largest over the members of a key; see the module.

    Attributes:
        packed: Of packed gradients from the loop's, float32.
        rounding: Of the loop's in float32 from those in float64.
        exact: Of packed gradients from the loop's, float64.
        statistics: Largest difference of a running statistic after the step, float32.
        pixels: Share of adversarial pixels that differ by more than rounding, float32.
    """

    packed: float
    rounding: float
    exact: float
    statistics: float
    pixels: float

    @property
    def is_rounding(self) -> bool:
        """Whether the difference in float32 is no more than the rounding of both sides.

        That is twice the loop's own, or four units of float32 where the loop is lucky.
        """
        return self.packed <= max(2 * self.rounding, 4 * torch.finfo(torch.float32).eps)


@dataclass(frozen=True, eq=False)
class _Step:
    """One step of both: gradients (members, weights), and how the rest differs."""

    packed: Tensor
    loop: Tensor
    statistics: float
    pixels: float


def compare(
    key: Key, members: Sequence[Member], images: Tensor, labels: Tensor, form: Form
) -> Differences:
    """Compare the gradients of the first step, in float32 and float64.

    TF32 is off meanwhile: it would hide the difference.

    Args:
        key: what the members have in common.
        members: two or more show whether any gets another's numbers.
        images: float32 (examples, channels, height, width) in [0, 1], on the device.
        labels: int64 (examples,).
        form: how the packed members compute convolutions.
    """
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        single = _step(key, members, images, labels, form)
        double = _step(key, members, images.double(), labels, form)
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
    return Differences(
        difference(single.packed, single.loop),
        difference(single.loop, double.loop),
        difference(double.packed, double.loop),
        single.statistics,
        single.pixels,
    )


def difference(gradient: Tensor, reference: Tensor) -> float:
    """Return the largest over members of max |gradient - reference| / ||reference||."""
    apart = (gradient - reference).abs().amax(1) / reference.norm(dim=1)
    return float(apart.max())


def _step(key: Key, members: Sequence[Member], images: Tensor, labels: Tensor, form: Form) -> _Step:
    loops = [LoopMember(key, member, images, labels) for member in members]
    features = mask_width(loops[0].network)
    place = images.device.type
    draws = [draw(key, member, 1, len(images), features, place) for member in members]
    packed = PackedMembers(key, members, images, labels, form=form)
    together = stack(draws)
    shown = [_shown(loop, drawn, images, labels) for loop, drawn in zip(loops, draws, strict=True)]
    pixels = 0.0
    index = together.order[:, 0]
    if together.start is not None:
        crafted = packed.craft(images[index], labels[index], together.start[:, 0])
        # Clamping to a ball rounds differently from adding a clamped difference: 1e-6 is far below
        # a step of the attack.
        pixels = float(((crafted - torch.stack(shown)).abs() > 1e-6).double().mean())
    for loop, drawn, seen in zip(loops, draws, shown, strict=True):
        loop.backward(seen, labels[drawn.order[0]], drawn.mask[0])
    gradient, _ = packed.backward(torch.stack(shown), labels[index], together.mask[:, 0])
    own = [dict(loop.network.named_buffers()) for loop in loops]
    apart = [
        float((torch.stack([each[name] for each in own]) - stacked).abs().max())
        for name, stacked in packed.statistics().items()
    ]
    loop_gradients = torch.stack([loop.gradient() for loop in loops])
    return _Step(gradient, loop_gradients, max(apart), pixels)


def _shown(loop: LoopMember, drawn: Draws, images: Tensor, labels: Tensor) -> Tensor:
    """Return the images of a member's first batch, attacked where its key is."""
    index = drawn.order[0]
    if drawn.start is None:
        return images[index]
    return loop.craft(images[index], labels[index], drawn.start[0])
