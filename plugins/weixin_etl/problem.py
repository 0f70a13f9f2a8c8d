"""
What can go wrong: the list of its kinds, the errors that say so, and a problem with its line.

`problems.csv` has a row for each kind and for each code that has texts of its own: what the code
asks of a kind, and what people read of it in English and Chinese. The errcodes are WeChat's:
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import csv
import logging
import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum, auto
from pathlib import Path
from typing import Any, NamedTuple

from weixin_etl.clock import days_as_ranges
from weixin_etl.sentences import Quoted, Sentence
from weixin_etl.text import one_line, shown


class ProblemKind(StrEnum):
    """What can go wrong, in the words of the tables, the messages and the page."""

    is_common: bool  # one act ends it for all accounts that have it
    is_of_account: bool  # it concerns an account, whatever the day
    is_of_connection: bool  # it may concern a connection with all its accounts
    is_of_warehouse: bool  # the warehouse is at fault, not WeChat
    is_of_one_statement: bool  # and refuses this statement only: others can still be loaded
    is_retried: bool  # another try may succeed, so that Airflow retries the task
    stops_account: bool  # its other days need not be asked for in this run, or try if retried
    is_outage: bool  # no usable answer: after several in a row, further calls would fail too
    is_transport_failure: bool  # it is none of WeChat's, and says nothing about what else is wrong
    is_warning: bool  # nothing is broken: what WeChat gave is stored, or it may give no more
    resolves_itself: bool  # nobody has to act: daily runs ask again until the figures are there
    end_is_told: bool  # people are told that it is over, though nothing was broken
    is_momentary: bool  # told once and never again: nothing shows that it is over

    UNREACHABLE = auto()
    TOKEN_SERVICE = auto()
    TOKEN_REFUSED = auto()
    MINUTE_QUOTA = auto()
    NOT_READY = auto()
    DAILY_QUOTA = auto()
    HELD_BACK = auto()
    ENDPOINT_OFFLINE = auto()
    CONFIGURATION = auto()
    PLATFORM = auto()
    CLOCK = auto()
    UNREADABLE = auto()
    CALL_REFUSED = auto()
    WAREHOUSE = auto()
    WAREHOUSE_LOCKED = auto()
    WAREHOUSE_SETUP = auto()
    PARAMETER = auto()
    PROGRAM = auto()
    TASK_KILLED = auto()
    NOT_ASKED = auto()
    NOTHING_COLLECTED = auto()
    FIRST_RUN = auto()
    RUN_LATE = auto()
    RUN_ENDED = auto()
    SCHEDULER_DOWN = auto()
    NO_RUNS = auto()
    DAYS_LOST = auto()
    REJECTED = auto()
    SILENT = auto()
    BEHIND = auto()
    FALLEN = auto()
    NO_FIGURES = auto()
    NOT_COLLECTED = auto()
    UNKNOWN = auto()

    @classmethod
    def _missing_(cls, _: object) -> "ProblemKind":
        return cls.UNKNOWN  # another version wrote it into the warehouse


class ProblemRow(NamedTuple):
    """
    A row of `problems.csv`.

    Places in a title: `{who}` an account, task or subject, `{subject}`; in a cure `{connection}`
    the Airflow connection to change, `{role}` of its user, `{address}` the IP that WeChat names.
    """

    kind: ProblemKind
    codes: list[str]
    """
    Errcodes, beginnings of SQLSTATEs, or a name that the code gives; none in a kind's first.

    A case of an errcode has its name behind it: `47009_succeeded`.
    """
    marks: list[str]
    title: str
    """Empty where it is the kind's."""
    cause: str
    cure: str
    title_zh: str
    cause_zh: str
    cure_zh: str


with Path(__file__).with_name("problems.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = [
        ProblemRow(ProblemKind(kind), codes.split(), marks.split(), *texts)
        for kind, codes, marks, *texts in list(csv.reader(_file))[1:]
    ]
_FIRST = {row.kind: row for row in reversed(ROWS)}
_OF_CODE = {(row.kind, code): row for row in ROWS for code in row.codes}
for _kind, _its in _FIRST.items():
    vars(_kind).update({mark: mark in _its.marks for mark in ProblemKind.__annotations__})
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


def problem_row(kind: ProblemKind, code: str = "") -> ProblemRow:
    """The code's row of the kind, or the kind's first, which holds for all of it."""
    return _OF_CODE.get((kind, code), _FIRST[kind])


