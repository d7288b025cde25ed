"""The last Ray tasks of a search: its best trials are evaluated on what no search has seen.

Models of images are confirmed on part C and judged on the test split, AutoAttack and all
(`models/adversarial/pixels/final_evaluation.py`); models of texts are measured on the test split.
What is found goes to the journal as it comes, so Ctrl-C keeps what is done and `resume` does what
is left: it looks for the best trials without `test.*` metrics. AutoAttack is expensive, and a
library of others; an evaluation that breaks is replaced by one without it, so no search is lost by
it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from models.catalog import Threat
from models.scores.metric_names import on_split
from models.training.protocol import AttackableTraining, EvaluatedTraining
from models.weights.checkpoints import newest_checkpoint
from search.history import Trial
from search.optimize.plan import Plan, trial_seed
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from search.tracking.write.journal import Journal

if TYPE_CHECKING:
    from models.data.loading import Splits


@dataclass(frozen=True)
class _Pending:
    """A judgement under way: of which trial, by its config, with what task."""

    trial: Trial
    config: Mapping[str, Any]
    task: TaskOnWorker


def evaluate_front(
    plan: Plan,
    task: TaskOnWorker,
    data: object,
    front: Sequence[Trial],
    journal: Journal,
    stop: threading.Event,
) -> None:
    """Judges trials on Ray and writes what is found to the journal.

    Args:
        plan: Of the search.
        task: What its trials share.
        data: The splits.
        front: Which; each with its last epoch, for early stopping may have ended it.
        journal: Where to.
        stop: Set to leave the rest for `resume`.
    """
    if not front:
        return
    resources = plan.spec.resources
    evaluate_robustness = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(
        evaluate_trial
    )
    stored, pending = ray.put(data), {}
    for trial in front:
        asked = _Pending(trial, _config(plan, trial), task)
        pending[evaluate_robustness.remote(asked.task, asked.config, stored)] = asked
    journal.append("driver", message=_announced(task, len(front)))
    while pending and not stop.is_set():
        ready, _ = ray.wait(list(pending), timeout=1.0)
        for reference in ready:
            asked = pending.pop(reference)
            again = _record(asked, reference, journal)
            if again is not None:
                pending[evaluate_robustness.remote(again.task, again.config, stored)] = again


def _record(asked: _Pending, reference: Any, journal: Journal) -> _Pending | None:
    """Writes one judgement; or returns what to ask instead, where it failed."""
    number = asked.trial.number
    try:
        found: FinalEvaluation = ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        simpler = _without_autoattack(asked)
        what = f"the judgement of trial {number} failed: {reason}"
        rest = "; judging it without AutoAttack" if simpler else ""
        journal.append("driver", message=what + rest)
        return simpler
    if found.message:
        journal.append("driver", message=f"trial {number}: {found.message}")
    journal.append(
        "test", number=number, epoch=asked.trial.epoch, metrics=dict(found.metrics),
        texts=dict(found.texts), files=list(found.files),
    )  # fmt: skip
    journal.append("driver", message=_told(asked, found))
    return None


def _without_autoattack(asked: _Pending) -> _Pending | None:
    spec = asked.task.spec
    if not isinstance(spec.threat, Threat) or not spec.threat.final_examples:
        return None
    robustness = replace(spec.threat, final_examples=0)
    without = spec.model_copy(update={"robustness": robustness})
    return replace(asked, task=replace(asked.task, spec=without))


def _config(plan: Plan, trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "configuration": plan.spec.complete(trial.configuration),
        "checkpoints": str(plan.checkpoints(trial.number)),
        "seed": trial_seed(plan.spec.seed, trial.number),
    }


def _announced(task: TaskOnWorker, count: int) -> str:
    by, threat = "", task.spec.threat
    if isinstance(threat, Threat) and threat.final_examples:
        by = f" by AutoAttack on at most {threat.final_examples} images; this takes a while"
    return f"test split: {count} configurations{by}"


def _told(asked: _Pending, found: FinalEvaluation) -> str:
    """The accuracies that a person waits for, in a line."""
    wanted, threat = ["accuracy.clean"], asked.task.spec.threat
    if isinstance(threat, Threat):
        wanted += [threat.metric(), threat.autoattack_metric(), threat.worst_metric()]
    told = [
        f"{name} {found.metrics[on_split('test', name)]:.4f}"
        for name in wanted
        if on_split("test", name) in found.metrics
    ]
    return f"trial {asked.trial.number} on the test split: {', '.join(told) or 'measured'}"


ADVERSARIAL_EXAMPLES = "witnesses_test.safetensors"


@dataclass(frozen=True)
class FinalEvaluation:
    """What was found of one trial.

    Attributes:
        metrics: `test.*` and `confirmation.*`; empty if the model has no test split.
        texts: Files for its run, by name.
        files: Files in its checkpoints' folder that belong to its run, too.
        message: What went wrong, in a sentence; "" if nothing did.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    message: str = ""


def evaluate_trial(
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits | None
) -> FinalEvaluation:
    """Judges a finished trial by its last checkpoint.

    Raises:
        FileNotFoundError: the trial has no checkpoint of its last epoch.
    """
    training = training_of(task, config, data, WorkersBase())
    if not isinstance(training, EvaluatedTraining):
        return FinalEvaluation()
    folder = Path(config["checkpoints"])
    checkpoint = newest_checkpoint(folder)
    if checkpoint is not None:
        training.load_state_dict(checkpoint.load_state())
    is_finished = checkpoint is not None and (checkpoint.epoch >= task.epochs or training.ended)
    if not is_finished:
        raise FileNotFoundError(f"no checkpoint of epoch {task.epochs} in {folder}")
    if isinstance(training, AttackableTraining):
        assert isinstance(task.spec.threat, Threat), "images are attacked by their pixels"
        return _evaluate_images(training, task.spec.threat, folder)
    return FinalEvaluation(training.evaluate_test())


def _evaluate_images(training: AttackableTraining, threat: Threat, folder: Path) -> FinalEvaluation:
    from models.adversarial.pixels.adversarial_examples import save_adversarial_examples
    from models.adversarial.pixels.autoattack import MISSING, is_installed
    from models.adversarial.pixels.final_evaluation import evaluate_robustness

    judged = evaluate_robustness(training, threat)
    save_adversarial_examples(judged.adversarial_examples, folder / ADVERSARIAL_EXAMPLES)
    message = "" if is_installed() or not threat.final_examples else MISSING
    return FinalEvaluation(
        judged.metrics, judged.texts, (str(folder / ADVERSARIAL_EXAMPLES),), message
    )
