"""Check that an ingest killed right before or after any commit loses nothing and blocks nothing."""

from collections import Counter
from dataclasses import replace
from datetime import date

from sqlalchemy import Engine
from support import rows
from support.account_days import wrong_account_days
from world.expected_tables import Key, differences, expected_tables, held, kept
from world.pipeline import MORNING, by_hand
from world.processes import IngestProcess, Outcome, order, several
from world.wechat import at, date_of

from weixin_etl.api.calls import RESERVED_CALLS
from weixin_etl.problem import ProblemKind

ACCOUNTS = 3
EDGES = 26
"""The number of edges tried: right before and right after each of the first 13 commits."""
FIRST_LOAD = 5
"""The edge right before the first load's commit."""
REPORTED = """
    SELECT dataset, appid, day, sum(inserted)::int, sum(updated)::int FROM weixin.run_report
    GROUP BY 1, 2, 3 HAVING sum(inserted) > 0
"""
TODAYS = "SELECT count(*)::int FROM weixin.coverage WHERE ready_at = :now"


def assert_consistent(warehouse: Engine) -> None:
    """Check that the tables follow from the kept answers, and the reports from the tables."""
    found = held(warehouse)
    assert differences(found, expected_tables([[answer] for answer in kept(warehouse)])) == []
    inserted, updated = Counter[Key](), Counter[Key]()
    for name, appid, item, day, stat_date in found.facts:
        inserted[name, appid, day] += 1
        updated[name, appid, day] += len(found.history.get((name, appid, item, stat_date), ()))
    reported = rows(warehouse, REPORTED)
    assert {(*key,): count for *key, count, _ in reported} == inserted
    assert {(*key,): count for *key, _, count in reported} == updated


def calls_counted(warehouse: Engine, day: date) -> int:
    """Return how many calls of all accounts are counted on a day."""
    counted = "SELECT coalesce(sum(calls), 0)::int FROM weixin.api_call WHERE beijing_date = :day"
    ((calls,),) = rows(warehouse, counted, day=day)
    return calls


def test_calls_before_a_kill_count_for_the_quota(warehouse: Engine) -> None:
    """
    A backfill that is killed twice leaves the daily runs their reserve.

    It may make 50 calls a day. A kill loses at most the calls that were counted but not made.
    """
    with several(warehouse, 1) as engine:
        engine.settings = replace(engine.settings, daily_calls=150)
        made = order(engine.collector, by_hand(-14, 71))
        killed = replace(made, killed_at=FIRST_LOAD)
        assert [IngestProcess(killed).outcome() for _ in range(2)] == [Outcome(), Outcome()]

        assert IngestProcess(made).outcome().problems == [ProblemKind.HELD_BACK]
        assert 50 - RESERVED_CALLS <= len(engine.asked) <= 50


def test_a_second_run_asks_only_for_days_that_a_kill_lost(warehouse: Engine) -> None:
    """
    Each morning's ingest is killed at another edge of a commit (0018).

    After the kill and after the second run, all tables follow from the kept answers.
    """
    with several(warehouse, ACCOUNTS) as engine:
        for day, edge in enumerate(range(1, EDGES + 1)):
            engine.moment = at(day, 10.5)
            run = replace(MORNING, run_id=f"run {day}", today=date_of(day))
            made = order(engine.collector, run)
            assert IngestProcess(replace(made, killed_at=edge)).outcome() == Outcome(), edge
            assert_consistent(warehouse)
            ((committed,),) = rows(warehouse, TODAYS, now=engine.now())
            counted = calls_counted(warehouse, date_of(day))
            assert 0 <= counted - len(engine.asked) <= ACCOUNTS * RESERVED_CALLS
            engine.asked.clear()
            assert IngestProcess(made).outcome().is_done
            assert_consistent(warehouse)
            days = len(made.batch[0].due.days)
            assert rows(warehouse, TODAYS, now=engine.now()) == [(ACCOUNTS * days,)]
            assert len(engine.asked) == ACCOUNTS * days - committed
            assert calls_counted(warehouse, date_of(day)) == counted + len(engine.asked)
            engine.asked.clear()
            for wechat in engine.calendar.wechats.values():
                wechat.articles[day - 2][0].corrections = [(at(day, 12), 0), (at(day, 13), 1)]
        assert wrong_account_days(warehouse) == set()
