"""Workers in processes of their own that ask for a platform's tokens and are killed."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Engine, event
from support import HASTE

from weixin_etl import warehouse as the_warehouse
from weixin_etl.accounts.platform import Platform
from weixin_etl.model import Account
from weixin_sandbox import Account as Known

COMPONENT = Known("wxcomponent0000001", "c0ffee00c0ffee00c0ffee00c0ffee00")
PATIENCE_SECONDS = 60
OpenPlatform = Callable[..., Platform]
"""Opens the platform as a new process does; other keys, or another ticket, may be given."""
context = multiprocessing.get_context("forkserver")
"""Not a fork of the test's own process, in which the sandbox's thread runs."""


def the_platform(base_url: str) -> Account:
    """The platform as its connection describes it."""
    described = "weixin_platform", COMPONENT.appid, COMPONENT.secret, "平台", base_url
    return Account(*described, is_platform=True)


@dataclass(frozen=True)
class Order:
    """Which token a worker asks for, and what becomes of it on the way."""

    base_url: str
    warehouse_url: str
    keys: Sequence[str]
    ticket: str
    appid: str
    dies_at: str
    """It kills itself right before a statement that begins so; `COMMIT` for the one of a token."""


def is_killed(order: Order) -> bool:
    """Whether a worker that asks for the token is killed on the way."""
    process = context.Process(target=_work, args=(order,))
    process.start()
    process.join(PATIENCE_SECONDS)
    return process.exitcode == -signal.SIGKILL


def _work(order: Order) -> None:
    warehouse = the_warehouse.engine(order.warehouse_url)
    keys = MultiFernet([Fernet(it) for it in order.keys])
    platform = Platform(the_platform(order.base_url), warehouse, keys, lambda: order.ticket, HASTE)
    _die_at(warehouse, order.dies_at)
    platform.token(platform.account.member(order.appid, ""))


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
