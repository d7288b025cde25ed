"""FunctionTraining: the training by a user's own function, of either form (function_signature.py).

One report is one epoch. After an interruption the function is called again with the newest
checkpoint that it reported; epochs between that and the last report are trained again, but not
reported again. It ends with its budget, or when the function returns before: ending early is an
end like another. NaN is an ordinary value here: the trial, which has the objectives, ends at one
that is NaN (search/optimize/trainable.py). Imports no torch: a function may need none.
"""

from __future__ import annotations

import copy
import inspect
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from models.training.function_signature import form_of, takes_state
from models.training.function_thread import FunctionThread
from models.training.trial_context import Checkpoint, Report, TrialContext, TrialPlace


class FunctionExit(RuntimeError):
    """A training function tried to end the process that it runs in."""


class FunctionTraining:
    """A user's own training function in training: a `models.training.protocol.Training`.

    Args:
        function: of either form.
        configuration: the trial's; the function gets a copy.
        epochs: the full budget.
        seed: the trial's seed.
        place: where the trial runs.

    Raises:
        TypeError: the function has neither form.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        configuration: Mapping[str, Any],
        *,
        epochs: int,
        seed: int,
        place: TrialPlace,
    ) -> None:
        self._function, self._configuration = function, dict(configuration)
        self._form = form_of(function)
        self._epochs, self._seed, self._place = epochs, seed, place
        self._epoch, self._has_returned = 0, False
        self._saved: Checkpoint | None = None  # a folder of the user's own until it is copied
        self._saved_epoch = 0
        self._copy: Path | None = None

    @property
    def ended(self) -> bool:
        """Whether no epoch is left: the budget is used up, or the function has returned."""
        return self._has_returned or self._epoch >= self._epochs

    def run(self) -> Iterator[dict[str, float]]:
        """Yield the metrics of the epochs that were not reported yet.

        After the budget's last report the function runs to its end before that is yielded.
        """
        if self.ended:
            return
        trial = TrialContext(
            self._place, epochs=self._epochs, seed=self._seed, epoch=self._saved_epoch,
            checkpoint=copy.deepcopy(self._saved),
        )  # fmt: skip
        thread = FunctionThread(lambda: self._call_safely(trial))
        trial.bind(thread, self._epoch)
        try:
            while not self.ended:
                report: Report | None = thread.advance()
                if report is None:
                    self._has_returned = True
                    return
                if report.epoch >= self._epochs:
                    thread.advance()  # to its end: another report is refused
                self._epoch = report.epoch
                if report.checkpoint is not None:
                    self._saved, self._saved_epoch = report.checkpoint, report.epoch
                yield report.metrics
        finally:
            thread.close()

    def state_dict(self) -> dict[str, object]:
        """Return the epochs reported, and the newest checkpoint of the function's own.

        A folder is copied first, so that what is returned stays true while the function goes on.

        Raises:
            OSError: the folder cannot be copied; the call may be repeated.
        """
        state: dict[str, object] = {"epoch": self._epoch, "returned": self._has_returned}
        if self._saved is None:
            return state
        state["saved_epoch"] = self._saved_epoch
        if isinstance(self._saved, Path):
            self._saved = self._copied(self._saved)
            return state | {"folder": f"{self._saved.parent.name}/{self._saved.name}"}
        return state | {"saved": copy.deepcopy(dict(self._saved))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the function's newest checkpoint, before `run` is called.

        Raises:
            FileNotFoundError: its checkpoint folder is gone.
        """
        self._epoch, self._has_returned = int(state["epoch"]), bool(state["returned"])
        self._saved_epoch, self._saved = int(state.get("saved_epoch", 0)), state.get("saved")
        if "folder" in state:
            self._saved = self._copy = self._place.checkpoints.parent / str(state["folder"])
            if not self._saved.is_dir():
                raise FileNotFoundError(f"the trial's checkpoint folder {self._saved} is gone; "
                                        "fix: restore it, or start a new search")  # fmt: skip

    def _call_safely(self, trial: TrialContext) -> None:
        """Call the function in its thread; what would end the process becomes an exception.

        Only here: from the thread of the caller these come by a signal, and do end the process.
        """
        try:
            self._call(trial)
        except (SystemExit, KeyboardInterrupt) as error:
            raise FunctionExit(_why_exit(error)) from error

    def _call(self, trial: TrialContext) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and self._place.threads:
            torch.set_num_threads(self._place.threads)  # counts for the calling thread
        self._place.folder.mkdir(parents=True, exist_ok=True)
        if self._form == "generator":
            self._iterate(trial)
        else:
            found = self._function(dict(self._configuration), trial)
            if inspect.isgenerator(found) or inspect.isawaitable(found):
                raise TypeError(f"the training function returned a {type(found).__name__}, which "
                                "nobody runs; fix: call trial.report in it")  # fmt: skip
            if trial.epoch == 0 and isinstance(found, Mapping):
                raise TypeError("the training function returned a dict and reported nothing; fix: "
                                "trial.report(that dict) after every epoch")  # fmt: skip
        if trial.epoch == 0:
            raise ValueError("the training function returned without a report; fix: report the "
                             "metrics of every epoch")  # fmt: skip

    def _iterate(self, trial: TrialContext) -> None:
        given: dict[str, Any] = {"epochs": trial.epochs, "seed": trial.seed}
        has_state = takes_state(self._function)
        if has_state:
            given["state"] = trial.checkpoint
        found = self._function(dict(self._configuration), **given)
        if isinstance(found, Mapping) or not isinstance(found, Iterable):
            raise TypeError(f"the training function returned {_a(found)} and yields nothing; fix: "
                            "yield a dict of metrics after every epoch")  # fmt: skip
        epochs = iter(found)
        closed: Any = closing(epochs) if inspect.isgenerator(epochs) else nullcontext()
        with closed:
            for entry in epochs:
                metrics, state = entry if _is_pair(entry) else (entry, None)
                if state is not None and not has_state:
                    raise TypeError("the training function yields a state and takes none to "
                                    "continue from; fix: add the argument state=None")  # fmt: skip
                trial.report(metrics, checkpoint=state)
                if trial.should_stop:
                    return

    def _copied(self, folder: Path) -> Path:
        """Return the copy of a checkpoint folder; older ones but the last before are removed."""
        place = self._place.checkpoints
        if folder.parent == place or folder == self._copy:
            return folder
        place.mkdir(parents=True, exist_ok=True)
        name = f"epoch_{self._saved_epoch:04d}-{secrets.token_hex(3)}"
        new = place / f"{name}.new"
        try:
            shutil.copytree(folder, new)
            target = place / name
            os.rename(new, target)  # so that a visible copy is complete
        except (OSError, shutil.Error):
            shutil.rmtree(new, ignore_errors=True)
            raise
        before, self._copy = self._copy, target
        for other in place.iterdir():
            if other not in (before, target):
                shutil.rmtree(other, ignore_errors=True)
        return target


def _is_pair(entry: object) -> bool:
    return isinstance(entry, tuple) and len(entry) == 2


def _a(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _why_exit(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "the training function raised KeyboardInterrupt; fix: return to end the trial"
    is_argparse = error.__context__ is not None and "argparse" in type(error.__context__).__module__
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    if is_argparse or any(Path(each).name == "argparse.py" for each in frames):
        return ("argparse ended the training function: it read the command line of the worker; "
                "fix: read the configuration instead of parse_args()")  # fmt: skip
    code = getattr(error, "code", None)
    return (f"the training function called sys.exit({'' if code is None else repr(code)}); fix: "
            "return to end the trial, raise an exception to fail it")  # fmt: skip
