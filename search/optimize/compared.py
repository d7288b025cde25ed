"""What the scheduler of a spec compares before the end of a trial, and from which epoch on.

Not for comparing (`scheduler.py`), which needs Ray: `review` says these, too, without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from models.scores.metric_names import MetricName
from search.history.plurals import counted
from search.objectives import Objective
from search.spec import Spec

if TYPE_CHECKING:
    from search.history import Trial


def compared_metrics(spec: Spec) -> list[str]:
    """Returns the metrics that the scheduler compares, see `compared_by_objective`."""
    return list(compared_by_objective(spec).values())


def compared_by_objective(spec: Spec) -> dict[str, str]:
    """Returns the metric that the scheduler compares for each of `compared_objectives`, in order.

    It is a cheap one where the full one is expensive.
    """
    return {each.metric: spec.epoch_metric(each.metric) for each in compared_objectives(spec)}


def compared_objectives(spec: Spec) -> list[Objective]:
    """Returns the objectives that compare a trial before its end, see `known_before_the_end`.

    There are none without a scheduler, or if every trial ends before its first rung.
    """
    epochs = spec.budget.epochs
    if spec.scheduler.name == "none" or epochs <= spec.scheduler.first_rung(epochs):
        return []
    return known_before_the_end(spec)


def known_before_the_end(spec: Spec) -> list[Objective]:
    """Returns the objectives that the scheduler of a spec could compare before a trial's end.

    Objectives that are only reported, or only measured at the last epoch, are left out; plain ASHA
    has the primary one alone.
    """
    wanted = spec.objectives[:1] if spec.scheduler.name == "asha" else spec.objectives
    # What is measured at the end, on the weights of the selected epoch.
    late = [
        objective
        for objective in wanted
        if spec.threat is not None
        and (
            MetricName.parse(objective.metric).is_corrupted or objective.metric == "epoch.selected"
        )
    ]
    kept = [each for each in wanted if each.role.name != "report" and each not in late]
    # Without the first one nothing limits how much the others may cost it.
    return kept if spec.objectives[0] in kept else []


def with_first_rung(
    spec: Spec, trials: Sequence[Trial], task: str, similarities: Mapping[str, float]
) -> tuple[Spec, str]:
    """Returns a spec whose first rung is a number, and where it comes from, as a sentence.

    The sentence is "" if nobody asks for one: no scheduler, or the spec states its first rung.

    Args:
        spec: The checked spec.
        trials: History in its terms.
        task: Its task.
        similarities: Earlier search -> similarity of its task.
    """
    settings, epochs = spec.scheduler, spec.budget.epochs
    if settings.name == "none" or settings.grace_epochs != "auto":
        return spec, ""
    from search.extract.rungs import first_rung  # its statistics cost a worker a second to import

    compared = {each: spec.epoch_metric(each.metric) for each in known_before_the_end(spec)}
    found = first_rung(
        trials, compared, task=task, similarities=similarities, epochs=epochs,
        reduction_factor=settings.reduction_factor,
    )  # fmt: skip
    first = settings.first_rung(epochs) if found is None else found.epochs
    pinned = settings.model_copy(update={"grace_epochs": first})
    if found is not None:
        said = found.in_words()
    elif first < epochs:
        said = f"the first rung is at epoch {first} of {epochs}: too few past curves say more"
    else:
        length = counted(epochs, "epoch")
        said = f"no trial is stopped for its rank: trials of {length} end before the first rung"
    return spec.model_copy(update={"scheduler": pinned}), said
