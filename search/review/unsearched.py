"""The values of hyperparameters that an earlier search had, though it did not search them.

A search of the same model fixed such a hyperparameter in its task's settings, or left it at the
catalog's default. So trials from before a hyperparameter existed count with the value that it has
by default: a new one's default must be what trainings did before. Not for other models, nor for a
user's own function or the own hyperparameters of a network, whose defaults nobody recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.catalog import Hyperparameter, usual
from search.history import Search
from search.space import SearchSpace
from search.space.values import is_among


@dataclass(frozen=True)
class Trained:
    """What a search trains.

    Attributes:
        name: As fingerprints have it; "" if nothing is known of it.
        known: Its hyperparameters in the catalog, parents first.
    """

    name: str = ""
    known: Mapping[str, Hyperparameter] = field(default_factory=dict)


def unsearched(search: Search | None, space: SearchSpace, trained: Trained) -> tuple[str, ...]:
    """Return the names of a space's hyperparameters that an earlier search of the model left alone.

    There are none if it logged no space, or started from weights, which fix some without a record.
    """
    if search is None or search.space is None or search.inferred or not trained.name:
        return ()
    fingerprint, searched = search.fingerprint, search.space.distributions
    if fingerprint.get("model") != trained.name or "initial_weights" in (*fingerprint, *searched):
        return ()
    return tuple(
        name for name in space.distributions if name in trained.known and name not in searched
    )


def with_unsearched(
    configuration: Mapping[str, object],
    names: tuple[str, ...],
    settings: object,
    space: SearchSpace,
    trained: Trained,
) -> dict[str, object]:
    """Return a trial's configuration with the values that were active in it, of those `names`.

    Args:
        configuration: Untrusted, as `settings` are, the fixed hyperparameters of its task.
        names: From `unsearched`.
        settings: Of the fingerprint of the trial's search.
        space: The space in which the trial will be restated.
        trained: What both searches train.
    """
    fixed = settings if isinstance(settings, Mapping) else {}
    had: dict[str, object] = {**fixed, **configuration}
    found = dict(configuration)
    for name in space.distributions:
        if name not in names or name in found or not space.is_active(name, found):
            continue
        hyperparameter = trained.known[name]
        if all(
            is_among(had.get(parent, trained.known[parent].default), values)
            for parent, values in hyperparameter.when.items()
        ):
            found[name] = had[name] = fixed.get(name, usual(hyperparameter, had))
    return found
