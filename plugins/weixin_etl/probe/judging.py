"""What WeChat answered, judged as a run would judge it, and what to change: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.parse import ParsedAnswer
from weixin_etl.probe.keys import before_row, compared
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.text import counted, few_names, one_line

REPORT = "report it, with these lines"
WAIT = "nothing to do: figures are there by the [weixin] ready_hour, as a rule"


class Grade(IntEnum):
    """How a finding bears on whether the pipeline will work, the worst last."""

    GOOD = 0
    NOTE = 1
    """Not as expected, and the pipeline copes."""
    UNKNOWN = 2
    RETIRED = 3
    """WeChat took the endpoint offline: no matter where its successor works."""
    BAD = 4


_GRADES = {
    ProblemKind.NOT_READY: Grade.NOTE,
    ProblemKind.DAILY_QUOTA: Grade.UNKNOWN,
    ProblemKind.MINUTE_QUOTA: Grade.UNKNOWN,
    ProblemKind.UNREACHABLE: Grade.UNKNOWN,
    ProblemKind.TOKEN_SERVICE: Grade.UNKNOWN,
    ProblemKind.ENDPOINT_OFFLINE: Grade.RETIRED,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of the table: what was asked, what came, and what to change."""

    grade: Grade
    asked: str
    came: str
    change: str = ""


Findings = dict[str, list[Finding]]
"""Of the token under an empty name, then of each dataset."""


def refused(asked: str, error: WeixinError, successor_dag_id: str | None = None) -> Finding:
    """Return the row of an error, in the words of the error table."""
    said = error.problem
    errcode = "" if said.errcode is None else f" (errcode {said.errcode})"
    grade = _GRADES.get(error.kind, Grade.BAD)
    cure = said.with_successor(successor_dag_id).cure
    return Finding(grade, asked, one_line(f"{said.cause}{errcode}"), cure)


def of_day(dataset: Dataset, day: date, parsed: ParsedAnswer, yesterday: date) -> Finding:
    """What a day's answer holds, and whether it has the newest row that it can have."""
    asked, item = str(day), _item(dataset).split()[1]
    if parsed.unreadable:
        return Finding(Grade.BAD, asked, f"it cannot be read: {parsed.unreadable}", REPORT)
    if parsed.nothing_fits:
        return Finding(Grade.BAD, asked, f"no {item} fits: {parsed.rejected[0].reason}", REPORT)
    came = f"{counted(len(parsed.articles), item)}, {counted(parsed.row_count, 'row')}"
    last = min(yesterday, day + timedelta(days=dataset.row_days - 1))
    if parsed.is_delayed:
        return Finding(Grade.NOTE, asked, f"{came}; is_delay: not the newest figures", WAIT)
    if parsed.articles and not parsed.has_row_of(last):
        return Finding(Grade.NOTE, asked, f"{came}; none of {last} yet", WAIT)
    return Finding(Grade.GOOD, asked, came)


def of_keys(dataset: Dataset, answers: Sequence[tuple[bytes, ParsedAnswer]]) -> list[Finding]:
    """How answers differ from the declaration: keys, types and what is rejected, never values."""
    readable = [(body, parsed) for body, parsed in answers if not parsed.unreadable]
    if not readable:
        return []
    rejected = [part.reason for _, parsed in readable for part in parsed.rejected]
    if not rejected and not any(parsed.articles for _, parsed in readable):
        came = f"not known: no answer lists {_item(dataset)}"
        return [Finding(Grade.NOTE, "keys", came, "probe again the day after there is one")]
    unknown, missing = compared(dataset, [body for body, _ in readable])
    differences = {
        "unknown": [f"{one_line(key, 64)} ({what})" for key, what in unknown.items()],
        "missing": missing,
        "rejected": [*dict.fromkeys(rejected)],
    }
    said = [f"{what}: {few_names(names, 8)}" for what, names in differences.items() if names]
    needed = {f"{before_row(dataset)}{metric}" for metric in dataset.headline}
    if rejected or needed.intersection(missing):
        return [Finding(Grade.BAD, "keys", "; ".join(said), REPORT)]
    if said:
        return [Finding(Grade.NOTE, "keys", "; ".join(said), f"nothing to do: it works; {REPORT}")]
    return [Finding(Grade.GOOD, "keys", "as declared")]


def _item(dataset: Dataset) -> str:
    """What an item of the answer's list is: `an article`, `a channel`, `a row`."""
    return dataset.item.of if dataset.item else "a row"


def verdict(found: Findings) -> tuple[Grade, str]:
    """Whether the pipeline will work for the account, or what is missing."""
    grades = {name: max(it.grade for it in those) for name, those in found.items()}
    working = [name for name, grade in grades.items() if name and grade <= Grade.NOTE]
    excused = {
        name
        for name, grade in grades.items()
        if grade is Grade.RETIRED and DATASETS[name].successor in working
    }
    worst = max(grade for name, grade in grades.items() if name not in excused)
    which = f" with {few_names(working)}" if len(working) < len(found) - 1 else ""
    if worst <= Grade.NOTE:
        return worst, f"The pipeline will work for this account{which}."
    those = [it for name in found if name not in excused for it in found[name]]
    change = "; ".join(dict.fromkeys(it.change or it.came for it in those if it.grade is worst))
    if working:
        return worst, f"The pipeline will work for this account{which} only: {change}."
    if worst is Grade.UNKNOWN:
        return worst, f"Whether the pipeline will work for this account is not known: {change}."
    return worst, f"The pipeline will not work for this account yet: {change}."
