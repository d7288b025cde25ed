"""What a port of Ray answers to a request, with a token or as a stranger without one.

For seeing in a moment whether a cluster lets us in, and whether it would let anybody in. The
requests read and change nothing. Their names are those of Ray's own protocol (ray 2.60): where a
later Ray does not know one, the answer is "unclear", never "refused". Not for what MLflow answers.
"""

from __future__ import annotations

import contextlib
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Literal

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0

Answer = Literal["answered", "refused", "silent", "unclear"]


@dataclass(frozen=True)
class Port:
    """A port of Ray, and a harmless request to it.

    Attributes:
        number: Of the port.
        what: Which part of Ray listens there.
        request: A method of gRPC as "/service/method", or a path of HTTP as "GET /path".
        runs_code: Whoever is answered there may run code; else he only reads figures.
    """

    number: int
    what: str
    request: str
    runs_code: bool = True


# As cluster.yaml numbers them. The object manager (6381) is the raylet's process with the raylet's
# token; workers (10002 and up) come and go.
GCS = Port(6379, "control store", "/ray.rpc.NodeInfoGcsService/CheckAlive")
DASHBOARD = Port(8265, "dashboard", "GET /api/jobs/")
CLIENT = Port(10001, "Ray Client", "/ray.rpc.RayletDriver/ClusterInfo")
RAYLET = Port(6380, "raylet", "/ray.rpc.NodeManagerService/GetSystemConfig")
AGENT = Port(6384, "dashboard agent", "GET /logs")
METRICS = Port(6385, "metrics of the node", "GET /metrics", runs_code=False)
AUTOSCALER_METRICS = Port(44217, "metrics of the autoscaler", "GET /metrics", runs_code=False)
DASHBOARD_METRICS = Port(44227, "metrics of the dashboard", "GET /metrics", runs_code=False)
OF_HEAD = (GCS, DASHBOARD, CLIENT, AUTOSCALER_METRICS, DASHBOARD_METRICS)
OF_NODE = (RAYLET, AGENT, METRICS)
# No such method, or no server of gRPC. Any other error comes from the method: it was let in.
_SAYS_NOTHING = (
    "UNIMPLEMENTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED",
)  # fmt: skip


def ask(host: str, port: Port, token: str = "") -> Answer:
    """What comes back; "silent" if nothing listens there or nothing comes within seconds."""
    if not is_open(host, port.number):
        return "silent"
    if port.request.startswith("GET "):
        return _ask_http(f"http://{host}:{port.number}{port.request[4:]}", token)
    return _ask_grpc(f"{host}:{port.number}", port.request, token)


def is_open(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), CONNECT_SECONDS):
        return True
    return False


def http_status(url: str, token: str = "") -> int:
    """HTTP status of a request, sent there directly: no proxy of this machine's comes between.

    Raises:
        OSError: Nothing answers.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, headers=headers)
        with opener.open(request, timeout=ANSWER_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _ask_http(url: str, token: str) -> Answer:
    try:
        status = http_status(url, token)
    except (OSError, ValueError):  # also what is no HTTP
        return "unclear"
    if status in (401, 403):
        return "refused"
    return "answered" if status == 200 else "unclear"


def _ask_grpc(address: str, method: str, token: str) -> Answer:
    import grpc  # type: ignore[import-untyped]

    def as_it_is(message: bytes) -> bytes:
        return message

    direct = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options=direct) as channel:
        call = channel.unary_unary(
            method, request_serializer=as_it_is, response_deserializer=as_it_is
        )
        headers = [("authorization", f"Bearer {token}")] if token else None
        try:
            call(b"", timeout=ANSWER_SECONDS, metadata=headers)
        except grpc.RpcError as error:
            code = error.code().name
            if code == "UNAUTHENTICATED":
                return "refused"
            return "unclear" if code in _SAYS_NOTHING else "answered"
    return "answered"
