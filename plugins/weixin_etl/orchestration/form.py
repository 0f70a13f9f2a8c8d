"""The form of the DAGs: what somebody who triggers a run may enter, and what the run is then."""

import difflib
from collections.abc import Mapping
from datetime import date

from airflow.sdk import Context, Param

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.model import ParameterError, Run
from weixin_etl.sentences import sentence
from weixin_etl.text import one_line

_DAYS = ("begin_date", "end_date")
_LONGEST_NAME = 40
_LONGEST_ENTRY = 200
_NAMES = ("begin_date", "end_date", "accounts", "refetch", "dry_run")


def _day(dataset: Dataset, title: str, description: str) -> Param:
    """Return a field for a day, not before the year of the first day that WeChat has."""
    century, tens, ones = str(dataset.first_day)[:2], *map(int, str(dataset.first_day)[2:4])
    return Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=rf"^{century}({tens}[{ones}-9]|[{tens + 1}-9]\d)-",
        title=title,
        description=description,
    )


def _switch(title: str, description: str) -> Param:
    """Off unless somebody turns it on."""
    return Param(False, type="boolean", title=title, description=description)


def params_of(dataset: Dataset) -> dict[str, Param]:
    """
    Return the fields of the form of a DAG.

    Airflow refuses a value of another type or form before it makes a run. It takes any other name,
    and does not compare fields: `require_known` and `Run.dated` refuse those when the run begins.
    """
    return {
        "begin_date": _day(
            dataset,
            "First publication day",
            f"Beijing, not before {dataset.first_day}. Leave both days empty for the look-back "
            "window. In a Backfill always leave them empty: its dates are run dates, not "
            "publication days.",
        ),
        "end_date": _day(
            dataset, "Last publication day", "Beijing, included; yesterday at the latest."
        ),
        "accounts": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "minLength": 1, "maxLength": _LONGEST_ENTRY},
            title="Accounts",
            description="Names, connection ids or AppIDs, one a line. Empty: all. In a Backfill, "
            "this and the fields below apply to existing runs only if you tick *override "
            "parameters*.",
        ),
        "refetch": _switch(
            "Ask again for final days",
            "Final days are skipped otherwise: their totals no longer grow.",
        ),
        "dry_run": _switch(
            "Only show the plan",
            "Nothing is asked for. The page *WeChat* and the XCom of the task plan show which days "
            "would be, and the calls.",
        ),
    }


def require_known(entered: Mapping[str, object], *, is_backfill: bool) -> None:
    """
    Make sure that what was entered can mean what somebody meant.

    Airflow takes a name it does not know without a word: a run limited by `acounts` is not limited.
    And each run of its backfill would ask for the same days, whatever the range of the backfill.

    Raises:
        ParameterError: the form has no such parameter; the nearest one is named. Or days are
            entered for a backfill.
    """
    for name in sorted(entered.keys() - {*_NAMES}):
        near = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), _NAMES, n=1)
        unknown = {"name": one_line(name, _LONGEST_NAME)}
        if near:
            frame = "{name} is no parameter: did you mean {near}?"
            raise ParameterError(sentence(frame, **unknown, near=near[0]))
        frame = "{name} is no parameter; there are {names}"
        raise ParameterError(sentence(frame, **unknown, names=", ".join(_NAMES)))
    if is_backfill and any(entered.get(name) for name in _DAYS):
        raise ParameterError(
            sentence(
                "leave begin_date and end_date empty in a backfill: its dates are mornings of "
                "runs; for publication days, trigger a single run"
            )
        )


def run_of(dataset: Dataset, context: Context) -> Run:
    """The run that an Airflow task belongs to, with what was entered in the form."""
    dag_run, entered = context["dag_run"], context["params"]
    begin, end = _date(entered["begin_date"]), _date(entered["end_date"])
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


def _date(entered: str | None) -> date | None:
    return date.fromisoformat(entered) if entered else None


def is_last_try(context: Context) -> bool:
    """Whether Airflow does not try the task again when it fails."""
    ti = context["ti"]
    return bool(ti.try_number > ti.max_tries)