def fill_places(text: str, conn_id: str, cause: str, subject: str | None = None) -> str:
    """A cure with its places filled in; what is not known is left out."""
    address = _ADDRESS.search(cause)
    places = {
        "connection": conn_id,
        "role": "weixin_reader" if conn_id == "weixin_reader" else "weixin_loader",
        "address": address[0] if address else "",
        "subject": subject,
    }
    return " ".join(text.format(**places).split())


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What went wrong, with one cause, for one account, a whole connection, or the whole run.

    `str()` is its line: account, cure, cause, days, ids.
    """

    kind: ProblemKind
    cause: str
    """What happened."""
    cure: str
    """What to change; when nothing, what happens next."""
    account: str = ""
    """What people call the account, or the connection; empty when it concerns the whole run."""
    appid: str | None = None
    """None as well when it concerns a connection, or an entry that stands for no account."""
    conn_id: str = ""
    subject: str | None = None
    """What else tells it from others of its kind: a metric, an article, a connection."""
    days: tuple[date, ...] = ()
    """The publication days concerned."""
    code: str = ""
    """Of which row of its kind its texts are: WeChat's errcode, an SQLSTATE or a name."""
    to_change: str = ""
    """The Airflow connection that its cure is about, where that is not its own; not recorded."""

    @classmethod
    def of_kind(
        cls,
        kind: ProblemKind,
        cause: str | None = None,
        cure: str | None = None,
        *,
        code: str = "",
        detail: str = "",
        **more: Any,
    ) -> "Problem":
        """A problem with its row's cause, to which a detail is added, and cure, unless given."""
        row = problem_row(kind, code)
        cause = ": ".join(filter(None, [row.cause if cause is None else cause, detail]))
        conn_id = more.get("to_change") or more.get("conn_id", "")
        if cure is None:
            cure = fill_places(row.cure, conn_id, cause, more.get("subject"))
        return cls(kind, cause, cure, code=code, **more)

    def __post_init__(self) -> None:
        """Hold texts that can be shown: they may quote a stranger."""
        if self.conn_id and not self.appid:
            object.__setattr__(self, "account", self.conn_id)
            object.__setattr__(self, "subject", self.conn_id)
        for name in ("cause", "cure", "account", "subject"):
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text))

    def with_successor(self, dag_id: str | None, *, is_collecting: bool = False) -> "Problem":
        """Return a retired endpoint's problem with the cure that names its successor's DAG."""
        if self.kind is not ProblemKind.ENDPOINT_OFFLINE or dag_id is None:
            return self
        code = "47009_succeeded" if is_collecting else "47009_successor"
        cure = fill_places(problem_row(self.kind, code).cure, "", "", dag_id)
        return replace(self, code=code, subject=dag_id, cure=cure)

    @property
    def row(self) -> ProblemRow:
        """The row that its texts are from."""
        return problem_row(self.kind, self.code)

    @property
    def errcode(self) -> int | None:
        """WeChat's, if it gave one."""
        number = self.code.partition("_")[0]
        is_wechats = number.removeprefix("-").isdigit() and not self.kind.is_of_warehouse
        return int(number) if is_wechats else None

    @property
    def who(self) -> str:
        """Whose it is, or what it is about."""
        return self.account or self.subject or ""

    @property
    def title(self) -> str:
        """The problem in a few words."""
        title = problem_row(self.kind).title
        return title.format(who=self.who or "WeChat", subject=self.subject)

    def __str__(self) -> str:
        """What to change first, ids last; of a connection, which it begins with, no conn_id."""
        said = (
            f"{self.cure} ({self.cause})" if self.cure and self.cause else self.cure or self.cause
        )
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        ids = filter(None, [self.conn_id if self.appid else "", errcode])
        parts = [said, days_as_ranges(self.days), ", ".join(ids)]
        return (f"{self.account}: " if self.account else "") + " · ".join(filter(None, parts))


def merge_days(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that differ only in their days as one."""
    alike: dict[Problem, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(replace(problem, days=()), []).append(problem)
    return [replace(same, days=days_of_problems(those)) for same, those in alike.items()]


def days_of_problems(problems: Iterable[Problem]) -> tuple[date, ...]:
    """The days of all of them."""
    return tuple(sorted({day for problem in problems for day in problem.days}))


def log_problem(log: logging.Logger, problem: Problem) -> None:
    """Log its line; an error where somebody has to act: figures that are late usually come."""
    is_warning = problem.kind.is_warning or problem.kind is ProblemKind.NOT_READY
    log.log(logging.WARNING if is_warning else logging.ERROR, "%s", problem)


def program_problem(log: logging.Logger, error: BaseException) -> Problem:
    """Log the frames of an unexpected error, collapsed in Airflow's UI; the problem that it is."""
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")
    # the driver's own words where SQLAlchemy wraps its error
    first_line, *_ = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    cause = ": ".join(filter(None, [type(error).__name__, one_line(first_line)]))
    return Problem.of_kind(ProblemKind.PROGRAM, cause)


class OperatorError(Exception):
    """An error whose text is a sentence for the operator: it is shown without a traceback."""


class _KindError(OperatorError):
    """`str()` is the line of its problem, made by `Problem.of_kind`."""

    to_change = ""
    """The Airflow connection that its cure is about, unless another is given."""

    def __init__(
        self, kind: ProblemKind, detail: Sentence | Quoted | None = None, **more: Any
    ) -> None:
        super().__init__(detail or "")
        self.detail = detail
        """What is added to the kind's cause."""
        whose = {"to_change": self.to_change, "subject": more.get("account") or None}
        self.problem = Problem.of_kind(kind, detail=detail or "", **{**whose, **more})

    @property
    def kind(self) -> ProblemKind:
        """What went wrong."""
        return self.problem.kind

    def __str__(self) -> str:
        return str(self.problem)


class WeixinError(_KindError):
    """A call that brought no figures; `account` is what people call whoever made it."""


class WarehouseError(_KindError):
    """The warehouse can't be used, or not at the moment."""

    to_change = "weixin_warehouse"
