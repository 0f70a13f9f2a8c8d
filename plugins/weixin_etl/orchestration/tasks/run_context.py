"""What a run is asked to do: Airflow's run and the form's parameters, in our own terms."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from airflow.sdk import Context

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.kept.answers import Selection
from weixin_etl.model import Run
from weixin_etl.orchestration import form


def of(dataset: Dataset, context: Context) -> Run:
    """
    The run an Airflow task belongs to.

    Raises:
        ParameterError: a date of the form is not a date.
    """
    dag_run = context["dag_run"]
    run = asked_for(
        dataset,
        context["params"],
        clock.beijing_date(dag_run.logical_date or dag_run.run_after),
    )
    return replace(run, run_id=dag_run.run_id, is_scheduled=dag_run.run_type == "scheduled")


def asked_for(dataset: Dataset, entered: Mapping[str, Any], today: date) -> Run:
    """
    The run of a day with the form's parameters, by hand; one that was not entered has its default.

    Raises:
        ParameterError: a date of the form is not a date.
        ValidationError: accounts are no list of names.
    """
    begin = form.as_date("begin_date", entered.get("begin_date"))
    end = form.as_date("end_date", entered.get("end_date"))
    return Run(
        run_id="",
        dataset=dataset,
        today=today,
        begin_date=begin,
        end_date=end,
        names_dates=begin is not None or end is not None,
        accounts=convert(entered.get("accounts") or (), tuple[str, ...]),
        refetch=entered.get("refetch", False),
        dry_run=entered.get("dry_run", False),
    )


def selected_by(entered: Mapping[str, Any]) -> Selection:
    """
    What the replay's form selects.

    Raises:
        ParameterError: a date is not a date, or the last day is before the first.
        ValidationError: accounts are no list of names.
    """
    return Selection(
        DATASETS[entered.get("dataset") or form.REPLAY["dataset"].value],
        convert(entered.get("accounts") or (), tuple[str, ...]),
        form.as_date("begin_date", entered.get("begin_date")),
        form.as_date("end_date", entered.get("end_date")),
    )


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
