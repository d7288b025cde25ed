"""Names in a store: tags, metrics and runs.

A tag holds at most 8,000 characters and a REST server cuts or refuses longer ones, so text that
must be read back is split over numbered tags and joined again.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from models.scores.metric_names import MetricName
from search.history.provenance import provenance_text, read_origin, tasks_in_words

# The comment at each tag is its meaning in the reference (docs/reference/metrics_and_tags.md).

# `search` for the summary run, `trial` for the others; `imported` for a run that was read from
# another tool's file or storage.
KIND = "twentieth.kind"
SEARCH = "twentieth.search"  # the search's id
TRIAL_KEY = "twentieth.trial"  # `SEARCH/NUMBER`, the stable key of a trial
NUMBER = "twentieth.number"  # the trial's number in its search
# `running`, `complete`, `stopped` (by the scheduler or a user), `failed` or `interrupted`; of a
# search also `starting`. A search is `complete` if none of its trials is left to run, however they
# ended: also if all have failed, each for its own reason. It is `failed` if its trials failed
# alike, which resuming runs again.
STATE = "twentieth.state"
# The last line of why a trial failed or stopped; all: reason.txt. Of a search why it ended before
# its budget was used up.
REASON = "twentieth.reason"
# The last epoch of a trial that ended. While it runs, and if its driver was killed, the tag may lag
# (`store_writer.EPOCH_TAG_SECONDS`): the steps of the metrics are exact.
EPOCH = "twentieth.epoch"
# Seconds that a trial has trained, without those between a kill and the resume. It may lag, too.
SECONDS = "twentieth.seconds"
# FLOP of the trial's epochs, each counted once, whatever was interrupted; absent if unknown. It may
# lag, too.
WORK = "twentieth.work"
DEVICE = "twentieth.device"  # the device of the trial, with how much of it the trial has if not 1
VALUES = "twentieth.values"  # JSON: the objectives of a complete trial, in order; else empty
CONFIGURATION = "twentieth.configuration"  # JSON: what was proposed, with types
ORIGIN = "twentieth.origin"  # JSON: the whole provenance, of which the next tags are parts
# Nothing reads the next five back: they are to filter and compare trials by in the page.
STEP = "twentieth.step"  # the method that proposed the trial
ARM = "twentieth.arm"  # `control` if it was proposed without history on purpose, else `main`
GUARD = "twentieth.guard"  # how much history the guard let propose: `all`, `agreeing`, `none`
TASK_WEIGHTS = "twentieth.task_weights"  # the earlier tasks of the model, with their weights
EXPLANATION = "twentieth.explanation"  # why the trial was tried, as a sentence
CHECKPOINTS = "twentieth.checkpoints"  # the folder of the trial's checkpoints
TASK = "twentieth.task"  # the task's id: its name and a digest of its fingerprint
FINGERPRINT = "twentieth.fingerprint"  # JSON: what identifies the task
SPACE = "twentieth.space"  # JSON: the search space
SPEC = "twentieth.spec"  # YAML: the whole spec, from which a search is resumed
OBJECTIVES = "twentieth.objectives"  # JSON: the objectives' metrics, primary first
DIRECTIONS = "twentieth.directions"  # JSON: `maximize` or `minimize` for each objective
ROLES = "twentieth.roles"  # JSON: the role of each objective; absent if all are pareto
STORAGE = "twentieth.storage"  # the folder of the search's journal and checkpoints
WARM = "twentieth.warm_started_from"  # JSON: the searches that it learned from
ENVIRONMENT = "twentieth.environment"  # JSON: commit, Python, machine, library versions
OWNER = "twentieth.owner"  # the process that runs the search: host and process id
GENERATION = "twentieth.generation"  # counts launches and resumes; older ones stop writing
HEARTBEAT = "twentieth.heartbeat"  # when the owner was last seen alive, in seconds since 1970
FAILED_ALIKE = "twentieth.failed_alike"  # JSON: the trials that `resume` runs again
REFUSED = "twentieth.refused"  # JSON, of a search: what the store refused of it, a line for each
BUDGET = "twentieth.trials_budget"  # trials that the search may run in all
STOP = "twentieth.stop"  # a request to stop the search; see stop_requests.py
STOP_TRIAL = "twentieth.stop_trial"  # with `.NUMBER`: a request to stop this trial
# JSON, of a search: what it was expected to cost before its first trial, or why that was unknown.
COST_FORECAST = "twentieth.cost_forecast"
VERDICT = "twentieth.verdict"  # whether history helped, in a few sentences
IDENTITY = "twentieth.identity"  # of an imported run: its tool, and its id there
IMPORTED_FROM = "twentieth.imported_from"  # of an imported run: file and row, or study and trial
NOTE = "mlflow.note.content"  # the description in the page
COLOR = "mlflow.runColor"  # of a run in the page's table and charts
NUMBERS = "twentieth.numbers"  # JSON: epochs and seed of the spec
# The weights a trial started from: the whole lineage as JSON, and parts of it to filter by.
INITIAL_WEIGHTS = "twentieth.initial_weights"  # `SEARCH#NUMBER` whose weights the trial starts from
SOURCE_RUN = "twentieth.source_run"  # the MLflow run of that trial
ROWS_CARRIED = "twentieth.rows_carried"  # number of head rows taken over by label name
ROWS_INITIALIZED = "twentieth.rows_initialized"  # number of head rows initialised anew
OVERLAP = "twentieth.overlap"  # training examples of the source that are in the evaluation data
BASE = "twentieth.base"  # the pretrained model underneath
LINEAGE = "twentieth.lineage"  # JSON: where the initial weights come from, through all ancestors
LINEAGES = "twentieth.lineages"  # JSON, of a search: `SEARCH#NUMBER` to its file and lineage
# Of a trial with warnings: `replaced` if stronger attacks lowered its robust accuracy and no more,
# `doubtful` if that may be false, as its gradients may be masked; absent without a warning. A
# doubtful trial has failed, unless the spec has `robustness: {doubtful: keep}`.
ROBUST_VALUE = "twentieth.robust_value"
ROBUST_WARNINGS = "twentieth.robust_warnings"  # names of the warnings behind that, joined by `; `

# Metrics. The page draws those with the same text before the "/" as one section of charts, and the
# sections before all other charts. The metrics of the training keep the names that it gave them.
OBJECTIVE = "objective/"  # of a trial, see `objective_names`
TOTAL = "search/"  # of a search's run: its numbers as a whole, `search.transfer.totals`
LOGARITHM = "log10."  # of a trial: the logarithm of a hyperparameter

SPEC_FILE = "spec.yaml"  # artifact of a search: its spec, as it was run
EXPERIENCE = "experience.json"  # artifact of a search: what history taught at its start
TABLES = "tables"  # folder of a trial's artifacts: its tables as text files
ROBUSTNESS = "robustness"  # another: evaluations, warnings, later attacks, examples, explanations
WARNINGS_FILE = "search_warnings.md"  # in it: what was warned of while the search ran

# Colours that are told apart with every kind of colour vision: Okabe and Ito 2008, "Color universal
# design", without black and yellow, and without vermilion, which is for failed trials.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
COLORS_OF_STATES = {"stopped": "#B0B0B0", "failed": "#D55E00"}

# Below the limits of 8,000 characters of mlflow 3 and 5,000 of older servers.
PIECE = 4_500


def trial_key(search: str, number: int) -> str:
    """Returns the key of a trial, the same through crash, retry, node loss and resume."""
    return f"{search}/{number}"


def trial_name(search: str, number: int, state: str = "", epoch: int = 0) -> str:
    """Returns a trial's run name: "004 digits-0102", "004 stopped (epoch 3) digits-0102".

    It begins with what differs, since the page cuts names on the right. A running or complete trial
    is named without its state; MLflow has the same status for a stopped and an interrupted one.
    """
    if state in ("", "running", "complete"):
        return f"{number:03d} {search}"
    return f"{number:03d} {state} (epoch {epoch}) {search}"


def color(search: str, state: str = "") -> str:
    """Returns the colour of a trial in the page: its search's; grey if stopped, red if failed."""
    return COLORS_OF_STATES.get(state) or COLORS[crc32(search.encode()) % len(COLORS)]


