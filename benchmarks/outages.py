"""
What mornings without a run cost afterwards, as a Markdown table.

    python benchmarks/outages.py

For one account with an article a day and all rows in time. Nothing is started: the calendars of
tests/calendars are lived through, and `weixin_etl.rules` decides.
"""

import sys
from pathlib import Path

from weixin_etl.datasets import DATASETS, Dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from calendars.pipeline import Calendar, Pipeline, daily, live
from calendars.worlds import at, date_of, in_time

OUTAGES = (1, 6, 8, 20, 70)
FIRST_MISSED = 3
"""The day of the account's fourth run."""


def main() -> None:
    """Print the table."""
    print("| mornings missed | dataset | days lost | calls, first morning after | second |")
    print("| ---: | --- | --- | ---: | ---: |")
    for missed in OUTAGES:
        for dataset in DATASETS.values():
            cells = (missed, f"`{dataset.name}`", *cost(dataset, missed))
            print(f"| {' | '.join(map(str, cells))} |")


def cost(dataset: Dataset, missed: int) -> tuple[str, int, int]:
    """Days lost, and the calls of the first and the second run after the outage."""
    back = FIRST_MISSED + missed
    every_day = range(-dataset.window, back + 4)
    world = in_time(dataset, {day: [range(dataset.window)] for day in every_day})
    calendar = daily(world, back, range(FIRST_MISSED, back))
    pipeline, runs = live(calendar)

    run_of = {run.day: run for run in runs}
    lost = lacking(pipeline, calendar, dataset)
    is_named = sorted(run_of[calendar.last_day].lost["A"]) == [date_of(day) for day in lost]
    named = "named by a warning" if is_named else "and no warning names them"
    return (
        f"{len(lost)}, {named}" if lost else "0",
        run_of[back].calls.total(),
        run_of[back + 1].calls.total(),
    )


def lacking(pipeline: Pipeline, calendar: Calendar, dataset: Dataset) -> list[int]:
    """The days whose facts are not what WeChat shows on the last morning."""
    known, world = pipeline.known[dataset.name, "A"], calendar.worlds[dataset.name, "A"]
    return [
        day
        for day in range(-dataset.window, calendar.last_day)
        if date_of(day) not in known
        or known[date_of(day)].facts != world.listing(day, at(calendar.last_day, 8.5))
    ]


if __name__ == "__main__":
    main()
