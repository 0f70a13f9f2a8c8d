"""
A sandbox for tasks in several containers, which records the caller of each call.

`GET /asked` returns every call for figures: the caller's address, the account and the day.
"""

import threading

from weixin_sandbox import Account, Call, Sandbox
from weixin_sandbox.answers import Answer, to_bytes
from weixin_sandbox.calls import ROUTES

ACCOUNTS = [Account(f"wx{n:016x}", f"secret-of-{n:05}", f"account {n}") for n in range(200)]
LATENCY_SECONDS = 0.4
asked: list[list[str]] = []


class CountedSandbox(Sandbox):
    """A sandbox that records the caller of each call for figures."""

    def remember(self, call: Call, body: bytes) -> None:
        """Record one call."""
        super().remember(call, body)
        if call.publication_date:
            asked.append([call.caller, call.appid, str(call.publication_date)])


if __name__ == "__main__":
    ROUTES["GET", "/asked"] = lambda *_: Answer(to_bytes([*asked]))
    sandbox = CountedSandbox(accounts=ACCOUNTS, latency_seconds=LATENCY_SECONDS)
    with sandbox.serve(8077, "0.0.0.0"):  # noqa: S104 # of a container, on a network without a way out
        threading.Event().wait()
