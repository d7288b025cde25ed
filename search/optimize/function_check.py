"""Checks a user's own training function before its search: imports its module, calls nothing."""

from __future__ import annotations

import sysconfig
import traceback

from models.catalog import Threat
from models.networks.own_code import OwnCodeError, PassedCode, load_function, locate_code
from models.training.function_signature import form_of
from models.training.function_source import mistakes_in
from search.spec import Spec

_STANDARD = sysconfig.get_path("stdlib")


def check_function(spec: Spec, passed: PassedCode | None = None) -> None:
    """Check that a spec's training function can be imported, has a form, and shows no mistake.

    Args:
        spec: The spec.
        passed: The function, if a script or a notebook passed it.

    Raises:
        ValueError: names the place, the mistake and the fix.
    """
    reference = spec.task.train
    assert reference is not None, "the task names a training function"
    if passed is None:
        locate_code(reference)
    kind = spec.task.data_kind() if spec.task.data else None
    _check_threat(spec, kind)
    try:
        function = load_function(reference, snapshot=passed)
    except OwnCodeError:
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(f"{reference}: importing it failed: {_place(error)}{_text(error)}; fix: "
                         f"{_fix(error)}") from error  # fmt: skip
    try:
        form_of(function)
    except TypeError as error:
        code = getattr(function, "__code__", None)
        place = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
        raise ValueError(f"{reference}: {place}it {error}") from error
    known = {*spec.space, *spec.task.settings}
    if found := mistakes_in(function, known, spec.metrics, kind):
        raise ValueError(f"{reference}:\n" + "\n".join(found))


def _check_threat(spec: Spec, kind: str | None) -> None:
    """Refuse a threat to texts: a function attacks images alone (`search.robustness`).

    Raises:
        ValueError: the spec has one, or one of images for texts.
    """
    if kind not in (None, "images") and spec.robustness != Threat():
        raise ValueError(
            f"robustness: a training function is given texts ({kind}) as trial.data, and only "
            "images can be attacked by search.robustness; fix: remove the section, and report a "
            "robust metric of your own; or train a model of the catalog, which attacks texts"
        )


def _place(error: BaseException) -> str:
    """Return the innermost place that is no library's: the user's own line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if _is_own(each.filename)]
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""


def _is_own(file: str) -> bool:
    ours = ("own_code.py", "function_check.py")
    is_installed = any(part in file for part in ("site-packages", "dist-packages", *ours))
    return not (file.startswith(("<", _STANDARD)) or is_installed)


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "it called sys.exit"
    return f"{type(error).__name__}: {error}"


def _fix(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return 'put what a script does at its end under `if __name__ == "__main__":`'
    if isinstance(error, ModuleNotFoundError):
        return f"install {error.name}, or add its folder to PYTHONPATH"
    return "correct the module"
