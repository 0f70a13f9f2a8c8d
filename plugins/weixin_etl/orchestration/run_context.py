"""What a run is asked to do: Airflow's run and the form's parameters, in our own terms."""

from dataclasses import replace
from datetime import date
from uuid import uuid4

from airflow.sdk import Context, Variable

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration.form import unknown_parameters

INSTALLATION_VARIABLE = "weixin_installation"


def of(dataset: Dataset, context: Context) -> Run:
    """
    The run an Airflow task belongs to, without its installation.

    Raises:
        ParameterError: a date of the form is not a date.

    """
    dag_run, params = context["dag_run"], context["params"]
    return Run(
        run_id=dag_run.run_id,
        dataset=dataset,
        today=clock.beijing_date(dag_run.logical_date or dag_run.run_after),
        is_scheduled=dag_run.run_type == "scheduled",
        begin_date=form_date("begin_date", params["begin_date"]),
        end_date=form_date("end_date", params["end_date"]),
        accounts=tuple(params["accounts"] or ()),
        refetch=params["refetch"],
        dry_run=params["dry_run"],
    )


def of_installation(dataset: Dataset, context: Context) -> Run:
    """As `of`, with what tells this Airflow from others."""
    return replace(of(dataset, context), installation=installation())


def installation() -> str:
    """Which Airflow this is, of those that load into a warehouse: made up once, and kept."""
    known = Variable.get(INSTALLATION_VARIABLE, default=None)
    if known is None:
        description = "Tells this Airflow from others that load into the same warehouse"
        Variable.set(INSTALLATION_VARIABLE, uuid4().hex, description=description)
        known = Variable.get(INSTALLATION_VARIABLE)
    return str(known)


def require_known_parameters(context: Context) -> None:
    """
    Make sure that nobody mistyped a parameter; the command line has no form that would.

    Raises:
        ParameterError: the DAG has no parameter of a name that was entered.

    """
    refusal = unknown_parameters(context["dag_run"].conf or {}, context["dag"].params)
    if refusal:
        raise ParameterError(refusal)


def form_date(name: str, value: str | None) -> date | None:
    """
    A day of the form; None when it is left empty.

    Raises:
        ParameterError: it is not a date.

    """
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ParameterError(f"{name} {value!r} is not a date; write it like 2026-11-24") from None


def is_first_try(context: Context) -> bool:
    """Whether the task's run is new: nothing of it was tried before."""
    return bool(context["ti"].try_number == 1)


def is_last_try(context: Context) -> bool:
    """Whether Airflow does not try the task again when it fails."""
    ti = context["ti"]
    return bool(ti.try_number > ti.max_tries)


def is_by_itself(context: Context) -> bool:
    """
    Whether nobody asked for this try: Airflow makes it after a failure or a wait.

    After "clear" it is a person who asks.
    """
    ti = context["ti"]
    first_try = ti.max_tries - (ti.task.retries or 0) + 1
    return bool(ti.try_number > first_try) or ti.get_first_reschedule_date(context) is not None
