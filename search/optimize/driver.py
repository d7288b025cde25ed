"""Driver: the child process that owns a search while it runs.

Tune prints at every verbosity and cannot be killed cleanly from within, so it runs here with its
output in a log, while the parent draws the journal. The driver claims the search, sends what an
earlier driver left unsent, runs Tune, settles every trial, evaluates the best on the test split,
and waits until the store has everything.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import math
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from threadpoolctl import threadpool_limits

from search.history import Trial
from search.history.causes import last_line
from search.history.plurals import counted
from search.optimize.bundle import code_for_workers
from search.optimize.cores import machine_cpus
from search.optimize.cpu_leases import lease_cpus
from search.optimize.first_worker import PATIENCE_SECONDS
from search.optimize.plan import LOG, Plan
from search.optimize.resources import NoRoom, why_crowded, why_no_node
from search.optimize.session_folder import (
    NoSessionFolder,
    new_session_folder,
    temporary_folder_of_trials,
)
from search.tracking import tag_names
from search.tracking.deleted import SearchDeleted
from search.tracking.edits import write_resume
from search.tracking.ownership import SearchIsAlive, claim, owner_name
from search.tracking.read.history import load_history
from search.tracking.stop_requests import StopRequests, read_stop_requests
from search.tracking.store import open_client, tags_of
from search.tracking.summary import settle
from search.tracking.write.journal import Journal
from search.tracking.write.journal_sender import Writer

# How long a finished search waits for an unreachable store before it leaves the rest to `resume`.
LAST_CHANCE_SECONDS = 60.0
# Room in Ray's object store in addition to the data set: results, the runtime environment.
OBJECT_STORE_BYTES = 256 * 1024 * 1024
# Ray gives up a start after 30 s, which cannot be set (ray 2.60). On two cores with a load of 15,
# three of 600 searches met that; it says so with these words.
STARTS = 3
TOO_SLOW = "timed out during startup"


def drive(plan: Plan, parent: Connection) -> None:
    """Runs in the child process; sends one dict: "status", and "message" that says why.

    A search that is "done" has a "state", and a message if that is "failed".

    It stops, keeping running trials, when the parent sends anything or is gone. (Ray and Tune
    handle SIGTERM, SIGINT and SIGUSR1 themselves, so signals cannot ask for it.)

    Statuses: done, alive (another process owns the search), lost (another process took it over),
    refused (this machine has no room for a trial, or the search was deleted), unsent (all is in
    the journal, but not in the store), failed (with the traceback's last line).
    """
    plan.storage.mkdir(parents=True, exist_ok=True)
    _redirect_output(plan.storage / LOG)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(parent, stop), daemon=True).start()
    # NOTE: Ray is shut down last: if one of its threads still uses it afterwards, that ends the
    # whole process ("The process will exit", core_worker_process.cc; seen once, ray 2.60).
    answer: dict[str, Any] = {}
    with contextlib.ExitStack() as at_the_end:
        try:
            answer = _own_and_run(plan, stop, at_the_end)
        except SearchIsAlive as error:
            answer = {"status": "alive", "message": str(error)}
        except (NoRoom, NoSessionFolder, SearchDeleted) as error:
            answer = {"status": "refused", "message": str(error)}
        except BaseException as error:
            traceback.print_exc()
            why = f"{type(error).__name__}: {last_line(str(error))[:300]}"
            answer = {"status": "failed", "message": why}
            raise
        finally:
            with contextlib.suppress(OSError):  # the parent is gone
                parent.send(answer)


def _own_and_run(
    plan: Plan, stop: threading.Event, at_the_end: contextlib.ExitStack
) -> dict[str, Any]:
    client = open_client(plan.tracking_uri)
    generation = claim(client, plan.summary_run, plan.storage, owner_name())
    kinds = plan.space.distributions
    log_scaled = frozenset(name for name, kind in kinds.items() if getattr(kind, "log", False))
    journal = Journal(plan.storage, generation)
    writer = Writer(
        client, plan.storage, search=plan.search, experiment=plan.experiment,
        summary_run=plan.summary_run, generation=generation, log_scaled=log_scaled,
        objectives={metric: plan.spec.epoch_metric(metric) for metric in plan.spec.metrics},
        say=journal.say,
    )  # fmt: skip
    if writer.unsent_bytes():
        journal.say("sending what an earlier launch left unsent")  # minutes, to a slow server
    writer.drain()
    write_resume(client, plan.search, plan.tags, plan.note)  # what an earlier driver said is older
    settle(client, plan.experiment, plan.search)
    own: list[Trial] = []
    if generation > 1:  # the first owner has no earlier trials
        own = load_history(plan.tracking_uri, searches=[plan.search]).prior_trials(state=None)
        tags = tags_of(client, plan.summary_run)
        requests = read_stop_requests(tags, generation)
        own = [_ended_as_asked(trial, requests, journal) for trial in own]
        own = _with_failed_again(own, tags)
    writer.start()
    state, why = "interrupted", ""
    try:
        state, why = _run(plan, own, journal, writer, stop, generation, at_the_end)
    finally:
        status = "FINISHED" if state == "complete" else "KILLED"
        journal.append("summary", tags={tag_names.STATE: state}, status=status)
        unwritten = journal.flush(LAST_CHANCE_SECONDS)
        unsent = writer.close(LAST_CHANCE_SECONDS)
        journal.close()
    if writer.has_lost_ownership.is_set():
        return {"status": "lost", "message": "another process took this search over"}
    if writer.deleted:
        kept = f"its results are kept in {plan.storage}"
        return {"status": "unsent", "message": f"{plan.search} stopped: {kept}; {writer.deleted}"}
    if not unwritten and not unsent:
        return {"status": "done", "state": state, "message": why}
    why = f" ({writer.outage.why})" if writer.outage.why else ""
    message = f"{unsent} bytes of {plan.storage / 'journal.jsonl'} have not reached the store{why}"
    if unwritten:
        events = counted(unwritten, "event")
        message = f"{events} could not be written to {plan.storage}: is it full, or gone?"
    return {"status": "unsent", "message": message}


def _run(
    plan: Plan,
    own: list[Trial],
    journal: Journal,
    writer: Writer,
    stop: threading.Event,
    generation: int,
    at_the_end: contextlib.ExitStack,
) -> tuple[str, str]:
    """Runs trials until the budget or the time is used up or a user stops.

    Returns the state, and why it is "failed"; "" if it is not.

    Cores, Ray and a temporary folder are released by `at_the_end`.
    """
    from search.optimize.tuner import Tuning  # ray costs two seconds to import

    def must_stop() -> bool:
        return stop.is_set() or writer.stop_requests.search is not None

    compute_alone()
    began = time.monotonic()
    tuning = Tuning(
        plan, own, journal, generation, stop, writer.has_lost_search,
        lambda: writer.stop_requests,
    )  # fmt: skip
    if not tuning.has_work():
        return "complete", ""
    if plan.address is None:
        if crowded := why_crowded(plan.spec.resources, machine_cpus()):
            journal.say(crowded)
        asked = time.monotonic()
        leases = lease_cpus(
            _cores(plan), search=plan.search, say=journal.say, waits=not plan.share_cores,
            must_stop=must_stop,
        )  # fmt: skip
        if leases is None:
            return "interrupted" if stop.is_set() else "stopped", ""
        for lease in leases:
            at_the_end.callback(lease.release)
        began += time.monotonic() - asked  # waiting for cores is not the search's time
    try:
        _start_ray(plan, at_the_end, tuning.data_bytes, journal.say)
        _expect_room(plan, journal)
        spent = time.monotonic() - began
        journal.say("running", spent=spent)
        left = None if plan.hours is None else max(1.0, plan.hours * 3600 - spent)
        state = tuning.run(left)
        failed = {tag_names.FAILED_ALIKE: json.dumps(tuning.failed_alike)}
        if tuning.failed_alike or generation > 1:  # an earlier launch may have written others
            journal.append("summary", tags=failed)
        if why := tuning.searcher.ended_because:  # what was left of the budget is given up
            budget = str(tuning.searcher.trials_asked)
            tags = {tag_names.REASON: why, tag_names.BUDGET: budget}
            journal.append("summary", tags=tags)
        if state in ("complete", "stopped"):
            tuning.test_front()
        return state, tuning.recorder.why_failed
    finally:
        tuning.settle()


def _ended_as_asked(trial: Trial, requests: StopRequests, journal: Journal) -> Trial:
    """Ends an interrupted trial that a user had asked to stop; its driver did not live to do it."""
    request = requests.trials.get(trial.number)
    if request is None or trial.state not in ("interrupted", "running"):
        return trial
    journal.append(
        "end", number=trial.number, state="stopped", epoch=trial.epoch, values=[],
        configuration=dict(trial.configuration), origin=dict(trial.origin),
        reason=f"{request.in_words} after epoch {trial.epoch}",
    )  # fmt: skip
    return replace(trial, state="stopped")


def _with_failed_again(own: list[Trial], tags: Mapping[str, str]) -> list[Trial]:
    """Returns trials with those that failed alike as interrupted, so that they are run again.

    A tag that cannot be read names none.
    """
    try:
        again = json.loads(tags.get(tag_names.FAILED_ALIKE, "[]"))
    except ValueError:
        again = []
    return [
        replace(trial, state="interrupted")
        if trial.state == "failed" and isinstance(again, list) and trial.number in again
        else trial
        for trial in own
    ]


def compute_alone() -> None:
    """Makes numpy and scipy compute in the calling thread; both must be imported already.

    Proposals use small matrices, for which BLAS threads cost more than they gain: they spin while
    they wait for the next product, on cores that the trials need.
    """
    threadpool_limits(1, user_api="blas")


def _start_ray(
    plan: Plan, at_the_end: contextlib.ExitStack, data_bytes: int, say: Callable[..., None]
) -> None:
    """Starts a Ray of this machine's own, or joins the cluster; `at_the_end` ends it.

    NOTE: Ray waits for its first workers, without end if all die as they start, and meanwhile no
    thread of this process runs. So the parent is told how long it may take (see `process.Launch`).

    Raises:
        NoSessionFolder: No temporary folder can be used.
    """
    import ray

    if plan.address is not None:
        say("joining Ray")
        _end_ray(at_the_end)
        environment = {"env_vars": _quiet(plan)} | code_for_workers()
        ray.init(address=plan.address, runtime_env=environment, log_to_driver=False)
        return
    resources = plan.spec.resources
    folder, elsewhere = new_session_folder()
    at_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
    _end_ray(at_the_end)
    say(
        f"starting Ray in {folder}, because {elsewhere}" if elsewhere else "starting Ray",
        within=PATIENCE_SECONDS,
    )
    short = temporary_folder_of_trials(folder)
    # A stale address left by another driver would make a local search join a dead cluster.
    os.environ.pop("RAY_ADDRESS", None)
    # Ray would start a worker for each core at once, none of which takes a trial: trials have a
    # runtime environment, and so workers of their own.
    os.environ["RAY_prestart_worker_first_driver"] = "0"
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    options = {
        "address": "local",
        "num_cpus": _cores(plan),
        "num_gpus": None if resources.gpus else 0,
        "object_store_memory": OBJECT_STORE_BYTES + 2 * data_bytes,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {
            "env_vars": {"PYTHONPATH": path} | _quiet(plan) | ({"TMPDIR": short} if short else {})
        },
        "_temp_dir": str(folder),
    }
    start_patiently(lambda: ray.init(**options), say)


def start_patiently(start: Callable[[], object], say: Callable[..., None]) -> None:
    """Starts Ray; again if it was too slow, `STARTS` times in all. Raises what Ray raises.

    Args:
        start: Starts Ray on this machine.
        say: Called with a line before each further start.
    """
    import ray

    before = set(psutil.Process().children())
    for left in reversed(range(STARTS)):
        try:
            start()
        except Exception as error:  # Ray has no class for it
            if not left or TOO_SLOW not in str(error):
                raise
            ray.shutdown()
            # It knows nothing of a node that failed as it started, whose processes go on.
            for process in set(psutil.Process().children()) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            say(
                "Ray did not start in time on this busy machine; starting it again",
                within=PATIENCE_SECONDS,
            )
        else:
            return


def _end_ray(at_the_end: contextlib.ExitStack) -> None:
    """Has Ray shut down at the end, after what still refers to its objects is gone.

    An object that Python frees after Ray's shutdown can end this process (core_worker_process.cc).
    """
    import ray

    gc.freeze()  # what there is now refers to none of them, and need not be looked through
    at_the_end.callback(ray.shutdown)
    at_the_end.callback(gc.collect)  # the last in is the first out


def _expect_room(plan: Plan, journal: Journal) -> None:
    """Reports a trial that fits no node; Ray itself would wait for one silently.

    Raises:
        NoRoom: No other node can be added, because this is one machine.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    offers = {node["NodeManagerAddress"]: node["Resources"] for node in nodes}
    problem = why_no_node(offers, plan.spec.resources)
    if problem and plan.address is None:
        raise NoRoom(f"{problem}; fix: lower resources in the spec, or use a larger machine")
    if problem:
        journal.say(f"{problem}. The search waits for such a node")


def _quiet(plan: Plan) -> dict[str, str]:
    """Returns variables of a fine-tuning: local files only, and tokenizing on a worker's cores."""
    if plan.spec.task.base is None:
        return {}
    return {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _cores(plan: Plan) -> int:
    """Returns the cores of all concurrent trials, rounded up, or the last would never start."""
    parallelism, cpus = plan.spec.resources.parallelism, plan.spec.resources.cpus
    at_once = max(1, int(machine_cpus() / cpus)) if parallelism == "auto" else parallelism
    return max(1, math.ceil(at_once * cpus))


def _redirect_output(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout = sys.stderr = os.fdopen(file, "a", buffering=1)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr
    )


def _listen(parent: Connection, stop: threading.Event) -> None:
    with contextlib.suppress(EOFError, OSError):  # the parent is gone, and could not stop it later
        parent.recv()
    stop.set()
