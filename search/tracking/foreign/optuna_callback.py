"""Read runs of Optuna's `MLflowCallback` (package optuna-integration): one per trial.

Layout: https://optuna-integration.readthedocs.io/en/stable/reference/generated/
optuna_integration.MLflowCallback.html. The experiment is the study, or the runs are nested below a
run of the user's. When a trial ends, its params are logged with their distributions (tags
`<name>_distribution`, their `repr`), and its values as metrics `value`, `value_0` and so on, or
under names that the user chose. The tag `state` marks pruned and failed trials, which MLflow calls
FINISHED. Intermediate values are not logged.
"""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution

from search.history.states import FROM_OPTUNA, state_of_run
from search.objectives import Objective
from search.tracking.foreign.distributions import distribution_of_text, value_of_text
from search.tracking.foreign.layout import Reading, direction_names, hyperparameters, is_noise
from search.tracking.runs import Run, trial_number

TOOL = "optuna"
SUFFIX = "_distribution"
# States in the tag `state`; a trial that has not ended has the state of its run.
ENDED = {state.name: ours for state, ours in FROM_OPTUNA.items() if state.is_finished()}


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns whether the run has the tags of every run of the callback."""
    return {"number", "direction", "datetime_start"} <= run.tags.keys()


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the run's reading, with the types and objectives of the study."""
    texts = hyperparameters(run.params)
    found = {name: distribution_of_text(run.tags.get(f"{name}{SUFFIX}", "")) for name in texts}
    distributions = {name: kind for name, kind in found.items() if kind is not None}
    known = _known(texts, distributions)
    state = ENDED.get(run.tags.get("state", ""), state_of_run(run.status))
    directions = direction_names(run.tags["direction"])
    objectives = tuple(map(Objective, _metrics(run, directions), directions))
    return Reading(
        state,
        {name: text for name, text in texts.items() if name not in known},
        known,
        {name: kind for name, kind in distributions.items() if name in known},
        objectives,
        tuple(run.metrics[each.metric] for each in objectives) if state == "complete" else (),
        number=trial_number(run.tags["number"]),
    )


def _known(texts: dict[str, str], distributions: dict[str, BaseDistribution]) -> dict[str, Any]:
    known = {}
    for name, kind in distributions.items():
        is_legal, value = value_of_text(kind, texts[name])
        if is_legal:
            known[name] = value
    return known


def _metrics(run: Run, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the metrics that hold the values, one a wanted direction; empty if unclear.

    Nobody logged the order of metrics named by the user, so their directions must be the same.
    """
    numbered = tuple(f"value_{index}" for index in range(len(wanted)))
    for names in (("value",), numbered):
        if len(names) == len(wanted) and all(name in run.metrics for name in names):
            return names
    chosen = tuple(sorted(name for name in run.metrics if not is_noise(name)))
    is_clear = len(chosen) == len(wanted) and len(set(wanted)) == 1
    return chosen if is_clear else ()
