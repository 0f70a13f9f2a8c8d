"""An ingest that is killed at the edge of any commit loses nothing and leaves nothing behind."""

from collections import Counter
from dataclasses import replace

from sqlalchemy import Engine
from support import rows
from world.pipeline import MORNING
from world.processes import IngestProcess, Outcome, order, several
from world.truth import Key, differences, held, kept, truth
from world.wechat import at, date_of

ACCOUNTS = 3
EDGES = 8
"""Right before and right after each of the first commits: two of them are loads."""
REPORTED = """
    SELECT dataset, appid, day, sum(inserted)::int, sum(updated)::int FROM weixin.run_report
    GROUP BY 1, 2, 3 HAVING sum(inserted) > 0
"""
TODAYS = "SELECT count(*)::int FROM weixin.coverage WHERE ready_at = :now"


def assert_consistent(warehouse: Engine) -> None:
    """The tables are what the kept answers say, and the reports what was done."""
    found = held(warehouse)
    assert differences(found, truth([[it] for it in kept(warehouse)])) == []
    inserted, updated = Counter[Key](), Counter[Key]()
    for name, appid, item, day, stat_date in found.facts:
        inserted[name, appid, day] += 1
        updated[name, appid, day] += len(found.history.get((name, appid, item, stat_date), ()))
    reported = rows(warehouse, REPORTED)
    assert {(*it,): its for *it, its, _ in reported} == inserted
    assert {(*it,): its for *it, _, its in reported} == updated


def test_a_second_run_makes_a_kill_good(warehouse: Engine) -> None:
    """
    A morning for each edge of a commit, at which it is killed (0018); figures are corrected.

    Right after a kill as in the end, all tables are what the kept answers say. The second run asks
    for what the first had not committed, and for nothing else.
    """
    with several(warehouse, ACCOUNTS) as engine:
        for day, edge in enumerate(range(1, EDGES + 1)):
            engine.moment = at(day, 10.5)
            run = replace(MORNING, run_id=f"run {day}", today=date_of(day))
            made = order(engine.collector, run)
            assert IngestProcess(replace(made, killed_at=edge)).outcome() == Outcome(), edge
            assert_consistent(warehouse)
            ((committed,),) = rows(warehouse, TODAYS, now=engine.now())
            engine.asked.clear()
            assert IngestProcess(made).outcome().is_done
            assert_consistent(warehouse)
            days = len(made.batch[0].due.days)
            assert rows(warehouse, TODAYS, now=engine.now()) == [(ACCOUNTS * days,)]
            assert len(engine.asked) == ACCOUNTS * days - committed
            for world in engine.calendar.worlds.values():
                world.articles[day - 2][0].corrections = [(at(day, 12), 0), (at(day, 13), 1)]
