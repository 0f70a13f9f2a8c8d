"""Fill a warehouse with the sandbox's figures, as daily runs do, without Airflow."""

from datetime import timedelta

import pytest
from analysts.world import at
from sqlalchemy import Engine
from world.collector import Collector

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.model import Account, Run
from weixin_sandbox import Account as SandboxAccount
from weixin_sandbox import Sandbox

ACCOUNTS = [
    SandboxAccount("wx0000000000000002", "2" * 32, "春风"),
    SandboxAccount("wx0000000000000001", "1" * 32, "春风"),
]
"""Two accounts with the same name, whose figures must not be added up."""
MORNINGS, DAYS = 5, 40


def fill(warehouse: Engine) -> None:
    """
    Load 40 publication days in one run, and then run the daily runs of five mornings.

    This morning's run collects only the first account: the second has no figures of yesterday.
    """
    today = clock.beijing_date(clock.now())
    first = today - timedelta(days=MORNINGS)
    span = {"begin_date": first - timedelta(days=DAYS), "end_date": first - timedelta(days=1)}
    mornings = [first + timedelta(days=1 + morning) for morning in range(MORNINGS)]
    with Sandbox(ACCOUNTS).serve() as url, pytest.MonkeyPatch.context() as patch:
        accounts = [
            Account(account.appid, account.appid, account.secret, account.name, url)
            for account in ACCOUNTS
        ]
        for dataset in ARTICLE_DATASETS.values():
            runs = [Run("first", dataset, first, names_dates=True, **span)]
            for day in mornings:
                only = (ACCOUNTS[0].appid,) if day == today else ()
                runs.append(Run(f"run {day}", dataset, day, is_scheduled=True, accounts=only))
            for run in runs:
                patch.setenv("WEIXIN_NOW", at(run.today).isoformat())
                Collector.of(warehouse, *accounts).run(run)
