"""
### WeChat article statistics, every morning

```
refresh_access_token ─► plan ─► ingest (mapped over batches of accounts) ─► report ─► check
                                extract ─► parse ─► load
```

Asks WeChat for the totals of the publication days in the look-back window and upserts them into
Postgres. A second run updates only figures that changed at WeChat.

**Backfill:** trigger it with `begin_date` and `end_date`. Days whose totals are final are skipped
unless `refetch` is on. Days that earlier runs missed need no backfill: the next daily run asks for
every day of the last 60 that is not final, and reports older ones once. The dates of Airflow's own
*Backfill* are mornings of runs: leave the form's days empty there.

**Red?** The last lines of the log of `check` say what to change first, then why, for which account
and days; the page [WeChat](/plugin/weixin) shows what is wrong now. Once it is corrected,
clear the first red task with its downstream tasks. The run is green as soon as every day it planned
is in, whichever run loaded it.

**Waiting?** Until noon, `ingest` asks again every 30 minutes for what WeChat has not computed yet.
"""

from datetime import datetime, time, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.orchestration import form, settings
from weixin_etl.orchestration.tasks.declared import (
    ACCOUNTS_OF_BATCH,
    DagWithDeadline,
    EndForGood,
    run_is_late,
)

ENDPOINTS = list(DATASETS)  # or fewer, for example ["article_total", "follower_total"]
CONFIG = settings.read_of_dags()
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "weixin-etl",
    "retries": CONFIG.retries,
    "retry_delay": CONFIG.retry_delay,
    "retry_exponential_backoff": 2,
    "retry_policy": ExceptionRetryPolicy([RetryRule(EndForGood, RetryAction.FAIL)]),
    "execution_timeout": timedelta(minutes=10),
}


def create_dag(dataset: Dataset) -> None:
    """Create the DAG of one endpoint. Each task imports its code when it runs."""
    asset = Asset(dataset.dag_id)
    with DagWithDeadline(
        dataset.dag_id,
        description=f"{dataset.description.capitalize()}, from datacube/{dataset.endpoint}",
        doc_md=__doc__,
        schedule=CronTriggerTimetable(CONFIG.schedule, timezone="Asia/Shanghai"),
        # Airflow creates a run of an earlier morning without tasks, and marks it successful
        start_date=datetime.combine(dataset.first_day, time.min),
        catchup=False,
        # None leaves it to Airflow's configuration
        is_paused_upon_creation=True if dataset.is_optional else None,
        max_active_runs=3,
        # A run with a deadline from DAGRUN_QUEUED_AT can't be cleared: apache/airflow#70368
        deadline=DeadlineAlert(
            DeadlineReference.DAGRUN_LOGICAL_DATE, CONFIG.time_to_end, SyncCallback(run_is_late)
        ),
        params=form.params_of(dataset),
        tags=["weixin", dataset.name],
        default_args=DEFAULT_ARGS,
    ):

        @task(execution_timeout=timedelta(hours=1), show_return_value_in_logs=False)
        def refresh_access_token() -> list[dict[str, Any]]:
            """Request each account's access token; the log says why WeChat refuses one."""
            from weixin_etl.orchestration.tasks import daily

            return daily.refresh_access_token(dataset)

        @task(show_return_value_in_logs=False)
        def plan(configured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
            """Decide which accounts and publication days to ask for; the log lists them."""
            from weixin_etl.orchestration.tasks import daily

            return daily.plan(dataset, configured)

        @task(
            map_index_template=ACCOUNTS_OF_BATCH,
            max_active_tis_per_dag=16,
            execution_timeout=timedelta(hours=2),
        )
        def ingest(batch: list[dict[str, Any]]) -> None:
            """Make one call per account and day; keep, parse and upsert the answer."""
            from weixin_etl.orchestration.tasks import daily

            daily.ingest(dataset, batch)

        @task(trigger_rule="all_done")
        def report() -> dict[str, int]:
            """Report the result per account and day."""
            from weixin_etl.orchestration.tasks import daily

            return daily.report(dataset)

        @task(trigger_rule="all_done", outlets=[asset])
        def check() -> None:
            """Fail and say why if a planned day is missing; else create the asset's event."""
            from weixin_etl.orchestration.tasks import daily

            daily.check(dataset, asset)

        batches = plan(refresh_access_token())  # type: ignore[arg-type] # a value at run time
        ingested = ingest.expand(batch=batches)
        checked = check()
        ingested >> report() >> checked
        ingested >> checked  # so that check waits for ingest when only the failed tasks are cleared


def create_digest_dag() -> None:
    """Create the DAG that sends yesterday's figures to the connection `weixin_digest`."""
    told = [Asset(DATASETS[name].dag_id) for name in ENDPOINTS if DATASETS[name].is_told]
    with DAG(
        "weixin_digest",
        description="One message a morning with yesterday's figures, when they are in or at noon",
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("0 12 * * *", timezone="Asia/Shanghai"),
            assets=AssetAny(*told),
        ),
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=1,
        tags=["weixin"],
        default_args=DEFAULT_ARGS,
    ):

        @task
        def send_digest() -> None:
            """Send the digest once a day: when all figures are in, or at noon with what lacks."""
            from weixin_etl.orchestration.tasks import digest

            digest.send()

        send_digest()


for name in ENDPOINTS:
    create_dag(DATASETS[name])
create_digest_dag()
