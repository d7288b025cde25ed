from __future__ import annotations

from pathlib import Path

from search.cluster.consistency import check_versions, code_digest, compare_versions
from search.cluster.nodes import ThisMachine

HERE = {"python": "3.11.7", "ray": "2.60.0", "our code": "abc"}


def test_this_machine_agrees_with_itself() -> None:
    assert [check.status for check in check_versions(ThisMachine())] == ["pass", "pass"]


def test_another_version_is_named_with_its_node() -> None:
    libraries, code = compare_versions(HERE, {"a": HERE, "b": HERE | {"ray": "2.59.0"}})
    assert libraries.status == "fail" and code.status == "pass"
    assert "ray 2.59.0 and not 2.60.0 on b" in libraries.found


def test_other_code_fails_separately_from_the_libraries() -> None:
    libraries, code = compare_versions(HERE, {"a": HERE | {"our code": "other"}})
    assert libraries.status == "pass" and code.status == "fail"


def test_a_changed_or_renamed_file_changes_the_digest_of_the_code(tmp_path: Path) -> None:
    digests = set()
    file = tmp_path / "search" / "one.py"
    file.parent.mkdir()
    for text in ("x = 1", "x = 2"):
        file.write_text(text)
        digests.add(code_digest(tmp_path))
    file.rename(file.with_name("two.py"))
    digests.add(code_digest(tmp_path))
    assert len(digests) == 3
