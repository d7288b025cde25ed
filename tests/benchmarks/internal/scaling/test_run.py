"""The searches of the scaling benchmark: a spec that can run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.internal.scaling.run import spec_of
from search.spec import spec_from_yaml


def test_the_spec_is_valid_and_its_trials_are_as_many_at_once_as_asked(tmp_path: Path) -> None:
    import yaml

    spec = spec_from_yaml(yaml.safe_dump(spec_of(50, tmp_path)))
    assert spec.resources.parallelism == 50
    assert spec.task.is_function
