"""Whether a cluster lets us in, known before Ray is asked, which tries for a long time.

For whoever joins a running cluster. Ray takes a token from RAY_AUTH_TOKEN, from the file that
RAY_AUTH_TOKEN_PATH names or from ~/.ray/auth_token, but uses it only under RAY_AUTH_MODE=token; at
an address that was given it never sets that by itself (ray 2.60). We do, where there is a token.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path

from search.diagnose import stranger

MODE = "RAY_AUTH_MODE"
# Where `ray start` writes the address of the cluster that it started or joined.
CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")


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


def use_token(place: str, environment: MutableMapping[str, str]) -> None:
    """Lets Ray use our token where the cluster asks for one: for `os.environ`, before Ray joins.

    Nowhere else: at a cluster without tokens a driver under RAY_AUTH_MODE=token joins, and then
    each of its actors is cancelled before it starts (ray 2.60).

    Args:
        place: `host:port` of the head, which answers there.
        environment: Left alone if it already says what to do.
    """
    host, _, port = place.rpartition(":")
    head = replace(stranger.GCS, number=int(port))
    if own_token(environment)[0] and MODE not in environment:
        if stranger.ask(host, head, "") == "refused":
            environment[MODE] = "token"


def refuse_if_refused(address: str, environment: Mapping[str, str]) -> None:
    """Asks the head with our token, as Ray would.

    Raises:
        ConnectionError: Nothing answers there, or our token is missing, wrong or switched off.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ConnectionError(f"{address} is no address: 'auto', or host:port (6379, not 10001)")
    if not stranger.is_open(host, int(port)):
        raise ConnectionError(f"nothing answers at {address}")
    token, source = own_token(environment)
    mode = environment.get(MODE, "token" if token else "")
    shown = token if mode == "token" else ""
    if stranger.ask(host, replace(stranger.GCS, number=int(port)), shown) != "refused":
        return
    if not token:
        raise ConnectionError(f"{address} asks for a token and {source} is missing or empty")
    if mode != "token":
        raise ConnectionError(f"{address} asks for a token and {MODE}={mode}: unset it, or =token")
    raise ConnectionError(f"{address} refuses the token in {source}: it is another cluster's")
