"""A platform, and workers in processes of their own that ask for its tokens and may be killed."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Engine, event
from support import HASTE

from weixin_etl import warehouse as the_warehouse
from weixin_etl.accounts.platform import Platform
from weixin_etl.model import Account
from weixin_etl.problem import WeixinError
from weixin_sandbox import Account as Known

COMPONENT = Known("wxcomponent0000001", "c0ffee00c0ffee00c0ffee00c0ffee00")
PATIENCE_SECONDS = 60
OpenPlatform = Callable[..., Platform]
"""Opens the platform as a new process does; other keys, or another ticket, may be given."""
context = multiprocessing.get_context("forkserver")
"""Not a fork of the test's own process, in which the sandbox's thread runs."""


def the_platform(base_url: str) -> Account:
    """The platform as its connection describes it."""
    return Account(
        "weixin_platform",
        COMPONENT.appid,
        COMPONENT.secret,
        "平台",
        base_url,
        is_platform=True,
    )


@dataclass(frozen=True)
class Order:
    """Which token a worker asks for, and what becomes of it on the way."""

    base_url: str
    warehouse_url: str
    keys: Sequence[str]
    ticket: str
    appid: str
    dies_at: str = ""
    """It kills itself right before a statement that begins so; `COMMIT` for the one of a token."""
    together: Barrier | None = None
    """It waits for the others here before it asks."""


@dataclass
class Worker:
    """A worker at its work."""

    process: Any
    answers: Connection

    def token(self) -> str:
        """Its token, or why it got none; empty when it was killed."""
        try:
            found = self.answers.recv() if self.answers.poll(PATIENCE_SECONDS) else "it hangs"
        except EOFError:
            found = ""
        self.process.join(PATIENCE_SECONDS)
        return str(found)


def start(order: Order) -> Worker:
    """Start a worker."""
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(order, sending), daemon=True)
    process.start()
    sending.close()
    return Worker(process, receiving)


def _work(order: Order, answers: Connection) -> None:
    warehouse = the_warehouse.engine(order.warehouse_url)
    keys = MultiFernet([Fernet(it) for it in order.keys])
    platform = Platform(the_platform(order.base_url), warehouse, keys, lambda: order.ticket, HASTE)
    account = platform.account.member(order.appid, "")
    if order.together:
        order.together.wait(PATIENCE_SECONDS)
    if order.dies_at:
        _die_at(warehouse, order.dies_at)
    try:
        answers.send(platform.token(account).value)
    except WeixinError as error:
        answers.send(str(error))


def _die_at(warehouse: Engine, statement: str) -> None:
    has_renewed = False

    @event.listens_for(warehouse, "before_cursor_execute")
    def at_statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        nonlocal has_renewed
        if text.partition("\n")[2].startswith(statement):
            os.kill(os.getpid(), signal.SIGKILL)
        has_renewed = has_renewed or "UPDATE weixin.platform_token" in text

    @event.listens_for(warehouse, "commit")
    def at_commit(_connection: Any) -> None:
        if statement == "COMMIT" and has_renewed:
            os.kill(os.getpid(), signal.SIGKILL)
