"""Receivers of messages on this machine, a program's and people's, for `weixin_alerts`."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """
    Keeps the messages it takes; `answer` is what it answers, and None that it hangs.

    It is a program, and a Mattermost in whose channel people read.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.channel: list[dict[str, Any]] = []
        self.answer: int | None = 200
        self.port = 0
        self.released = threading.Event()

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    @property
    def program(self) -> str:
        return f"json://robot:s3cr3t-of-the-robot@127.0.0.1:{self.port}/s3cr3t-hook"

    @property
    def chat(self) -> str:
        return f"mmost://127.0.0.1:{self.port}/{'k' * 26}"

    @property
    def connection(self) -> str:
        extra = {"config": {"path": self.program}}
        return json.dumps({"conn_type": "apprise", "extra": extra})

    @contextmanager
    def listening(self) -> Iterator["Receiver"]:
        """Listen for as long as the block lasts."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(_self) -> None:  # noqa: N805 # http.server's name; self is taken
                message = json.loads(_self.rfile.read(int(_self.headers["Content-Length"])))
                if self.answer is None:
                    self.released.wait()
                elif self.answer == 200:
                    is_chat = _self.path.startswith("/hooks/")
                    (self.channel if is_chat else self.messages).append(message)
                _self.send_response(self.answer or 500)
                _self.end_headers()

            def log_message(_self, *_: object) -> None:  # noqa: N805
                pass

        with ThreadingHTTPServer(("127.0.0.1", self.port), Handler) as server:
            self.port = server.server_address[1]
            threading.Thread(target=server.serve_forever).start()
            try:
                yield self
            finally:
                self.released.set()
                server.shutdown()
