"""Reads the trials of an Optuna study that lies in a storage of its own, in the terms of a spec.

Optuna keeps distributions and values as JSON and numbers, so nothing of a storage is executed.
`History.from_studies` reads a study in memory; what it makes of one is imported here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import optuna

from search.history import History, Trial
from search.objectives import Objective
from search.objectives.objective import directions_of
from search.space import SearchSpace
from search.space.values import is_number
from search.spec import Spec
from search.spec.errors import nearest_name
from search.tracking.imports.imported import Imported, ImportedRun, match_hyperparameters
from search.tracking.uris import database_path

TOOL = "optuna"


def open_study(storage: str, name: str = "") -> optuna.Study:
    """Open a study for reading.

    Args:
        storage: An Optuna storage's URL, such as sqlite:///study.db.
        name: The study; "" for the only one.

    Raises:
        LookupError: There is no such study, or there are several.
        ValueError: The file is missing or holds no Optuna study.
    """
    _check_file(storage)
    known = optuna.get_all_study_names(storage)
    if not name and len(known) == 1:
        name = known[0]
    if name not in known:
        close = nearest_name(name, known) if name else None
        meant = f"; did you mean {close!r}?" if close else ""
        what = f"no study {name!r}" if name else f"{len(known)} studies"
        listed = ", ".join(known) or "none"
        raise LookupError(f"{storage} has {what}{meant}; fix: --study with one of: {listed}")
    return optuna.load_study(study_name=name, storage=storage)


def _check_file(storage: str) -> None:
    """Check that an SQLite storage has studies; Optuna would create the file and its tables."""
    file = database_path(storage)
    if file is None:
        return
    fix = "fix: name the storage of your study, as sqlite:///PATH"
    if not file.is_file():
        raise ValueError(f"{storage}: there is no file {file}; {fix}")
    query = "SELECT count(*) FROM sqlite_master WHERE name = 'trial_params'"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            (tables,) = connection.execute(query).fetchone()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{storage}: not an SQLite database ({error}); {fix}") from error
    if not tables:
        raise ValueError(f"{storage}: it holds no Optuna study; {fix}")


def read_study(study: optuna.Study, spec: Spec, *, is_partial: bool = False) -> Imported:
    """Return the trials of a study under the names of a spec.

    Its objectives are the spec's with the names that the study gave them, else those in the same
    places. Trials that have not ended are left out.

    Raises:
        ValueError: A hyperparameter is missing, or the objectives are others.
    """
    found = History.from_studies({study.study_name: study}, objectives=_objectives(study, spec))
    kept = found.searches[study.study_name].space
    given = list(kept.distributions) if kept else []
    source = f"study {study.study_name} has no hyperparameter"
    names = match_hyperparameters(spec, given, source, is_partial=is_partial)
    ours = {theirs: name for name, theirs in names.items()}
    runs, problems = [], []
    for trial in found.prior_trials(state=None):
        place = f"study {study.study_name}, trial {trial.number}"
        if trial.state == "running":
            problems.append(f"{place}: it has not ended; import it again when it has")
        elif not trial.configuration:
            problems.append(f"{place}: it has no hyperparameter; it is left out")
        else:
            identity = f"{study.study_name}#{trial.number}"
            name = f"{study.study_name} {trial.number}"
            runs.append(ImportedRun(identity, name, place, _renamed(trial, ours)))
    logged = kept.distributions if kept else {}
    space = SearchSpace({ours.get(name, name): kind for name, kind in logged.items()})
    return Imported(TOOL, space, tuple(runs), tuple(problems))


def _renamed(trial: Trial, ours: Mapping[str, str]) -> Trial:
    # None is a category of Optuna's; a space of ours has no such value.
    known = {
        ours.get(name, name): value
        for name, value in trial.configuration.items()
        if isinstance(value, bool | str) or is_number(value)
    }
    return replace(trial, configuration=known)


def _objectives(study: optuna.Study, spec: Spec) -> tuple[Objective, ...]:
    """Return the study's objectives, each one of the spec.

    Raises:
        ValueError: It has more, or another direction.
    """
    directions = [each.name.lower() for each in study.directions]
    renames = spec.history.rename_metrics
    known = {each.metric: each for each in spec.objectives}
    named = [renames.get(name, name) for name in study.metric_names or ()]
    chosen = [known[name] for name in named if name in known]
    if len(chosen) != len(directions):
        chosen = list(spec.objectives[: len(directions)])
    ours = directions_of(chosen)
    if ours != directions:
        theirs, wanted = " and ".join(directions), " and ".join(directions_of(spec.objectives))
        raise ValueError(
            f"study {study.study_name} was to {theirs}, and the spec's objectives "
            f"{', '.join(spec.metrics)} are to {wanted}; fix: list them in the study's order, with "
            "its directions"
        )
    return tuple(Objective(each.metric, each.direction) for each in chosen)
