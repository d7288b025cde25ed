"""Whether a cluster lets us in, known before Ray is asked, which tries for a long time.

For whoever joins a running cluster. Ray takes a token from RAY_AUTH_TOKEN, from the file that
RAY_AUTH_TOKEN_PATH names or from ~/.ray/auth_token, but uses it only under RAY_AUTH_MODE=token; at
an address that was given it never sets that by itself (ray 2.60). We do, where there is a token.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Literal

MODE = "RAY_AUTH_MODE"
Answer = Literal["admitted", "refused", "unclear"]
# Where `ray start` writes the address of the cluster that it started or joined.
CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")
CONNECT_SECONDS = 5.0
# `ray status` takes 3 s on two cores, most of it to import Ray; it tries a dead port for 40 s.
ANSWER_SECONDS = 30.0


def located(address: str, environment: Mapping[str, str]) -> str:
    """`host:port` of a cluster; "auto" is the one that `ray start` started or joined here.

    Raises:
        ConnectionError: None was.
    """
    named = environment.get("RAY_ADDRESS", "auto") if address == "auto" else address
    if named != "auto":
        return named
    if not CURRENT_CLUSTER.is_file():
        raise ConnectionError(f"no cluster runs on this machine: there is no {CURRENT_CLUSTER}")
    return CURRENT_CLUSTER.read_text().strip()


def own_token(environment: Mapping[str, str]) -> tuple[str, str]:
    """Our token and where it comes from; the token is empty if there is none.

    Raises:
        OSError: Its file cannot be read.
    """
    if environment.get("RAY_AUTH_TOKEN"):
        return environment["RAY_AUTH_TOKEN"].strip(), "RAY_AUTH_TOKEN"
    file = Path(environment.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    return (file.read_text().strip() if file.is_file() else ""), str(file)


def admit(address: str, environment: MutableMapping[str, str]) -> None:
    """Sees whether a cluster lets us in, and lets Ray use our token where it asks for one.

    Nowhere else: at a cluster without tokens a driver under RAY_AUTH_MODE=token joins, and then
    each of its actors is cancelled before it starts (ray 2.60).

    Args:
        address: `host:port` of the head, which answers there.
        environment: For `os.environ`, before Ray joins. Its mode is left alone if it has one.

    Raises:
        ConnectionError: Nothing answers there, or our token is missing, wrong or switched off.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ConnectionError(f"{address} is no address: 'auto', or host:port (6379, not 10001)")
    if not is_open(host, int(port)):
        raise ConnectionError(f"nothing answers at {address}")
    mode = environment.get(MODE)
    if ask(address, {**environment, MODE: mode or "disabled"}) != "refused":
        return  # Ray says itself what else is wrong
    token, source = own_token(environment)
    if not token:
        raise ConnectionError(f"{address} asks for a token and {source} is missing or empty")
    if mode not in (None, "token"):
        raise ConnectionError(f"{address} asks for a token and {MODE}={mode}: unset it, or =token")
    if mode == "token" or ask(address, {**environment, MODE: "token"}) == "refused":
        raise ConnectionError(f"{address} refuses the token in {source}: it is another cluster's")
    environment[MODE] = "token"


def is_open(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), CONNECT_SECONDS):
        return True
    return False


def ask(address: str, environment: Mapping[str, str]) -> Answer:
    """Return what a head answers to `ray status`; "unclear" is any error but the token's.

    Args:
        address: `host:port` of the head.
        environment: Has the token and the mode.

    Raises:
        ConnectionError: No answer within `ANSWER_SECONDS`: what listens there is no head of Ray.
    """
    command = [str(Path(sys.executable).with_name("ray")), "status", f"--address={address}"]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ConnectionError(
            f"something listens at {address}, and no head of Ray answers within "
            f"{ANSWER_SECONDS:.0f} s"
        ) from None
    if "AuthenticationError" in done.stderr:
        return "refused"
    return "unclear" if done.returncode else "admitted"
