"""Machines whose clocks differ: what they write is ordered by the warehouse's clock."""

import json
import multiprocessing
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from support import HASTE, newest_instants
from warehouse_loads import facts
from wire import Wire, says

from weixin_etl import clock
from weixin_etl import warehouse as the_warehouse
from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import Diff, replay
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.run import Settings
from weixin_etl.run.ingest import ingest
from weixin_etl.run.plan import plan


@dataclass(frozen=True)
class Machine:
    """One that runs a task, and how far its clock is ahead of the warehouse's."""

    ahead: timedelta
    warehouse_url: str
    account: Account

    def bring_in(self, day: date) -> None:
        """Ask for a day and load it, in a process of its own as Airflow's tasks are."""
        process = multiprocessing.get_context("spawn").Process(target=self._run, args=(day,))
        process.start()
        process.join()
        assert process.exitcode == 0

    def _run(self, day: date) -> None:
        del os.environ["WEIXIN_NOW"]
        clock.datetime = type("Datetime", (datetime,), {"now": classmethod(self._now)})
        today = clock.beijing_date(clock.now())
        run = Run(
            f"of {self.ahead}",
            ARTICLE_TOTAL,
            today,
            False,
            begin_date=day,
            end_date=day,
            refetch=True,
        )
        warehouse, its = the_warehouse.engine(self.warehouse_url), self.account
        configured = [ConfiguredAccount(its.conn_id, its.appid, its.name)]
        batch = plan(run, warehouse, Settings(), configured, is_new=True).accounts
        client = WeixinClient(its, HASTE)
        ingest(run, warehouse, Settings(), batch, lambda _: client, by_itself=False)

    def _now(self, _class: type, zone: Any = None) -> datetime:
        return datetime.now(zone) + self.ahead


def answer(day: date, **figures: int) -> bytes:
    """One article with its last row."""
    row = {"stat_date": (day + timedelta(days=6)).isoformat(), **figures}
    item = {"ref_date": day.isoformat(), "msgid": "1_1", "title": "春", "details": [row]}
    return json.dumps({"list": [item]}).encode()


def test_the_answer_fetched_last_wins(warehouse: Engine):
    """Field by field and for good, though the clock of the machine that fetched it is behind."""
    day = clock.beijing_date(datetime.now(UTC)) - timedelta(days=ARTICLE_TOTAL.window)
    url = warehouse.url.render_as_string(hide_password=False)
    with Wire().serving() as wire:
        first = Machine(timedelta(minutes=4), url, wire.account)
        last = Machine(timedelta(minutes=-4), url, wire.account)
        wire.on_data = says(answer(day, int_page_read_user=10, share_user=5))
        first.bring_in(day)
        early = [
            column for column, at in newest_instants(warehouse).items() if at > datetime.now(UTC)
        ]
        wire.on_data = says(answer(day, int_page_read_user=12, add_to_fav_user=1))
        last.bring_in(day)

    wins = [(12, 5, 1)]
    assert facts(warehouse, "int_page_read_user, share_user, add_to_fav_user") == wins
    assert early == []
    rebuilt = replay(warehouse, Selection(ARTICLE_TOTAL), ready_hour=10, is_applied=True)
    assert (rebuilt.answers, rebuilt.diff) == (2, Diff())
