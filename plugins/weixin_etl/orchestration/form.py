"""The form of the DAGs: what somebody who triggers a run may enter, and nothing else."""

import difflib
from collections.abc import Iterable, Mapping

from airflow.sdk import Param

from weixin_etl.model import ParameterError
from weixin_etl.text import one_line


def _day(title: str, description: str) -> Param:
    """A day that may be left empty."""
    return Param(None, type=["null", "string"], format="date", title=title, description=description)


def _switch(title: str, description: str) -> Param:
    """Off unless somebody turns it on."""
    return Param(False, type="boolean", title=title, description=description)


PARAMS = {
    "begin_date": _day(
        "First publication day",
        "Beijing. Leave both days empty for the look-back window. In a Backfill always leave them "
        "empty: its dates are run dates, not publication days.",
    ),
    "end_date": _day("Last publication day", "Beijing, included; yesterday at the latest."),
    "accounts": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accounts",
        description="Names, connection ids or AppIDs, one a line. Empty: all. In a Backfill, this "
        "and the fields below apply to existing runs only if you tick *override parameters*.",
    ),
    "refetch": _switch(
        "Ask again for final days",
        "Final days are skipped otherwise: their totals no longer grow.",
    ),
    "dry_run": _switch(
        "Only show the plan",
        "The log of the task plan shows what would be asked for.",
    ),
}
"""What somebody who triggers a run may enter; Airflow checks the types and the dates."""

_DAYS = ("begin_date", "end_date")
_LONGEST_NAME = 40
_NAMES_IN_SENTENCE = 3


def require_known(
    entered: Mapping[str, object], known: Iterable[str], *, is_backfill: bool
) -> None:
    """
    Make sure that what was entered can mean what somebody meant.

    Airflow takes a name it does not know without a word: a run limited by `acounts` is not limited.
    And each run of its backfill would ask for the same days, whatever the range of the backfill.

    Raises:
        ParameterError: the form has no such parameters; the nearest known ones are named. Or days
            are entered for a backfill.
    """
    names = list(known)
    unknown = sorted(set(entered).difference(names))
    sentences = [
        f"{one_line(name, _LONGEST_NAME)} is no parameter{_nearest(name, names)}"
        for name in unknown[:_NAMES_IN_SENTENCE]
    ]
    if len(unknown) > _NAMES_IN_SENTENCE:
        sentences.append(f"And {len(unknown) - _NAMES_IN_SENTENCE} more.")
    if sentences:
        raise ParameterError(" ".join(sentences))
    if is_backfill and any(entered.get(name) for name in _DAYS):
        raise ParameterError(
            f"leave {' and '.join(_DAYS)} empty in a backfill: its dates are mornings of runs; "
            "for publication days, trigger a single run"
        )


def _nearest(name: str, names: list[str]) -> str:
    """The name that was meant, or all of them when it is like none."""
    near = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), names, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."
