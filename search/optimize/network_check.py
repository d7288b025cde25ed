"""Checks a user's own network before its search: imports torch, the data and the user's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution

from models.catalog import data_kind, is_own
from models.networks.base_model import locate_base
from models.networks.own_code import PassedCode
from search.space import SearchSpace, Value
from search.spec import Spec

# Of a hyperparameter with so many values each is tried, in so many configurations in all: a pass of
# two examples takes tenths of a second.
_FEW = 8
_MOST = 40
# Random configurations on top.
_DRAWN = 6


def check_network(spec: Spec, passed: PassedCode | None = None) -> None:
    """Build the spec's own network all over its space, and pass two examples through.

    Args:
        spec: Names the network.
        passed: Its builder, if a script or a notebook passed it.

    Raises:
        ValueError: the network cannot be searched; the message says where, the problem and the fix.
    """
    from models.data.loading import ImageSplits, load_data  # torch costs seconds
    from models.networks.own_network import check_image_network, check_text_network

    assert spec.task.network is not None, "the task names a network"
    data = load_data(spec.task.data, data_kind(spec.task.catalog_name))
    configurations = _configurations(spec)
    if isinstance(data, ImageSplits):
        check_image_network(spec.task.network, configurations, data, passed)
    else:
        assert spec.task.base is not None, "a network on texts has a base"
        base = locate_base(spec.task.base)
        check_text_network(spec.task.network, configurations, data, base, passed)


def _configurations(spec: Spec) -> list[dict[str, Value]]:
    """Return complete configurations that cover the network's own hyperparameters.

    The lowest and the highest corner of the space, the lowest one with every other value of each
    hyperparameter of few values (a size in the middle may be the one that does not fit), and random
    ones.
    """
    space, generator = spec.search_space(), np.random.default_rng(0)
    found = [space.assemble(_corner(0, {})), space.assemble(_corner(-1, {}))]
    for name, distribution in space.distributions.items():
        if is_own(spec.task.catalog_name, name):
            forced = _parents(space, name)
            values = _values(distribution)
            found += [space.assemble(_corner(0, {**forced, name: each})) for each in values]
    found = found[:_MOST] + [space.random_configuration(generator) for _ in range(_DRAWN)]
    complete = [spec.complete(each) for each in found]
    for each in complete:
        each.pop("initial_weights", None)
    return complete


def _parents(space: SearchSpace, name: str) -> dict[str, Value]:
    """Return values of a hyperparameter's parents, and of theirs, under which it is active."""
    forced: dict[str, Value] = {}
    for parent, values in space.conditions.get(name, {}).items():
        forced |= {parent: values[0], **_parents(space, parent)}
    return forced


def _values(distribution: Any) -> list[Value]:
    """Return the values of a hyperparameter of few values, else none."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)  # type: ignore[arg-type]
    if isinstance(distribution, IntDistribution):
        values = range(distribution.low, distribution.high + 1, distribution.step)
        return list(values) if len(values) <= _FEW else []
    return []


def _corner(end: int, forced: Mapping[str, Value]) -> Callable[[str, Any], Value]:
    def choose(name: str, distribution: Any) -> Value:
        if name in forced:
            return forced[name]
        if isinstance(distribution, CategoricalDistribution):
            value: Value = distribution.choices[end]  # type: ignore[assignment]
            return value
        ends: tuple[Value, Value] = (distribution.low, distribution.high)
        return ends[end]

    return choose
