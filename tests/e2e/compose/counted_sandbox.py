"""
The sandbox for tasks in several containers: open to their network, and it says who asked when.

`GET /asked` has every call: the caller's address, when it began and ended, path, account and day.
"""

import json
import time
from contextvars import ContextVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from weixin_sandbox import Account, Call, Sandbox
from weixin_sandbox.app import build_app

ACCOUNTS = [Account(f"wx{n:016x}", f"secret-of-{n:05}", f"account {n}") for n in range(200)]
LATENCY_SECONDS = 0.4
_caller: ContextVar[tuple[str, float]] = ContextVar("caller")


class CountedSandbox(Sandbox):
    """It remembers of each call who made it, and when."""

    def __init__(self) -> None:
        super().__init__(accounts=ACCOUNTS, latency_seconds=LATENCY_SECONDS)
        self.asked: list[dict[str, object]] = []

    def remember(self, call: Call, body: bytes) -> None:
        """Called once for each call, in its own task."""
        super().remember(call, body)
        caller, began_at = _caller.get()
        self.asked.append(
            {
                "caller": caller,
                "began_at": began_at,
                "ended_at": time.time(),
                "path": call.path,
                "appid": call.appid,
                "day": call.publication_date and call.publication_date.isoformat(),
            }
        )


def counted(sandbox: CountedSandbox) -> ASGIApp:
    """The sandbox's application, with the list of what was asked."""
    app = build_app(sandbox)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/asked":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": json.dumps(sandbox.asked).encode()})
            return
        _caller.set((scope["client"][0], time.time()))
        await app(scope, receive, send)

    return serve


if __name__ == "__main__":
    uvicorn.run(
        counted(CountedSandbox()),
        host="0.0.0.0",  # noqa: S104 # of a container, on a network without a way out
        port=8077,
        lifespan="off",
        access_log=False,
        date_header=False,  # the answers say their own time
        log_level="error",
    )
