"""
What mornings without a run cost afterwards: one account, an article a day, all rows in time.

Nothing is started: calendars are lived through, and `weixin_etl.rules` decides.
"""

from datetime import date

from weixin_etl import clock, rules
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from world.life import CATCH_UP_DAYS, Engine, Pair, daily, lived
from world.wechat import at, date_of, in_time, instant

OUTAGES = (1, 6, 8, 20, 70)
FIRST_MISSED = 3
"""The day of the account's fourth run."""


def table() -> str:
    """The table of the manual, in Markdown."""
    rows = [
        "| mornings missed | dataset | days lost | if the first answers lie "
        "| calls, first morning after | second | third |",
        "| ---: | --- | --- | --- | ---: | ---: | ---: |",
    ]
    for missed in OUTAGES:
        for dataset in ARTICLE_DATASETS.values():
            cells = (missed, f"`{dataset.name}`", *costs(dataset, missed))
            rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def costs(dataset: Dataset, missed: int) -> tuple[str | int, ...]:
    """Days lost, the same if each answer of the first morning lies, and the calls of three runs."""
    honest, calls = after(dataset, missed, lies=False)
    lying, _ = after(dataset, missed, lies=True)
    return (honest, lying, *calls)


def after(dataset: Dataset, missed: int, *, lies: bool) -> tuple[str, list[int]]:
    """What is lost after an outage, and the calls of the three runs that follow it."""
    back = FIRST_MISSED + missed
    every_day = range(-dataset.window, back + 4)
    world = in_time(dataset, {day: [range(dataset.window)] for day in every_day})
    if lies:
        world.lies_on = {back: 1.0}
    engine = lived(daily(world, back, range(FIRST_MISSED, back)))

    run_of = {run.day: run for run in engine.runs}
    lost = lacking(engine, dataset)
    return (
        ", ".join([str(len(lost)), *sorted({named(engine, dataset, day) for day in lost})]),
        [run_of[back + n].calls.total() for n in range(3)],
    )


def named(engine: Engine, dataset: Dataset, day: date) -> str:
    """What a day is called on the last morning."""
    now = instant(at(engine.calendar.last_day, 8.5))
    reach = rules.reach(dataset, clock.beijing_date(now), None, CATCH_UP_DAYS)
    coverage = engine.pairs[dataset.name, "A"].get(day, Pair()).coverage
    return str(rules.state(dataset, day, coverage, reach=reach, heard=None, now=now))


def lacking(engine: Engine, dataset: Dataset) -> list[date]:
    """The days whose facts are not what WeChat shows on the last morning, newest first."""
    pairs, last = engine.pairs[dataset.name, "A"], engine.calendar.last_day
    world = engine.calendar.worlds[dataset.name, "A"]
    return [
        date_of(day)
        for day in reversed(range(-dataset.window, last))
        if pairs.get(date_of(day), Pair()).facts != world.listing(day, at(last, 8.5))
    ]
