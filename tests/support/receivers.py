"""Local servers that receive an Airflow's messages and statistics."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from support.wire import Handler, Wire, is_silent, says


class Receiver(Wire):
    """
    A server that keeps the messages it accepts.

    Attributes:
        messages: The accepted messages.
        answer: The HTTP status of its answer; with None it never answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.answer: int | None = 200
        self.on_data = self.take

    def take(self, handler: Handler) -> None:
        """Answer with the status `answer`, and keep the message if that is 200."""
        if self.answer is None:
            is_silent(handler)
        elif self.answer == 200:
            self.messages.append(json.loads(handler.asked.body))
        says(b"", self.answer or 500)(handler)

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    @property
    def path(self) -> str:
        return f"json://robot:s3cr3t-of-the-robot@127.0.0.1:{self.server_port}/s3cr3t-hook"

    @property
    def connection(self) -> str:
        extra = {"config": {"path": self.path}}
        return json.dumps({"conn_type": "apprise", "extra": extra})


class StatisticsReceiver:
    """
    A server that keeps Airflow's statistics, as the StatsD protocol has them.

    Attributes:
        port: The UDP port.
        lines: The lines that arrived, such as `airflow.weixin.article_total.not_in:0|g`.
    """

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.port: int = server.getsockname()[1]
        self.lines: list[str] = []

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator["StatisticsReceiver"]:
        """Receive statistics in a thread until the block ends."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            receiver = cls(server)
            thread = Thread(target=receiver._receive, daemon=True)
            thread.start()
            yield receiver
            server.sendto(b"", ("127.0.0.1", receiver.port))
            thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which an Airflow sends its statistics here."""
        names = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(self.port)}
        return {f"AIRFLOW__METRICS__{name}": value for name, value in names.items()}

    def _receive(self) -> None:
        while datagram := self._server.recv(65535):
            self.lines += datagram.decode().splitlines()
