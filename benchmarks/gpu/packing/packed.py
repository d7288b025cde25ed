"""Members that train as one program: `torch.func` over stacked weights.

`vmap` of `grad_and_value` gives the gradients of all members in one pass; convolutions then become
grouped convolutions, in which a member is a group. Batch normalisation updates copies of each
member's running statistics, which the pass returns: an update in place cannot leave `vmap`. AdamW
runs on one matrix (members, weights), so a step has as many kernels for 64 members as for one.

`form` says how convolutions are computed: "grouped", or "unfolded", where the patches of the images
are multiplied by the filters as one batched product of matrices.

Source: PyTorch's documentation of `torch.func.stack_module_state` and its tutorial on ensembles;
Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2 (AdamW).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, stack_module_state, vmap
from torch.nn import functional

from benchmarks.gpu.packing.members import (
    EPSILON,
    PGD_STEP,
    PGD_STEPS,
    Draws,
    Key,
    Member,
    mask_name,
    member_network,
    reduced,
)

Form = Literal["grouped", "unfolded"]
# PyTorch's defaults, which the loop has, too.
_BETAS = (0.9, 0.999)
_EPS = 1e-8


class UnfoldedConv2d(nn.Module):
    """A convolution as a product of matrices: filters (out, k) times patches (k, batch * pixels).

    Under `vmap` this is one batched product, where a convolution becomes a grouped one.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.kernel, self.stride = convolution.kernel_size, convolution.stride
        self.padding: Any = convolution.padding

    def forward(self, images: Tensor) -> Tensor:
        """Return (batch, out, height, width) of (batch, channels, height, width)."""
        batch, _, height, _ = images.shape
        columns = functional.unfold(
            images, self.kernel, padding=self.padding, stride=self.stride
        )  # (batch, k, pixels)
        taps, pixels = columns.shape[1:]
        patches = columns.transpose(0, 1).reshape(taps, batch * pixels)
        out = self.weight.flatten(1) @ patches
        if self.bias is not None:
            out = out + self.bias[:, None]
        rows = (height + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1
        return out.reshape(-1, batch, rows, pixels // rows).transpose(0, 1)


class WideBatchNorm2d(nn.Module):
    """Batch normalisation in the dtype of its weights, whatever its input has.

    In mixed precision PyTorch's takes bfloat16 and float32 together, but not under `vmap`.
    """

    def __init__(self, normalisation: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = normalisation.weight, normalisation.bias
        self.momentum, self.eps = normalisation.momentum or 0.0, normalisation.eps
        self.register_buffer("running_mean", normalisation.running_mean)
        self.register_buffer("running_var", normalisation.running_var)

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape and dtype; training updates the running statistics."""
        normalised = functional.batch_norm(
            images.to(self.weight.dtype), self.get_buffer("running_mean"),
            self.get_buffer("running_var"), self.weight, self.bias,
            self.training, self.momentum, self.eps,
        )  # fmt: skip
        return normalised.to(images.dtype)


class PackedMembers:
    """Members of one key in training.

    Args:
        key: what they have in common.
        members: what each has of its own.
        images: (examples, channels, height, width) in [0, 1], on the device.
        labels: int64 (examples,).
        precision: dtype of the forward passes in training; None: that of the images, in which
            attacks are crafted in any case.
        form: how convolutions are computed.
    """

    def __init__(
        self,
        key: Key,
        members: Sequence[Member],
        images: Tensor,
        labels: Tensor,
        precision: torch.dtype | None = None,
        form: Form = "grouped",
    ) -> None:
        self._images, self._labels, self._precision = images, labels, precision
        classes = int(labels.max()) + 1
        networks = [member_network(key, member, classes, images) for member in members]
        networks = [_packable(network, form) for network in networks]
        self._network = copy.deepcopy(networks[0]).to("meta")
        self._mask = mask_name(self._network)
        parameters, self._buffers = stack_module_state(networks)
        del self._buffers[self._mask]  # it comes with every step
        self._shapes = {name: each.shape for name, each in parameters.items()}
        stacked = [each.detach().reshape(len(members), -1) for each in parameters.values()]
        self.weights = torch.cat(stacked, 1)  # (members, weights)
        self._optimizer = StackedAdamW(
            self.weights, _decayed(self._shapes, self.weights),
            _column([member.learning_rate for member in members], self.weights),
            _column([member.weight_decay for member in members], self.weights),
        )  # fmt: skip

    def step(self, draws: Draws, number: int) -> Tensor:
        """Make one step of every member, and return their mean losses (members,) before it."""
        index = draws.order[:, number]
        images, labels = self._images[index], self._labels[index]
        if draws.start is not None:
            images = self.craft(images, labels, draws.start[:, number])
        gradient, loss = self.backward(images, labels, draws.mask[:, number])
        self._optimizer.step(gradient)
        return loss

    def craft(self, images: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """Return the members' images (members, batch, ...) after PGD-3 in eval mode."""
        self._network.eval()
        parameters = self._parameters()

        def loss(shown: Tensor, weights: Any, buffers: Any, truth: Tensor) -> Tensor:
            logits = functional_call(self._network, (weights, buffers), (shown,))
            return functional.cross_entropy(logits, truth, reduction="sum")

        slope = vmap(grad(loss))
        low, high = (images - EPSILON).clamp(min=0), (images + EPSILON).clamp(max=1)
        shown = (images + start).clamp(low, high)
        for _ in range(PGD_STEPS):
            gradient = slope(shown, parameters, self._buffers, labels)
            shown = (shown + PGD_STEP * gradient.sign()).clamp(low, high)
        return shown

    def backward(self, images: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradients (members, weights) and losses (members,); updates the statistics."""
        self._network.train()

        def loss(
            weights: Any, buffers: Any, shown: Tensor, truth: Tensor, kept: Tensor
        ) -> tuple[Tensor, Any]:
            updated = {name: each.clone() for name, each in buffers.items()}
            state = (weights, {**updated, self._mask: kept})
            logits = functional_call(self._network, state, (shown,))
            return functional.cross_entropy(logits.to(shown.dtype), truth), updated

        with reduced(self._precision, images.device):
            gradients, (losses, self._buffers) = vmap(grad_and_value(loss, has_aux=True))(
                self._parameters(), self._buffers, images, labels, mask
            )
        flat = [gradients[name].reshape(len(losses), -1) for name in self._shapes]
        return torch.cat(flat, 1), losses

    def statistics(self) -> dict[str, Tensor]:
        """Return the members' buffers, stacked: the running statistics of batch normalisation."""
        return self._buffers

    def _parameters(self) -> dict[str, Tensor]:
        """Return views of the matrix of weights by name, (members, *shape)."""
        sizes = [shape[1:].numel() for shape in self._shapes.values()]
        parts = torch.split(self.weights, sizes, dim=1)
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }


class StackedAdamW:
    """AdamW on a matrix (members, weights), with a learning rate and weight decay a member.

    Args:
        weights: updated in place.
        decayed: (weights,), 1 where weight decay applies, 0 for biases and normalisation.
        rates: learning rates (members, 1).
        decay: weight decays (members, 1).
    """

    def __init__(self, weights: Tensor, decayed: Tensor, rates: Tensor, decay: Tensor) -> None:
        self._weights, self._rates = weights, rates
        self._kept = 1 - rates * decay * decayed  # (members, weights)
        self._first, self._second = torch.zeros_like(weights), torch.zeros_like(weights)
        self._steps = 0

    def step(self, gradient: Tensor) -> None:
        """Move the weights by gradients (members, weights)."""
        self._steps += 1
        slow, fast = _BETAS[1], _BETAS[0]
        self._first.lerp_(gradient, 1 - fast)
        self._second.mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
        root = self._second.sqrt().div_(math.sqrt(1 - slow**self._steps)).add_(_EPS)
        moved = (self._first / root).mul_(self._rates / (1 - fast**self._steps))
        self._weights.mul_(self._kept).sub_(moved)


def _packable(network: nn.Module, form: Form) -> nn.Module:
    """Replace layers by those above, with the same weights."""
    for parent in list(network.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, nn.BatchNorm2d):
                setattr(parent, name, WideBatchNorm2d(part))
            elif isinstance(part, nn.Conv2d) and form == "unfolded":
                setattr(parent, name, UnfoldedConv2d(part))
    return network


def _decayed(shapes: dict[str, torch.Size], like: Tensor) -> Tensor:
    """Return (weights,): 1 for weights with two axes or more, as `build_optimizer` decays them."""
    parts = [like.new_full((shape[1:].numel(),), len(shape) > 2) for shape in shapes.values()]
    return torch.cat(parts)


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return like.new_tensor(values)[:, None]
