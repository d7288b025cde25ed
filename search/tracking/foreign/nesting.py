"""Which foreign runs are trials, which are searches around them, and which are neither.

Runs are nested in many ways: a study around its trials, a parameter search around its candidates,
a script around several of these, a trial around the folds of its cross-validation. MLflow knows
only who is below whom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.tracking.foreign import autologging, optuna_storage
from search.tracking.foreign.layout import hyperparameters, is_noise
from search.tracking.runs import Run

# Params that tell the parts of one trial apart, and so are none of its hyperparameters.
PART_NAMES = {"fold", "fold_id", "fold_index", "cv_fold", "split"}


@dataclass(frozen=True)
class Families:
    """The runs sorted by what they are.

    Attributes:
        trials: Those that tried one configuration.
        around: Run id -> run, for those that stand around others and are no trials.
        left_out: Those that are neither, each with its reason.
    """

    trials: list[Run] = field(default_factory=list)
    around: dict[str, Run] = field(default_factory=dict)
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
            families.around[run.run_id] = run
        else:
            families.trials.append(run)
    return families


def _has_parts(run: Run, children: Sequence[Run]) -> bool:
    """Whether a run with others below is one trial: it has what a trial has, and they add nothing.

    The parts say no hyperparameter of their own, and all say the same.
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
