"""A Hub in memory, on 127.0.0.1: the endpoints that the real huggingface_hub client uses.

It keeps what the client sends, so that a test can look at it, and it can fail on request:

    with HubServer() as server:
        server.fail_next(2, status=503, on="commit")
        server.fail_next(1, on="lfs", mode="drop")     # the connection ends half way
        server.fail_next(1, on="commit", mode="lose")  # done, but the answer never arrives
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from tests.hub_store import Answer, HubStore, ServerError

__all__ = ["HubServer", "Recorded"]

Mode = Literal["status", "drop", "lose"]

_ID = r"(?P<repo>[\w.-]+/[\w.-]+)"
_REV = r"(?P<revision>[^/]+)"
# (name, method, path, needs a token); the name is what `fail_next(on=...)` takes.
_ROUTES = [
    ("whoami", "GET", r"/api/whoami-v2", True),
    ("create", "POST", r"/api/repos/create", True),
    ("yaml", "POST", r"/api/validate-yaml", False),
    ("preupload", "POST", rf"/api/models/{_ID}/preupload/{_REV}", True),
    ("branch", "POST", rf"/api/models/{_ID}/branch/{_REV}", True),
    ("commit", "POST", rf"/api/models/{_ID}/commit/{_REV}", True),
    ("batch", "POST", rf"/{_ID}\.git/info/lfs/objects/batch", True),
    ("verify", "POST", rf"/{_ID}\.git/info/lfs/objects/verify", True),
    ("lfs", "PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", False),
    ("info", "GET", rf"/api/models/{_ID}(/revision/{_REV})?", False),
    ("tree", "GET", rf"/api/models/{_ID}/tree/{_REV}(/(?P<path>.+))?", False),
    ("resolve", "GET|HEAD", rf"/{_ID}/resolve/{_REV}/(?P<path>.+)", False),
]


@dataclass(frozen=True)
class Recorded:
    """One request: its route, target, headers (lower case) and body."""

    route: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class _Fault:
    on: str
    left: int
    mode: Mode
    status: int
    body: bytes
    headers: dict[str, str]
    skip: int


class HubServer:
    """The server: a context manager around a thread, with its store and its record of requests."""

    def __init__(self, token: str = "hf_testTOKENtestTOKEN0", user: str = "tester") -> None:
        self._first = (token, user)
        self.reset()
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self._http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def reset(self) -> None:
        """Forget everything."""
        self.token, user = self._first
        self.store = HubStore(user)
        self.requests: list[Recorded] = []
        self._faults: list[_Fault] = []

    def fail_next(
        self,
        times: int,
        *,
        on: str,
        status: int = 503,
        mode: Mode = "status",
        body: bytes = b'{"error": "injected"}',
        headers: dict[str, str] | None = None,
        skip: int = 0,
    ) -> None:
        """Make the next requests to a route fail (after `skip` more that work).

        Mode "status" answers with the status, "drop" resets the connection while the body is on
        its way, "lose" does the work and resets the connection instead of answering.
        """
        assert on in {name for name, *_ in _ROUTES}, f"no route is called {on!r}"
        self._faults.append(_Fault(on, times, mode, status, body, headers or {}, skip))

    def clear_faults(self) -> None:
        """Let everything work again."""
        self._faults.clear()

    def routes(self) -> list[str]:
        """Return the routes of all requests so far, in order."""
        return [request.route for request in self.requests]

    def fault(self, route: str) -> _Fault | None:
        """Return the fault that is due now, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.on != route or not fault.left:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.left -= 1
                return fault
        return None

    def answer(self, request: Recorded, values: dict[str, str], needs_token: bool) -> Answer:
        """Check the token and let the store do the work."""
        bearer = request.headers.get("authorization")
        if (bearer or needs_token) and bearer != f"Bearer {self.token}":
            return ServerError(401, "Invalid username or password.").answer()
        with self._lock:
            try:
                data = self._parse(request)
                work: Callable[..., Answer] = getattr(self.store, request.route)
                return work(data, self.endpoint, authorized=bool(bearer), **values)
            except ServerError as error:
                return error.answer()

    @staticmethod
    def _parse(request: Recorded) -> Any:
        if request.route == "commit":
            return [json.loads(line) for line in request.body.splitlines()]
        if request.route == "lfs" or not request.body:
            return request.body
        return json.loads(request.body)


def _match(method: str, path: str) -> tuple[str, bool, dict[str, str]] | None:
    """Return name, need of a token and path values of the route that fits."""
    for name, methods, pattern, needs_token in _ROUTES:
        found = re.fullmatch(pattern, path)
        if found and method in methods.split("|"):
            values = {key: unquote(text) for key, text in found.groupdict().items() if text}
            return name, needs_token, values
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def _serve(self) -> None:
        route = _match(self.command, urlsplit(self.path).path)
        if route is None:
            self._body()
            return self._send(ServerError(404, "Not Found", "RepoNotFound").answer())
        name, needs_token, values = route
        fault = self.hub.fault(name)
        if fault and fault.mode == "drop":
            return self._drop()
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Recorded(name, self.command, self.path, headers, self._body())
        self.hub.requests.append(request)
        if fault and fault.mode == "status":
            return self._send(Answer(fault.status, fault.body, fault.headers))
        answer = self.hub.answer(request, values, needs_token)
        return self._drop() if fault else self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        for key, value in {**headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _drop(self) -> None:
        # Linger 0 resets the connection, as a router that dies does.
        no_linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Keep the test output clean."""
