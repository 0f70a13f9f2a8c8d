"""
The parameters of the DAGs: the form for manual runs, its validation, and the `Run` built from it.

The DAG file takes the form from here. The first task validates what was entered.
"""

import difflib
from collections.abc import Mapping
from datetime import date

from airflow.sdk import Context, Param

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL, Dataset
from weixin_etl.model import ParameterError, Run
from weixin_etl.sentences import sentence
from weixin_etl.text import one_line

_DAYS = ("begin_date", "end_date")
_LONGEST_NAME = 40
_LONGEST_ENTRY = 200


def _day(dataset: Dataset, title: str, description: str) -> Param:
    """Return an optional date field; its pattern rejects years before the dataset's first day."""
    century, decade, year = str(dataset.first_day)[:2], *map(int, str(dataset.first_day)[2:4])
    return Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=rf"^{century}({decade}[{year}-9]|[{decade + 1}-9]\d)-",
        title=title,
        description=description,
    )


def _switch(title: str, description: str) -> Param:
    """Return a boolean field whose default is off."""
    return Param(False, type="boolean", title=title, description=description)


def params_of(dataset: Dataset) -> dict[str, Param]:
    """
    Return the fields of a DAG's form.

    Airflow rejects values of a wrong type or pattern before it creates a run. Airflow accepts
    unknown parameter names and does not compare fields. `require_known` and `Run.dated` therefore
    check both when the run begins.
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


_NAMES = (*params_of(ARTICLE_TOTAL),)
"""The names of the fields, the same for every dataset."""


def require_known(entered: Mapping[str, object], *, is_backfill: bool) -> None:
    """
    Reject unknown parameter names, and publication days in a backfill.

    Airflow accepts unknown names silently, so a run with `acounts` would ask for every account. In
    a backfill every run would ask for the same days, whatever the range of the backfill.

    Args:
        entered: the parameters as Airflow received them, by name.
        is_backfill: whether the run belongs to a backfill of Airflow's own.

    Raises:
        ParameterError: a name is unknown (the sentence names the nearest known one), or a backfill
            has publication days.
    """
    for name in sorted(entered.keys() - {*_NAMES}):
        similar = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), _NAMES, n=1)
        unknown = {"name": one_line(name, _LONGEST_NAME)}
        if similar:
            frame = "{name} is no parameter: did you mean {near}?"
            raise ParameterError(sentence(frame, **unknown, near=similar[0]))
        frame = "{name} is no parameter; there are {names}"
        raise ParameterError(sentence(frame, **unknown, names=", ".join(_NAMES)))
    if is_backfill and any(entered.get(name) for name in _DAYS):
        frame = (
            "leave begin_date and end_date empty in a backfill: its dates are mornings of runs; "
            "for publication days, trigger a single run"
        )
        raise ParameterError(sentence(frame))


def run_of(dataset: Dataset, context: Context) -> Run:
    """
    Return the run that an Airflow task belongs to, with the parameters of its form.

    Its day is the logical date in Beijing; for a run without one, the day from which it may run.
    Whether the dataset has the dates of the form is checked later, by `Run.dated`.
    """
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
    """Return the date of an ISO text; None if the field was left empty."""
    return date.fromisoformat(entered) if entered else None


def is_last_try(context: Context) -> bool:
    """Return whether Airflow does not retry the task if this try fails."""
    ti = context["ti"]
    return bool(ti.try_number > ti.max_tries)
