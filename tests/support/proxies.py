"""What stands between MLflow's client and a server: a forwarding proxy, and any web server."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from search.tracking.server import QUESTION

Headers = Mapping[str, str]
Answer = tuple[int, str]
EXPERIMENTS = json.dumps({"experiments": [{"experiment_id": "0", "name": "Default"}]})


class Silent(http.server.BaseHTTPRequestHandler):
    """A web server's answers, of which nothing is printed."""

    def log_message(self, *_: Any) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, said: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


@contextlib.contextmanager
def serving(handler: type[Silent], certificate: Path | None = None) -> Iterator[int]:
    """Yields the port of a web server with these answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        # Looks for the end ten times a second, not twice.
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextlib.contextmanager
def answering(
    answer: Callable[[Headers], Answer] = lambda headers: (200, EXPERIMENTS),
    *,
    prefix: str = "",
    certificate: Path | None = None,
) -> Iterator[int]:
    """Yields the port of a web server that answers the question as `answer` says, and else 404."""

    class Handler(Silent):
        def do_POST(self) -> None:
            self.body()
            found = self.path.split("?")[0] == prefix + QUESTION
            status, said = answer(self.headers) if found else (404, "<h1>no such page</h1>")
            self.reply(status, said.encode())

        do_GET = do_POST

    with serving(Handler, certificate) as port:
        yield port


class Proxy:
    """A forwarding HTTP proxy on loopback that alone knows where some names lead.

    Attributes:
        uri: Where it answers.
        asked: The addresses that it was asked for.
    """

    def __init__(self, port: int, asked: list[str]) -> None:
        self.uri, self.asked = f"http://127.0.0.1:{port}", asked


@contextlib.contextmanager
def forwarding(names: Mapping[str, int], *, credentials: str = "") -> Iterator[Proxy]:
    """Yields a proxy; `names` are host names and ports of this machine that they lead to."""
    asked: list[str] = []

    class Handler(Silent):
        def _refuses(self, host: str) -> bool:
            asked.append(self.path)
            if credentials and self.headers.get("Proxy-Authorization") != credentials:
                self.reply(407, b"who are you?")
            elif host not in names:
                self.reply(503, b"<h1>no such host</h1>")
            else:
                return False
            return True

        def do_POST(self) -> None:
            parts, body = urlsplit(self.path), self.body()
            if self._refuses(parts.hostname or ""):
                return
            there = http.client.HTTPConnection("127.0.0.1", names[parts.hostname or ""])
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            there.request(self.command, path, body, dict(self.headers))
            answer = there.getresponse()
            self.reply(answer.status, answer.read())
            there.close()

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            if self._refuses(host):
                return
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", names[host])) as there:
                back = threading.Thread(target=_copy, args=(there, self.connection))
                back.start()
                _copy(self.connection, there)
                back.join()
            self.close_connection = True

    with serving(Handler) as port:
        yield Proxy(port, asked)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def certificate_for(host: str, folder: Path) -> Path:
    """Writes a key and a certificate that nobody signed, for a host and for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem)
    )
    return file
