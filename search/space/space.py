"""SearchSpace: hyperparameters as Optuna distributions, with what is active under which parent.

For asking Optuna in the right order, and for judging whether a configuration belongs to a space.
Not for what another search tried (`restating.py`), for choosing configurations (`apply/`) nor
for what a model understands (`models/catalog.py`).

A configuration holds the active hyperparameters only: with `optimizer: adamw` there is no
`sgd.learning_rate` in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import (
    BaseDistribution,
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
        ValueError: A condition names an unknown hyperparameter or an impossible value, or
            conditions form a cycle.
    """

    distributions: Mapping[str, BaseDistribution]
    conditions: Conditions = field(default_factory=dict)

    def __post_init__(self) -> None:
        for child, parents in self.conditions.items():
            for name in (child, *parents):
                if name not in self.distributions:
                    raise ValueError(f"the condition of {child} names {name}, not in the space")
            for parent, values in parents.items():
                for value in values:
                    if not space_values.holds(self.distributions[parent], value):
                        legal = space_values.describe(self.distributions[parent])
                        raise ValueError(
                            f"{child} waits for {parent} = {value!r}, which is none of: {legal}"
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
        """A space from Optuna's own terms, such as those of a finished study."""
        return cls(dict(distributions), dict(conditions or {}))

    @classmethod
    def from_json(cls, text: str) -> SearchSpace:
        """What `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        try:
            record = json.loads(text)
            distributions = {
                name: json_to_distribution(json.dumps(distribution))
                for name, distribution in record["distributions"].items()
            }
            conditions = {
                child: {parent: tuple(values) for parent, values in parents.items()}
                for child, parents in record["conditions"].items()
            }
            return cls(distributions, conditions)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not a search space in JSON: {error!r}") from error

    def to_json(self) -> str:
        """The space as JSON: Optuna's own form of each distribution, and the conditions."""
        distributions = {
            name: json.loads(distribution_to_json(distribution))
            for name, distribution in self.distributions.items()
        }
        return json.dumps({"distributions": distributions, "conditions": self.conditions})

    def is_active(self, name: str, configuration: Mapping[str, Any]) -> bool:
        """Whether a hyperparameter counts: each parent is active itself and has a named value."""
        return is_active(name, configuration, self.conditions)

    def suggest(self, trial: BaseTrial) -> dict[str, Value]:
        """Ask an Optuna trial for a configuration, parents first and active ones only."""
        configuration: dict[str, Value] = {}
        for name, distribution in self.distributions.items():
            if self.is_active(name, configuration):
                configuration[name] = space_values.suggest(trial, name, distribution)
        return configuration

    def random_configuration(self, generator: np.random.Generator) -> dict[str, Value]:
        """Draw a configuration, each active hyperparameter from its own distribution."""
        configuration: dict[str, Value] = {}
        for name, distribution in self.distributions.items():
            if self.is_active(name, configuration):
                configuration[name] = space_values.draw(distribution, generator)
        return configuration

    def configurations(self) -> Iterator[dict[str, Value]]:
        """All configurations of a finite space, in a fixed order; none of an infinite one."""
        if self.size() is not None:
            yield from self._completed({}, tuple(self.distributions))

    def _completed(
        self, configuration: dict[str, Value], names: tuple[str, ...]
    ) -> Iterator[dict[str, Value]]:
        if not names:
            yield configuration
        elif self.is_active(names[0], configuration):
            for value in space_values.values(self.distributions[names[0]]):
                yield from self._completed(configuration | {names[0]: value}, names[1:])
        else:
            yield from self._completed(configuration, names[1:])

    def problems(self, configuration: Mapping[str, Any]) -> list[str]:
        """Why a configuration is not in the space, one sentence each; empty if it is."""
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
        """The active part as canonical JSON, floats by `repr`: equal for duplicates only."""
        active = {
            name: space_values.canonical(distribution, configuration[name])
            for name, distribution in self.distributions.items()
            if name in configuration and self.is_active(name, configuration)
        }
        return json.dumps(active, sort_keys=True, default=repr)

    def size(self) -> int | None:
        """How many configurations there are; None if a hyperparameter is continuous."""
        counts: dict[str, int] = {}
        for name, distribution in self.distributions.items():
            values = space_values.count(distribution)
            if values is None:
                return None
            counts[name] = values
        return count_configurations(counts, self.conditions)
