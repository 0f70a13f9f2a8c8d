"""
The names, DAG class, exceptions and callback that the DAG file needs before any task runs.

Airflow parses the DAG file often, so this module imports almost nothing.
"""

from typing import Any

from airflow.sdk import DAG, Context, timezone

ACCOUNTS_OF_BATCH = (
    "{% set batch = task.op_kwargs['batch'] %}"
    "{{ batch[0].name }}{% if batch[1:] %} +{{ batch | length - 1 }}{% endif %}"
)
"""The template of a mapped task's name in the UI: its first account and the number of others."""


PROBLEM = "problem"
"""The key of the XCom with the problem that ended a task; later tasks and the page read it."""


DRY_RUN = "dry_run"
"""The key of the XCom with a dry run's plan, written by the task `plan`."""


class DagWithDeadline(DAG):
    """
    A DAG whose scheduled runs have a deadline.

    Airflow 3.3.2 can't end a run of `airflow dags test` if the DAG has a deadline: it looks for the
    deadline alert's id where the alert itself is. Such runs therefore have no deadline.
    """

    def test(self, *args: Any, **options: Any) -> Any:
        """
        Run the DAG once in this process, and return the run; the DAG loses its deadline.

        Args:
            *args: the arguments of Airflow's `DAG.test`.
            **options: its keyword arguments.
        """
        self.deadline = None
        return super().test(*args, **options)


class EndOfTask(SystemExit):  # no name in Error: the log already has the error
    """
    The end of a failed task whose problem is already logged.

    Airflow logs one line for a `SystemExit`, and a traceback for every other exception.
    """


class EndForGood(EndOfTask):
    """The end of a failed task that Airflow does not retry, because a retry would not help."""


def run_is_late(context: Context) -> None:
    """
    Notify people that a scheduled run has missed its deadline.

    Airflow calls this in a process of its executor. Manual runs and backfills are not reported. A
    run that Airflow created after its deadline (the DAG was unpaused in the afternoon, or the
    scheduler was down) is not reported either: the command `status` lists its days.

    Args:
        context: Airflow's context of the callback, with the run and the deadline.
    """
    from weixin_etl.orchestration.tasks import observations

    run: Any = context["dag_run"]  # a mapping with the fields of the REST API
    deadline: Any = context["deadline"]  # type: ignore[typeddict-item] # only callbacks have it
    queued_at, deadline_at = (
        timezone.parse(str(at)) for at in (run["queued_at"], deadline["deadline_time"])
    )
    if run["run_type"] == "scheduled" and queued_at < deadline_at:
        late_run = observations.minimal_run(run["dag_id"], run["dag_run_id"])
        observations.report_late_run(late_run, is_at_work=run["state"] in ("queued", "running"))
