"""
The real pipeline, on Postgres, does what the rules' own does on the same calendar, step by step.

That one keeps every promise (tests/unit/test_rules_calendars.py), so this one does.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any

import pytest
import sqlalchemy
from calendars.drawn import Trouble, draw_calendar
from calendars.engine import CALL, CATCH_UP_DAYS, Endpoint, Engine, Process, live
from calendars.worlds import Article, Refusal, World, date_of, day_number, instant
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import empty, rows

from weixin_etl import rules
from weixin_etl.api import envelope
from weixin_etl.api.client import Answer
from weixin_etl.api.client import Refusal as Refused
from weixin_etl.datasets import DATASETS, Dataset, Rows
from weixin_etl.health import status
from weixin_etl.health.days import AccountDays
from weixin_etl.model import (
    COVERAGE,
    Account,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    State,
)
from weixin_etl.orchestration.web.page import calendar
from weixin_etl.orchestration.web.page.reader import Figures
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.warehouse.statements import coverage_of

SETTINGS = Settings(concurrency=1, catch_up_days=CATCH_UP_DAYS, daily_calls=0)
TROUBLES = frozenset(Trouble) - {Trouble.KILLED}
"""Kills have tests of their own, at every commit (tests/faults)."""


@dataclass
class RealEngine(Engine):
    """An engine whose verbs are the real ones."""

    warehouse: sqlalchemy.Engine = None  # type: ignore[assignment] # the fields before have defaults
    moment: int = 0
    plans: dict[Process, list[PlannedAccount]] = field(default_factory=dict)
    """The newest plan of each run, as Airflow keeps it."""

    def now(self) -> datetime:
        """The pipeline's clock."""
        return instant(self.moment)

    def coverage(self, endpoint: Endpoint) -> dict[date, Coverage]:
        """An endpoint's rows, from the warehouse."""
        found = rows(
            self.warehouse,
            f"SELECT day, {', '.join(COVERAGE)} FROM weixin.coverage "  # noqa: S608 # its own names
            "WHERE dataset = :dataset AND appid = :appid",
            dataset=endpoint[0],
            appid=endpoint[1],
        )
        return {day: coverage_of(columns) for day, *columns in found}

    def plan(self, process: Process, moment: int) -> None:
        """Plan it on the warehouse."""
        self.moment = moment
        accounts = self._configured(process)
        planned = plan_verb.plan(self._work(process), accounts)
        self.plans[process], process.planned_at = planned.accounts, self.now()
        process.unplannable = [it.conn_id for it in accounts if it.is_wanted and not it.appid]
        process.due = {
            it.appid: rules.Due(it.first, it.older, [], it.witness, it.is_probe)
            for it in planned.accounts
        }

    def ingest(self, process: Process, moment: int) -> int:
        """Ask and load, batch by batch; when that ends."""
        self.moment = moment
        for batch in plan_verb.batches(self.plans[process]):
            ingest_verb.ingest(
                self._work(process), batch, lambda planned: Client(self, process, planned)
            )
        return self.moment

    def check(self, process: Process, moment: int) -> None:
        """Give the run its colour by what the warehouse says."""
        self.moment = moment
        accounts = [
            ConfiguredAccount(
                conn_id, None, conn_id, problem=Problem(ProblemKind.CONFIGURATION, "no login", "")
            )
            for conn_id in process.unplannable
        ]
        judgement = check_verb.check(self._work(process), accounts, self.plans[process])
        process.is_red = bool(judgement.not_in)

    def _work(self, process: Process) -> Work:
        return Work(process.run, self.warehouse, SETTINGS, self.now)

    def _configured(self, process: Process) -> list[ConfiguredAccount]:
        wanted = process.run.accounts
        return [
            ConfiguredAccount(conn_id, appid, appid or conn_id, not wanted or appid in wanted)
            for conn_id, appid in self.calendar.accounts(self.moment).items()
        ]


class Client:
    """Answers as the world of its account does, and lets time pass."""

    def __init__(self, engine: RealEngine, process: Process, planned: PlannedAccount) -> None:
        """With the login that its connection has by now."""
        self.engine, self.process = engine, process
        appid = engine.calendar.accounts(engine.moment).get(planned.conn_id)
        if appid is None:
            raise WeixinError(
                ProblemKind.CONFIGURATION,
                cause="there is no such connection",
                cure="create it",
                account=planned.name,
            )
        self.account = Account(planned.conn_id, appid, "", appid)

    def check_token(self) -> None:
        """WeChat gives one."""

    def datacube(self, dataset: Dataset, day: date) -> Answer | Refused:
        """One call."""
        self.engine.moment += CALL
        appid, number = self.account.appid, day_number(day)
        self.process.calls[appid, day] += 1
        world, now = self.engine.calendar.worlds[dataset.name, appid], self.engine.now()
        refusal, listing = world.call(number, self.engine.moment)
        if refusal in (None, Refusal.IS_DELAY):
            said = body(world, number, listing, is_delay=refusal is Refusal.IS_DELAY)
            return Answer(said, now, 1)
        if refusal is Refusal.UNREACHABLE:
            return Refused(WeixinError(ProblemKind.UNREACHABLE, "no answer", account=appid), now, 1)
        return Refused(envelope.refusal(int(refusal), "no", self.account), now, 1)


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


def of_run(process: Process) -> tuple[Any, ...]:
    """What a step made of a run: its plan, its calls, its colour."""
    asked = {
        appid: (due.first, due.older, due.witness, due.is_probe)
        for appid, due in process.due.items()
        if process.days(appid)
    }
    return process.run.run_id, asked, process.calls, process.tries, process.is_red