def objective_names(objectives: Iterable[str]) -> dict[str, str]:
    """Returns objective -> name of the metric with its newest value: "objective/accuracy.robust".

    Every trial has one, after every epoch: the objective once it is measured, and until then the
    metric that stands for it (`Spec.epoch_metric`). So all trials can be sorted and drawn together,
    and a stopped one has the value of its last epoch. The name is the objective's role, as the
    metric differs between the epochs. Nothing reads it back: a value of history is an objective's.
    """
    roles = {name: MetricName.parse(name).role for name in objectives}
    shared = Counter(roles.values())
    return {
        name: f"{OBJECTIVE}{role if shared[role] == 1 else name}" for name, role in roles.items()
    }


def split_tags(name: str, text: str) -> dict[str, str]:
    """Returns `text` as one tag `name` if it fits, else as tags name.0, name.1, ..."""
    if len(text) <= PIECE:
        return {name: text}
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return {f"{name}.{index}": piece for index, piece in enumerate(pieces)}


def all_split(texts: Mapping[str, str]) -> dict[str, str]:
    """Returns several texts as tags, each split if it is too long."""
    return {
        key: piece for name, text in texts.items() for key, piece in split_tags(name, text).items()
    }


def joined_tag(name: str, tags: Mapping[str, str]) -> str | None:
    """Returns the text that `split_tags` wrote; None if it is missing."""
    if name in tags:
        return tags[name]
    pieces: list[str] = []
    while f"{name}.{len(pieces)}" in tags:
        pieces.append(tags[f"{name}.{len(pieces)}"])
    return "".join(pieces) if pieces else None


def provenance_tags(record: object) -> dict[str, str]:
    """Returns the recorded parts of a trial's origin as tags to filter by, and as a sentence."""
    origin = read_origin(record)
    tags = {
        STEP: origin.step,
        ARM: origin.arm,
        GUARD: origin.guard.history if origin.guard else "",
        TASK_WEIGHTS: tasks_in_words(origin.source_tasks),
        EXPLANATION: provenance_text(origin),
    }
    return {name: text[:PIECE] for name, text in tags.items() if text}


def weights_tags(lineage: Mapping[str, Any]) -> dict[str, str]:
    """Returns the weights a trial started from as tags; none for a trial from scratch."""
    if not lineage:
        return {}
    texts = {
        INITIAL_WEIGHTS: str(lineage["source"]),
        SOURCE_RUN: str(lineage["source_run"]),
        ROWS_CARRIED: str(len(lineage["rows_carried"])),
        ROWS_INITIALIZED: str(len(lineage["rows_initialized"])),
        OVERLAP: str(lineage["overlap"]["count"]),
        BASE: str(lineage.get("base") or ""),
    }
    return {name: text for name, text in texts.items() if text} | split_tags(
        LINEAGE, json.dumps(dict(lineage), sort_keys=True)
    )


def logarithms(configuration: Mapping[str, Any], log_scaled: frozenset[str]) -> dict[str, float]:
    """Returns log10 of log-scaled hyperparameters as metrics: the page draws params linearly."""
    return {
        f"{LOGARITHM}{name}": math.log10(value)
        for name, value in configuration.items()
        if name in log_scaled and isinstance(value, int | float) and value > 0
    }
