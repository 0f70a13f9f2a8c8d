"""The tasks as Airflow runs them: its context and XCom on one side, the verbs on the other."""

import logging
import re
from typing import Any

import msgspec
from airflow.sdk import Context, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from weixin_etl import check as check_verb
from weixin_etl import plan as plan_verb
from weixin_etl import report as report_verb
from weixin_etl.datasets import Dataset
from weixin_etl.ingest import Ingest
from weixin_etl.orchestration import run_context as run
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.accounts import CheckedAccount, refresh_access_tokens
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.plan import Batch

log = logging.getLogger(__name__)

_MAP_INDEX = re.compile(r"_\d+$")
"""Airflow calls the states of a mapped task ingest_0, ingest_1, …"""


class UpstreamError(Exception):
    """A task before the last one did not do its work. `str()` names it."""

    is_retryable = False


def refresh_access_token(dataset: Dataset) -> list[dict[str, Any]]:
    """The run's accounts, each with the reason why it has no token, if so."""
    this = run.from_context(dataset, get_current_context())
    checked = refresh_access_tokens(this, settings.read())
    builtins: list[dict[str, Any]] = msgspec.to_builtins(checked)
    return builtins


def plan(dataset: Dataset, accounts: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches of accounts with the days to ask for; a dry run ends here."""
    context = get_current_context()
    this = run.from_context(dataset, context)
    batches = plan_verb.plan(
        this,
        msgspec.convert(accounts, list[CheckedAccount]),
        open_warehouse(),
        is_first_try=run.is_first_try(context),
    )
    if this.dry_run:
        raise AirflowSkipException("dry run: nothing was asked for")
    builtins: list[list[dict[str, Any]]] = msgspec.to_builtins(batches)
    return builtins


def ingest(dataset: Dataset, batch: list[dict[str, Any]]) -> None:
    """Bring the batch's pairs in."""
    context = get_current_context()
    planned = msgspec.convert(batch, Batch)
    context["accounts"] = _names(planned)  # type: ignore[typeddict-unknown-key] # for map_index_template
    Ingest(
        run.from_context(dataset, context),
        settings.read(),
        open_warehouse(),
        is_retry=run.is_retry(context),
    ).batch(planned)


def report(dataset: Dataset, asset: Any) -> dict[str, int]:
    """The run's totals, also on its asset event; there is none when no pair came in."""
    context = get_current_context()
    this = run.from_context(dataset, context)
    if this.dry_run:
        raise AirflowSkipException("dry run: nothing to report")
    totals = report_verb.report(this, open_warehouse())
    log.info("%s", ", ".join(f"{count} {name}" for name, count in totals.items()))
    if not totals["loaded"] + totals["empty"]:
        raise AirflowSkipException("no pair came in, so there is no asset event")
    context["outlet_events"][asset].extra = {"run_id": this.run_id, **totals}
    return totals


def check(dataset: Dataset) -> None:
    """The run's promises; red as well when a task before it failed."""
    context = get_current_context()
    this = run.from_context(dataset, context)
    failed = _failed_tasks(context)
    if not this.dry_run and not failed & {"refresh_access_token", "plan"}:
        check_verb.check(this, open_warehouse())
    if failed:
        raise UpstreamError(f"failed: {', '.join(sorted(failed))}; see their logs")


def _failed_tasks(context: Context) -> set[str]:
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    failed = {task for task, state in states.items() if state in ("failed", "upstream_failed")}
    return {_MAP_INDEX.sub("", task) for task in failed}


def _names(batch: Batch) -> str:
    others = f" +{len(batch) - 1}" if len(batch) > 1 else ""
    return f"{batch[0].name}{others}"
