"""What hashes of code cover: all code that decides a result, comments excluded, no missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import code_version
from benchmarks.harness.code_version import file_hash, imported_hash, modules_of, tree_hash
from benchmarks.harness.provenance import ROOT


def test_words_about_code_leave_results_valid_and_code_does_not(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        (tmp_path / "code.py").write_text(text)
        return file_hash(tmp_path / "code.py")

    plain = hashed('def f(x):\n    """One."""\n    return x + 1\n')
    assert plain == hashed('def f(x):\n    """Two."""\n    # why\n    return (x + 1)\n')
    assert plain != hashed('def f(x):\n    """One."""\n    return x + 2\n')


def test_a_place_without_code_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"moved\.py: no Python file there"):
        tree_hash(ROOT / "models" / "moved.py")
    with pytest.raises(FileNotFoundError, match="no Python file there"):
        tree_hash(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"search\.moved: no such module"):
        imported_hash(["search.moved"])


def test_imports_are_followed_at_any_depth_and_what_is_excluded_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_version, "ROOT", tmp_path)
    for name, text in (
        ("p/__init__.py", ""),
        ("p/a.py", "from p.b import f\n"),
        ("p/b.py", "def f():\n    from p import c\n"),
        ("p/c.py", "x = 1\n"),
        ("p/d.py", "x = 1\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert modules_of(tmp_path / "p") == ["p.__init__", "p.a", "p.b", "p.c", "p.d"]
    before, without = imported_hash(["p.a"]), imported_hash(["p.a"], without=("p.c",))
    (tmp_path / "p" / "d.py").write_text("x = 2\n")
    assert imported_hash(["p.a"]) == before
    (tmp_path / "p" / "c.py").write_text("x = 2\n")
    assert imported_hash(["p.a"]) != before
    assert imported_hash(["p.a"], without=("p.c",)) == without


def test_the_sampler_version_covers_every_folder_that_a_proposal_passes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: list[str] = []

    def noted(path: Path) -> str:
        hashed.append(path.relative_to(ROOT).parts[1])
        return "a hash"

    monkeypatch.setattr(code_version, "file_hash", noted)
    code_version.sampler_version.__wrapped__()
    assert {"apply", "space", "history", "objectives"} <= set(hashed)
    assert not {"tracking", "spec", "cli", "report"} & set(hashed)
    apply = [path for path in (ROOT / "search" / "apply").rglob("*.py")]
    assert hashed.count("apply") == len(apply)
