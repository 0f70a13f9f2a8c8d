"""
Check that the real pipeline does on Postgres what the rules do in memory, after every step.

Both execute the same random calendar. The rules in memory keep every promise
(tests/rules/test_promises.py), so the pipeline keeps them too.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import pytest
import sqlalchemy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import empty, rows
from support.account_days import stale_accounts, wrong_account_days
from world.expected_tables import facts, readers
from world.pipeline import Pipeline
from world.random_calendars import Fault, draw_calendar
from world.simulation import CATCH_UP_DAYS, Engine, Process, simulate
from world.wechat import day_number, figures

from weixin_etl import clock, rules
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.health.account_alerts import LACKING, Days
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.web.page import calendar as page
from weixin_etl.orchestration.web.page.calendar import Figures

FAULTS = frozenset(Fault) - {Fault.KILLED}
"""All faults but kills, which tests/faults tests at every commit."""
Named = tuple[str, str, date]
States = dict[Named, tuple[State, str | None, date | None, date | None]]
"""State, reason, next date asked for, and date of being final, by day."""


def run_log(process: Process) -> tuple[Any, ...]:
    """Return a run's plan, calls, tries and colour after a step."""
    asked = {
        appid: (due.first, due.older, due.control_day, due.is_retirement_check)
        for appid, due in process.due.items()
        if process.days(appid)
    }
    return process.run.run_id, asked, process.calls, process.tries, process.is_red


def coverage_log(engine: Engine) -> dict[Named, tuple[Any, ...]]:
    """Return the coverage of each day; of a list only whether it exists and is empty."""
    return {
        (*endpoint, day): (
            coverage.settled,
            coverage.ready_at,
            coverage.lists_articles or coverage.list_sha256,
            coverage.article_count,
            *(coverage.attempted_at, coverage.error_kind, coverage.error_code),
        )
        for endpoint in engine.calendar.wechats
        for day, coverage in engine.coverage(endpoint).items()
    }


def facts_in_memory(engine: Engine) -> dict[tuple[str, ...], int]:
    """Return the facts of the engine in memory."""
    return {
        (*endpoint, *key): value
        for endpoint, wechat in engine.calendar.wechats.items()
        for day, record in engine.records[endpoint].items()
        for key, value in figures(wechat, day_number(day), record.facts).items()
    }


class Known(NamedTuple):
    """The coverage of an account's days, and the first day that daily runs collect."""

    dataset: Dataset
    since: date | None
    is_active: bool
    coverages: Mapping[date, Coverage]

    @property
    def last_article_at(self) -> datetime | None:
        """The time of the last answer that listed an article."""
        return rules.last_article_at(self.coverages.values())

    def catch_up_start(self, today: date) -> date:
        """Return the first day that a daily run of the day still asks for."""
        return rules.catch_up_start(self.dataset, today, self.since, CATCH_UP_DAYS)

    def state(self, day: date, now: datetime) -> State:
        """Return the state of a day."""
        coverage = self.coverages.get(day, Coverage())
        start = self.catch_up_start(clock.beijing_date(now))
        return rules.state_of(
            self.dataset,
            day,
            coverage,
            is_ended=not self.is_active or rules.is_retired(self.coverages),
            catch_up_start=start,
            last_article_at=self.last_article_at,
            newest_date=rules.newest_date(self.coverages.values()),
            now=now,
        )


def next_date(known: Known, day: date, now: datetime) -> date | None:
    """Return the morning whose daily run asks for the day again, or None."""
    coverage, today = known.coverages.get(day, Coverage()), clock.beijing_date(now)
    if coverage.settled or known.since is None or rules.is_retired(known.coverages):
        return None
    at = coverage.attempted_at if coverage.error_kind != "not_ready" else None
    is_of_today = at is not None and clock.beijing_date(at) == today
    is_asked = is_of_today or rules.due_morning(now) == today
    morning = max(today + rules.DAY * is_asked, day + rules.DAY)
    window_end = day + rules.DAY * known.dataset.window
    if window_end < morning and rules.lists_nothing(coverage, window_end, known.last_article_at):
        return None
    return morning if coverage.ready_at or day >= known.catch_up_start(morning) else None