def of_warehouse(engine: Engine) -> dict[tuple[str, str, date], tuple[Any, ...]]:
    """The rows of coverage; of a list whether there is one and whether it is empty."""
    return {
        (*endpoint, day): (
            it.settled,
            it.ready_at,
            it.lists_articles or it.list_sha256,
            it.article_count,
            it.attempted_at,
            it.error_kind,
            it.error_code,
        )
        for endpoint in engine.calendar.worlds
        for day, it in engine.coverage(endpoint).items()
    }


def loaded_by_the_rules(engine: Engine) -> dict[tuple[str, ...], int]:
    """The facts of the rules' own engine."""
    return {
        (*endpoint, name(world, article), str(day), str(date_of(article.day + n))): readers(n, it)
        for endpoint, world in engine.calendar.worlds.items()
        for day, pair in engine.pairs[endpoint].items()
        for article, shown in pair.facts.items()
        for n, it in shown.items()
    }


def loaded(warehouse: sqlalchemy.Engine) -> dict[tuple[str, ...], int]:
    """The facts of the warehouse."""
    found = {}
    for dataset in DATASETS.values():
        its_name = f"{dataset.item.name}::text" if dataset.item else "''"
        sql = (
            f"SELECT appid, {its_name}, {dataset.day_column}::text, stat_date::text, "  # noqa: S608 # the dataset's own
            f"{figure(dataset)} FROM weixin.{dataset.fact}"
        )
        found |= {(dataset.name, *row[:4]): row[4] for row in rows(warehouse, sql)}
    return found


States = dict[tuple[str, str, date], tuple[State, str | None, date | None, date | None]]
"""Of each day: what it is called, why, when it is asked again, and when it can be final."""


def told(days: AccountDays, day: date, now: datetime) -> tuple[Any, ...]:
    """What is told of a day."""
    pair = days.pairs.get(day) or Coverage()
    reason = "; ".join(filter(None, [pair.error, pair.cure])) or None
    return days.state(day, now), reason, days.next_date(day, now), days.final_date(day, now)


def states(engine: RealEngine, now: datetime, others: Iterable[tuple[str, str, date]]) -> States:
    """By the rules: all days of rows, and others."""
    found = {}
    for endpoint, world in engine.calendar.worlds.items():
        pairs, dataset = engine.coverage(endpoint), world.dataset
        since = rows(
            engine.warehouse,
            "SELECT since_date, is_active FROM weixin.collected_since "
            "INNER JOIN weixin.dim_account USING (appid) "
            "WHERE dataset = :dataset AND appid = :appid",
            dataset=endpoint[0],
            appid=endpoint[1],
        )
        first, is_active = since[0] if since else (None, False)
        heard = rules.heard_at(pairs.values())
        days = AccountDays(dataset, first, CATCH_UP_DAYS, heard, pairs, is_active)
        for day in {*pairs, *(day for *of, day in others if (*of,) == endpoint)}:
            found[*endpoint, day] = told(days, day, now)
    return found


def states_of_status(engine: RealEngine, now: datetime) -> States:
    """By `weixin-etl status`, of each day that is not final."""
    with engine.warehouse.connect() as connection:
        read = status.read(connection, None, now=now)
    return {
        (it.facts.dataset.name, it.facts.appid, day): told(it.facts.days, day, now)
        for it in read.accounts
        for day in chain.from_iterable(it.days.values())
    }


def state_on_page(
    engine: RealEngine, now: datetime, pair: tuple[str, str, date]
) -> tuple[Any, ...]:
    """By the page's story of a day."""
    dataset, appid, day = pair
    with engine.warehouse.connect() as connection:
        story = calendar.story(Figures(connection, DATASETS[dataset], now), appid, day)
    reason = "; ".join(filter(None, [story.why.cause, story.why.cure])) or None
    return story.cell.state, reason, story.next_date, story.final_date


def states_of_analysts(engine: RealEngine, now: datetime) -> States:
    """By `analytics.coverage`: it looks at Postgres's clock, here at ours."""
    (definition,) = rows(engine.warehouse, "SELECT pg_get_viewdef('analytics.coverage')")[0]
    assert "now()" in definition
    view = definition.replace("now()", f"timestamptz '{now.isoformat()}'").rstrip(";")
    with engine.warehouse.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT dataset, appid, day, state, reason, next_date, final_date "  # noqa: S608 # a view's own text
            f"FROM ({view}) AS it"
        )
        return {(*row[:3],): (State(row[3]), *row[4:]) for row in found}


def agree(some: States, others: States) -> bool:
    """Whether both have the same word for each day that both name."""
    return all(some[pair] == others[pair] for pair in some.keys() & others.keys())


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
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
@example(seed=743463604, mornings=11)  # a chunk that midnight divides, heard on its first day
@example(seed=411865, mornings=11)  # a run planned while another asks
@example(seed=295600077, mornings=12)  # a connection that goes while its account waits
@example(seed=3628799, mornings=10)  # another try after the day's quota was used up
def test_any_calendar(warehouse: sqlalchemy.Engine, seed: int, mornings: int) -> None:
    """A few weeks with every trouble: after each step plan, calls, colour and coverage agree."""
    calendar = draw_calendar(seed, mornings, TROUBLES)
    empty(warehouse)
    ours, real = Engine(calendar), RealEngine(calendar, warehouse=warehouse)
    for (_, process), (_, other) in zip(live(calendar, ours), live(calendar, real), strict=True):
        assert of_run(other) == of_run(process)
        assert of_warehouse(real) == of_warehouse(ours)
        now = real.now()
        words = states_of_analysts(real, now)
        assert words == states(real, now, words)
        assert agree(words, states_of_status(real, now))
        if words:
            pair = max(words, key=lambda it: hash((*it, now)))
            assert state_on_page(real, now, pair) == words[pair]

    assert loaded(warehouse) == loaded_by_the_rules(ours)
    assert words
