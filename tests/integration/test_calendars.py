"""
The real pipeline, on Postgres and over HTTP, does what the rules' own does on the same calendar.

That one keeps every promise (tests/unit/test_rules_calendars.py), so this one does.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from calendars.drawn import Trouble, draw_calendar
from calendars.pipeline import CALL, Pipeline, Process, Purpose, live
from calendars.worlds import (
    Article,
    Refusal,
    World,
    date_of,
    day_number,
    instant,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from support import empty, stale_rollups
from wire import SECRET, Handler, Wire, gives_token, refuses, resets, says

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ConfigurationError
from weixin_etl.api.http import CallLimits
from weixin_etl.datasets import DATASETS, Dataset, Rows
from weixin_etl.model import Account, ConfiguredAccount, PlannedAccount, PlannedPair
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run import Settings
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.run.pairs import planned_pairs

ONE_TRY = CallLimits(tries=1, backoff_seconds=0, minute_quota_wait_seconds=0)
SETTINGS = Settings(concurrency=1)
TROUBLES = frozenset(Trouble) - {Trouble.KILLED}
"""Kills have tests of their own, at every statement (tests/faults)."""


@dataclass
class RealPipeline(Pipeline):
    """A calendar's pipeline whose verbs are the real ones."""

    warehouse: Engine = None  # type: ignore[assignment] # the fields before have defaults
    wire: Wire = None  # type: ignore[assignment] # the same
    planned_before: set[str] = field(default_factory=set)
    plans: dict[str, plan_verb.Plan] = field(default_factory=dict)
    """The newest plan of each run."""
    asking: tuple[Process, int] | None = None
    """Who asks, and what time it is."""

    def plan(self, process: Process, moment: int) -> None:
        """Plan it on the warehouse."""
        self._set_clock(moment)
        process.begun_at = min(process.begun_at, moment)
        accounts = self._configured(process, moment)
        process.unplannable = [a.conn_id for a in accounts if a.is_wanted and not a.appid]
        is_new = process.run.run_id not in self.planned_before
        self.planned_before.add(process.run.run_id)
        self.plans[process.run.run_id] = plan_verb.plan(
            process.run, self.warehouse, SETTINGS, accounts, is_new=is_new
        )
        process.pairs = self._pairs(process)

    def _pairs(self, process: Process) -> dict[tuple[str, date], Purpose]:
        return {
            (pair.appid, pair.publication_date): Purpose(pair.is_probe, pair.is_witness)
            for pair in self.planned(process)
        }

    def planned(self, process: Process) -> list[PlannedPair]:
        """The pairs of the newest plan, from the warehouse."""
        with self.warehouse.connect() as connection:
            return planned_pairs(connection, process.run)

    def ingest(self, process: Process, moment: int, *, by_itself: bool) -> tuple[int, bool]:
        """Ask over HTTP and load; when that ends."""
        self._set_clock(moment)
        self.asking = process, moment
        batch = self.plans[process.run.run_id].accounts
        with suppress(ingest_verb.IngestError):
            if batch:
                ingest_verb.ingest(
                    process.run,
                    self.warehouse,
                    SETTINGS,
                    batch,
                    self._open_client,
                    by_itself=by_itself,
                )
        process.pairs = self._pairs(process)
        return self.asking[1], False

    def check(self, process: Process, moment: int) -> None:
        """Give the run its colour by what the warehouse says."""
        self._set_clock(moment)
        accounts = [
            ConfiguredAccount(
                conn_id, None, conn_id, problem=Problem(ProblemKind.CONFIGURATION, "no login", "")
            )
            for conn_id in process.unplannable
        ]
        try:
            stamp = self.plans[process.run.run_id].stamp
            check_verb.check(process.run, self.warehouse, accounts, stamp).require_good()
        except check_verb.CheckError:
            process.is_red = True
        else:
            process.is_red = False

    def answer(self, handler: Handler) -> None:
        """Answer a data call as the world of its account does, and let time pass."""
        assert self.asking
        process, moment = self.asking
        moment += CALL
        self._set_clock(moment)
        self.asking = process, moment
        appid = (handler.asked.token or "").removeprefix("token-of-")
        dataset = next(d for d in DATASETS.values() if d.path == handler.asked.path)
        day = date.fromisoformat(json.loads(handler.asked.body)["begin_date"])
        process.calls[appid, day] += 1
        endpoint, number = (dataset.name, appid), day_number(day)
        world = self.calendar.worlds[endpoint]
        refusal, listing = world.call(number, moment)
        if refusal is None or refusal is Refusal.IS_DELAY:
            says(body(world, number, listing, is_delay=refusal is Refusal.IS_DELAY))(handler)
        elif refusal is Refusal.UNREACHABLE:
            resets(handler)
        else:
            refuses(refusal)(handler)

    def _configured(self, process: Process, moment: int) -> list[ConfiguredAccount]:
        wanted = process.run.accounts
        return [
            ConfiguredAccount(conn_id, appid, appid or conn_id, not wanted or appid in wanted)
            for conn_id, appid in self.calendar.accounts(moment).items()
        ]

    def _open_client(self, planned: PlannedAccount) -> WeixinClient:
        assert self.asking
        login = self.calendar.accounts(self.asking[1]).get(planned.conn_id)
        if login is None:
            raise ConfigurationError("there is no such connection", account=planned.name)
        url = f"http://127.0.0.1:{self.wire.server_port}"
        return WeixinClient(Account(planned.conn_id, login, SECRET, login, url), ONE_TRY)

    def _set_clock(self, moment: float) -> None:
        os.environ["WEIXIN_NOW"] = instant(moment).isoformat()


