"""
Check that calls are counted across runs, and that runs with dates spare the daily runs' reserve.

Decision 0020 describes the quota.
"""

from dataclasses import replace
from datetime import date

import pytest
from support import HASTE, rows
from support.wire import in_turn, refuses
from world.collector import Collector
from world.pipeline import MORNING, Pipeline, by_hand
from world.wechat import Refusal, at, date_of

from weixin_etl.problem import ProblemKind

DAILY = replace(MORNING, accounts=("wx0",))
BACKFILL = by_hand(-14, 71, accounts=("wx0",))
"""
A run over 71 days, of which 50 can be asked for.

The quota is 150 calls a day, a hundred of them reserved for daily runs.
"""
COUNTED = "SELECT calls FROM weixin.api_call WHERE appid = 'wx0' ORDER BY beijing_date"


def limited(morning: Pipeline) -> Collector:
    """Return a collector with a quota of 150 calls a day, whose calls are tried three times."""
    collector = morning.collector
    return replace(collector, settings=replace(collector.settings, daily_calls=150), limits=HASTE)


def asked(morning: Pipeline) -> list[date]:
    """Return the days asked for since the last time."""
    days = [day for *_, day in morning.asked]
    morning.asked.clear()
    return days


def days(last: int, count: int) -> list[date]:
    """Return the days up to the last, newest first."""
    return [date_of(last - age) for age in range(count)]


@pytest.mark.every_postgres
def test_runs_of_one_day_share_the_count(morning: Pipeline) -> None:
    """Repeated tries of a call count too. The count starts anew at midnight in Beijing."""
    collector, answer = limited(morning), morning.wire.on_data
    morning.wire.on_data = in_turn(refuses(-1), refuses(-1), answer)
    collector.run(DAILY)
    morning.moment = at(0, 23.5)
    collector.run(replace(DAILY, run_id="again"))
    assert rows(morning.warehouse, COUNTED) == [(7 + 2 + 7,)]

    morning.moment = at(1, 0.1)
    collector.run(replace(DAILY, run_id="tomorrow", today=date_of(1)))

    assert rows(morning.warehouse, COUNTED) == [(7 + 2 + 7,), (8,)]
    assert len(morning.wire.data_calls) == 7 + 2 + 7 + 8


def test_calls_after_midnight_count_for_the_new_day(morning: Pipeline) -> None:
    """Calls counted in advance but not yet made at midnight are counted again."""
    morning.moment, morning.call_seconds = at(0, 23.9), 120

    limited(morning).run(BACKFILL)

    ((of_day,), (of_next_day,)) = rows(morning.warehouse, COUNTED)
    assert of_day >= 3
    assert of_next_day == len(morning.asked) - 3 == 47


def test_a_backfill_stops_at_the_reserve(morning: Pipeline) -> None:
    """The run is red and names the missing days. Cleared the next day, it becomes green."""
    collector = limited(morning)
    batch, held_back = collector.plan(BACKFILL), days(-64, 21)

    for _ in range(2):
        (problem,) = collector.ingest(BACKFILL, batch).problems
        assert (problem.kind, [*problem.days]) == (ProblemKind.HELD_BACK, held_back[::-1])
        assert collector.check(BACKFILL, batch).not_in == [problem]
    assert asked(morning) == days(-14, 50)

    morning.moment = at(1, 0.1)
    assert (
        collector.ingest(BACKFILL, batch).problems == collector.check(BACKFILL, batch).not_in == []
    )
    assert asked(morning) == held_back


def test_the_reserve_is_for_daily_runs(morning: Pipeline) -> None:
    """A daily run may use it after a backfill. Earlier calls of daily runs count against it."""
    collector = limited(morning)
    batch = collector.plan(BACKFILL)
    collector.run(DAILY)
    asked(morning)
    (problem,) = collector.ingest(BACKFILL, batch).problems
    assert (problem.kind, len(asked(morning))) == (ProblemKind.HELD_BACK, 50 - 7)

    assert collector.run(replace(DAILY, run_id="again")).problems == []
    assert {*asked(morning)} >= {*days(-1, 7)}


def test_a_backfill_whose_calls_are_repeated_spares_the_reserve(morning: Pipeline) -> None:
    """Each try counts, so fewer days are asked for. Only the last call may exceed the limit."""
    busy, answer = refuses(-1), morning.wire.on_data
    morning.wire.on_data = in_turn(*[busy, answer] * 20, answer)

    limited(morning).run(BACKFILL)

    assert 50 <= len(morning.wire.data_calls) <= 50 + HASTE.tries - 1


def test_a_used_up_quota_ends_polling_for_the_account(morning: Pipeline) -> None:
    wechat = morning.calendar.wechats[DAILY.dataset.name, "wx0"]
    wechat.refused_on = {
        (-day, 0): Refusal.NOT_READY if day < 3 else Refusal.QUOTA for day in range(8)
    }
    collector = limited(morning)
    batch = collector.plan(DAILY)

    first = collector.ingest(DAILY, batch)
    asked(morning)
    again = collector.ingest(DAILY, batch)

    kinds = {problem.kind for problem in first.problems}
    assert kinds == {ProblemKind.NOT_READY, ProblemKind.DAILY_QUOTA}
    assert not first.has_not_ready
    assert (asked(morning), again.problems) == ([], first.problems)
