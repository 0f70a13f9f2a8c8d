"""What the DAG file names of its tasks before they run; it imports next to nothing."""

from typing import Any

from airflow.sdk import DAG, Context

ACCOUNTS_OF_BATCH = (
    "{% set batch = task.op_kwargs['batch'] %}"
    "{{ batch[0].name }}{% if batch[1:] %} +{{ batch | length - 1 }}{% endif %}"
)
"""The UI's name of a mapped task: its first account, and how many others."""


PROBLEM = "problem"
"""Key of the XCom that tells why a task ended, for the tasks after it."""


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
    """Called by Airflow, in a process of the executor, when the deadline of a run is missed."""
    from weixin_etl.orchestration.tasks import alerts

    late: Any = context["dag_run"]  # as the REST API gives it out
    if late["run_type"] == "scheduled":  # nobody waits for another one
        run = alerts.run_named(late["dag_id"], late["dag_run_id"])
        alerts.run_is_late(run, is_at_work=late["state"] in ("queued", "running"))
