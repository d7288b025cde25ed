"""Check whether a cluster accepts this client before Ray joins it, which tries for a long time.

Ray takes a token from RAY_AUTH_TOKEN, from the file that RAY_AUTH_TOKEN_PATH names or from
~/.ray/auth_token, but uses it only under RAY_AUTH_MODE=token; at an address that was given it never
sets that by itself (ray 2.60). `admit` does, where the cluster asks for a token.
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
    """Return `host:port` of a cluster; "auto" is the one that `ray start` started or joined here.

    Raises:
        ConnectionError: "auto", and no cluster was started or joined here.
    """
    named = (environment.get("RAY_ADDRESS") or "auto") if address == "auto" else address
    if named != "auto":
        return named
    if not CURRENT_CLUSTER.is_file():
        raise ConnectionError(f"no cluster runs on this machine: there is no {CURRENT_CLUSTER}")
    return CURRENT_CLUSTER.read_text().strip()


def token_file(environment: Mapping[str, str]) -> Path:
    """Return the file from which Ray reads its token."""
    return Path(environment.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()


def own_token(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return this client's token and where it comes from; the token is empty if there is none.

    Raises:
        OSError: Its file cannot be read.
    """
    if environment.get("RAY_AUTH_TOKEN"):
        return environment["RAY_AUTH_TOKEN"].strip(), "RAY_AUTH_TOKEN"
    file = token_file(environment)
    return (file.read_text().strip() if file.is_file() else ""), str(file)


def admit(address: str, environment: MutableMapping[str, str]) -> None:
    """Check that a cluster accepts this client, and have Ray use the token if it asks for one.

    The mode is set nowhere else: at a cluster without tokens a driver under RAY_AUTH_MODE=token
    joins, and then each of its actors is cancelled before it starts (ray 2.60).

    Args:
        address: `host:port` of the head.
        environment: `os.environ`, before Ray joins. A mode that is set already is left alone.

    Raises:
        ConnectionError: Nothing answers there, or the token is missing, wrong or switched off.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ConnectionError(
            f"{address} is not an address; fix: give 'auto', or host:port (6379, not 10001)"
        )
    if not is_open(host, int(port)):
        raise ConnectionError(f"nothing answers at {address}")
    mode = environment.get(MODE)
    if ask(address, {**environment, MODE: mode or "disabled"}) != "refused":
        return  # Ray itself reports what else is wrong
    token, source = own_token(environment)
    copy = "fix: copy the token from the head"
    if not token:
        raise ConnectionError(f"{address} asks for a token, {source} is missing or empty; {copy}")
    if mode not in (None, "token"):
        raise ConnectionError(
            f"{address} asks for a token, and {MODE}={mode}; fix: unset it, or set it to token"
        )
    if mode == "token" or ask(address, {**environment, MODE: "token"}) == "refused":
        raise ConnectionError(
            f"{address} refuses the token in {source}, which is another cluster's; {copy}"
        )
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
