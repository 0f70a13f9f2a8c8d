"""
The findings and the verdict of a probe.

Each answer or error of WeChat becomes a finding: a grade, a result and a cure. Answers are
parsed by the parser of the daily runs. All functions are pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.parse import ParsedAnswer
from weixin_etl.probe.keys import compare_keys, row_prefix
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.text import counted, few_names, one_line

REPORT = "report it, with these lines"
WAIT = "nothing to do: figures are there by the [weixin] ready_hour, as a rule"


class Grade(IntEnum):
    """The grade of a finding: does it keep the pipeline from working? The worst is last."""

    GOOD = 0
    NOTE = 1
    """The answer is unusual, but the pipeline can work with it."""
    UNKNOWN = 2
    RETIRED = 3
    """WeChat took the endpoint offline. This is harmless if the successor's endpoint works."""
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
    """One line of the probe's output."""

    grade: Grade
    subject: str
    """What was checked: the token, the quota, a day or the keys."""
    result: str
    cure: str = ""
    """What to do; empty if nobody has to do anything."""


Findings = dict[str, list[Finding]]
"""Findings by dataset name; the finding about the token has an empty name."""


def error_finding(subject: str, error: WeixinError, successor_dag_id: str | None = None) -> Finding:
    """
    Return the finding for an error: its cause with the errcode, and its cure.

    The grade is BAD unless `_GRADES` has another for the kind of the error.

    Args:
        subject: What was checked when the error was raised.
        error: WeChat's refusal, or the transport failure.
        successor_dag_id: The DAG that replaces the dataset's DAG. The cure for a retired endpoint
            names it. None if there is none.
    """
    problem = error.problem
    errcode = "" if problem.errcode is None else f" (errcode {problem.errcode})"
    grade = _GRADES.get(error.kind, Grade.BAD)
    cure = problem.with_successor(successor_dag_id).cure
    return Finding(grade, subject, one_line(f"{problem.cause}{errcode}"), cure)


def day_finding(dataset: Dataset, day: date, parsed: ParsedAnswer, yesterday: date) -> Finding:
    """
    Return the finding about a day's answer: how many items and rows the parser read.

    The grade is BAD for an answer that is unreadable or of which no item fits. It is NOTE if WeChat
    marks the figures as delayed, or if there are items but none has a row of the newest possible
    day: yesterday, or the last day for which an item has rows. An empty answer is GOOD.
    """
    subject, item = str(day), _item(dataset).split()[1]
    if parsed.unreadable:
        return Finding(Grade.BAD, subject, f"it cannot be read: {parsed.unreadable}", REPORT)
    if parsed.nothing_fits:
        return Finding(Grade.BAD, subject, f"no {item} fits: {parsed.rejected[0].reason}", REPORT)
    result = f"{counted(len(parsed.articles), item)}, {counted(parsed.row_count, 'row')}"
    newest = min(yesterday, day + timedelta(days=dataset.row_days - 1))
    if parsed.is_delayed:
        return Finding(Grade.NOTE, subject, f"{result}; is_delay: not the newest figures", WAIT)
    if parsed.articles and not parsed.has_row_of(newest):
        return Finding(Grade.NOTE, subject, f"{result}; none of {newest} yet", WAIT)
    return Finding(Grade.GOOD, subject, result)


def key_findings(dataset: Dataset, answers: Sequence[tuple[bytes, ParsedAnswer]]) -> list[Finding]:
    """
    Return one finding: how answers differ from the declaration, in keys and in rejected parts.

    The grade is BAD if a part was rejected, or if a total that every row has is missing. It is NOTE
    for other differences, and if no answer lists an item and so the keys are not known. The finding
    names keys and JSON types, but shows no values of figures. The list is empty if no answer is
    readable.

    Args:
        dataset: The dataset whose endpoint gave the answers.
        answers: Each answer's bytes, with what the parser read of them.
    """
    readable = [(body, parsed) for body, parsed in answers if not parsed.unreadable]
    if not readable:
        return []
    rejected = [part.reason for _, parsed in readable for part in parsed.rejected]
    if not rejected and not any(parsed.articles for _, parsed in readable):
        result = f"not known: no answer lists {_item(dataset)}"
        return [Finding(Grade.NOTE, "keys", result, "probe again the day after there is one")]
    unknown, missing = compare_keys(dataset, [body for body, _ in readable])
    differences = {
        "unknown": [f"{one_line(key, 64)} ({json_type})" for key, json_type in unknown.items()],
        "missing": missing,
        "rejected": [*dict.fromkeys(rejected)],
    }
    result = "; ".join(
        f"{difference}: {few_names(names, 8)}" for difference, names in differences.items() if names
    )
    needed = {f"{row_prefix(dataset)}{metric}" for metric in dataset.headline}
    if rejected or needed.intersection(missing):
        return [Finding(Grade.BAD, "keys", result, REPORT)]
    if result:
        return [Finding(Grade.NOTE, "keys", result, f"nothing to do: it works; {REPORT}")]
    return [Finding(Grade.GOOD, "keys", "as declared")]


def _item(dataset: Dataset) -> str:
    """Return the name of an item of the answer's list: `an article`, `a channel`, `a row`."""
    return dataset.item.of if dataset.item else "a row"


def verdict(findings: Findings) -> tuple[Grade, str]:
    """
    Return the worst grade of an account, and a sentence: will the pipeline work for it?

    A dataset works if its worst grade is NOTE or better. A retired endpoint does not count if the
    dataset that succeeds it works. The sentence names the datasets that work, if not all do, and
    the cures of the findings with the worst grade.

    Args:
        findings: What `probe` returned: at least the finding about the token.
    """
    grades = {name: max(finding.grade for finding in group) for name, group in findings.items()}
    working = [name for name, grade in grades.items() if name and grade <= Grade.NOTE]
    excused = {
        name
        for name, grade in grades.items()
        if grade is Grade.RETIRED and DATASETS[name].successor in working
    }
    worst = max(grade for name, grade in grades.items() if name not in excused)
    datasets = f" with {few_names(working)}" if len(working) < len(findings) - 1 else ""
    if worst <= Grade.NOTE:
        return worst, f"The pipeline will work for this account{datasets}."
    counting = [finding for name in findings if name not in excused for finding in findings[name]]
    cures = (finding.cure or finding.result for finding in counting if finding.grade is worst)
    cure = "; ".join(dict.fromkeys(cures))
    if working:
        return worst, f"The pipeline will work for this account{datasets} only: {cure}."
    if worst is Grade.UNKNOWN:
        return worst, f"Whether the pipeline will work for this account is not known: {cure}."
    return worst, f"The pipeline will not work for this account yet: {cure}."
