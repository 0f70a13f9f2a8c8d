"""What the DAG file names of its tasks before they run; it imports next to nothing."""

from typing import Any

from airflow.sdk import DAG, Context, timezone

ACCOUNTS_OF_BATCH = (
    "{% set batch = task.op_kwargs['batch'] %}"
    "{{ batch[0].name }}{% if batch[1:] %} +{{ batch | length - 1 }}{% endif %}"
)
"""The UI's name of a mapped task: its first account, and how many others."""


PROBLEM = "problem"
"""Key of the XCom that tells why a task ended, for the tasks after it."""


DRY_RUN = "dry_run"
"""Key of the XCom of the task `plan` that has what a dry run would ask for."""


class DagWithDeadline(DAG):
    """
    A DAG whose scheduled runs must end in time; otherwise people are told.

    Airflow 3.3.2 can't end a run of `airflow dags test` whose DAG has a deadline: it looks for the
    alert's id where the alert itself is. Nobody waits for such a run, so it has none.
    """

    def test(self, *args: Any, **options: Any) -> Any:
        """Run it once in this process, without a deadline."""
        self.deadline = None
        return super().test(*args, **options)


class EndOfTask(SystemExit):  # it is no error: the error has been said
    """Ends a task as failed with one line and no frames, as Airflow does for `SystemExit` alone."""


class EndForGood(EndOfTask):
    """Trying again would not help."""


def run_is_late(context: Context) -> None:
    """
    Tell people that a daily run has missed its deadline, unless Airflow made it after that.

    Airflow calls this in a process of its executor. Nobody waits for a manual run or a backfill. A
    run that is made late (the DAG was unpaused in the afternoon, the scheduler was down) has missed
    its deadline before it could begin: `status` tells of such days.
    """
    from weixin_etl.orchestration.tasks import observations

    run: Any = context["dag_run"]  # as the REST API gives it out
    deadline: Any = context["deadline"]  # type: ignore[typeddict-item] # of callbacks alone
    queued_at, deadline_at = (
        timezone.parse(str(at)) for at in (run["queued_at"], deadline["deadline_time"])
    )
    if run["run_type"] == "scheduled" and queued_at < deadline_at:
        named = observations.run_named(run["dag_id"], run["dag_run_id"])
        observations.report_late_run(named, is_at_work=run["state"] in ("queued", "running"))
