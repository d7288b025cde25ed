"""SearchSpace: hyperparameters as Optuna distributions, with the conditions between them.

Asks Optuna for parents before children and tests whether a configuration belongs to the space. Not
for configurations of other searches (`restating.py`), for choosing configurations (`apply/`) nor
for what a model understands (`models/catalog.py`).

A configuration holds the active hyperparameters only: with `optimizer: adamw` there is no
`sgd.learning_rate` in it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import BaseTrial

from search.space import values as space_values
from search.space.conditions import count_configurations, is_active, sorted_by_depth

Value: TypeAlias = bool | int | float | str
Conditions: TypeAlias = Mapping[str, Mapping[str, tuple[Value, ...]]]


@dataclass(frozen=True)
class SearchSpace:
    """The hyperparameters of a search.

    Attributes:
        distributions: Name to Optuna distribution; parents come before children, always.
        conditions: Child to the values of its parents under which it is active; all must hold.

    Raises:
        ValueError: A condition names an unknown hyperparameter or an impossible value, the
            conditions form a cycle, or an integer has an end beyond all floats.
    """

    distributions: Mapping[str, BaseDistribution]
    conditions: Conditions = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, distribution in self.distributions.items():
            if isinstance(distribution, IntDistribution):
                ends = abs(distribution.low), abs(distribution.high)
                if max(ends) > sys.float_info.max:
                    raise ValueError(f"{name} has an end beyond all floats")
        for child, parents in self.conditions.items():
            for name in (child, *parents):
                if name not in self.distributions:
                    raise ValueError(f"the condition of {child} names {name}, not in the space")
            for parent, values in parents.items():
                for value in values:
                    if not space_values.holds(self.distributions[parent], value):
                        legal = space_values.describe(self.distributions[parent])
                        raise ValueError(
                            f"{child} depends on {parent} = {value!r}, which is none of: {legal}"
                        )
        conditions = {
            child: {parent: tuple(values) for parent, values in parents.items()}
            for child, parents in self.conditions.items()
            if parents
        }
        order = sorted_by_depth(list(self.distributions), conditions)
        object.__setattr__(
            self, "distributions", {name: self.distributions[name] for name in order}
        )
        object.__setattr__(self, "conditions", conditions)

    @classmethod
    def from_distributions(
        cls, distributions: Mapping[str, BaseDistribution], conditions: Conditions | None = None
    ) -> SearchSpace:
        """Make a space of Optuna's own distributions, such as those of a finished study."""
        return cls(distributions, conditions or {})

    @classmethod
    def from_json(cls, text: str) -> SearchSpace:
        """Read a space that `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        try:
            record = json.loads(text)
            distributions = {
                name: json_to_distribution(json.dumps(distribution))
                for name, distribution in record["distributions"].items()
            }
            return cls(distributions, record["conditions"])
        # Optuna counts steps in decimals; thousands of brackets.
        except (
            KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError,
        ) as error:  # fmt: skip
            raise ValueError(f"not a search space in JSON: {error!r}") from error

    def to_json(self) -> str:
        """Return the space as JSON: Optuna's own form of each distribution, and the conditions."""
        distributions = {
            name: json.loads(distribution_to_json(distribution))
            for name, distribution in self.distributions.items()
        }
        return json.dumps({"distributions": distributions, "conditions": self.conditions})

    def is_active(self, name: str, configuration: Mapping[str, Any]) -> bool:
        """Whether a hyperparameter is active: each parent is active and has one of the values."""
        return is_active(name, configuration, self.conditions)

    def assemble(self, choose: Callable[[str, BaseDistribution], Value]) -> dict[str, Value]:
        """Build a configuration: choose a value of each active hyperparameter, parents first."""
        configuration: dict[str, Value] = {}
        for name, distribution in self.distributions.items():
            if self.is_active(name, configuration):
                configuration[name] = choose(name, distribution)
        return configuration

    def suggest(self, trial: BaseTrial) -> dict[str, Value]:
        """Ask an Optuna trial for a configuration, active hyperparameters only."""
        return self.assemble(partial(space_values.suggest, trial))

    def random_configuration(self, generator: np.random.Generator) -> dict[str, Value]:
        """Draw a configuration, each active hyperparameter from its own distribution."""
        return self.assemble(lambda _, distribution: space_values.draw(distribution, generator))

    def configurations(self) -> Iterator[dict[str, Value]]:
        """Yield all configurations of a finite space in a fixed order; none of an infinite one."""
        if self.size() is not None:
            yield from self._completed({}, tuple(self.distributions))

    def _completed(
        self, configuration: dict[str, Value], names: tuple[str, ...]
    ) -> Iterator[dict[str, Value]]:
        """Yield the configurations that complete one, given the names that are undecided."""
        if not names:
            yield configuration
        elif self.is_active(names[0], configuration):
            for value in space_values.values(self.distributions[names[0]]):
                yield from self._completed(configuration | {names[0]: value}, names[1:])
        else:
            yield from self._completed(configuration, names[1:])

    def problems(self, configuration: Mapping[str, Any]) -> list[str]:
        """Say why a configuration is not in the space, one sentence each; empty if it is."""
        found = [
            f"{name} is not a hyperparameter of this space"
            for name in configuration
            if name not in self.distributions
        ]
        for name, distribution in self.distributions.items():
            is_active = self.is_active(name, configuration)
            if name not in configuration:
                if is_active:
                    found.append(f"{name} is missing")
            elif not is_active:
                parents = ", ".join(self.conditions[name])
                found.append(f"{name} is set but inactive under {parents}")
            elif not space_values.holds(distribution, configuration[name]):
                value = space_values.brief(configuration[name])
                found.append(f"{name} = {value} is not in {space_values.describe(distribution)}")
        return found

    def contains(self, configuration: Mapping[str, Any]) -> bool:
        """Whether exactly the active hyperparameters are set, each to a legal value."""
        return not self.problems(configuration)

    def key(self, configuration: Mapping[str, Any]) -> str:
        """Return the active part as canonical JSON: equal for duplicates only."""
        active = {
            name: space_values.canonical(distribution, configuration[name])
            for name, distribution in self.distributions.items()
            if name in configuration and self.is_active(name, configuration)
        }
        return json.dumps(active, sort_keys=True, default=repr)

    def size(self) -> int | None:
        """Return how many configurations there are; None if a hyperparameter is continuous."""
        counts = {name: space_values.count(each) for name, each in self.distributions.items()}
        finite = {name: number for name, number in counts.items() if number is not None}
        return count_configurations(finite, self.conditions) if finite == counts else None
