from __future__ import annotations

from pathlib import Path

import pytest

from search.optimize.bundle import code_for_workers, what_stays


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Makes a data set of two files in a project."""
    folder = tmp_path / "data" / "images"
    folder.mkdir(parents=True)
    for name in ("train.parquet", "test.parquet"):
        (folder / name).write_text("")
    return folder


def test_data_in_the_project_is_copied(images: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pt\n/images/\n")
    assert what_stays(images, tmp_path) == ""


@pytest.mark.parametrize("pattern", ["data/", "/data", "images", "*.parquet", "data/*/test.*", "*"])
def test_data_that_git_ignores_is_not_copied(images: Path, tmp_path: Path, pattern: str) -> None:
    (tmp_path / ".gitignore").write_text(f"# ours\n{pattern}\n")
    assert f"{tmp_path / '.gitignore'} names it" in what_stays(images, tmp_path)


@pytest.mark.parametrize("name", [".gitignore", ".rayignore"])
def test_a_file_of_patterns_deeper_in_the_project_counts(
    images: Path, tmp_path: Path, name: str
) -> None:
    (images / name).write_text("/test.parquet\n")
    assert "test.parquet stays behind" in what_stays(images, tmp_path)
    assert what_stays(images / "train.parquet", tmp_path) == ""


def test_an_exception_from_a_pattern_is_copied(images: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("data/images/*\n!data/images/*.parquet\n")
    assert what_stays(images, tmp_path) == ""


def test_results_are_never_copied(tmp_path: Path) -> None:
    assert (
        what_stays(tmp_path / "results" / "data", tmp_path)
        == f"{tmp_path / 'results'} stays behind"
    )


@pytest.mark.parametrize("pattern", ["data/", "images", "*.parquet", "nothing", "data/*/test.*"])
def test_it_agrees_with_what_ray_packs(images: Path, tmp_path: Path, pattern: str) -> None:
    from ray._private.runtime_env.packaging import _dir_travel

    (tmp_path / ".gitignore").write_text(f"{pattern}\n")
    packed: list[Path] = []
    _dir_travel(tmp_path, [], packed.append, include_gitignore=True)
    arrives = {images / "train.parquet", images / "test.parquet"} <= set(packed)
    assert arrives == (what_stays(images, tmp_path) == "")


def test_a_submitted_job_brings_no_second_copy_of_the_project() -> None:
    assert code_for_workers({"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}) == {}
    assert Path(code_for_workers({})["working_dir"], "search", "optimize", "bundle.py").is_file()
