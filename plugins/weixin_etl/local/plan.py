"""`plan`: what a run would ask WeChat for, without asking."""

import logging
import os
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.table import Table

from weixin_etl import clock, warehouse
from weixin_etl.datasets import Dataset
from weixin_etl.local import prepare, summary
from weixin_etl.local.account import CONNECTION_VARIABLE, configured_connection, sandbox_connection
from weixin_etl.local.environment import airflow_environment
from weixin_etl.local.errors import LocalError
from weixin_etl.local.home import find
from weixin_etl.local.progress import Steps

NOWHERE = "http://127.0.0.1:9"
"""The sandbox need not be there: nothing is asked."""


def show(
    dataset: Dataset,
    begin_date: date | None,
    end_date: date | None,
    *,
    refetch: bool,
    steps: Steps,
) -> None:
    """
    Print the calls of a run of today, account by account.

    Raises:
        ParameterError: the days can't be asked for.
        WarehouseError: the warehouse does not answer or is not migrated.
        LocalError: a connection can't be used.

    """
    url = prepare.open_warehouse(steps)
    if not os.environ.get(CONNECTION_VARIABLE):
        found = find()
        connection = configured_connection(found) or sandbox_connection(NOWHERE)
        os.environ.update(airflow_environment(found, connection, url))  # before Airflow's import
    from weixin_etl import settings
    from weixin_etl.plan import plan
    from weixin_etl.refresh import described_accounts
    from weixin_etl.run import Run

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
    accounts = described_accounts(run, settings.read())
    if problems := [account.problem for account in accounts if account.problem]:
        raise LocalError("\n".join(problems))
    logging.getLogger(plan.__module__).setLevel(logging.ERROR)  # the lines below say it
    batches = plan(run, accounts, warehouse.engine(url), is_first_try=True)
    planned = [account for batch in batches for account in batch]
    table = Table(
        "account",
        "publication days to ask for",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("calls", justify="right")
    for account in planned:
        table.add_row(account.name, ", ".join(map(str, account.days)), str(len(account.days)))
    steps.console.print(table)
    steps.say("Days that are final are left out: their totals no longer grow (`--refetch` asks).")
    if offline := summary.offline(warehouse.engine(url), dataset):
        steps.say(
            f"WeChat took {dataset.endpoint} offline for {', '.join(offline)}: not asked "
            "(`--refetch` asks)."
        )
