"""A local HTTP server that receives the messages of the connection `weixin_alerts`."""

import json
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
