"""MultiObjectiveASHA told by hand what trials report, without Ray."""

from __future__ import annotations

from types import SimpleNamespace

from search.objectives import Objective
from search.objectives.objective import from_lists
from search.optimize.scheduler import MultiObjectiveASHA

CLEAN, ROBUST = "accuracy.clean", "accuracy.pgd3_linf_0.1"


def trial(name, status="PENDING"):
    return SimpleNamespace(trial_id=name, status=status)


def single(**changes):
    settings = {"grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3} | changes
    return MultiObjectiveASHA((Objective(CLEAN, "maximize"),), **settings)


def double(roles=(), **changes):
    settings = {"grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3} | changes
    both = from_lists((CLEAN, ROBUST), ("maximize", "maximize"), roles)
    return MultiObjectiveASHA(both, **settings)


def report(scheduler, name, epoch, clean, robust=None, **more):
    result = {"epoch": epoch, CLEAN: clean} | more
    if robust is not None:
        result[ROBUST] = robust
    return scheduler.on_trial_result(None, trial(name), result)
