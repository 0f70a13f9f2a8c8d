"""A server on loopback that answers the bytes a test says, and remembers what was asked."""

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
"""Three tries and hardly a wait between them."""
GIVES_UP_SECONDS = 60
"""A server that would never end its answer ends it then, so that a test fails and does not hang."""


def call(wire: "Wire", limits: CallLimits = LIMITS) -> Response | FailedCall:
    """Ask the server for a day."""
    return WeixinClient(wire.account, limits).datacube(DATASET, DAY)


def answered(outcome: Response | FailedCall) -> Response:
    """The answer that came."""
    assert isinstance(outcome, Response), outcome
    return outcome


def refused(outcome: Response | FailedCall) -> FailedCall:
    """The refusal that came."""
    assert isinstance(outcome, FailedCall), outcome
    return outcome


@dataclass(frozen=True)
class Asked:
    """A call as it came in."""

    path: str
    token: str | None
    headers: dict[str, str]
    body: bytes


class Wire(ThreadingHTTPServer):
    """Answers token calls with `on_token` and all others with `on_data`."""

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
        """An account that this server speaks for."""
        url = f"{self.scheme}://127.0.0.1:{self.server_port}"
        return Account("weixin_wire", "wx0000000000000001", SECRET, "春风", url)

    @property
    def data_calls(self) -> list[Asked]:
        """What was asked apart from tokens."""
        return [asked for asked in self.asked if asked.path != TOKEN_PATH]

    @property
    def token_calls(self) -> list[Asked]:
        """The times a token was asked for."""
        return [asked for asked in self.asked if asked.path == TOKEN_PATH]

    def hang(self) -> None:
        """Until the test is over, or it has hung for too long."""
        self.has_given_up = not self.is_over.wait(GIVES_UP_SECONDS)

    def get_request(self) -> tuple[socket.socket, object]:
        """Count a connection, also one whose client turns away."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what the tests are about."""

    @contextmanager
    def serving(self) -> Iterator["Wire"]:
        """Serve in the background."""
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
        """Answer over TLS from now on; the file holds the key as well."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"


class Handler(BaseHTTPRequestHandler):
    """One call; a reply finds what was asked in `asked`."""

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
        """Write nothing: the path holds the token."""


Reply = Callable[[Handler], None]


def raw(answer: bytes) -> Reply:
    """These bytes, status line and all; then the connection ends."""
    return lambda handler: handler.wfile.write(answer) and None


def says(body: bytes, status: int = 200, *headers: bytes) -> Reply:
    """A whole answer; it says that the connection ends, so that no client tries to use it again."""
    status_line = b"HTTP/1.1 %d X" % status
    lines = [status_line, b"Connection: close", b"Content-Length: %d" % len(body), *headers]
    return raw(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def gives_token(value: str) -> Reply:
    """An access token good for two hours."""
    return says(json.dumps({"access_token": value, "expires_in": 7200}).encode())


def refuses(errcode: int, errmsg: str = "no", status: int = 200) -> Reply:
    """WeChat's way to say no."""
    return says(json.dumps({"errcode": errcode, "errmsg": errmsg}).encode(), status)


def in_turn(*replies: Reply) -> Reply:
    """One reply after the other; the last one again and again."""
    left = list(replies)
    lock = threading.Lock()

    def reply(handler: Handler) -> None:
        with lock:
            current = left.pop(0) if len(left) > 1 else left[0]
        current(handler)

    return reply


def resets(handler: Handler) -> None:
    """The connection is reset instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # the socket ends with its last file, and a plain end would not be a reset
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()


def is_silent(handler: Handler) -> None:
    """No answer at all."""
    handler.server.hang()


def drips(beginning: bytes, piece: bytes, pause_seconds: float = 0.02) -> Reply:
    """These bytes, and then a piece again and again, status line and all."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(beginning)
        for _ in range(int(GIVES_UP_SECONDS / pause_seconds)):
            handler.wfile.write(piece)
            if handler.server.is_over.wait(pause_seconds):
                return
        handler.server.has_given_up = True

    return reply
