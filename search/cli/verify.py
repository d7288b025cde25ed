"""`twentieth attack --verify`: checks the stored adversarial examples of a trial, in seconds.

Whatever a file says, it proves what the rebuilt model misclassifies in the ball of its metric's
name, and its bound is compared with the value that the run logged. A damaged file costs itself
alone.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from search.cli.attack import DOCUMENT, EXAMPLES, find_attackable, results_table
from search.history import Trial
from search.history.plurals import counted
from search.spec.own_code import NOTHING, Allowed
from search.tracking.artifacts import (
    ADVERSARIAL_EXAMPLES,
    fetch_adversarial_examples,
    read_robustness,
)
from search.tracking.store import open_client
from search.transfer.best import interval_text

if TYPE_CHECKING:
    from models.adversarial.pixels.adversarial_examples import AdversarialExamples, Verified

_COLUMNS = (
    "file", "metric", "epsilon", "bound", "95 % interval", "logged", "examples", "wrong clean",
    "adversarial", "confirmed", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Logged:
    """A robust accuracy as the run has it; `examples` is None where their number is unknown."""

    accuracy: float
    examples: int | None


def verify_trial(
    tracking_uri: str, reference: str, allowed: Allowed = NOTHING
) -> Iterator[str | Table]:
    """Checks all adversarial examples of a trial against its rebuilt model; yields the results.

    Raises:
        PermissionError: as `attack_trial`.
        LookupError: there is no such trial, its checkpoint is gone, or it has no adversarial
            examples.
        ValueError: its model is not one of images, or, after the others' results, files are
            refused.
    """
    source, own = find_attackable(tracking_uri, reference)
    from models.training.past_trial import PastTrial, verify_file  # torch costs seconds

    rows, refused = [], 0
    client, run_id = open_client(tracking_uri), source.trial.run_id
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_adversarial_examples(client, run_id, Path(folder))
        if not files:
            raise LookupError(
                f"{source.name} has no stored adversarial examples; fix: `twentieth attack "
                f"{reference}` makes some"
            )
        documents = read_robustness(client, run_id)
        past = PastTrial(source.trained(source.spec.task.base, allowed), own)
        for file in files:
            begun = time.perf_counter()
            try:
                stored, checked = verify_file(past, file)
            except ValueError as error:
                refused += 1
                yield f"{_shown(file.name)} is refused: {error}"
                continue
            logged = logged_value(source.trial, documents, file.name, stored)
            yield from (f"{_shown(file.name)}: {each}" for each in remarks(checked, stored, logged))
            rows.append(_row(file.name, stored, checked, logged, time.perf_counter() - begun))
    if rows:
        yield results_table(f"Adversarial examples of {source.name}", _COLUMNS, rows)
        yield "the robust accuracy on these examples is at most its bound"
    if refused:
        raise ValueError(
            f"{refused} of {counted(len(files), 'file')} of {source.name} refused, as above; fix: "
            f"`twentieth attack {reference}` writes new ones"
        )


def logged_value(
    trial: Trial, documents: Mapping[str, str], file: str, stored: AdversarialExamples
) -> Logged | None:
    """The value of a file's metric in its run; None if the run has none.

    Args:
        trial: The trial, with the metrics of the evaluation after its search.
        documents: The texts on its robustness by name; a later attack has one for its file.
        file: The file's name.
        stored: Its content.
    """
    later = file.removeprefix(EXAMPLES).removesuffix(ADVERSARIAL_EXAMPLES)
    if (text := documents.get(f"{DOCUMENT}{later}.json")) is not None:
        return _of_document(text, stored)
    of_some = "attacked_examples" if stored.split == "test" else "examples"
    accuracy, examples = map(trial.last, (stored.logged_metric, f"{stored.split}.{of_some}"))
    if not math.isfinite(accuracy):
        return None
    return Logged(accuracy, int(examples) if math.isfinite(examples) else None)


def remarks(checked: Verified, stored: AdversarialExamples, logged: Logged | None) -> Iterator[str]:
    """What a table cannot say of a file, in sentences; none if it proves what its run logged."""
    if not checked.is_same_model:
        yield ("made for other weights; only the examples that these weights misclassify too count")
    shown = len(stored.index)
    if outside := shown - checked.in_ball:
        yield f"{outside} of {counted(shown, 'image')} outside the ball, which prove nothing"
    metric = stored.logged_metric
    if logged is None:
        yield f"the run has no {metric}, so the bound can be compared with nothing"
    elif logged.examples not in (None, checked.examples):
        yield (
            f"{metric} was logged for {counted(logged.examples or 0, 'example')}, and the file has "
            f"{checked.examples}: they cannot be compared"
        )
    elif not math.isclose(logged.accuracy, checked.bound, abs_tol=0.5 / checked.examples):
        what = (
            "the file does not prove it"
            if checked.bound > logged.accuracy
            else "the model is less robust than that"
        )
        values = f"{logged.accuracy:.4f}, the bound is {checked.bound:.4f}"
        yield f"{metric} was logged as {values}: {what}"


def _row(
    file: str, stored: AdversarialExamples, checked: Verified, logged: Logged | None, seconds: float
) -> list[str]:
    return [
        _shown(file), stored.logged_metric, f"{stored.epsilon:.4g}",
        f"{checked.bound:.4f}", interval_text(checked.bound, checked.examples),
        "-" if logged is None else f"{logged.accuracy:.4f}", str(checked.examples),
        str(checked.wrong), str(len(stored.index)), str(checked.confirmed), f"{seconds:.2f}",
    ]  # fmt: skip


def _of_document(text: str, stored: AdversarialExamples) -> Logged | None:
    """The value in the results of a later attack; None if they are damaged or lack the metric."""
    try:
        document: Any = json.loads(text)
        if document["split"] != stored.split:
            return None
        for each in document["metrics"]:
            if each["metric"] == stored.metric:
                return Logged(int(each["correct"]) / int(each["examples"]), int(each["examples"]))
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return None
    return None


def _shown(name: str) -> str:
    """A file's name without what a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in name[:200])
