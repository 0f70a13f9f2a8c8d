"""
A loopback HTTP server in WeChat's place: it answers with a test's bytes and records its calls.

A test sets `Wire.on_token` and `Wire.on_data` to replies: `says`, `refuses`, `drips` and others.
`call` asks the server for one day with the project's own client.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from weixin_etl.api.client import FailedCall, Response, WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Account

DATASET = DATASETS["article_total"]
TOKEN_PATH = "/cgi-bin/stable_token"
DAY = date(2026, 11, 18)
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
LIMITS = CallLimits(
    connect_seconds=5,
    read_seconds=5,
    tries=3,
    total_seconds=20,
    backoff_seconds=0.001,
    minute_quota_wait_seconds=0.001,
)
"""Limits with three tries and hardly a wait between them."""
GIVES_UP_SECONDS = 60
"""The time after which a server ends an endless answer: the test then fails but does not hang."""


def call(wire: "Wire", limits: CallLimits = LIMITS) -> Response | FailedCall:
    """Ask the server for the figures of `DAY` with the project's client."""
    return WeixinClient(wire.account, limits).datacube(DATASET, DAY)


def answered(outcome: Response | FailedCall) -> Response:
    """Return the outcome, which must be an answer."""
    assert isinstance(outcome, Response), outcome
    return outcome


def refused(outcome: Response | FailedCall) -> FailedCall:
    """Return the outcome, which must be a failed call."""
    assert isinstance(outcome, FailedCall), outcome
    return outcome


@dataclass(frozen=True)
class Asked:
    """A call that the server received."""

    path: str
    token: str | None
    headers: dict[str, str]
    body: bytes


class Wire(ThreadingHTTPServer):
    """
    The server. It answers token calls with `on_token` and all other calls with `on_data`.

    Attributes:
        asked: The calls received so far.
        connections: The number of connections opened so far.
        is_over: An event that ends every hanging reply.
        has_given_up: Whether a reply hung for longer than `GIVES_UP_SECONDS`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.on_token: Reply = in_turn(gives_token("wire-token-1"))
        self.on_data: Reply = says(b'{"list":[]}')
        self.asked: list[Asked] = []
        self.connections = 0
        self.is_over = threading.Event()
        self.has_given_up = False
        self.scheme = "http"

    @property
    def account(self) -> Account:
        """An account whose base URL is this server."""
        url = f"{self.scheme}://127.0.0.1:{self.server_port}"
        return Account("weixin_wire", "wx0000000000000001", SECRET, "春风", url)

    @property
    def data_calls(self) -> list[Asked]:
        """All received calls except those for a token."""
        return [asked for asked in self.asked if asked.path != TOKEN_PATH]

    @property
    def token_calls(self) -> list[Asked]:
        """All received calls for a token."""
        return [asked for asked in self.asked if asked.path == TOKEN_PATH]

    def hang(self) -> None:
        """Wait until the test is over, at most `GIVES_UP_SECONDS`."""
        self.has_given_up = not self.is_over.wait(GIVES_UP_SECONDS)

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection and count it, even if its client then sends no request."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the error: some tests let clients hang up."""

    @contextmanager
    def serving(self) -> Iterator["Wire"]:
        """Serve in a background thread for the block."""
        thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.is_over.set()
            self.shutdown()
            self.server_close()
            thread.join()

    def speak_tls(self, certificate: str) -> None:
        """Answer over TLS from now on. The file holds both the certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"


class Handler(BaseHTTPRequestHandler):
    """The handler of one call; `asked` is the call, for the reply to read."""

    server: Wire
    asked: Asked

    def do_POST(self) -> None:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = parse_qs(asked.query).get("access_token", [None])[0]
        self.asked = Asked(asked.path, token, dict(self.headers), body)
        self.server.asked.append(self.asked)
        self.close_connection = True
        reply = self.server.on_token if asked.path == TOKEN_PATH else self.server.on_data
        reply(self)

    do_GET = do_POST  # noqa: N815 # the name http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Write no log: the path holds the token."""


Reply = Callable[[Handler], None]


def raw(answer: bytes) -> Reply:
    """Return a reply of these bytes, which include the status line; then the connection ends."""
    return lambda handler: handler.wfile.write(answer) and None


def says(body: bytes, status: int = 200, *headers: bytes) -> Reply:
    """
    Return a reply with a status, headers and a body.

    Its header `Connection: close` keeps clients from reusing the connection.
    """
    status_line, length = b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body)
    lines = [status_line, b"Connection: close", length, *headers]
    return raw(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def gives_token(value: str) -> Reply:
    """Return a reply with an access token that is valid for two hours."""
    return says(json.dumps({"access_token": value, "expires_in": 7200}).encode())


def refuses(errcode: int, errmsg: str = "no", status: int = 200) -> Reply:
    """Return a reply with an errcode, as WeChat refuses a call."""
    return says(json.dumps({"errcode": errcode, "errmsg": errmsg}).encode(), status)


def in_turn(*replies: Reply) -> Reply:
    """Return a reply that uses each given reply once, and then repeats the last one."""
    remaining = list(replies)
    lock = threading.Lock()

    def reply(handler: Handler) -> None:
        with lock:
            current = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        current(handler)

    return reply


def resets(handler: Handler) -> None:
    """Reset the connection instead of answering."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The socket is closed with its last file; otherwise the connection would end without a reset.
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()


def is_silent(handler: Handler) -> None:
    """Hang without an answer."""
    handler.server.hang()


def drips(beginning: bytes, piece: bytes, pause_seconds: float = 0.02) -> Reply:
    """Return a reply that sends `beginning`, status line included, and then repeats `piece`."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(beginning)
        for _ in range(int(GIVES_UP_SECONDS / pause_seconds)):
            handler.wfile.write(piece)
            if handler.server.is_over.wait(pause_seconds):
                return
        handler.server.has_given_up = True

    return reply
