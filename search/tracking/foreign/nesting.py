"""Sort foreign runs into trials, parents of trials (searches), and neither.

Runs are nested in many ways: trials below a study, candidates below a parameter search, several of
these below a script, the folds of a cross-validation below a trial. MLflow stores only which run is
the parent of which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.tracking.foreign import autologging, optuna_storage
from search.tracking.foreign.layout import hyperparameters, is_noise
from search.tracking.runs import Run

# Params that distinguish the parts of one trial, so they are not hyperparameters.
PART_NAMES = {"fold", "fold_id", "fold_index", "cv_fold", "split"}


@dataclass(frozen=True)
class Families:
    """Sorted runs.

    Attributes:
        trials: Runs that tried one configuration.
        parents: Run id -> run, for runs that have others below them and are not trials.
        left_out: All other runs, each with its reason.
    """

    trials: list[Run] = field(default_factory=list)
    parents: dict[str, Run] = field(default_factory=dict)
    left_out: list[tuple[Run, str]] = field(default_factory=list)


def sorted_families(runs: Sequence[Run], ours: Mapping[str, Run]) -> Families:
    """Sorts the active foreign runs of one experiment.

    Args:
        runs: the foreign runs, oldest first.
        ours: Twentieth's own runs, by id.
    """
    families = Families()
    children: dict[str, list[Run]] = {}
    for run in runs:
        if run.parent is not None:
            children.setdefault(run.parent, []).append(run)
    with_parts = {
        run.run_id
        for run in runs
        if run.run_id in children and _has_parts(run, children[run.run_id])
    }
    for run in runs:
        is_parent = run.run_id in children
        if run.parent in ours:
            families.left_out.append((run, f"part of run {run.parent}, which Twentieth logged"))
        elif run.parent in with_parts and not is_parent:
            families.left_out.append((run, f"part of trial run {run.parent}, nested below it"))
        elif optuna_storage.is_study(run) or (is_parent and run.run_id not in with_parts):
            families.parents[run.run_id] = run
        else:
            families.trials.append(run)
    return families


def _has_parts(run: Run, children: Sequence[Run]) -> bool:
    """Returns whether a run with children is one trial and the children are its parts.

    It has params and metrics, and the children have equal params that are all among its own.
    """
    if optuna_storage.is_study(run) or autologging.is_parameter_search(run):
        return False
    own = hyperparameters(run.params)
    if not own or all(is_noise(metric) for metric in run.metrics):
        return False
    parts = [
        {
            name: text
            for name, text in hyperparameters(each.params).items()
            if name not in PART_NAMES
        }
        for each in children
    ]
    return all(part == parts[0] for part in parts) and parts[0].keys() <= own.keys()
