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
        self.refused = 0
        self.answer: int | None = 200
        self.port = 0
        self.released = threading.Event()

    @property
    def titles(self) -> list[str]:
        """What the messages are called."""
        return [message["title"] for message in self.messages]

    @property
    def connection(self) -> str:
        """The Airflow connection that leads here; its address holds a secret."""
        path = f"json://robot:s3cr3t-of-the-robot@127.0.0.1:{self.port}/s3cr3t-hook"
        return json.dumps({"conn_type": "apprise", "extra": {"config": {"path": path}}})

    @property
    def both(self) -> str:
        """As `connection`, with the channel beside it."""
        extra = json.loads(self.connection)["extra"]["config"]
        channel = {"path": f"mmost://127.0.0.1:{self.port}/{'k' * 26}"}
        return json.dumps({"conn_type": "apprise", "extra": {"config": [extra, channel]}})

    @contextmanager
    def listening(self) -> Iterator["Receiver"]:
        """Listen for as long as the block lasts."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(_self) -> None:  # noqa: N805 # http.server's name; self is taken
                message = json.loads(_self.rfile.read(int(_self.headers["Content-Length"])))
                if self.answer is None:
                    self.released.wait(60)
                elif self.answer == 200:
                    is_channel = _self.path.startswith("/hooks/")
                    (self.channel if is_channel else self.messages).append(message)
                else:
                    self.refused += 1
                _self.send_response(self.answer or 500)
                _self.end_headers()

            def log_message(_self, *_: object) -> None:  # noqa: N805
                pass

        with ThreadingHTTPServer(("127.0.0.1", self.port), Handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                self.released.set()
                server.shutdown()
                thread.join()
