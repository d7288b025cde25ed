from __future__ import annotations

import pytest

from search.deploy.launcher import reason


# As `ray dashboard` of ray 2.60 and ssh said it; what goes to stdout comes later than it was said.
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [" The exception is: Head node of cluster (lab) not found!", "INFO -- Checking Local"],
            "Head node of cluster (lab) not found!",
        ),
        (
            ["ssh: connect to host 10.0.0.11 port 22: Connection refused", "Error: Failed to"],
            "ssh: connect to host 10.0.0.11 port 22: Connection refused",
        ),
        (
            ["ray@10.0.0.11: Permission denied (publickey).", "INFO -- Checking"],
            "Permission denied (publickey).",
        ),
        (["INFO -- Checking Local environment settings"], ""),
        ([], ""),
    ],
)
def test_of_a_tunnel_that_failed_the_reason_is_said(lines: list[str], why: str) -> None:
    assert reason(lines) == why
