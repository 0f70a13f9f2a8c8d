"""What a run is asked to do: Airflow's run and the form's parameters, in our own terms."""

from datetime import date

from airflow.sdk import Context

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.model import Run
from weixin_etl.orchestration import form


def of(dataset: Dataset, context: Context) -> Run:
    """The run an Airflow task belongs to, with what was entered in the form."""
    dag_run, entered = context["dag_run"], context["params"]
    begin, end = _day(entered["begin_date"]), _day(entered["end_date"])
    return Run(
        run_id=dag_run.run_id,
        dataset=dataset,
        today=clock.beijing_date(dag_run.logical_date or dag_run.run_after),
        begin_date=begin,
        end_date=end,
        names_dates=begin is not None or end is not None,
        accounts=tuple(entered["accounts"] or ()),
        refetch=entered["refetch"],
        dry_run=entered["dry_run"],
        is_scheduled=dag_run.run_type == "scheduled",
    )


def _day(entered: str | None) -> date | None:
    return date.fromisoformat(entered) if entered else None


def require_known_parameters(context: Context) -> None:
    """
    Make sure that the run can mean what somebody meant; the command line has no form that would.

    Raises:
        ParameterError: as `form.require_known`.
    """
    dag_run = context["dag_run"]
    form.require_known(
        dag_run.conf or {}, context["dag"].params, is_backfill=dag_run.run_type == "backfill"
    )


def is_last_try(context: Context) -> bool:
    """Whether Airflow does not try the task again when it fails."""
    ti = context["ti"]
    return bool(ti.try_number > ti.max_tries)
