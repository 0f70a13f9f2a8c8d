"""
Execute a calendar with the real plan, ingest and check, on Postgres, asking a simulated WeChat.

The simulated WeChat answers over HTTP what `wechat.py` shows at the moment of the call.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy
from support import HASTE, rows
from support.wire import Handler, Wire, gives_token, refuses, says

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.model import Batch, Coverage, Run
from weixin_etl.run import Settings
from weixin_etl.run import plan as plan_verb
from weixin_etl.warehouse.statements import coverage_from_row
from world.collector import Collector
from world.simulation import CALL, CATCH_UP_DAYS, Endpoint, Engine, Process, daily
from world.wechat import Refusal, at, body, date_of, day_number, in_time, instant

SETTINGS = Settings(concurrency=1, catch_up_days=CATCH_UP_DAYS, daily_calls=0)


@dataclass
class Pipeline(Engine):
    """An engine whose runs are executed by the real code; `serving()` starts its WeChat."""

    warehouse: sqlalchemy.Engine = None  # type: ignore[assignment] # the fields before have defaults
    settings: Settings = SETTINGS
    moment: int = 0
    call_seconds: int = CALL
    plans: dict[Process, Batch] = field(default_factory=dict)
    """The newest plan of each run, which Airflow would keep in XCom."""
    asked: list[tuple[str, str, date]] = field(default_factory=list)
    """Dataset, account and day of each call."""
    wire: Wire = field(default_factory=Wire)

    @contextmanager
    def serving(self) -> Iterator["Pipeline"]:
        """Answer calls as WeChat would at the moment of the call."""
        self.wire.on_token = lambda handler: gives_token(json.loads(handler.asked.body)["appid"])(
            handler
        )
        self.wire.on_data = self.answer
        with self.wire.serving():
            yield self

    def answer(self, handler: Handler) -> None:
        """Answer one call."""
        self.moment += self.call_seconds
        endpoint, appid = handler.asked.path.rpartition("/")[2], handler.asked.token or ""
        (dataset,) = (dataset for dataset in DATASETS.values() if dataset.endpoint == endpoint)
        day = day_asked(handler)
        self.asked.append((dataset.name, appid, day))
        wechat, number = self.calendar.wechats[dataset.name, appid], day_number(day)
        refusal, listing = wechat.call(number, self.moment)
        if refusal in (None, Refusal.IS_DELAY, Refusal.UNREADABLE):
            is_delay, blank = refusal is Refusal.IS_DELAY, wechat.blank_at(self.moment)
            answer_bytes = body(wechat, number, listing, is_delay=is_delay, blank=blank)
            says(answer_bytes)(handler)
        elif refusal is Refusal.UNREACHABLE:
            says(b"", 502)(handler)
        else:
            refuses(int(refusal))(handler)

    def now(self) -> datetime:
        """Return the simulated time."""
        return instant(self.moment)

    @property
    def collector(self) -> Collector:
        """A collector of the accounts that are configured now; each call is tried once."""
        accounts = {
            conn_id: appid and replace(self.wire.account, conn_id=conn_id, appid=appid, name=appid)
            for conn_id, appid in self.calendar.accounts(self.moment).items()
        }
        limits = replace(HASTE, tries=1)
        return Collector(self.warehouse, accounts, self.settings, self.now, limits)

    def coverage(self, endpoint: Endpoint) -> dict[date, Coverage]:
        """Return the endpoint's coverage by day, from the warehouse."""
        found = rows(
            self.warehouse,
            f"SELECT day, {', '.join(Coverage.__slots__)} FROM weixin.coverage "
            "WHERE dataset = :dataset AND appid = :appid",
            dataset=endpoint[0],
            appid=endpoint[1],
        )
        return {day: coverage_from_row(columns) for day, *columns in found}

    def plan(self, process: Process, moment: int) -> None:
        """Plan the run on the warehouse."""
        self.moment = moment
        collector = self.collector
        self.plans[process], process.planned_at = collector.plan(process.run), self.now()
        found = collector.configured(process.run)
        process.unplannable = [
            account.conn_id for account in found if account.is_wanted and not account.appid
        ]
        process.due = {account.appid: account.due for account in self.plans[process]}

    def ingest(self, process: Process, moment: int) -> int:
        """Ask and load batch by batch. Return the moment it ends."""
        self.moment, before = moment, len(self.asked)
        collector = replace(
            self.collector, open_client=lambda planned: self.collector.client(planned)
        )
        for batch in plan_verb.split_batches(self.plans[process]):
            collector.ingest(process.run, batch)
        process.calls.update((appid, day) for _, appid, day in self.asked[before:])
        return self.moment

    def check(self, process: Process, moment: int) -> None:
        """Set whether the run is red, by the warehouse."""
        self.moment = moment
        collector = replace(self.collector, accounts=dict.fromkeys(process.unplannable))
        process.is_red = bool(collector.check(process.run, self.plans[process]).not_in)


def day_asked(handler: Handler) -> date:
    """Return the day that a call asks for."""
    return date.fromisoformat(json.loads(handler.asked.body)["begin_date"])


MORNING = Run("run", ARTICLE_TOTAL, date_of(0), is_scheduled=True)


def by_hand(last: int, count: int, **of_run: Any) -> Run:
    """Return a run of day 0 with dates: `count` days up to `last`."""
    dates = {"begin_date": date_of(last - count + 1), "end_date": date_of(last)}
    fields = {"run_id": "by hand", "is_scheduled": False, "names_dates": True, **dates, **of_run}
    return replace(MORNING, **fields)


def publishing(warehouse: sqlalchemy.Engine, count: int) -> Pipeline:
    """Return a pipeline of accounts that publish an article a day, at 10:30 of day 0."""
    every_day = {day: [range(ARTICLE_TOTAL.window)] for day in range(-400, 30)}
    calendar = daily(in_time(ARTICLE_TOTAL, every_day), 1)
    calendar.connections = [(f"c{n}", f"wx{n}", -1e9, 1e9) for n in range(count)]
    for _, appid, *_ in calendar.connections:
        calendar.wechats[ARTICLE_TOTAL.name, str(appid)] = in_time(ARTICLE_TOTAL, every_day)
    settings = Settings(concurrency=1)
    return Pipeline(calendar, warehouse=warehouse, settings=settings, moment=at(0, 10.5))
