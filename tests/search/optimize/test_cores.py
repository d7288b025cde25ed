"""The cores and the memory that this process may use: by its affinity, and by its container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from search.cluster.nodes import HERE, ThisMachine
from search.optimize import cores
from search.optimize.cores import machine_cpus, machine_memory

ROOT = Path(__file__).resolve().parents[3]
CORES = set(range(8))


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: CORES)


def group(folder: Path, own: str, **files: str) -> dict[str, Path]:
    """Makes a control group; a file `a__b` is called `a.b`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    root = folder
    while root.name != "cgroup":
        root = root.parent
    (root / "own").write_text(own)
    return {"root": root, "own": root / "own"}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", 8),
     ("1600000 100000", 8), ("nonsense", 8)],
)  # fmt: skip
def test_a_quota_of_a_container_counts_as_whole_cores(
    tmp_path: Path, limit: str, expected: int
) -> None:
    places = group(tmp_path / "cgroup", "0::/\n", cpu__max=limit)
    assert machine_cpus(**places) == expected


def test_the_lowest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    group(tmp_path / "cgroup" / "user.slice", "", cpu__max="300000 100000")
    own = tmp_path / "cgroup" / "user.slice" / "job.scope"
    places = group(own, "0::/user.slice/job.scope\n", cpu__max="max 100000")
    assert machine_cpus(**places) == 3


def test_a_container_finds_its_quota_though_its_path_is_that_of_the_host(tmp_path: Path) -> None:
    places = group(tmp_path / "cgroup", "0::/docker/abc\n", cpu__max="200000 100000")
    assert machine_cpus(**places) == 2


@pytest.mark.parametrize(
    ("mount", "path"), [("cpu,cpuacct", "/docker/abc"), ("cpu", "/"), ("cpu,cpuacct", "/../x")]
)
def test_a_quota_of_version_1_counts_too(tmp_path: Path, mount: str, path: str) -> None:
    places = group(
        tmp_path / "cgroup" / mount,
        f"5:memory:/x\n4:cpu,cpuacct:{path}\n1:name=systemd:/x\n",
        cpu__cfs_quota_us="250000", cpu__cfs_period_us="100000",
    )  # fmt: skip
    assert machine_cpus(**places) == 2


def test_no_quota_of_version_1_is_minus_one(tmp_path: Path) -> None:
    places = group(
        tmp_path / "cgroup" / "cpu", "4:cpu:/\n", cpu__cfs_quota_us="-1",
        cpu__cfs_period_us="100000",
    )  # fmt: skip
    assert machine_cpus(**places) == 8


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert machine_cpus(tmp_path, tmp_path / "missing") == 8


def test_a_limit_of_memory_counts(tmp_path: Path) -> None:
    places = group(tmp_path / "cgroup", "0::/\n", memory__max=str(2**20))
    assert machine_memory(**places) == 2**20
    places = group(tmp_path / "cgroup", "0::/\n", memory__max="max")
    assert machine_memory(**places) == psutil.virtual_memory().total


def test_doctor_sees_what_the_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = group(tmp_path / "cgroup", "0::/\n", cpu__max="100000 100000", memory__max=str(2**30))
    monkeypatch.setattr("search.cluster.nodes.machine_cpus", lambda: machine_cpus(**places))
    monkeypatch.setattr("search.cluster.nodes.machine_memory", lambda: machine_memory(**places))
    assert ThisMachine().resources == {HERE: {"CPU": 1.0, "memory": float(2**30)}}


def test_the_machine_has_the_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    # nproc takes the threads of OpenMP for a limit of its own.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("OMP_")}
    counted = int(subprocess.check_output(["nproc"], text=True, env=plain))
    assert len(cores.usable_cores()) == counted >= machine_cpus()


@pytest.mark.slow
def test_a_process_with_one_core_of_an_affinity_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    core = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, [{core}]);"
        "from search.optimize.cores import machine_cpus, usable_cores;"
        "print(machine_cpus(), usable_cores())"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1", f"[{core}]"]
