"""
The sandbox for tasks in several containers: open to their network, and it says who asked when.

`GET /asked` has every call: the caller's address, when it began, path, account and day.
"""

import threading

from weixin_sandbox import Account, Call, Sandbox
from weixin_sandbox.answers import Answer, Row, to_bytes
from weixin_sandbox.calls import ROUTES

ACCOUNTS = [Account(f"wx{n:016x}", f"secret-of-{n:05}", f"account {n}") for n in range(200)]
LATENCY_SECONDS = 0.4
asked: list[Row] = []


class CountedSandbox(Sandbox):
    """It remembers of each call who made it, and when."""

    def remember(self, call: Call, body: bytes) -> None:
        """Called once for each call."""
        super().remember(call, body)
        at = {"caller": call.caller, "began_at": call.began_at, "path": call.path}
        asked.append({**at, "appid": call.appid, "day": str(call.publication_date)})


if __name__ == "__main__":
    ROUTES["GET", "/asked"] = lambda *_: Answer(to_bytes([*asked]))
    sandbox = CountedSandbox(accounts=ACCOUNTS, latency_seconds=LATENCY_SECONDS)
    with sandbox.serve(8077, "0.0.0.0"):  # noqa: S104 # of a container, on a network without a way out
        threading.Event().wait()
