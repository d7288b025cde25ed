"""The judgement of a finished trial on what no search has seen, in a Ray task of its own.

Models of images are confirmed on part C and judged on the test split, AutoAttack and all
(`models/adversarial/judgement.py`); models of texts are measured on the test split. Which trials,
and what becomes of a judge that breaks, is the driver's business (judging.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import Threat
from models.checkpoints import newest_checkpoint
from models.training.protocol import EvaluatedTraining, JudgedTraining
from search.optimize.trainings import TaskOnWorker, WorkersBase, training_of

if TYPE_CHECKING:
    from models.data import Splits

WITNESSES = "witnesses_test.safetensors"


@dataclass(frozen=True)
class HeldOut:
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


def judge_trial(task: TaskOnWorker, config: Mapping[str, Any], data: Splits | None) -> HeldOut:
    """Judges a finished trial by its last checkpoint.

    Raises:
        FileNotFoundError: the trial has no checkpoint of its last epoch.
    """
    training = training_of(task, config, data, WorkersBase())
    if not isinstance(training, EvaluatedTraining):
        return HeldOut()
    folder = Path(config["checkpoints"])
    checkpoint = newest_checkpoint(folder)
    if checkpoint is not None:
        training.load_state_dict(checkpoint.load_state())
    is_finished = checkpoint is not None and (checkpoint.epoch >= task.epochs or training.ended)
    if not is_finished:
        raise FileNotFoundError(f"no checkpoint of epoch {task.epochs} in {folder}")
    if isinstance(training, JudgedTraining):
        assert isinstance(task.spec.threat, Threat), "images are attacked by their pixels"
        return _judged_images(training, task.spec.threat, folder)
    return HeldOut(training.evaluate_test())


def _judged_images(training: JudgedTraining, threat: Threat, folder: Path) -> HeldOut:
    from models.adversarial.autoattack import MISSING, is_installed
    from models.adversarial.judgement import judge
    from models.adversarial.witnesses import save_witnesses

    judged = judge(training, threat)
    save_witnesses(judged.witnesses, folder / WITNESSES)
    message = "" if is_installed() or not threat.final_examples else MISSING
    return HeldOut(judged.metrics, judged.texts, (str(folder / WITNESSES),), message)
