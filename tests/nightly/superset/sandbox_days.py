"""A warehouse with what daily runs bring in from the sandbox, without Airflow."""

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
    with Sandbox(ACCOUNTS).serve() as url, pytest.MonkeyPatch.context() as patch:
        accounts = [Account(it.appid, it.appid, it.secret, it.name, url) for it in ACCOUNTS]
        for dataset in ARTICLE_DATASETS.values():
            runs = [Run("first", dataset, first, names_dates=True, **span)]
            for day in mornings:
                only = (ACCOUNTS[0].appid,) if day == today else ()
                runs.append(Run(f"run {day}", dataset, day, is_scheduled=True, accounts=only))
            for run in runs:
                patch.setenv("WEIXIN_NOW", at(run.today).isoformat())
                Collector.of(warehouse, *accounts).run(run)
