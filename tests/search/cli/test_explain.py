"""`twentieth explain` without a trial to explain; a real one is in test_robust_search.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.explanations import integrated_gradients
from search.cli import explain
from search.cli.explain import explain_model


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Any:
    source = SimpleNamespace(name="digits-1#7", has_checkpoint=True, checkpoints="/gone",
                             check_data=str)  # fmt: skip
    monkeypatch.setattr(explain, "find_trial", lambda *_: source)
    return source


def told(folder: Path) -> list[str]:
    return list(explain_model("", "digits-1#7", folder, examples=2, baseline="black"))


def test_without_captum_the_command_says_how_to_install_it(
    found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrated_gradients, "is_installed", lambda: False)
    with pytest.raises(ValueError, match=r"captum, which is not installed; fix: .*\[explain\]"):
        told(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_trial_without_a_checkpoint_is_refused(found: Any, tmp_path: Path) -> None:
    found.has_checkpoint = False
    with pytest.raises(LookupError, match="no checkpoint of digits-1#7 is left"):
        told(tmp_path)
