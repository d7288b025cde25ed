"""The cost forecast of a launch: from its spec and its history, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from search.apply.prior_data import PriorData
from search.experience import Experience
from search.history import History, Search
from search.space import Value
from search.spec import Spec
from search.tracking.store import open_client
from search.tracking.summary import all_summaries
from search.transfer.cost_estimate import estimate_cost
from search.transfer.cost_forecast import CostForecast
from search.transfer.costs import cost_of, cost_of_resources
from search.transfer.first_trial import first_trial
from search.transfer.past_costs import past_costs

SWITCHED_OFF = "history is switched off"


@dataclass(frozen=True)
class Known:
    """What is known when a search is launched.

    Attributes:
        history: The earlier trials that it may use.
        prior: The same in its space.
        experience: What they teach about its task.
        fingerprint: The fingerprint of its task.
    """

    history: History
    prior: PriorData
    experience: Experience
    fingerprint: Mapping[str, Any]


def launch_cost(
    spec: Spec, known: Known, units: Mapping[str, str], first: Mapping[str, Value] | None
) -> CostForecast:
    """The forecast of a search that is launched.

    Args:
        spec: Its spec.
        known: What is known.
        units: Earlier search -> what its trials occupied, "GPU" or "core", where it is known.
        first: The configuration that it tries first; None without one.
    """
    cost, trials = cost_of_resources(spec.resources), spec.budget.trials
    if not spec.history.enabled:
        return CostForecast(
            cost.unit, trials, unknown=SWITCHED_OFF, unknown_to_goal=SWITCHED_OFF
        )  # fmt: skip
    experience = known.experience
    this = Search(
        "", experience.task, known.fingerprint, spec.search_space(), spec.objectives,
        datetime.now(UTC), trials, spec.budget.epochs, warm=bool(experience.used),
    )  # fmt: skip
    costs = past_costs(
        known.history, this, experience.similarities, units, cost.unit, spec.excludes_doubtful
    )
    of_first = None
    if first is not None and costs.searches:
        of_first = first_trial(first, this.task, costs, known.prior, spec.search_space())
    return estimate_cost(this, costs, of_first, cost)


def units_of_searches(tracking_uri: str) -> dict[str, str]:
    """Search -> "GPU" or "core", of the searches of a store whose specs state it.

    Raises:
        ConnectionError: the store does not answer.
    """
    found = {
        each.search: cost_of(each.spec_yaml) for each in all_summaries(open_client(tracking_uri))
    }
    return {search: cost.unit for search, cost in found.items() if cost is not None}
