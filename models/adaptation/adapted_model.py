"""A model under an adaptation method: its trained weights, their state and merging."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

_ALLOCATION = "allocation."


class Allocation(Protocol):
    """Moves capacity between weights during training; AdaLoRA's rank allocator."""

    def penalty(self) -> Tensor:
        """Return a term of the training loss."""

    def after_step(self, step: int) -> None:
        """Move capacity, after the optimizer's step and before gradients are cleared."""

    def state(self) -> dict[str, Tensor]:
        """Return the state between steps."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""


@dataclass(frozen=True, eq=False)
class Adapted:
    """A model in training under one method; made by `models.adaptation.adapt`.

    `model(**batch)` returns an output of transformers with `.logits`. `scales` multiply the
    learning rate of a weight by its name in `state`; others have 1. `merge` turns a copy of
    `model` into a plain transformer, None where the method cannot. Of a user's own network
    (`is_whole`) the state is all of it: what is frozen need not be the base's.
    """

    method: str
    model: nn.Module
    merge: Callable[[Any], Any] | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    allocation: Allocation | None = None
    is_whole: bool = False

    @property
    def trainable_parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self._trained().values())

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return groups for an optimizer: "params", "weight_decay", "scale" of the learning rate.

        Biases, norms and the scaling vectors of IA3 and DoRA are not decayed: a factor should not
        tend to zero. Groups and their order depend on the model and method alone.
        """
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, parameter in self._trained().items():
            decays = parameter.ndim >= 2 and "ia3_l" not in name
            groups.setdefault((self.scales.get(name, 1.0), decays), []).append(parameter)
        return [
            {"params": params, "weight_decay": weight_decay if decays else 0.0, "scale": scale}
            for (scale, decays), params in groups.items()
        ]

    def penalty(self) -> Tensor | None:
        """Return a term to add to the loss of every batch; None where the method has none."""
        return None if self.allocation is None else self.allocation.penalty()

    def after_step(self, step: int) -> None:
        """Update the allocation after optimizer step `step`, from 1, before `zero_grad`."""
        if self.allocation is not None:
            self.allocation.after_step(step)

    def state(self) -> dict[str, Tensor]:
        """Return copies of all that training changes, by name; fit for safetensors.

        Names are those of the plain model ("classifier.weight"); weights that a method adds have
        their own ("...query.lora_A.weight").
        """
        if self.is_whole:
            return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        state = {name: parameter.detach().clone() for name, parameter in self._trained().items()}
        if self.allocation is not None:
            memory = self.allocation.state()
            state |= {_ALLOCATION + name: tensor.clone() for name, tensor in memory.items()}
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned, so that the logits are those of its model.

        Raises:
            ValueError: the state belongs to another method, configuration or task.
            RuntimeError: it belongs to another network of the user's.
        """
        if self.is_whole:
            self.model.load_state_dict(state)
            return
        trained = self._trained()
        weights = {name for name in state if not name.startswith(_ALLOCATION)}
        if weights != set(trained):
            stray = sorted(weights ^ set(trained))
            raise ValueError(
                f"{len(stray)} weights are missing or not known to {self.method}, the first "
                f"{stray[0]}; fix: load into the same method and model"
            )
        for name, parameter in trained.items():
            if state[name].shape != parameter.shape:
                shapes = f"{tuple(state[name].shape)}, in the model {tuple(parameter.shape)}"
                raise ValueError(
                    f"{name} has shape {shapes}; fix: load into the same configuration"
                )
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state[name])
        if self.allocation is not None:
            cut = len(_ALLOCATION)
            memory = {name[cut:]: state[name] for name in state if name not in weights}
            self.allocation.load(memory)

    def merged(self) -> Any:
        """Return a plain transformer that computes the same, with its own weights, in eval mode.

        None where the method does not merge (prefix tuning, adapters).
        """
        if self.merge is None:
            return None
        # Merging writes into layers that the frozen base shares with other models.
        plain = self.merge(copy.deepcopy(self.model))
        if plain.is_activation_checkpointing:
            plain.activation_checkpointing_disable()
            plain.disable_input_require_grads()
        return plain.requires_grad_(False).eval()

    def plain_name(self, name: str) -> str:
        """Return the name in the plain model of a weight of `model`: without peft's wrappers."""
        if self.is_whole:
            return name  # a user may call parts of a network as peft calls its own
        # Prefix tuning wraps the model, the other methods a tuner that holds it as `model`; a plain
        # Llama has a part of that name too.
        name = name.removeprefix("base_model." if self.method == "prefix" else "base_model.model.")
        for wrapper in (".base_layer", ".modules_to_save.default", ".default"):
            name = name.replace(wrapper, "")
        return name

    def _trained(self) -> dict[str, nn.Parameter]:
        return {
            self.plain_name(name): parameter
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }
