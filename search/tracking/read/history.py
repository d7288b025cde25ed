"""Read a store's history: what is cached, and what is new since.

sql_reader.py or rest_reader.py find the runs and parse.py interprets them; here the results are
combined and restricted to the searches asked for.
"""

from __future__ import annotations

import fnmatch
import functools
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from search.history import History
from search.history.provenance import names_in_words
from search.history.table import (
    REJECTED,
    SEARCHES,
    TRIALS,
    rejected_from_table,
    searches_from_table,
    with_column,
)
from search.spec.errors import nearest_name
from search.tracking.read.cache import Cache, Meaning, digest_of, folder_for
from search.tracking.read.parse import interpreted
from search.tracking.read.rest_reader import Server
from search.tracking.read.sql_reader import Database
from search.tracking.runs import RAW
from search.tracking.schema import KNOWN, is_database, unknown_revision
from search.tracking.store import all_experiments, open_client, original_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)


def load_history(
    tracking_uri: str,
    experiments: Sequence[str] = ("*",),
    *,
    searches: Sequence[str] | None = None,
    same_task: Sequence[str] = (),
    task: str = "",
    is_new_task: bool = False,
) -> History:
    """Returns the searches that an MLflow store holds, whoever logged them.

    Runs of Twentieth, of Ray Tune's and Optuna's callbacks, of MLflow's Optuna storage and of its
    autologging, and runs logged by hand become trials; every other run is in `rejected` with its
    reason. What was read is cached, so that the next read fetches only what is new.

    Args:
        tracking_uri: any MLflow tracking URI.
        experiments: names or shell patterns ("digits-*") of the experiments to read.
        searches: ids of the only searches to read; all if None.
        same_task: names or patterns of experiments whose runs you know to be of `task`.
        task: the id of their task, as `WarmStartSampler` has it.
        is_new_task: whether no other experiment need have trials of `task`.

    Raises:
        ValueError: one of `same_task` and `task` is missing, the other experiments that are read
            have trials, and none of this task, or another version of MLflow made the database.
        NoStore: there is no store yet (a LookupError); none is created.
        ConnectionError: the store does not answer; the message names it and says what to do.
        TypeError: one of the lists is a text.
    """
    _check_lists(experiments=experiments, searches=searches, same_task=same_task)
    if bool(task) != bool(same_task):
        has, lacks = ("task", "same_task") if task else ("same_task", "task")
        raise ValueError(
            f"{has} without {lacks} says nothing: the runs of the experiments same_task=[...] "
            "are of the task; fix: give both, or neither"
        )
    client = open_client(tracking_uri)
    known = {str(each.experiment_id): str(each.name) for each in all_experiments(client)}
    patterns = (*experiments, *same_task)
    _warn_of_unmatched(patterns, list(known.values()))
    chosen = {each: name for each, name in known.items() if _matches(name, patterns)}
    cache = Cache(folder_for(tracking_uri))
    with cache.lock():
        meanings = _meanings(client, tracking_uri, chosen, cache)
    if task and not is_new_task:
        others = [each for each in chosen if not _matches(chosen[each], same_task)]
        _check_task(task, [meanings[each].trials.column("task") for each in others])
    parts = [
        _selected(
            meanings[each], searches, task if _matches(chosen[each], same_task) else ""
        )
        for each in chosen
    ]  # fmt: skip
    found = [search for part in parts for search in part.searches]
    rejected = [row for part in parts for row in part.rejected]
    return History(
        pa.concat_tables([TRIALS.empty_table(), *(part.trials for part in parts)]),
        searches_from_table(pa.Table.from_pylist(found, schema=SEARCHES)),
        rejected_from_table(pa.Table.from_pylist(rejected, schema=REJECTED)),
    )


def _check_lists(**given: Sequence[str] | None) -> None:
    for key, names in given.items():
        if isinstance(names, str):  # its letters would be names
            raise TypeError(f"{key} is a text, {names!r}; fix: a list, {key}=[{names!r}]")


def _check_task(task: str, columns: Sequence[pa.ChunkedArray]) -> None:
    known = sorted({each for column in columns for each in column.unique().to_pylist()})
    if task in known or not known:
        return
    close = nearest_name(task, known)
    meant = f"; did you mean {close!r}? They have" if close else ": they have"
    raise ValueError(
        f"the other experiments have no trial of task {task!r}{meant} {names_in_words(known)}; "
        "fix: name one of these, or pass is_new_task=True"
    )


def _warn_of_unmatched(patterns: Sequence[str], names: list[str]) -> None:
    """Says which patterns no experiment matches, as of a typing error; "*" needs none."""
    for pattern in patterns:
        if pattern != "*" and not any(_matches(name, (pattern,)) for name in names):
            close = nearest_name(pattern, names)
            _log.warning(
                "no experiment matches %r%s, so it adds nothing to history; the store has %s",
                pattern, f" (did you mean {close!r}?)" if close else "", names_in_words(names),
            )  # fmt: skip


def _matches(name: str, patterns: Sequence[str]) -> bool:
    names = {name, original_name(name)}  # one that replaces a deleted experiment goes by its name
    return any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns for each in names)


def _meanings(
    client: MlflowClient, tracking_uri: str, experiments: Mapping[str, str], cache: Cache
) -> dict[str, Meaning]:
    """Returns experiment id -> what its runs mean; `experiments` are ids and names."""
    from sqlalchemy.exc import SQLAlchemyError

    known = {each: cache.signatures(each) for each in experiments}
    marks = cache.marks()
    if is_database(tracking_uri):
        try:
            if unknown := unknown_revision(tracking_uri):
                _say_once(unknown)
                return _read(Server(client, tracking_uri, marks), experiments, known, cache)
            with closing(Database(tracking_uri, marks)) as database:
                return _read(database, experiments, known, cache)
        except SQLAlchemyError as error:
            _log.warning(
                "cannot query the database, reading slowly through MLflow's client: %s", error
            )
    return _read(Server(client, tracking_uri, marks), experiments, known, cache)


@functools.cache
def _say_once(revision: str) -> None:
    """Says that a schema is unknown, once in a process however often it is read."""
    _log.warning(
        "the tables of this store are of an MLflow that this version of Twentieth does not know "
        "(schema %s; it knows those of %s), so its runs are read through MLflow's client, which is "
        "slow; fix: install a newer Twentieth",
        revision, " and ".join(KNOWN.values()),
    )  # fmt: skip


def _read(
    source: Database | Server,
    experiments: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    cache: Cache,
) -> dict[str, Meaning]:
    present = source.signatures(list(experiments), known)
    found: dict[str, Meaning] = {}
    for experiment, name in experiments.items():
        signatures = present[experiment]
        if not signatures and not known[experiment]:  # and no file of the cache for it
            found[experiment] = Meaning(TRIALS.empty_table(), [], [])
            continue
        digest = digest_of(name, signatures)
        meaning = cache.meaning(experiment, digest)
        if meaning is None:
            runs = _updated(source, experiment, signatures, known[experiment], cache)
            meaning = interpreted(name, runs)
            if not meaning.is_living:
                cache.keep_meaning(experiment, digest, meaning)
        found[experiment] = meaning
    cache.keep_marks(source.marks)
    return found


def _updated(
    source: Database | Server,
    experiment: str,
    signatures: Mapping[str, str],
    known: Mapping[str, str],
    cache: Cache,
) -> pa.Table:
    """Returns all runs of an experiment (RAW): cached ones, and new or changed ones fetched."""
    cached = cache.runs(experiment) if known else None
    if cached is None:
        cached, known = RAW.empty_table(), {}
    unchanged = [run for run, text in signatures.items() if known.get(run) == text]
    changed = [run for run in signatures if known.get(run) != signatures[run]]
    runs = cached.filter(pc.is_in(cached.column("run_id"), pa.array(unchanged, pa.string())))
    if changed:
        runs = pa.concat_tables([runs, source.fetch(experiment, changed, signatures)])
    if not cache.keep_runs(experiment, runs):
        source.marks[experiment] = None  # the cache does not hold what was read
    return runs


def _selected(meaning: Meaning, wanted: Sequence[str] | None, task: str) -> Meaning:
    """Restricts an experiment to the wanted searches, and sets their task if one is given."""
    trials, searches, rejected = meaning.trials, meaning.searches, meaning.rejected
    if wanted is not None:
        is_wanted = pc.is_in(trials.column("search"), pa.array(sorted(wanted), pa.string()))
        trials = trials.filter(is_wanted)
        searches = [row for row in searches if row["search"] in wanted]
        rejected = [row for row in rejected if row["search"] in wanted]
    if task:
        column = pa.array([task] * len(trials), pa.string())
        trials = with_column(trials, "task", column)
        searches = [row | {"task": task} for row in searches]
    return Meaning(trials, searches, rejected)
