"""The work of a training in FLOP: what its passes through the network cost, counted as they happen.

Work is examples times passes times the cost of a pass, so it does not depend on the machine, nor on
what else runs there: seconds do. All passes count, those of attacks included. A forward pass has
the FLOP that torch counts in it (a multiplication and an addition are two), measured at the first
pass of each input shape. A backward pass costs as much again for the gradients of activations,
and once more for those of the weights, times the share of weights that train. So a training step
costs three forward passes, a step of an attack two, a prediction one (Kaplan et al. 2020, "Scaling
laws for neural language models", section 2.1, for the step).

Not counted: optimizer steps, data, element-wise operations. Too much is counted where the first
layers are frozen, since their backward pass is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]


@dataclass
class Work:
    """FLOP of passes, so far."""

    flop: float = 0.0


class WorkMeter:
    """Counts the work of passes through networks of one architecture, such as a model's averages.

    Args:
        networks: the networks.
    """

    def __init__(self, *networks: nn.Module) -> None:
        self._networks = networks
        self._costs: dict[Shape, float] = {}  # shape of an example -> FLOP of its forward pass
        self._measuring: Any = None
        self._work = Work()
        self._backward = 0.0  # FLOP of the forward passes that the present backward pass has left

    @contextmanager
    def counting(self) -> Iterator[Work]:
        """Yield what counts all passes within; before and after, the networks have no hooks."""
        with ExitStack() as stack:
            self._work = Work()
            for network in self._networks:
                for handle in self._hooks(network):
                    stack.callback(handle.remove)
            yield self._work

    def state_dict(self) -> dict[str, Any]:
        """Return the measured costs, so that a resumed training counts as an uninterrupted one."""
        return {"costs": dict(self._costs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the costs of `state_dict`."""
        self._costs = dict(state["costs"])

    def _hooks(self, network: nn.Module) -> Iterator[Any]:
        """Register all hooks of a network, and yield their handles."""
        yield network.register_forward_pre_hook(self._begin, with_kwargs=True)
        yield network.register_forward_hook(self._end, with_kwargs=True, always_call=True)
        trained: list[Any] = [each for each in network.parameters() if each.requires_grad]
        if trained:
            size = sum(each.numel() for each in network.parameters())
            share = sum(each.numel() for each in trained) / size

            def add_weights(_: Tensor) -> None:
                self._work.flop += share * self._backward
                self._backward = 0.0

            yield from (each.register_hook(add_weights) for each in trained)

    def _begin(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if _first(args, kwargs).shape[1:] not in self._costs:
            # Counted in the pass itself: another one could change the network's statistics.
            self._measuring = FlopCounterMode(display=False, custom_mapping=_UNCOUNTED)
            self._measuring.__enter__()

    def _end(
        self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        measuring, self._measuring = self._measuring, None
        if measuring is not None:
            measuring.__exit__(None, None, None)
        if output is None:
            return  # the pass has raised
        examples, *shape = _first(args, kwargs).shape
        if measuring is not None:
            self._costs[tuple(shape)] = measuring.get_total_flops() / max(1, examples)
        cost = examples * self._costs[tuple(shape)]
        self._work.flop += cost
        self._backward = 0.0

        def add_activations(_: object) -> None:
            self._work.flop += cost
            self._backward += cost

        answer = output if isinstance(output, Tensor) else getattr(output, "logits", None)
        if isinstance(answer, Tensor) and answer.grad_fn is not None:
            answer.grad_fn.register_prehook(add_activations)


def forward_flop(run: Callable[[], object]) -> float:
    """Return the FLOP of what `run` computes, counted as forward passes of a training are."""
    with FlopCounterMode(display=False, custom_mapping=_UNCOUNTED) as counter:
        run()
    return float(counter.get_total_flops())


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """Return the first tensor that a network was called with: its first axis is the batch."""
    return next(each for each in (*args, *kwargs.values()) if isinstance(each, Tensor))


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    *batch, tokens, width = query
    return 2 * math.prod(batch) * tokens * key[-2] * (width + value[-1])


def _lstm_on_cpu(inputs: Shape, *others: Any, **_: Any) -> int:
    return _products(inputs, others[:2])


def _recurrent_on_gpu(inputs: Shape, weights: Sequence[Shape], *_: Any, **__: Any) -> int:
    return _products(inputs, weights)


def _encoder_layer(inputs: Shape, *others: Any, **_: Any) -> int:
    """Return the FLOP of fused self-attention, with or without the layers after it."""
    weights = [each for each in others if isinstance(each, tuple)]
    batch, tokens, width = inputs
    return _products(inputs, weights) + 4 * batch * tokens**2 * width


def _products(inputs: Shape, weights: Sequence[Shape]) -> int:
    """Return the FLOP of vectors (..., width) times all matrices among the weights."""
    return 2 * math.prod(inputs[:-1]) * sum(math.prod(each) for each in weights if len(each) == 2)


# Torch counts products of matrices, convolutions and attention on GPUs. These fused kernels it does
# not count, so the work of the same network would differ between devices.
_aten = torch.ops.aten
_UNCOUNTED = {
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten.mkldnn_rnn_layer: _lstm_on_cpu,
    _aten._cudnn_rnn: _recurrent_on_gpu,
    _aten._transformer_encoder_layer_fwd: _encoder_layer,
    _aten._native_multi_head_attention: _encoder_layer,
}
