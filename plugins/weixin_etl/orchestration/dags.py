"""
The DAGs: one for each endpoint, and the replay.

A file in Airflow's DAG folder calls `create_dags`, and Airflow collects the DAGs it creates. The
file is parsed every 30 seconds, so what only the tasks need is imported when they run.
"""

from datetime import datetime, time, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Context, CronTriggerTimetable, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.orchestration import form, settings
from weixin_etl.orchestration.tasks.deadline import DailyRunDeadline
from weixin_etl.orchestration.tasks.retry import WeixinRetryPolicy
from weixin_etl.trouble import error_table

DAILY_MD = """
### WeChat article statistics, every morning

```
refresh_access_token ─► plan ─► ingest (mapped over batches of accounts) ─► report ─► check
                                extract ─► parse ─► load
```

Asks WeChat for the totals of the publication days in the look-back window and upserts them into
Postgres. If you run it again, only what has changed at WeChat changes.

**Backfill:** trigger it with `begin_date` and `end_date`. Days whose totals are final are skipped
unless `refetch` is on. Days that earlier runs missed need no backfill: the next daily run asks for
every day of the last 60 that is not final, and names older ones once. The dates of Airflow's own
*Backfill* are mornings of runs: leave the form's days empty there.

**Red?** The last lines of the log of `check` say what to change first, then why, for which account
and days. The table below has every cause, and the page [WeChat articles](/plugin/weixin) shows what
is wrong now. Once it is corrected, clear the first red task with its downstream tasks, or
`refresh_access_token` if a connection was missing or incomplete. The run is green as soon as every
day it planned is in, whichever run loaded it.

**Waiting?** Until noon, `ingest` asks again every 30 minutes for what WeChat has not computed yet.
"""

REPLAY_MD = """
### Facts rebuilt from the kept answers, without a call to WeChat

```
diff ─► apply
```

Reads the kept answers again, in the order in which they were fetched, and compares them with the
fact: after a fix of the parser, or if figures were changed by other means.

**diff** writes nothing. Its log says how many rows are new or would change. **apply** is skipped
unless *Write the difference* is on. It writes what `diff` showed; rows that change are kept as they
were in `weixin.fact_history`, with the cause `replay`. A replay may run at the same time as daily
runs; if it is killed, the next one completes it.
"""

BATCH_NAME = (
    "{% set batch = task.op_kwargs['batch'] %}"
    "{{ batch[0].name }}{% if batch[1:] %} +{{ batch | length - 1 }}{% endif %}"
)
"""The UI's name of a mapped task: its first account, and how many others."""


class DagWithDeadline(DAG):
    """
    A DAG whose scheduled runs must end by a time of day; otherwise people are told.

    Airflow 3.3.2 can't end a run of `airflow dags test` whose DAG has a deadline: it looks for the
    alert's id where the alert itself is. Nobody waits for such a run, so it has none.
    """

    def test(self, *args: Any, **options: Any) -> Any:
        """Run it once in this process, without a deadline."""
        self.deadline = None
        return super().test(*args, **options)


def run_is_late(context: Context) -> None:
    """Called by Airflow, in a process of the executor, when the deadline of a run is missed."""
    from weixin_etl.orchestration.tasks import alerts

    alerts.run_is_late(context)


def create_dags() -> None:
    """
    Create every DAG, with the settings in force.

    Raises:
        AirflowConfigException: a setting is not a number.
        ValueError: `run_at` or `deadline_hour` is no time of day, or the deadline not the later.
    """
    config = settings.read_of_dags()
    for dataset in DATASETS.values():
        _daily(dataset, config)
    _replay(config)


