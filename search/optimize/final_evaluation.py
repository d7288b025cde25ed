"""Final evaluation: the last Ray tasks of a search evaluate its best trials on unseen data.

Models are confirmed on the confirmation part and evaluated on the test split; image models with
AutoAttack (`models/adversarial/pixels/final_evaluation.py`), text models with their tables. The
results go to the journal as they come, so Ctrl-C keeps what is done and `resume` does the rest: it
evaluates the best trials that have no `test.*` metrics. AutoAttack is expensive and comes from
another library; if an evaluation fails, one without it is made instead.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from models.catalog import Threat
from models.scores.metric_names import on_split
from models.training.protocol import AttackableTraining, ConfirmedTraining, EvaluatedTraining
from models.weights.checkpoints import newest_checkpoint
from search.history import Trial
from search.history.causes import last_line
from search.history.plurals import counted
from search.objectives.objective import value_text
from search.optimize.plan import Plan
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from search.tracking.write.journal import Journal

if TYPE_CHECKING:
    from models.data.loading import Splits


def evaluate_front(
    plan: Plan,
    task: TaskOnWorker,
    data: object,
    front: Sequence[Trial],
    journal: Journal,
    stop: threading.Event,
) -> None:
    """Evaluates trials on Ray and writes the results to the journal.

    Args:
        plan: The search's plan.
        task: What its trials share.
        data: The splits.
        front: The trials, each with its last epoch, since early stopping may have ended it.
        journal: The journal.
        stop: Set to leave the rest to `resume`.
    """
    if not front:
        return
    resources, threat = plan.spec.resources, task.spec.threat
    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(evaluate_trial)
    # One trial shows what the search's models look at; more may be asked for (`twentieth explain`).
    explained = front[0].number
    stored = ray.put(data)

    def start(trial: Trial, task: TaskOnWorker) -> Any:
        config = plan.config(trial.number, trial.configuration)
        return remote.remote(task, config, stored, is_explained=trial.number == explained)

    # A stream of steps, and at its end the result.
    pending = {start(trial, task): (trial, task) for trial in front}
    by = ""
    if isinstance(threat, Threat) and threat.final_examples:
        by = f" with AutoAttack on up to {threat.final_examples} images; this may take a while"
    journal.say(f"test split: {counted(len(front), 'configuration')}{by}")
    while pending and not stop.is_set():
        ready, _ = ray.wait(list(pending), timeout=1.0)
        for stream in ready:
            trial, used = pending[stream]
            try:
                found: str | FinalEvaluation | ray.exceptions.RayError = ray.get(next(stream))
            except ray.exceptions.RayError as error:
                found = error
            if isinstance(found, str):
                journal.append("evaluating", number=trial.number, step=found, of=len(front))
                continue
            del pending[stream]
            count = f"[{len(front) - len(pending)}/{len(front)}]"
            if isinstance(found, FinalEvaluation):
                _record(trial, task.spec.threat, found, journal, count)
            elif simpler := _simpler(trial, used, found, journal):
                pending[start(trial, simpler)] = (trial, simpler)
                continue
            journal.append("evaluating", number=trial.number, step="", of=len(front))


def _simpler(
    trial: Trial, task: TaskOnWorker, error: Exception, journal: Journal
) -> TaskOnWorker | None:
    """Writes that an evaluation failed; returns the task without AutoAttack, if it has that."""
    spec = task.spec
    reason = last_line(str(error)) or type(error).__name__
    what = f"the evaluation of trial {trial.number:03d} failed: {reason}"
    if not isinstance(spec.threat, Threat) or not spec.threat.final_examples:
        journal.say(what)
        return None
    journal.say(f"{what}; evaluating it without AutoAttack")
    robustness = replace(spec.threat, final_examples=0)
    return replace(task, spec=spec.model_copy(update={"robustness": robustness}))


def _record(
    trial: Trial, threat: object, found: FinalEvaluation, journal: Journal, count: str
) -> None:
    """Writes one evaluation."""
    if found.message:
        journal.say(f"trial {trial.number:03d}: {found.message}")
    journal.append(
        "test", number=trial.number, epoch=trial.epoch, metrics=dict(found.metrics),
        texts=dict(found.texts), files=list(found.files), tables=dict(found.tables),
    )  # fmt: skip
    shown = [*trial.metrics, "accuracy.clean", "f1.clean"]
    if isinstance(threat, Threat):
        shown += [threat.metric(), threat.autoattack_metric(), threat.worst_metric()]
    values = [
        f"{name} {value_text(found.metrics[on_split('test', name)])}"
        for name in dict.fromkeys(shown)
        if on_split("test", name) in found.metrics
    ]
    measured = ", ".join(values) or "measured"
    journal.say(f"trial {trial.number:03d} on the test split: {measured}  {count}")


# Examples of a group that a search explains; its evaluation is to take no longer for them.
EXPLAINED = 3
ADVERSARIAL_EXAMPLES = "adversarial_examples_test.safetensors"


@dataclass(frozen=True)
class FinalEvaluation:
    """The results of one trial.

    Attributes:
        metrics: `test.*` and `confirmation.*`; empty if the model has no test split.
        texts: Texts for files of its run on its robustness, by name.
        files: Files in its checkpoint folder that also belong to its run.
        message: What went wrong, and what the checks warn of; "" if neither.
        tables: The tables of the test split, by file name.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    message: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)


