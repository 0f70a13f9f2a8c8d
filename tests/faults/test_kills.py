"""An ingest that is killed at the edge of any commit loses nothing and leaves nothing behind."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from math import inf

from sqlalchemy import Engine
from support import rows
from world.drawn import Lots, Trouble, draw_calendar, draw_statistics, draw_world
from world.life import Calendar, live
from world.pipeline import SETTINGS
from world.processes import Processes
from world.truth import Key, Tables, differences, held, kept, readers, truth
from world.wechat import MIDNIGHT_0, at, date_of, day_number, figures

from weixin_etl.rules import DAY

MORNINGS = 3
APPIDS = ("A", "B", "C")
TROUBLES = frozenset(
    {Trouble.ODD, Trouble.REFUSED_ONCE, Trouble.BY_HAND, Trouble.STATISTICS, Trouble.BOTH}
)
"""Nothing that is waited for until noon, in process after process; no run is planned again."""
COMMITS = replace(SETTINGS, concurrency=4, commit_bytes=4000)
"""Several in a run, most of several accounts."""
EDGES = 8


def drawn(seed: int) -> Calendar:
    """A calendar of three accounts; most scheduled runs are killed at a commit."""
    calendar, lots = draw_calendar(seed, MORNINGS, TROUBLES), Lots(f"kills of {seed}")
    lots.troubles = TROUBLES
    for name, dataset in {name: it.dataset for (name, _), it in calendar.worlds.items()}.items():
        draw = draw_world if dataset.describes_articles else draw_statistics
        calendar.worlds |= {(name, it): draw(lots, dataset, MORNINGS) for it in APPIDS[1:]}
    calendar.connections = [(it.lower(), it, -inf, inf) for it in APPIDS]
    calendar.runs = [
        (moment, run, lots.randint(1, EDGES) if run.is_scheduled and lots.random() < 0.7 else None)
        for moment, run, _ in calendar.runs
        if moment < at(MORNINGS + 1)
    ]
    return calendar


REPORTED = """
    SELECT dataset, appid, day, sum(inserted), sum(updated) FROM weixin.run_report
    GROUP BY 1, 2, 3 HAVING sum(inserted) > 0
"""


def assert_consistent(warehouse: Engine) -> Tables:
    """The tables are what the kept answers say, and the reports what was done; the tables."""
    found = held(warehouse)
    assert differences(found, truth([[it] for it in kept(warehouse)]), "unlisted") == []
    inserted, updated = Counter[Key](), Counter[Key]()
    for name, appid, item, day, stat_date in found.facts:
        key = name, appid, "" if item is None else str(item), stat_date
        inserted[name, appid, day] += 1
        updated[name, appid, day] += len(found.history.get(key, ()))
    reported = rows(warehouse, REPORTED)
    assert {(*it,): its for *it, its, _ in reported} == inserted
    assert {(*it,): its for *it, _, its in reported} == updated
    return found


def test_a_second_run_makes_a_kill_good(warehouse: Engine, kill_seed: int) -> None:
    """
    Mornings of every kind of dataset, killed right before or right after commits (0018).

    Right after a kill as in the end, all tables are what the kept answers say. The last morning has
    each day of its window, and what any day's newest answer listed is loaded.
    """
    kills = 0
    with Processes(drawn(kill_seed), warehouse=warehouse, settings=COMMITS).serving() as engine:
        for _, process in live(engine.calendar, engine):
            if process.kills:
                kills += 1
                assert_consistent(warehouse)

    assert kills
    loaded = readers(assert_consistent(warehouse).facts)
    for endpoint, world in engine.calendar.worlds.items():
        pairs = engine.coverage(endpoint)
        for day, pair in pairs.items():
            if pair.fetched_at:
                moment = (pair.fetched_at - MIDNIGHT_0) / timedelta(seconds=1)
                shown = figures(world, day_number(day), world.listing(day_number(day), moment))
                its = {(*endpoint, *key): it for key, it in shown.items()}
                assert its.items() <= loaded.items()
        due = next(it.due for it in engine.runs[::-1] if it.run.dataset is world.dataset)
        if not due[endpoint[1]].is_probe:
            last = date_of(MORNINGS)
            window = [last - DAY * n for n in range(1, world.dataset.window + 1)]
            assert all(pairs[it].ready_date == last or pairs[it].settled for it in window)
