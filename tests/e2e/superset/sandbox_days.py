"""A warehouse with what daily runs bring in from the sandbox, without Airflow."""

from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import Engine
from support import HASTE

from weixin_etl import clock
from weixin_etl.api.client import WeixinClient
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.run import Work
from weixin_etl.run.ingest import ingest
from weixin_etl.run.plan import plan
from weixin_sandbox import Account as SandboxAccount
from weixin_sandbox import Sandbox

ACCOUNTS = [
    SandboxAccount("wx0000000000000002", "2" * 32, "春风"),
    SandboxAccount("wx0000000000000001", "1" * 32, "春风"),
]
"""Of one name: what is of one must not be added to the other's."""
MORNINGS, DAYS = 5, 40


def fill(warehouse: Engine) -> None:
    """
    Bring in 40 publication days in one run, and then what the daily runs of five mornings find.

    This morning's run asks for the first account only: nothing is known of the second's yesterday.
    """
    today = clock.beijing_date(clock.now())
    first = today - timedelta(days=MORNINGS)
    span = {"begin_date": first - timedelta(days=DAYS), "end_date": first - timedelta(days=1)}
    mornings = [first + timedelta(days=1 + morning) for morning in range(MORNINGS)]
    with Sandbox(ACCOUNTS).serve() as url:
        for dataset in ARTICLE_DATASETS.values():
            _run(warehouse, url, Run("first", dataset, first, is_scheduled=False, **span))
            for day in mornings:
                only = (ACCOUNTS[0].appid,) if day == today else ()
                _run(warehouse, url, Run(f"run {day}", dataset, day, True, accounts=only))


def _run(warehouse: Engine, url: str, run: Run) -> None:
    """Plan and ingest at half past ten on the run's day."""
    accounts = {it.appid: Account(it.appid, it.appid, it.secret, it.name, url) for it in ACCOUNTS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIXIN_NOW", datetime.combine(run.today, time(10, 30), SHANGHAI).isoformat())
        configured = [
            ConfiguredAccount(
                it.conn_id,
                it.appid,
                it.name,
                is_wanted=it.appid in run.accounts or not run.accounts,
            )
            for it in accounts.values()
        ]
        ingest(
            Work(run, warehouse),
            plan(Work(run, warehouse), configured).accounts,
            lambda planned: WeixinClient(accounts[planned.conn_id], HASTE),
        )