def final_date(known: Known, day: date, asked: date | None) -> date | None:
    """Return the first morning on which the day can be final, or None if no run asks for it."""
    window_end = day + rules.DAY * known.dataset.window
    if asked is None or not known.dataset.describes_articles:
        return asked and max(asked, window_end)
    coverage = known.coverages.get(day, Coverage())
    if (
        coverage.ready_date
        and coverage.list_sha256 is not None
        and window_end <= coverage.ready_date < asked
    ):
        return asked
    return max(asked, window_end) + rules.DAY


def why(attempt: Coverage | Days) -> str | None:
    """Return the reason shown for the last attempt."""
    return "; ".join(filter(None, [attempt.error, attempt.cure])) or None


def states(engine: Pipeline, now: datetime, other_days: Iterable[Named]) -> States:
    """Return the states by the rules, of all days with coverage and of the other days."""
    found = {}
    for endpoint, wechat in engine.calendar.wechats.items():
        coverages, dataset = engine.coverage(endpoint), wechat.dataset
        since = rows(
            engine.warehouse,
            "SELECT since_date, is_active FROM weixin.dim_account AS account "
            "LEFT JOIN weixin.collected_since AS collected "
            "ON account.appid = collected.appid AND dataset = :dataset "
            "WHERE account.appid = :appid",
            dataset=endpoint[0],
            appid=endpoint[1],
        )
        first, is_active = since[0] if since else (None, False)
        known = Known(dataset, first, is_active, coverages)
        for day in {*coverages, *(day for *of, day in other_days if (*of,) == endpoint)}:
            asked = next_date(known, day, now) if is_active else None
            state, reason = known.state(day, now), why(coverages.get(day, Coverage()))
            found[*endpoint, day] = (state, reason, asked, final_date(known, day, asked))
    return found


def states_of_analysts(engine: Pipeline, now: datetime) -> States:
    """Return the states by `analytics.coverage`, whose `now()` is replaced."""
    (definition,) = rows(engine.warehouse, "SELECT pg_get_viewdef('analytics.coverage')")[0]
    assert "now()" in definition
    view = definition.replace("now()", f"timestamptz '{now.isoformat()}'").rstrip(";")
    columns = "dataset, appid, day, state, reason, next_date, final_date"
    with engine.warehouse.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT {columns} FROM ({view}) AS coverage")
        return {(*row[:3],): (State(row[3]), *row[4:]) for row in found}


def behind(engine: Pipeline, now: datetime) -> tuple[Any, Any]:
    """Return the days whose newest figures are missing: by `weixin-etl status`, by the rules."""
    with engine.warehouse.connect() as connection:
        accounts = status.read(connection, None, now=now).accounts
    found = {
        (account.dataset, account.appid): [*(account.behind_days or ())] for account in accounts
    }
    return found, {
        (dataset, appid): rules.behind_days(dataset, engine.coverage((dataset.name, appid)))
        for dataset, appid in found
    }


def final_of_analysts(engine: Pipeline) -> tuple[Any, Any]:
    """Return the final days of articles: by the views' `is_final`, by coverage."""
    found, expected = set(), set()
    for dataset in {wechat.dataset for wechat in engine.calendar.wechats.values()}:
        if dataset.describes_articles:
            view, settled = (query.format(dataset=dataset) for query in (FINAL, SETTLED))
            found |= {*rows(engine.warehouse, view, dataset=dataset.name)}
            expected |= {*rows(engine.warehouse, settled, dataset=dataset.name)}
    return found, expected


FINAL = """
    SELECT DISTINCT :dataset, appid, publication_date
    FROM analytics.article_day{dataset.suffix} WHERE is_final
"""
SETTLED = """
    SELECT DISTINCT :dataset, appid, day
    FROM weixin.coverage INNER JOIN weixin.{dataset.fact} USING (appid)
    WHERE dataset = :dataset AND settled = 'final' AND day = publication_date
"""


