"""AdaLoRA: low-rank updates whose ranks are allocated by importance.

Zhang et al. 2023, Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning: updates P Λ Q
(equation 3) with P and Q kept near orthogonal (equation 4), singular values pruned by importance
(equations 8 to 11) on a cubic schedule (equation 12).

peft keeps the allocator's state outside of any state dict, and adds the orthogonality term only to
a loss that the model computes itself; both are done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import AdaLoraConfig
from torch import Tensor

from models.adaptation.adapted_model import Adapted
from models.adaptation.peft_modules import shared_settings, unload, wrap, wrapped_modules
from models.hyperparameters.hyperparameter import Value

# Shares of the steps before and after pruning. The paper uses about a tenth before and a third or
# more after it (its tables 8 and 9).
_BEFORE = 0.1
_AFTER = 0.3
_MEMORIES = ("ipt", "exp_avg_ipt", "exp_avg_unc")


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train P, Λ and Q of the chosen modules, and the head.

    Raises:
        ValueError: the final mean rank exceeds the initial one.
    """
    first, last = int(configuration["adalora.initial_rank"]), int(configuration["adalora.rank"])
    if last > first:
        raise ValueError(f"adalora.rank ({last}) exceeds adalora.initial_rank ({first}), but ranks "
                         "are only pruned; fix: give a smaller adalora.rank")  # fmt: skip
    settings = AdaLoraConfig(
        init_r=first,
        target_r=last,
        lora_alpha=float(configuration["adalora.scaling"]) * first,
        lora_dropout=float(configuration["adalora.dropout"]),
        target_modules=wrapped_modules(model, str(configuration["adalora.modules"])),
        tinit=int(_BEFORE * steps),
        tfinal=int(_AFTER * steps),
        deltaT=1,
        total_step=steps,
        **shared_settings(model),
    )
    wrapped = wrap(model, settings)
    weight = float(configuration["adalora.orthogonality"])
    # The last pruning needs importances, so at least one step before it.
    prunes = last < first and steps - settings.tfinal >= 2
    return Adapted(
        "adalora", wrapped, merge=unload, allocation=RankAllocation(wrapped, weight, prunes)
    )


class RankAllocation:
    """peft's rank allocator of a wrapped model, with access to its state.

    Args:
        model: wrapped for AdaLoRA.
        weight: weight of the orthogonality term.
        prunes: whether ranks are pruned at all.
    """

    def __init__(self, model: Any, weight: float, prunes: bool) -> None:
        self._tuner = model.base_model
        self._weight = weight
        self._prunes = prunes

    def penalty(self) -> Tensor:
        """Return the weight times the mean of ||P'P - I|| and ||QQ' - I|| over the modules.

        The norms are Frobenius norms. The paper squares them; peft, whose defaults are used, does
        not.
        """
        norms = []
        for name, matrix in self._tuner.model.named_parameters():
            if ".lora_A." in name or ".lora_B." in name:
                gram = matrix @ matrix.T if ".lora_A." in name else matrix.T @ matrix
                identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
                norms.append(torch.linalg.matrix_norm(gram - identity))
        return self._weight * torch.stack(norms).mean()

    def after_step(self, step: int) -> None:
        """Update importances from the gradients of step number `step`, from 1, and prune."""
        if self._prunes:
            self._tuner.update_and_allocate(step)

    def state(self) -> dict[str, Tensor]:
        """Return importances, their averages, and the kept singular values (bool), by name."""
        state = {}
        for memory in _MEMORIES:
            for name, tensor in getattr(self._tuner.rankallocator, memory).items():
                state[f"{memory}.{name}"] = tensor
        for name, kept in (self._settings().rank_pattern or {}).items():
            state[f"kept.{name}"] = torch.tensor(kept, dtype=torch.bool)
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore importances and kept singular values; other state is dropped."""
        devices = {name: weight.device for name, weight in self._tuner.model.named_parameters()}
        parts: dict[str, dict[str, Tensor]] = {memory: {} for memory in (*_MEMORIES, "kept")}
        for key, tensor in state.items():
            memory, name = key.split(".", 1)
            parts[memory][name] = tensor.to(devices[name], copy=True)
        for memory in _MEMORIES:
            setattr(self._tuner.rankallocator, memory, parts[memory])
        kept = {name: tensor.tolist() for name, tensor in parts["kept"].items()}
        self._settings().rank_pattern = kept or None

    def _settings(self) -> Any:
        return self._tuner.peft_config[self._tuner.trainable_adapter_name]
