"""The sandbox over HTTP."""

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
    """A WeChat API on loopback; see `WeChat` for what it is made from and what it remembers."""

    @contextmanager
    def serve(self, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
        """
        Serve it in a thread, for the block; port 0 takes a free one.

        No access log is written: the URLs carry tokens. The value is the base URL.
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
    wechat: WeChat
    allow_reuse_port = False
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.deciding = threading.Lock()
        self.stops = threading.Event()
        self._open: set[socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client as long as it stays."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A client has gone."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Let go of every client, and of the answers that are held back."""
        self.stops.set()
        for client in list(self._open):
            with suppress(OSError):
                client.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call, unless its client has gone."""
        with suppress(ConnectionError):
            self._deliver(self._answer())

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # its own name
        """Write no log: the URLs carry tokens."""

    def _answer(self) -> Answer:
        wechat = self.server.wechat
        url = urlsplit(self.path)
        asked = calls.Asked(
            self.command,
            url.path,
            dict(parse_qsl(url.query)),
            self.rfile.read(int(self.headers.get("content-length", 0))),
            self.headers.get("authorization", ""),
        )
        time.sleep(wechat.latency_seconds)
        with self.server.deciding:
            answer = calls.decided(wechat, asked)
            call = Call(
                *(asked.path, asked.appid, asked.publication_date, answer.errcode, asked.token),
                self.client_address[0],
            )
            wechat.remember(call, answer.body)
        if wechat.before_delivery is not None:
            wechat.before_delivery(call)
        return answer

    def _deliver(self, answer: Answer) -> None:
        """Send it, or the first half of it."""
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
