"""Worker processes that ask for a platform's tokens and are killed at a given statement."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Engine, event
from support import HASTE

from weixin_etl import warehouse as warehouse_module
from weixin_etl.accounts.platform import Platform
from weixin_etl.model import Account
from weixin_sandbox import Account as Known

COMPONENT = Known("wxcomponent0000001", "c0ffee00c0ffee00c0ffee00c0ffee00")
PATIENCE_SECONDS = 60
OpenPlatform = Callable[..., Platform]
"""A function that opens the platform as a new process does, with other keys or another ticket."""
context = multiprocessing.get_context("forkserver")
"""A start method that does not fork the test's process, because the sandbox's thread runs in it."""


def platform_account(base_url: str) -> Account:
    """Return the platform as its Airflow connection describes it."""
    described = "weixin_platform", COMPONENT.appid, COMPONENT.secret, "平台", base_url
    return Account(*described, is_platform=True)


@dataclass(frozen=True)
class Order:
    """A worker's task: which token to ask for, and where to be killed."""

    base_url: str
    warehouse_url: str
    keys: Sequence[str]
    ticket: str
    appid: str
    dies_at: str
    """A part of the statement before which the worker kills itself, or `COMMIT`."""


def is_killed(order: Order) -> bool:
    """Run a worker that asks for the token, and return whether it was killed."""
    process = context.Process(target=_work, args=(order,))
    process.start()
    process.join(PATIENCE_SECONDS)
    return process.exitcode == -signal.SIGKILL


def _work(order: Order) -> None:
    warehouse = warehouse_module.engine(order.warehouse_url)
    keys = MultiFernet([Fernet(key) for key in order.keys])
    platform = Platform(
        platform_account(order.base_url), warehouse, keys, lambda: order.ticket, HASTE
    )
    _die_at(warehouse, order.dies_at)
    platform.token(platform.account.member(order.appid, ""))


def _die_at(warehouse: Engine, statement: str) -> None:
    has_renewed = False

    @event.listens_for(warehouse, "before_cursor_execute")
    def at_statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        nonlocal has_renewed
        if statement in text:
            os.kill(os.getpid(), signal.SIGKILL)
        has_renewed = has_renewed or "UPDATE weixin.platform_token" in text

    @event.listens_for(warehouse, "commit")
    def at_commit(_connection: Any) -> None:
        if statement == "COMMIT" and has_renewed:
            os.kill(os.getpid(), signal.SIGKILL)
