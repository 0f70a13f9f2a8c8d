"""`weixin-etl probe`: with the settings and accounts of Airflow, and a table for each account."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weixin_etl.accounts.entries import ListedAccount
from weixin_etl.accounts.platform import Platform
from weixin_etl.api.errors import ConfigurationError
from weixin_etl.api.threads import thread_pool
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account, ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.accounts import Clients, discover
from weixin_etl.probe.asking import CALLS_A_DATASET, Asked, ask
from weixin_etl.probe.judging import Grade, judge, seen
from weixin_etl.probe.questions import settled
from weixin_etl.problem import OperatorError
from weixin_etl.text import counted
from weixin_etl.warehouse import WarehouseError

WORKS, TO_CHANGE, NOT_KNOWN = 0, 1, 2
"""Exit codes; not known: WeChat could not be asked."""
_MARKS = {
    Grade.GOOD: "[green]✓[/green]",
    Grade.NOTE: "[yellow]![/yellow]",
    Grade.UNKNOWN: "[yellow]?[/yellow]",
    Grade.BAD: "[red]✗[/red]",
}


def show_probe(accounts: Sequence[str], datasets: Sequence[Dataset]) -> int:
    """Ask, and print what came; the exit code."""
    try:
        asked = _ask_all(accounts, datasets)
    except OperatorError as error:
        sys.stderr.write(f"weixin-etl: {error}\n")
        return NOT_KNOWN
    console = Console()
    grades = [_show(console, it) for it in asked]
    if Grade.BAD in grades:
        return TO_CHANGE
    return NOT_KNOWN if Grade.UNKNOWN in grades else WORKS


class _Clients(Clients):
    """Without a warehouse only a platform's accounts can't be asked: it holds their tokens."""

    def platform(self, account: Account) -> Platform:
        """
        The platform that a connection describes.

        Raises:
            ConfigurationError: also if there is no warehouse.
        """
        try:
            return super().platform(account)
        except WarehouseError as error:
            cause = f"a platform's tokens are kept in the warehouse, and {error.cause}"
            raise ConfigurationError(account=str(account), cause=cause, cure=error.cure) from None


def _ask_all(accounts: Sequence[str], datasets: Sequence[Dataset]) -> list[Asked]:
    """Ask about every account that is wanted, a few at once."""
    in_force = settings.read()
    once = replace(in_force.call_limits, tries=1, minute_quota_wait_seconds=0)
    concurrency = in_force.pipeline.concurrency
    clients = _Clients(replace(in_force, call_limits=once))
    errors = Console(stderr=True)
    with errors.status("accounts") as status:
        listed = discover(clients, concurrency, accounts)
        wanted = [it for it in listed.accounts if listed.is_wanted(it, accounts)]
        if not any(it.described for it in wanted):
            raise ParameterError("\n".join(str(it.error) for it in wanted if it.error))
        Console().print(_announced(wanted, datasets), highlight=False, markup=False)
        one = partial(_ask, clients, datasets, lambda what: status.update(escape(what)))
        with thread_pool(concurrency) as pool:
            return [*pool.map(one, wanted)]


def _announced(wanted: Sequence[ListedAccount], datasets: Sequence[Dataset]) -> str:
    return (
        f"Asking about {counted(len(wanted), 'account')}: a token each, and at most "
        f"{CALLS_A_DATASET} calls of each dataset ({', '.join(it.name for it in datasets)}). "
        "No figure is written to the warehouse."
    )


def _ask(
    clients: Clients,
    datasets: Sequence[Dataset],
    on_call: Callable[[str], None],
    listed: ListedAccount,
) -> Asked:
    """Ask by the first connection of the account that gets a token."""
    asked = Asked(None, str(listed), listed.error)
    for account in listed.described:
        asked = ask(clients.of(account), datasets, on_call)
        if asked.error is None:
            break
    return asked


# --------------------------------------------------------------------------------------- printing


def _show(console: Console, asked: Asked) -> Grade:
    """Print what came of an account; the grade."""
    datasets = seen(asked)
    judged = judge(asked, datasets)
    table = _table("", "asked", "what came → what to change")
    for name, findings in judged.findings.items():
        if name:
            table.add_section()
            table.add_row("", "", name)
        said = ""
        for it in findings:
            before, said = said, f"{it.came}\n→ {it.change}" if it.change else it.came
            is_same = it.change and said == before
            table.add_row(_MARKS[it.grade], it.asked, "the same" if is_same else escape(said))
    console.print(f"\n{asked.name}", style="bold", highlight=False, markup=False)
    console.print(table)
    if questions := settled(datasets):
        table = _table("no document says", "these answers say")
        for name, those in questions.items():
            table.add_section()
            table.add_row(name, "")
            for question, said in those:
                table.add_row(question, escape(said))
        console.print(table)
    console.print(judged.sentence, style="bold", highlight=False, markup=False)
    return judged.grade


def _table(*headings: str) -> Table:
    table = Table(*headings, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in table.columns[:-1]:
        column.max_width = 36
    return table
