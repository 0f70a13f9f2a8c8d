"""What came of a run, for the person who typed it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection, Engine, RowMapping

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import Batch, Coverage, Pair, PlannedAccount, Run, State, days_of
from weixin_etl.problem import ProblemKind
from weixin_etl.run import Work
from weixin_etl.run.outcome import outcome_of
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_local.progress import Steps

COUNTS = ("articles", "inserted", "updated", "unchanged", "rejected")


def show(warehouse: Engine, run: Run, steps: Steps, *, goes_on: bool = False) -> None:
    """
    Print the counts of each day and what we have of it, and the articles that were read most.

    Nothing of a run that brought nothing in and whose successor `goes_on`.
    """
    dataset, today = run.dataset, run.today
    window = days_of(today - rules.DAY * dataset.window, today - rules.DAY)
    values = {"run_id": run.run_id, "dataset": dataset.name, "days": window}
    with warehouse.connect() as connection:
        counts = connection.execute(statement("local/run_days.sql"), values).mappings().all()
        days = [row["day"] for row in counts]
        accounts = [replace(it, first=days, older=[]) for it in _accounts(connection, run)]
        known = outcome_of(connection, Work(run, warehouse), accounts).known
        heard = _heard(connection, dataset, accounts)
        most_read = connection.execute(statement("local/most_read.sql", dataset), values).all()
    if goes_on and not any(pair.ready_at for pair in known.values()):
        return
    states = {day: _states(dataset, day, accounts, known, heard) for day in days}
    steps.console.print(_counts_table(counts, states, known))
    if State.FINAL in ", ".join(states.values()):
        steps.say("final: the day's totals no longer grow, so it is not asked for.")
    if most_read:
        steps.say("\nWhich articles were read most? docs/analysts.md asks this and more.")
        table = Table("title", "publication day", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("readers", justify="right")
        for title, publication_date, readers in most_read:
            table.add_row(escape(one_line(title or "")), str(publication_date), str(readers))
        steps.console.print(table)


def _accounts(connection: Connection, run: Run) -> Batch:
    """The accounts that are collected, with the days that the run planned for them."""
    rows = connection.execute(
        statement("local/planned.sql"), {"run_id": run.run_id, "dataset": run.dataset.name}
    )
    return [
        PlannedAccount(*who, pairs[0].planned_at, [pair.day for pair in pairs if pair.day])
        for who, those in groupby(rows, lambda row: (row.conn_id, row.appid, row.name))
        for pairs in [list(those)]
    ]


def _heard(connection: Connection, dataset: Dataset, accounts: Batch) -> Mapping[str, datetime]:
    """When each account last listed an article."""
    rows = connection.execute(
        statement("coverage/heard.sql"),
        {"dataset": dataset.name, "appids": [account.appid for account in accounts]},
    )
    return {row.appid: row.heard_at for row in rows}


def _states(
    dataset: Dataset,
    day: date,
    accounts: Batch,
    known: Mapping[Pair, Coverage],
    heard: Mapping[str, datetime],
) -> str:
    """What people call the day, of each account."""
    words = {
        rules.state(
            dataset,
            day,
            known.get((account.appid, day)),
            reach=date.min,  # of what a run planned nothing is out of reach
            heard=heard.get(account.appid),
            now=clock.now(),
        )
        for account in accounts
    }
    return ", ".join(sorted(words))


def _counts_table(
    rows: Sequence[RowMapping], states: Mapping[date, str], known: Mapping[Pair, Coverage]
) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)  # fits a terminal of 80 columns
    table.add_column("day", no_wrap=True)
    for name in COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", min_width=11)
    table.add_column("last attempt", overflow="fold")
    for row in rows:
        day = row["day"]
        attempts = {pair.error_kind or "ok" for (_, of), pair in known.items() if of == day}
        counts = (str(row[name]) for name in COUNTS)
        table.add_row(str(day), *counts, states[day], ", ".join(sorted(attempts)))
    table.add_section()
    table.add_row("", *(str(sum(row[name] for row in rows)) for name in COUNTS), "", "")
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
        planned = [account for account in _accounts(connection, run) if account.days]
        found = outcome_of(connection, Work(run, warehouse), planned).problems()
    return [
        str(problem)
        for problem in found
        if not (goes_on and problem.kind is ProblemKind.ENDPOINT_OFFLINE)
    ]