def states_of_status(engine: Pipeline, now: datetime, shown: States) -> tuple[Any, Any]:
    """Return the states by `weixin-etl status` and messages, and those it is expected to show."""
    with engine.warehouse.connect() as connection:
        accounts = status.read(connection, None, now=now).accounts
    collected = {(account.dataset.name, account.appid) for account in accounts}
    answered = {
        (*endpoint, day)
        for endpoint in engine.calendar.wechats
        for day, coverage in engine.coverage(endpoint).items()
        if coverage.ready_at
    }
    found = {
        (account.dataset.name, account.appid, day): (slices.state, why(slices))
        for account in accounts
        for slices in account.days
        for day in slices.days
    }
    return found, {
        named: (state, reason)
        for named, (state, reason, *_) in shown.items()
        if named[:2] in collected
        and (
            state in LACKING
            or (reason and state != State.FINAL)
            or (state == State.ENDED and named not in answered)
        )
    }


def state_on_page(engine: Pipeline, now: datetime, named: Named) -> tuple[Any, ...]:
    """Return the state that the page shows of a day."""
    dataset, appid, day = named
    with engine.warehouse.connect() as connection:
        story = page.story(Figures(connection, DATASETS[dataset], now), appid, day)
    cell, problem = story["cell"], story["problem"]
    reason = "; ".join(filter(None, [problem.cause, problem.cure])) or None
    return cell["state"], reason, cell["next_date"], cell["final_date"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@settings(
    max_examples=settings().max_examples // 25 or 1,  # a few, and 80 in a soak
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), mornings=st.integers(3, 14))
@example(seed=641956, mornings=8)  # runs that ask at once, the earlier answers judged last
@example(seed=188957, mornings=5)  # outages of two kinds in a row
@example(seed=13044, mornings=9)  # a probe that is answered, but not ready
@example(seed=381770, mornings=6)  # a refetch after the day's quota was used up
@example(seed=4294967296, mornings=3)  # a daily run after it
@example(seed=2, mornings=6)  # a stock
@example(seed=7, mornings=5)  # channels
@example(seed=11, mornings=5)  # days on which no article is shared
@example(seed=10879, mornings=13)  # a control_day that is newer than some of the due days
@example(seed=743463604, mornings=11)  # a chunk that midnight divides, heard on its first day
@example(seed=411865, mornings=11)  # a run planned while another asks
@example(seed=295600077, mornings=12)  # a connection that goes while its account waits
@example(seed=158819938, mornings=11)  # a run planned in the instant of another's answer
@example(seed=3628799, mornings=10)  # another try after the day's quota was used up
def test_any_calendar_gives_the_same_in_memory_and_on_postgres(
    warehouse: sqlalchemy.Engine, seed: int, mornings: int
) -> None:
    """
    Plan, calls, colour and coverage agree after each step, and the stored account days are exact.

    Analysts, `weixin-etl status` and the page give each day the same state, reason and next dates.
    """
    empty(warehouse)
    calendar = draw_calendar(seed, mornings, FAULTS)
    model = Engine(calendar)
    with Pipeline(calendar, warehouse=warehouse).serving() as real:
        steps = zip(simulate(calendar, model), simulate(calendar, real), strict=True)
        for number, ((_, process), (_, other)) in enumerate(steps):
            assert run_log(other) == run_log(process)
            assert coverage_log(real) == coverage_log(model)
            now = real.now()
            assert stale_accounts(warehouse) == []
            if number % 5 == 0:  # it takes as long as the rest
                assert wrong_account_days(warehouse) == set()
            shown = states_of_analysts(real, now)
            assert shown == states(real, now, shown)
            of_status, lacking = states_of_status(real, now, shown)
            assert of_status == lacking
            by_status, by_rules = behind(real, now)
            assert by_status == by_rules
            by_views, by_coverage = final_of_analysts(real)
            assert by_views == by_coverage
            if shown:
                some = sorted(shown)[7 * now.day % len(shown)]
                assert state_on_page(real, now, some) == shown[some]

    assert wrong_account_days(warehouse) == set()
    assert readers(facts(warehouse)) == facts_in_memory(model)
    assert shown
