"""What a list of dependencies needs, how large it is, and fair turns of two sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.internal import footprint


def installed(folder: Path, name: str, *requires: str, size: int = 0, extra: str = "") -> None:
    """A distribution with one file of `size` bytes, which its RECORD lists, and one it lacks."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0"]
    lines += [f"Provides-Extra: {extra}"] if extra else []
    lines += [f"Requires-Dist: {each}" for each in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.bin").write_bytes(b"x" * size)
    (info / "RECORD").write_text(f"{name}.bin,,{size}\nnot_there.py,,7\n")


@pytest.fixture
def path(tmp_path: Path) -> list[str]:
    installed(tmp_path, "app", "lib>=1", "win; sys_platform == 'none'", "Under_Score", size=3)
    installed(tmp_path, "lib", "more; extra == 'plus'", "app", size=50, extra="plus")
    installed(tmp_path, "more", size=600)
    return [str(tmp_path)]


def test_what_is_needed_is_followed_through_markers_extras_and_circles(path: list[str]) -> None:
    found = footprint.needed(["app"], path)
    assert found.keys() == {"app", "lib", "under-score"}
    assert found["under-score"] is None  # not installed
    assert footprint.needed(["app", "lib[plus]"], path).keys() - found.keys() == {"more"}
    assert footprint.needed(["app; python_version < '3'"], path) == {}


def test_the_size_is_that_of_the_recorded_files_that_exist(path: list[str]) -> None:
    found = footprint.needed(["app", "lib"], path)
    assert {name: footprint.size(each) for name, each in found.items() if each} == {
        "app": 3, "lib": 50,
    }  # fmt: skip


def test_a_report_names_what_only_one_side_needs(
    path: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", path)
    lines = footprint.sizes_report(["lib[plus]"], ["lib"])
    assert "| distributions | 4 | 3 |" in lines
    assert "Needed before only: more 0.0 MB" in lines and "Needed now only: none" in lines
    assert f"ratio of sizes: {53 / 653:.3f}" in lines
    assert lines[-1] == "Not installed here: under-score"


def test_both_sides_take_turns_and_the_first_start_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = []
    monkeypatch.setattr(footprint, "_run", lambda root, arguments: order.append(root.name))
    seconds = footprint.start_seconds({"a": Path("a"), "b": Path("b")}, ("-V",), 2)
    assert "".join(order) == "baabba"
    assert {side: len(each) for side, each in seconds.items()} == {"a": 2, "b": 2}


def test_code_of_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()  # without __init__.py it has no file
    with pytest.raises(RuntimeError, match="was to be imported"):
        footprint.starts_report({"before": tmp_path}, 1)