def _daily(dataset: Dataset, config: settings.DagSettings) -> None:
    """The DAG of one endpoint, every morning."""
    run_at, deadline = config.run_at, config.deadline
    until_deadline = timedelta(
        hours=deadline.hour - run_at.hour, minutes=deadline.minute - run_at.minute
    )
    asset = Asset(dataset.dag_id)
    with DagWithDeadline(
        dataset.dag_id,
        description=f"{dataset.description.capitalize()}, from datacube/{dataset.endpoint}",
        doc_md=f"{DAILY_MD}\n{error_table.table()}",
        schedule=CronTriggerTimetable(
            f"{run_at.minute} {run_at.hour} * * *", timezone="Asia/Shanghai"
        ),
        deadline=DeadlineAlert(
            DailyRunDeadline(until_deadline / timedelta(minutes=1)),
            until_deadline,
            SyncCallback(run_is_late),
        ),
        # a run of an earlier morning would have no tasks, and be green
        start_date=datetime.combine(dataset.first_day, time.min),
        catchup=False,
        # None: as Airflow's configuration says
        is_paused_upon_creation=True if dataset.is_optional else None,
        max_active_runs=3,
        params=form.DAILY,
        tags=["weixin", dataset.name],
        default_args=_default_args(config, timedelta(minutes=10)),
    ):

        @task(
            doc_md="Asks for each account's access token; the log says why WeChat refuses one.",
            pool=settings.POOL,
            execution_timeout=timedelta(hours=1),
            show_return_value_in_logs=False,
        )
        def refresh_access_token() -> list[dict[str, Any]]:
            from weixin_etl.orchestration.tasks import daily

            return daily.refresh_access_token(dataset)

        @task(
            doc_md="Decides which accounts and publication days to ask for; the log lists them.",
            show_return_value_in_logs=False,
        )
        def plan(configured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
            from weixin_etl.orchestration.tasks import daily

            return daily.plan(dataset, configured)

        @task(
            doc_md="Makes one call per account and day; keeps, parses and upserts the answer.",
            map_index_template=BATCH_NAME,
            pool=settings.POOL,
            execution_timeout=timedelta(hours=2),
        )
        def ingest(batch: list[dict[str, Any]]) -> None:
            from weixin_etl.orchestration.tasks import daily

            daily.ingest(dataset, batch)

        @task(
            doc_md="Reports the result per account and day.",
            trigger_rule="all_done",
        )
        def report() -> dict[str, int]:
            from weixin_etl.orchestration.tasks import daily

            return daily.report(dataset)

        @task(
            doc_md="Red if a planned day is not in; the log says why. Green, it makes the asset's "
            "event, with the days that changed.",
            trigger_rule="all_done",
            outlets=[asset],
        )
        def check() -> None:
            from weixin_etl.orchestration.tasks import daily

            daily.check(dataset, asset)

        batches = plan(refresh_access_token())  # type: ignore[arg-type] # a value, once it runs
        ingested = ingest.expand(batch=batches)
        checked = check()
        ingested >> report() >> checked
        ingested >> checked  # so that check waits for ingest when only the failed tasks are cleared


def _replay(config: settings.DagSettings) -> None:
    """The DAG that rebuilds facts, when somebody triggers it."""
    with DAG(
        "weixin_replay",
        description="Facts rebuilt from the kept answers, without a call to WeChat",
        doc_md=REPLAY_MD,
        schedule=None,
        is_paused_upon_creation=False,  # nothing runs unless somebody triggers it
        max_active_runs=1,
        params=form.REPLAY,
        tags=["weixin"],
        default_args=_default_args(config, timedelta(hours=12)),
    ):

        @task(doc_md="Logs what the kept answers would change. Writes nothing.")
        def diff() -> None:
            from weixin_etl.orchestration.tasks import replay

            replay.diff()

        @task(doc_md="Writes the difference, if the form says so.")
        def apply() -> None:
            from weixin_etl.orchestration.tasks import replay

            replay.apply()

        diff() >> apply()


def _default_args(config: settings.DagSettings, execution_timeout: timedelta) -> dict[str, Any]:
    """The defaults of a DAG's tasks."""
    return {
        "owner": "weixin-etl",
        "retries": config.retries,
        "retry_policy": WeixinRetryPolicy(config.retry_delay_seconds),
        # for a task that was killed: the policy is not asked then
        "retry_delay": timedelta(seconds=config.retry_delay_seconds),
        "execution_timeout": execution_timeout,
    }
