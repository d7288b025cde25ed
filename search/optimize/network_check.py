"""Checks a user's own network before its search: imports torch, the data and the user's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from models.catalog import data_kind
from models.networks.base_model import locate_base
from models.networks.own_code import PassedCode
from search.space import Value
from search.spec import Spec

# Builds of random configurations, for hyperparameters that are read under few values of others.
_DRAWN = 6


def check_network(spec: Spec, passed: PassedCode | None = None) -> None:
    """Build the spec's own network in the corners of its space, and pass two examples through.

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
    """Return complete configurations: the lowest and the highest corner, and random ones."""
    space, generator = spec.search_space(), np.random.default_rng(0)
    corners = [space.assemble(_corner(0)), space.assemble(_corner(-1))]
    drawn = [space.random_configuration(generator) for _ in range(_DRAWN)]
    complete = [spec.complete(each) for each in (*corners, *drawn)]
    for each in complete:
        each.pop("initial_weights", None)
    return complete


def _corner(end: int) -> Callable[[str, Any], Value]:
    def choose(name: str, distribution: Any) -> Value:
        if isinstance(distribution, CategoricalDistribution):
            value: Value = distribution.choices[end]  # type: ignore[assignment]
            return value
        ends: tuple[Value, Value] = (distribution.low, distribution.high)
        return ends[end]

    return choose
