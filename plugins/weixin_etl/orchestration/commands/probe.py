"""`weixin-etl probe`: with the settings and accounts of Airflow, and a table for each account."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weixin_etl.accounts.entries import ListedAccount, wanted_of
from weixin_etl.api.threads import thread_pool
from weixin_etl.datasets import Dataset
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.accounts import Clients, discover
from weixin_etl.probe.asking import probe
from weixin_etl.probe.judging import Findings, Grade, refused, verdict
from weixin_etl.problem import OperatorError

WORKS, TO_CHANGE, NOT_KNOWN = 0, 1, 2
"""Exit codes; not known: WeChat could not be asked."""
_MARKS = ("[green]✓", "[yellow]!", "[yellow]?", "[red]✗", "[red]✗")
"""By grade."""


def show_probe(accounts: Sequence[str], datasets: Sequence[Dataset]) -> int:
    """Ask, and print what came; the exit code."""
    try:
        found = _probe_all(accounts, datasets)
    except OperatorError as error:
        sys.stderr.write(f"weixin-etl: {error}\n")
        return NOT_KNOWN
    worst = max(_show(Console(), name, those) for name, those in found.items())
    if worst > Grade.UNKNOWN:
        return TO_CHANGE
    return NOT_KNOWN if worst is Grade.UNKNOWN else WORKS


def _probe_all(accounts: Sequence[str], datasets: Sequence[Dataset]) -> dict[str, Findings]:
    """Ask about every account that is wanted, a few at once."""
    in_force = settings.read()
    once = replace(in_force.call_limits, tries=1, minute_quota_wait_seconds=0)
    concurrency = in_force.pipeline.concurrency
    clients = Clients(replace(in_force, call_limits=once))
    with Console(stderr=True).status("asking WeChat"), thread_pool(concurrency) as pool:
        wanted = wanted_of(discover(clients, concurrency), accounts)
        if not any(it.described for it in wanted):
            raise ParameterError("\n".join(str(it.error) for it in wanted if it.error))
        found = pool.map(partial(_probe, clients, datasets), wanted)
        return dict(zip(map(str, wanted), found, strict=True))


def _probe(clients: Clients, datasets: Sequence[Dataset], listed: ListedAccount) -> Findings:
    """Ask by the account's first connection."""
    if listed.error:
        return {"": [refused("connection", listed.error)]}
    return probe(clients.of(listed.described[0]), datasets)


def _show(console: Console, name: str, found: Findings) -> Grade:
    """Print what came of an account; the grade."""
    worst, sentence = verdict(found)
    console.print(f"\n{name}", style="bold", highlight=False, markup=False)
    console.print(_table(found))
    console.print(sentence, style="bold", highlight=False, markup=False)
    return worst


def _table(found: Findings) -> Table:
    headings = ("", "asked", "what came → what to change")
    table = Table(*headings, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for dataset, those in found.items():
        if dataset:
            table.add_section()
            table.add_row("", "", dataset)
        for it in those:
            said = f"{it.came}\n→ {it.change}" if it.change else it.came
            table.add_row(_MARKS[it.grade], it.asked, escape(said))
    return table