def evaluate_trial(
    task: TaskOnWorker,
    config: Mapping[str, Any],
    data: Splits | None,
    *,
    is_explained: bool = False,
) -> Iterator[str | FinalEvaluation]:
    """Evaluates a finished trial from its last checkpoint.

    With `is_explained` a few of its predictions are explained, where captum is installed.

    Yields each step in words before it is taken; the result is the last item.

    Raises:
        FileNotFoundError: The trial has no checkpoint of its last epoch.
    """
    training = training_of(task, config, data, WorkersBase())
    if not isinstance(training, EvaluatedTraining):
        yield FinalEvaluation()
        return
    folder = Path(config["checkpoints"])
    checkpoint = newest_checkpoint(folder)
    if checkpoint is not None:
        training.load_state_dict(checkpoint.load_state())
    if checkpoint is None or not (checkpoint.epoch >= task.epochs or training.ended):
        raise FileNotFoundError(f"no checkpoint of epoch {task.epochs} in {folder}")
    found = yield from _evaluated(training, task.spec.threat, folder)
    yield _explained(found, training, task, data, folder) if is_explained else found


def _evaluated(
    training: EvaluatedTraining, threat: object, folder: Path
) -> Generator[str, None, FinalEvaluation]:
    """Yields each step in words before it is taken; returns the results."""
    if isinstance(training, AttackableTraining):
        return (yield from _attacked(training, threat, folder))
    metrics: dict[str, float] = {}
    if isinstance(training, ConfirmedTraining):
        yield "measuring the confirmation part"
        metrics = training.evaluate_confirmation()
    yield "measuring the test split"
    metrics |= training.evaluate_test()
    tables = training.test_tables() if isinstance(training, ConfirmedTraining) else {}
    return FinalEvaluation(metrics, tables=tables)


def _attacked(
    training: AttackableTraining, threat: object, folder: Path
) -> Generator[str, None, FinalEvaluation]:
    """Evaluates a classifier of images, and keeps its adversarial examples in the folder."""
    assert isinstance(threat, Threat), "images are attacked in their pixels"
    from models.adversarial.pixels.autoattack import MISSING, is_installed
    from models.adversarial.pixels.final_evaluation import evaluate_robustness
    from models.adversarial.pixels.stored_examples import save_adversarial_examples

    for found in evaluate_robustness(training, threat):
        if isinstance(found, str):
            yield found
    assert not isinstance(found, str), "the result is the last item"
    file = folder / ADVERSARIAL_EXAMPLES
    save_adversarial_examples(found.adversarial_examples, file)
    missing = [] if is_installed() or not threat.final_examples else [MISSING]
    warned = [f"warning: {each.name} ({each.measured})" for each in found.warnings]
    return FinalEvaluation(found.metrics, found.texts, (str(file),), "; ".join(missing + warned))


def _explained(
    found: FinalEvaluation, training: EvaluatedTraining, task: TaskOnWorker, data: Splits | None,
    folder: Path,
) -> FinalEvaluation:  # fmt: skip
    """Returns the results with the files that explain predictions; without captum as they are.

    They took hours, and an explanation is an extra: if it fails, they are kept without it.
    """
    from models.explanations.explain import write_explanations
    from models.explanations.integrated_gradients import is_installed

    threat = task.spec.threat
    if not is_installed() or data is None or threat is None:
        return found
    try:
        files = write_explanations(training, data, threat, folder, count=EXPLAINED)
        texts = {file.name: file.read_text("utf-8") for file in files if file.suffix == ".md"}
    except Exception as error:  # a network without a gradient, no memory, a full disk
        why = last_line(str(error)) or type(error).__name__
        return replace(found, message=f"{found.message}; not explained: {why}".removeprefix("; "))
    others = [str(file) for file in files if file.suffix != ".md"]
    return replace(found, texts={**found.texts, **texts}, files=(*found.files, *others))
