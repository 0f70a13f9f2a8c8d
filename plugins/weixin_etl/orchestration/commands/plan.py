"""What a run would ask WeChat for, printed without asking."""

from datetime import date

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import Dataset
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.accounts import described_accounts
from weixin_etl.orchestration.connections.warehouse import open_warehouse, reading
from weixin_etl.run.plan import Plan, preview
from weixin_etl.warehouse import require_one_time

_NOTES = (
    "Days that are final are left out: their totals no longer grow (`--refetch` asks).",
    "held: days held back for the quota. made: calls made today. left: calls left today, by what "
    "WeChat last said, less those made since; else by the limit, less those counted.",
)


def show_plan(
    dataset: Dataset, begin_date: date | None, end_date: date | None, *, refetch: bool
) -> None:
    """
    Print the calls of a run of today, account by account.

    Raises:
        ParameterError: the days can't be asked for, or no connection can be used.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    run = Run(
        run_id="plan",
        dataset=dataset,
        today=clock.beijing_date(clock.now()),
        is_scheduled=False,
        begin_date=begin_date,
        end_date=end_date,
        refetch=refetch,
        dry_run=True,
    )
    in_force = settings.read()
    accounts = described_accounts(in_force)
    problems = [str(account.problem) for account in accounts if account.problem]
    if problems and len(problems) == len(accounts):
        raise ParameterError("\n".join(problems))
    warehouse = open_warehouse()
    with reading(warehouse) as connection:
        require_one_time(warehouse)
        plan = preview(connection, run, in_force.pipeline, accounts, clock.now())
    console = Console(markup=False)  # a sentence or a name may hold brackets
    console.print(_table(plan))
    for said in [*problems, *plan.held_back, *plan.lost, plan.expectation, *_NOTES]:
        console.print(said, highlight=False, soft_wrap=True)


def _table(plan: Plan) -> Table:
    """A row per account, also one without a day to ask for."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("account", no_wrap=True)
    table.add_column("to ask for")
    for heading in ("calls", "final", "held", "made", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("by", no_wrap=True)
    for account in plan.details:
        quota = account.quota
        table.add_row(
            account.name,
            days_as_ranges(account.due.days),
            *(str(len(account.due.days)), str(account.due.final), str(len(account.held_back))),
            *(str(quota.calls), "" if quota.left is None else str(quota.left), account.known_by),
        )
    return table
