"""The HTTP server of the sandbox; `calls` decides each answer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from weixin_sandbox import calls
from weixin_sandbox.answers import Answer
from weixin_sandbox.wechat import Call, WeChat


class Sandbox(WeChat):
    """A WeChat API on loopback; `WeChat` documents its parameters and attributes."""

    @contextmanager
    def serve(self, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
        """
        Serve in a thread during the block, and yield the base URL. Port 0 takes a free port.

        The server writes no access log, because the URLs carry tokens.
        """
        with _Server((host, port), _Handler) as server:
            server.wechat = self
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"http://{host}:{server.server_port}"
            finally:
                server.shutdown()
                server.hang_up()


class _Server(ThreadingHTTPServer):
    """The HTTP server, which can close all connections at its end."""

    wechat: WeChat
    allow_reuse_port = False
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.deciding = threading.Lock()
        self.stops = threading.Event()
        self._open: set[socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client until it closes its connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client whose connection is closed."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close every connection, and drop the answers that are held back."""
        self.stops.set()
        for client in list(self._open):
            with suppress(OSError):
                client.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """The handler of one connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call, unless its client has closed the connection."""
        with suppress(ConnectionError):
            self._deliver(self._answer())

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # as the base class names it
        """Write no log, because the URLs carry tokens."""

    def _answer(self) -> Answer:
        """Decide the answer to the request, one request at a time, and remember the call."""
        wechat = self.server.wechat
        url = urlsplit(self.path)
        request = calls.Request(
            self.command,
            url.path,
            dict(parse_qsl(url.query)),
            self.rfile.read(int(self.headers.get("content-length", 0))),
            self.headers.get("authorization", ""),
        )
        time.sleep(wechat.latency_seconds)
        with self.server.deciding:
            answer = calls.decide(wechat, request)
            call = Call(
                *(request.path, request.appid, request.publication_date),
                *(answer.errcode, request.token),
                self.client_address[0],
            )
            wechat.remember(call, answer.body)
        if wechat.before_delivery is not None:
            wechat.before_delivery(call)
        return answer

    def _deliver(self, answer: Answer) -> None:
        """Send the answer, or the first half of a cut answer."""
        if answer.hold_seconds and self.server.stops.wait(answer.hold_seconds):
            return
        self.send_response_only(answer.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer.body)))
        now = time.time() + answer.clock_ahead_seconds
        self.send_header("Date", formatdate(now, usegmt=True))
        self.end_headers()
        self.close_connection = self.close_connection or answer.is_cut
        half = len(answer.body) // 2
        self.wfile.write(answer.body[:half] if answer.is_cut else answer.body)
