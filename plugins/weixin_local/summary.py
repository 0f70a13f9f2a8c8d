"""What came of a run, for the person who typed it."""

from collections.abc import Sequence
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine, RowMapping
from weixin_etl.run.pairs import not_in, planned_pairs

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.model import Run
from weixin_etl.problem import ProblemKind
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_local.progress import Steps

COUNTS = ("articles", "inserted", "updated", "unchanged", "rejected")
IN = {"loaded", "empty"}
FINAL = "final"
"""What the statement says of a day the run planned nothing for."""


def show(warehouse: Engine, run: Run, steps: Steps, *, goes_on: bool = False) -> None:
    """
    Print the counts of each publication day, and the answer to a question of the analysts.

    Nothing of a run that brought nothing in and whose successor `goes_on`.
    """
    dataset = run.dataset
    values = {
        "run_id": run.run_id,
        "dataset": dataset.name,
        "publication_dates": [run.today - timedelta(days=n) for n in range(dataset.window, 0, -1)],
        "readers": dataset.readers,
    }
    with warehouse.connect() as connection:
        counts = connection.execute(statement("local/run_days.sql"), values).mappings().all()
        most_read = connection.execute(statement("local/most_read.sql"), values).all()
    if goes_on and not any(IN & {*row["states"].split(", ")} for row in counts):
        return
    steps.console.print(_counts_table(counts))
    if any(row["states"] == FINAL for row in counts):
        steps.say("final: the day's totals no longer grow, so it was not asked for.")
    if most_read:
        steps.say("\nWhich articles were read most? docs/analysts.md asks this and more.")
        table = Table("title", "publication day", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("readers", justify="right")
        for title, publication_date, readers in most_read:
            table.add_row(escape(one_line(title or "")), str(publication_date), str(readers))
        steps.console.print(table)


def _counts_table(rows: Sequence[RowMapping]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("publication day", no_wrap=True)
    for name in COUNTS:
        table.add_column(name, justify="right")
    table.add_column("state")
    for row in rows:
        table.add_row(str(row["publication_date"]), *(str(row[n]) for n in COUNTS), row["states"])
    table.add_section()
    table.add_row("", *(str(sum(row[name] for row in rows)) for name in COUNTS), "")
    return table


def offline(warehouse: Engine, dataset: Dataset, run_id: str | None) -> list[str]:
    """Names of the run's accounts whose endpoint WeChat took offline."""
    with warehouse.connect() as connection:
        names = connection.scalars(
            statement("local/offline.sql"), {"dataset": dataset.name, "run_id": run_id}
        )
        return list(names)


def problems(warehouse: Engine, run: Run, *, goes_on: bool) -> list[str]:
    """A line per account and cause why pairs of the run are not in, and no successor `goes_on`."""
    with warehouse.connect() as connection:
        found = not_in(connection, run, planned_pairs(connection, run), clock.now())
    return [
        str(problem)
        for problem in found
        if not (goes_on and problem.kind is ProblemKind.ENDPOINT_OFFLINE)
    ]