def body(world: World, day: int, listing: Any, *, is_delay: bool) -> bytes:
    """An answer's bytes; the readers of a row tell which day's it is and how often corrected."""
    items = [item(world, day, article, rows) for article, rows in listing.items()]
    return json.dumps({"list": items, "is_delay": is_delay}).encode()


def item(world: World, day: int, article: Article, shown: Mapping[int, int]) -> dict[str, Any]:
    """An item of an answer, with its rows where the dataset has them."""
    dataset = world.dataset
    head: dict[str, Any] = {"ref_date": str(date_of(day))}
    if dataset.item:
        head[dataset.item.name] = name(world, article)
    rows = [
        {"stat_date": str(date_of(day + n)), figure(dataset): readers(n, version)}
        for n, version in shown.items()
    ]
    if dataset.rows_in is Rows.LIST:
        return {**head, dataset.rows_key: rows}
    (row,) = rows
    del row["stat_date"]
    return {**head, dataset.rows_key: row} if dataset.rows_in is Rows.OBJECT else {**head, **row}


def name(world: World, article: Article) -> str:
    """What tells an article of a world from the others; of other datasets, an item of its day."""
    number = world.articles[article.day].index(article) + 1
    if world.dataset.item is None:
        return ""
    return f"{number}" if world.dataset.item.is_number else f"{article.day + 1000}_{number}"


def figure(dataset: Dataset) -> str:
    """The metric that rows have."""
    return dataset.readers or dataset.figures[0].name


def readers(n: int, version: int) -> int:
    """The total of a row."""
    return 1000 * (n + 1) + version


def colours(runs: list[Process]) -> list[tuple[Any, ...]]:
    """Each run with its plan, its calls and its colour."""
    return [(p.run.run_id, sorted(p.pairs.items()), p.calls, p.is_red) for p in runs]


def facts_of_the_rules(pipeline: Pipeline) -> dict[tuple[str, ...], int]:
    """What the rules' own pipeline has loaded."""
    return {
        (dataset, appid, name(world, article), str(day), str(date_of(article.day + n))): readers(
            n, version
        )
        for (dataset, appid), world in pipeline.calendar.worlds.items()
        for day, known in pipeline.known[dataset, appid].items()
        for article, rows in known.facts.items()
        for n, version in rows.items()
    }


def facts_of_the_warehouse(warehouse: Engine) -> dict[tuple[str, ...], int]:
    """What the real one has loaded."""
    loaded = {}
    with warehouse.connect() as connection:
        for dataset in DATASETS.values():
            its_name = f"{dataset.item.name}::text" if dataset.item else "''"
            rows = connection.exec_driver_sql(
                f"SELECT appid, {its_name}, {dataset.day_column}::text, stat_date::text, "  # noqa: S608 # the dataset's own
                f"{figure(dataset)} FROM weixin.{dataset.fact}"
            )
            loaded |= {(dataset.name, *row[:4]): row[4] for row in rows}
    return loaded


def final_days(pipeline: Pipeline) -> set[tuple[str, str, date]]:
    """The rules' final days."""
    return {
        (*endpoint, day)
        for endpoint, pairs in pipeline.known.items()
        for day, known in pairs.items()
        if known.coverage.is_final
    }


def final_days_of(warehouse: Engine) -> set[tuple[str, str, date]]:
    """The warehouse's final days."""
    sql = "SELECT dataset, appid, publication_date FROM weixin.coverage WHERE is_final"
    with warehouse.connect() as connection:
        return {tuple(row) for row in connection.exec_driver_sql(sql)}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Where the worlds answer."""
    wire = Wire()
    with wire.serving():
        yield wire


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WEIXIN_NOW", instant(0).isoformat())  # so that it is restored afterwards
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@settings(
    max_examples=settings().max_examples // 25,  # a few, and 80 in a soak
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), mornings=st.integers(3, 14))
@example(seed=13044, mornings=9)  # a probe that is answered, but not ready
@example(seed=381770, mornings=6)  # a refetch after the day's quota was used up
@example(seed=4294967296, mornings=3)  # a daily run after it
@example(seed=2, mornings=6)  # a stock
@example(seed=7, mornings=5)  # channels
@example(seed=11, mornings=5)  # days on which no article is shared
@example(seed=10879, mornings=13)  # a witness that is newer than some of the due days
def test_any_calendar(warehouse: Engine, wire: Wire, seed: int, mornings: int) -> None:
    """A few weeks with every trouble: plans, calls, colours, facts and final days are the same."""
    calendar = draw_calendar(seed, mornings, TROUBLES)
    by_rules, runs_by_rules = live(calendar)
    empty(warehouse)
    pipeline = RealPipeline(calendar, lambda *_: None, warehouse=warehouse, wire=wire)
    wire.on_data = pipeline.answer
    wire.on_token = lambda handler: gives_token(
        f"token-of-{json.loads(handler.asked.body)['appid']}"
    )(handler)
    _, runs = live(calendar, pipeline=pipeline)

    assert colours(runs) == colours(runs_by_rules)
    assert facts_of_the_warehouse(warehouse) == facts_of_the_rules(by_rules)
    assert final_days_of(warehouse) == final_days(by_rules)
    assert stale_rollups(warehouse) == []
