"""LoRA members on one frozen encoder, packed: one forward pass of the base for all members.

Their batches go through the frozen layers as one large batch; at each adapted layer a batched
product adds every member's own update (members, rank, features). No `vmap` is needed, since only
the updates and the heads differ. The loop is what a trial does today: peft's LoRA on a model that
shares its frozen weights with the base (`models/networks/transformer.py`), and fused AdamW.

Source: Hu et al. 2022 (LoRA); Yan et al. 2025, "PLoRA: Efficient LoRA hyperparameter tuning for
large models" (members packed on one base).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.packing.members import Member, reduced
from benchmarks.gpu.packing.packed import StackedAdamW
from models.adaptation.adapted_model import Adapted
from models.catalog import complete
from models.networks.transformer import LoadedBase
from models.weights.starting_model import start

_RANK = 8
_SCALING = 2.0
# Without dropout: masks as data are shown with the CNN.
CONFIGURATION = complete(
    "text_classifier",
    {"adaptation": "lora", "lora.rank": _RANK, "lora.scaling": _SCALING, "lora.dropout": 0.0,
     "dropout": 0.0},
)  # fmt: skip


def lora_member(base: LoadedBase, member: Member) -> Adapted:
    """Return a member's model; its updates are drawn, as B = 0 would hide the gradients of A."""
    adapted = start(base, CONFIGURATION, steps=1, seed=member.seed, initial=None)
    generator = torch.Generator().manual_seed(member.seed)
    state = {
        name: (0.1 * torch.randn(each.shape, generator=generator)).to(each)
        for name, each in adapted.state().items()
    }
    adapted.load(state)
    return adapted


class LoraLoopMember:
    """One member in training, alone.

    Args:
        base: the frozen encoder.
        member: what this one has of its own.
        precision: dtype of the forward passes; None: that of the weights.
        dtype: of all weights, those of the base included: it is converted.
    """

    def __init__(
        self,
        base: LoadedBase,
        member: Member,
        precision: torch.dtype | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.adapted, self._precision = lora_member(base, member), precision
        self.adapted.model.to(dtype)
        groups = self.adapted.parameter_groups(member.weight_decay)
        self._optimizer = torch.optim.AdamW(groups, lr=member.learning_rate, fused=True)
        self.adapted.model.train()

    def step(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Make one step on tokens (batch, length), and return the mean loss before it."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.backward(tokens, labels)
        self._optimizer.step()
        return loss

    def backward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Set the gradients of the mean loss, and return it."""
        with reduced(self._precision, tokens.device):
            logits: Tensor = self.adapted.model(input_ids=tokens).logits
        loss = functional.cross_entropy(_at_least_float32(logits), labels)
        torch.autograd.backward(loss)
        return loss.detach()

    def gradient(self) -> Tensor:
        """Return the gradients of all trained weights as one vector."""
        trained = [each for each in self.adapted.model.parameters() if each.requires_grad]
        return torch.cat([each.grad.reshape(-1) for each in trained if each.grad is not None])


class PackedLora(nn.Module):
    """A frozen linear layer with every member's update; `down` and `up` are set before a pass.

    `down` (members, rank, in) and `up` (members, out, rank); the input's first axis holds the
    members' batches one after another.
    """

    down: Tensor
    up: Tensor

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (members * batch, length, out) of (members * batch, length, in)."""
        own = inputs.reshape(len(self.down), -1, inputs.shape[-1])
        update = own @ self.down.transpose(1, 2) @ self.up.transpose(1, 2)
        whole: Tensor = self.linear(inputs)
        return whole + _SCALING * update.reshape(whole.shape)


class PackedHead(nn.Module):
    """Every member's own classifier: `weight` (members, classes, in), `bias` (members, classes)."""

    weight: Tensor
    bias: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (members * batch, classes) of (members * batch, in)."""
        own = inputs.reshape(len(self.weight), -1, inputs.shape[-1])
        logits = own @ self.weight.transpose(1, 2) + self.bias[:, None]
        return logits.reshape(-1, logits.shape[-1])


class PackedLoraMembers:
    """LoRA members on one base in training; arguments as for `LoraLoopMember`."""

    def __init__(
        self,
        base: LoadedBase,
        members: Sequence[Member],
        precision: torch.dtype | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._precision = precision
        states = [lora_member(base, member).state() for member in members]
        self._shapes = {name: each.shape for name, each in states[0].items()}
        rows = [torch.cat([state[name].reshape(-1) for name in self._shapes]) for state in states]
        self.weights = torch.stack(rows).to(dtype).requires_grad_()  # (members, weights)
        self._model: Any = base.fresh(0, CONFIGURATION, own_copy=False).requires_grad_(False)
        self._places = [_place(self._model, name) for name in self._shapes]
        self._model.to(dtype).train()
        decayed = [
            torch.full((shape.numel(),), float(len(shape) > 1)) for shape in self._shapes.values()
        ]
        self._optimizer = StackedAdamW(
            self.weights.detach(), torch.cat(decayed).to(self.weights),
            self.weights.new_tensor([[member.learning_rate] for member in members]),
            self.weights.new_tensor([[member.weight_decay] for member in members]),
        )  # fmt: skip

    def step(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Make one step of each member, and return the mean losses (members,) before it."""
        gradient, losses = self.backward(tokens, labels)
        self._optimizer.step(gradient)
        return losses

    def backward(self, tokens: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradients (members, weights) and mean losses (members,).

        Args:
            tokens: (members, batch, length).
            labels: (members, batch).
        """
        count = len(self.weights)
        parts = torch.split(self.weights, [shape.numel() for shape in self._shapes.values()], dim=1)
        for (module, name), part, shape in zip(
            self._places, parts, self._shapes.values(), strict=True
        ):
            setattr(module, name, part.reshape(count, *shape))
        with reduced(self._precision, tokens.device):
            logits = self._model(input_ids=tokens.flatten(0, 1)).logits
        each = functional.cross_entropy(
            _at_least_float32(logits), labels.flatten(), reduction="none"
        )
        losses = each.reshape(count, -1).mean(1)
        # Members share no weight, so the sum's gradients are each member's own.
        (gradient,) = torch.autograd.grad(losses.sum(), self.weights)
        return gradient, losses.detach()


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _place(model: Any, name: str) -> tuple[nn.Module, str]:
    """Return the module and attribute for a weight of peft's LoRA; replaces the layer at first."""
    path, _, last = name.rpartition(".")  # "...query.lora_A", "classifier"
    kind = path.rpartition(".")[2]
    layer = path.rpartition(".")[0] if kind.startswith("lora_") else path
    parent, _, own = layer.rpartition(".")
    holder = model.get_submodule(parent)
    module = getattr(holder, own)
    if not isinstance(module, PackedLora | PackedHead):
        module = PackedLora(module) if kind.startswith("lora_") else PackedHead()
        setattr(holder, own, module)
    return module, {"lora_A": "down", "lora_B": "up"}.get(kind, last)
