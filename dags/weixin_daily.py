"""
### WeChat article statistics, every morning

```
refresh_access_token ─► plan ─► ingest (mapped over batches of accounts) ─► report ─► check
                                extract ─► parse ─► load
```

Asks WeChat for the totals of the publication days in the look-back window and upserts them into
Postgres. Running it again changes nothing that did not change at WeChat.

**Backfill:** trigger it with `begin_date` and `end_date`. Days whose totals are final are skipped
unless `refetch` is on. Days that earlier runs missed need no backfill: the next daily run asks for
every open day of the last 60, and warns of older ones.

**Red?** The last lines of the log of `check` say what to change first, then why, for which account
and days; the table below has every cause, and the page [WeChat articles](/plugin/weixin) what is
wrong now. After that, clear the first red task with its downstream tasks; `refresh_access_token`
when a connection was missing or incomplete. The run is green as soon as every day it planned is in,
whichever run brought it in.

**Waiting?** Until noon, `ingest` asks again every 30 minutes for what WeChat has not computed yet.
"""

from datetime import datetime, time, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    SyncCallback,
    task,
)

from weixin_etl import error_table
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.orchestration import form, settings, tasks
from weixin_etl.orchestration.alerts import DagWithDeadline, run_is_late
from weixin_etl.orchestration.retry import WeixinRetryPolicy

BATCH_NAME = (
    "{% set batch = task.op_kwargs['batch'] %}"
    "{{ batch[0].name }}{% if batch[1:] %} +{{ batch | length - 1 }}{% endif %}"
)
"""What the UI calls a mapped task, before it begins: an account, and how many others."""


def daily(dataset: Dataset) -> DAG:
    """The DAG of one endpoint."""
    config = settings.read()
    deadline = config.deadline
    until_deadline = timedelta(
        hours=deadline.hour - settings.RUN_AT.hour, minutes=deadline.minute - settings.RUN_AT.minute
    )
    asset = Asset(dataset.dag_id)
    with DagWithDeadline(
        dataset.dag_id,
        description=f"Totals of each article and day, from datacube/{dataset.endpoint}",
        doc_md=f"{__doc__}\n{error_table.table()}",
        schedule=CronTriggerTimetable(
            f"{settings.RUN_AT.minute} {settings.RUN_AT.hour} * * *", timezone="Asia/Shanghai"
        ),
        deadline=DeadlineAlert(
            DeadlineReference.DAGRUN_LOGICAL_DATE, until_deadline, SyncCallback(run_is_late)
        ),
        # a run of an earlier morning has no tasks, and is green
        start_date=datetime.combine(dataset.first_day, time.min),
        catchup=False,
        max_active_runs=3,
        params=form.DAILY,
        tags=["weixin", dataset.name],
        default_args={
            "owner": "weixin-etl",
            "retries": config.retries,
            "retry_policy": WeixinRetryPolicy(config.retry_delay_seconds),
            # of a task that was killed: no policy is asked then
            "retry_delay": timedelta(seconds=config.retry_delay_seconds),
            "execution_timeout": timedelta(minutes=10),
        },
    ) as dag:

        @task(
            doc_md="Asks for each account's access token; the log says why WeChat refuses one.",
            pool="weixin_api",
            execution_timeout=timedelta(hours=1),
            show_return_value_in_logs=False,
        )
        def refresh_access_token() -> list[dict[str, Any]]:
            return tasks.refresh_access_token(dataset)

        @task(
            doc_md="Which account and publication day to ask for; the log lists them.",
            show_return_value_in_logs=False,
        )
        def plan(configured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
            return tasks.plan(dataset, configured)

        @task(
            doc_md="One call per account and day: the bytes are kept, taken apart and upserted.",
            map_index_template=BATCH_NAME,
            pool="weixin_api",
            execution_timeout=timedelta(hours=2),
        )
        def ingest(batch: list[dict[str, Any]]) -> None:
            tasks.ingest(dataset, batch)

        @task(
            doc_md="What came of each account and day, and the asset event for those who wait.",
            trigger_rule="all_done",
            outlets=[asset],
        )
        def report() -> dict[str, int]:
            return tasks.report(dataset, asset)

        @task(
            doc_md="The run's promises. Red when a planned day is not in; the log says why.",
            trigger_rule="all_done",
        )
        def check() -> None:
            tasks.check(dataset)

        batches = plan(refresh_access_token())
        ingested = ingest.expand(batch=batches)
        checked = check()
        ingested >> report() >> checked
        ingested >> checked  # so that it waits for ingest when only the failed tasks are cleared
    return dag


for declared in DATASETS.values():
    globals()[declared.dag_id] = daily(declared)
