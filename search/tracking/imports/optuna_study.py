"""Reads the trials of an Optuna study that lies in a storage of its own, in the terms of a spec.

Optuna keeps distributions and values as JSON and numbers, so nothing of a storage is executed.
Nothing is written to a storage either: Optuna would make the tables that a database lacks.
`History.from_studies` reads a study in memory; what it makes of one is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from search.history import History, Trial
from search.objectives import Objective
from search.objectives.objective import directions_of
from search.space import SearchSpace
from search.space.values import is_number
from search.spec import Spec
from search.spec.errors import nearest_name
from search.tracking.imports.imported import Imported, ImportedRun, match_hyperparameters
from search.tracking.server import first_line, without_password
from search.tracking.uris import database_path

TOOL = "optuna"
_DATABASES = ("sqlite", "postgresql", "mysql")
# Optuna has made these since 2018; to a database with all of them it adds no row when it opens it.
_TABLES = {"studies", "trials", "trial_params", "version_info", "alembic_version"}
_FIX = "fix: name the storage of your study, as sqlite:///PATH or postgresql+psycopg://..."


def open_study(storage: str, name: str = "") -> optuna.Study:
    """Open a study for reading.

    Args:
        storage: The URL of a database, such as sqlite:///study.db, or the file of a journal.
        name: The study; "" for the only one.

    Raises:
        LookupError: There is no such study, or there are several.
        ValueError: It is no storage of Optuna's that can be read.
        ConnectionError: The database does not answer.
    """
    from sqlalchemy.exc import SQLAlchemyError

    shown = without_password(storage)
    _check_url(storage)
    try:
        place = _database(storage) if "://" in storage else _journal(Path(storage))
        known = optuna.get_all_study_names(place)
        if not name and len(known) == 1:
            name = known[0]
        if name in known:
            return optuna.load_study(study_name=name, storage=place)
    except SQLAlchemyError as error:
        fix = "fix: check the URL, and that the database answers"
        raise ConnectionError(f"{shown} cannot be read: {first_line(error)}; {fix}") from error
    except RuntimeError as error:  # Optuna's, of a schema that it does not know
        raise ValueError(f"{shown}: {error}; fix: optuna storage upgrade") from error
    except ImportError as error:
        fix = (
            "fix: pip install 'twentieth[postgres]', and write postgresql+psycopg://"
            if storage.startswith("postgresql")
            else "fix: pip install the database's driver"
        )
        raise ValueError(f"{shown}: {error}; {fix}") from error
    if not known:
        raise ValueError(f"{shown} holds no Optuna study; fix: name the storage of your study")
    close = nearest_name(name, known) if name else None
    meant = f"; did you mean {close!r}?" if close else ""
    what = f"no study {name!r}" if name else f"{len(known)} studies"
    listed = ", ".join(known)
    raise LookupError(f"{shown} has {what}{meant}; fix: --study with one of: {listed}")


def _journal(file: Path) -> BaseStorage:
    """Open the file of a journal, which holds JSON, a line each change."""
    fix = "fix: name a database as sqlite:///PATH, or the file of a journal"
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file; {fix}")
    try:
        return JournalStorage(JournalFileBackend(str(file)))
    # AssertionError: an operation that this Optuna does not know.
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
        RecursionError,
    ) as error:
        raise ValueError(f"{file}: not a journal of Optuna's; {fix}") from error


def _check_url(storage: str) -> None:
    """Check that a URL is of a kind that is read, and of a file that exists.

    Raises:
        ValueError: It is not.
    """
    scheme = storage.partition("://")[0].partition("+")[0]
    # Snapshots in Redis are pickled.
    if "://" in storage and scheme not in _DATABASES:
        listed = ", ".join(_DATABASES)
        raise ValueError(f"{without_password(storage)}: studies are read from {listed} and from "
                         "journals; fix: optuna.copy_study to one of them")  # fmt: skip
    file = database_path(storage)
    if file is not None and not file.is_file():
        raise ValueError(f"{storage}: there is no file {file}; {_FIX}")


def _database(storage: str) -> BaseStorage:
    """Open a database with studies; one without Optuna's tables is left as it is.

    Raises:
        ValueError: It lacks some of Optuna's tables, or all.
    """
    from sqlalchemy import create_engine, inspect

    engine = create_engine(storage)
    try:
        missing = _TABLES.difference(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    if missing:
        lacks = ", ".join(sorted(missing))
        raise ValueError(
            f"{without_password(storage)}: it holds no Optuna study (no table {lacks}); {_FIX}"
        )
    return RDBStorage(storage, skip_table_creation=True)


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
        ValueError: It has more, another direction, or names for them that the spec does not have.
    """
    directions = [each.name.lower() for each in study.directions]
    renames = spec.history.rename_metrics
    known = {each.metric: each for each in spec.objectives}
    named = [renames.get(name, name) for name in study.metric_names or ()]
    chosen = [known[name] for name in named if name in known]
    if named and len(chosen) != len(directions):
        theirs, wanted = ", ".join(study.metric_names or ()), ", ".join(spec.metrics)
        raise ValueError(
            f"study {study.study_name} has the metrics {theirs}, and the spec's objectives are "
            f"{wanted}; fix: add history.rename_metrics: {{THEIRS: OURS}} to the spec"
        )
    if not named:
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
