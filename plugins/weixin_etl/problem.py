"""
Problems: their kinds, the errors that carry them, and the line that people read.

`problems.csv` has a row for each kind, and for each code with texts of its own. A row has the flags
of the kind and the texts in English and Chinese. The errcodes are WeChat's:
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import logging
import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum, auto
from typing import Any, NamedTuple

from weixin_etl.clock import days_as_ranges
from weixin_etl.sentences import Quoted, Sentence, read_table
from weixin_etl.text import one_line, shown

_TABLE = read_table("problems.csv")
_MARKS = {kind: marks.split() for kind, _codes, marks, *_ in reversed(_TABLE)}
"""The names of each kind's flags that are true. The first row of a kind has them."""


class ProblemKind(StrEnum):
    """
    The kinds of problems, as tables, messages and the page name them.

    An unknown name, such as one that another release wrote into the warehouse, becomes `UNKNOWN`.
    """

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

    def __init__(self, name: str) -> None:
        """Set each flag of the kind: whether the kind's first row of `problems.csv` names it."""
        marks = _MARKS[name]
        # one action fixes it for all accounts that have it
        self.is_common = "is_common" in marks
        # it concerns an account, not single days
        self.is_of_account = "is_of_account" in marks
        # it may concern a connection and all its accounts
        self.is_of_connection = "is_of_connection" in marks
        # the warehouse has the problem, not WeChat
        self.is_of_warehouse = "is_of_warehouse" in marks
        # the warehouse refuses this statement, but accepts others
        self.is_of_one_statement = "is_of_one_statement" in marks
        # another try may succeed: Airflow retries the task
        self.is_retried = "is_retried" in marks
        # the run, or the try if it is retried, requests no more days of it
        self.stops_account = "stops_account" in marks
        # no usable answer: after several in a row, the try stops calling
        self.is_outage = "is_outage" in marks
        # the account's other problems were not examined, and may still be there
        self.is_without_result = "is_without_result" in marks
        # nothing failed: the figures are stored, or WeChat may have no more
        self.is_warning = "is_warning" in marks
        # nobody has to act: daily runs request the figures again
        self.resolves_itself = "resolves_itself" in marks
        # people are notified of its end, although it is a warning
        self.end_is_told = "end_is_told" in marks
        # people are notified once: nothing shows its end
        self.is_momentary = "is_momentary" in marks

    @property
    def stops_whole_account(self) -> bool:
        """Whether it concerns an account as a whole and is more than a warning."""
        return self.is_of_account and not self.is_warning

    @classmethod
    def _missing_(cls, _: object) -> "ProblemKind":
        """Return `UNKNOWN` for a name that is no kind."""
        return cls.UNKNOWN


class ProblemRow(NamedTuple):
    """
    A row of `problems.csv`.

    A title has the placeholders `{who}` (an account, task or subject) and `{subject}`. A cure has
    `{connection}` (the Airflow connection to change), `{role}` (the user of that connection),
    `{address}` (the IP address that WeChat names) and `{subject}`.
    """

    kind: ProblemKind
    codes: list[str]
    """
    Errcodes, beginnings of SQLSTATEs, or names of cases. Empty in the first row of a kind.

    A case of an errcode has a suffix: `47009_succeeded`.
    """
    title: str
    """Empty if the title of the kind's first row applies."""
    cause: str
    cure: str
    title_zh: str
    cause_zh: str
    cure_zh: str


ROWS = [ProblemRow(ProblemKind(kind), codes.split(), *texts) for kind, codes, _, *texts in _TABLE]
_FIRST = {row.kind: row for row in reversed(ROWS)}
_OF_CODE = {(row.kind, code): row for row in ROWS for code in row.codes}
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


def problem_row(kind: ProblemKind, code: str = "") -> ProblemRow:
    """Return the kind's row for the code; the kind's first row if no row names the code."""
    return _OF_CODE.get((kind, code), _FIRST[kind])


def fill_places(text: str, conn_id: str, cause: str, subject: str | None = None) -> str:
    """
    Return a cure with its placeholders filled in, on one line with single spaces.

    Args:
        text: the cure with placeholders, as in `problems.csv`.
        conn_id: the Airflow connection to change. `{role}` is `weixin_reader` for the connection of
            this name, and `weixin_loader` for every other.
        cause: the problem's cause. The first IPv4 address in it becomes `{address}`. The
            placeholder is left out if the cause has no address.
        subject: the text for `{subject}`, which becomes "None" if it is missing.

    Raises:
        KeyError: the text has another placeholder.
    """
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
    A problem of one account, one connection or the whole run, with its cause and cure.

    `str()` returns the line that people read: account, cure, cause, days, ids.
    """

    kind: ProblemKind
    cause: str
    """What happened."""
    cure: str
    """The action that fixes the problem. If none is needed, what happens next."""
    account: str = ""
    """The name of the account or the connection. Empty if the problem concerns the whole run."""
    appid: str | None = None
    """None if the problem concerns the run, a connection, or an entry without an account."""
    conn_id: str = ""
    subject: str | None = None
    """A metric, an article, or a connection that distinguishes the problem within its kind."""
    days: tuple[date, ...] = ()
    """The days that the problem concerns."""
    code: str = ""
    """WeChat's errcode, an SQLSTATE or the name of a case. It selects the row with the texts."""
    to_change: str = ""
    """The Airflow connection to change, if it differs from `conn_id`. It is not stored."""

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
        """
        Return a problem of the kind, with the texts of its row of `problems.csv`.

        Args:
            kind: the kind of the problem.
            cause: a cause that replaces the row's. With an empty text, `detail` alone is the cause.
            cure: a cure that replaces the row's, without placeholders. If it is None, the row's
                cure is taken, with `to_change` or else `conn_id` as the connection to change.
            code: the code that selects the row. The kind's first row is used if no row names it.
            detail: a text that is added to the cause after a colon, unless it is empty.
            **more: other fields of the problem.
        """
        row = problem_row(kind, code)
        cause = ": ".join(filter(None, [row.cause if cause is None else cause, detail]))
        conn_id = more.get("to_change") or more.get("conn_id", "")
        if cure is None:
            cure = fill_places(row.cure, conn_id, cause, more.get("subject"))
        return cls(kind, cause, cure, code=code, **more)

    def __post_init__(self) -> None:
        """
        Make cause, cure, account and subject single lines that can be shown.

        They may quote other systems: control characters are removed, and a text ends after 2,000
        characters. A problem with a connection and no AppID concerns the connection itself: its id
        becomes the account and the subject.
        """
        if self.conn_id and not self.appid:
            object.__setattr__(self, "account", self.conn_id)
            object.__setattr__(self, "subject", self.conn_id)
        for name in ("cause", "cure", "account", "subject"):
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text))

    def with_successor(self, dag_id: str | None, *, is_collecting: bool = False) -> "Problem":
        """
        Return a retired endpoint's problem with the cure and the code for its successor.

        The subject becomes the successor's DAG. A problem of another kind is returned unchanged.

        Args:
            dag_id: the DAG of the successor. With None the problem is returned unchanged.
            is_collecting: whether the DAG collects already. Then the cure is to do nothing, and
                otherwise to unpause the DAG. The cause stays.
        """
        if self.kind is not ProblemKind.ENDPOINT_OFFLINE or dag_id is None:
            return self
        code = "47009_succeeded" if is_collecting else "47009_successor"
        cure = fill_places(problem_row(self.kind, code).cure, "", "", dag_id)
        return replace(self, code=code, subject=dag_id, cure=cure)

    @property
    def row(self) -> ProblemRow:
        """The row of `problems.csv` for kind and code: the kind's first if none has the code."""
        return problem_row(self.kind, self.code)

    @property
    def errcode(self) -> int | None:
        """
        WeChat's errcode: the number with which the code begins.

        None if the code is empty, names a case, or is an SQLSTATE of the warehouse.
        """
        number = self.code.partition("_")[0]
        is_wechats = number.removeprefix("-").isdigit() and not self.kind.is_of_warehouse
        return int(number) if is_wechats else None

    @property
    def who(self) -> str:
        """The account that has the problem, or else the subject. Empty if there is neither."""
        return self.account or self.subject or ""

    @property
    def title(self) -> str:
        """The kind's title in English. It names `who`, or WeChat if that is empty."""
        title = problem_row(self.kind).title
        return title.format(who=self.who or "WeChat", subject=self.subject)

    def __str__(self) -> str:
        """
        Return one line: `account: cure (cause) · days · connection id, errcode`.

        Parts that are empty are left out, with their separators. The connection's id is left out
        too if the problem has no AppID, because it is the account then.
        """
        has_both = self.cure and self.cause
        text = f"{self.cure} ({self.cause})" if has_both else self.cure or self.cause
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        ids = filter(None, [self.conn_id if self.appid else "", errcode])
        parts = [text, days_as_ranges(self.days), ", ".join(ids)]
        return (f"{self.account}: " if self.account else "") + " · ".join(filter(None, parts))


def merge_days(problems: Iterable[Problem]) -> list[Problem]:
    """
    Return the problems, with those that differ only in their days merged into one.

    A merged problem has the days of all, sorted, and the place of the first in the order.
    """
    groups: dict[Problem, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(replace(problem, days=()), []).append(problem)
    return [replace(merged, days=days_of_problems(group)) for merged, group in groups.items()]


def days_of_problems(problems: Iterable[Problem]) -> tuple[date, ...]:
    """Return the days of all problems, each once, the oldest first."""
    return tuple(sorted({day for problem in problems for day in problem.days}))


def log_problem(log: logging.Logger, problem: Problem) -> None:
    """Log the problem's line: warnings and figures not ready at WARNING, others at ERROR."""
    is_warning = problem.kind.is_warning or problem.kind is ProblemKind.NOT_READY
    log.log(logging.WARNING if is_warning else logging.ERROR, "%s", problem)


def program_problem(log: logging.Logger, error: BaseException) -> Problem:
    """
    Log the traceback of an unexpected error, and return a problem of kind `PROGRAM`.

    The traceback is logged at level INFO, in a group that Airflow's UI collapses. The cause is the
    error's type and the first line of its message. The message of an SQLAlchemy error is that of
    the driver.
    """
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")
    first_line, *_ = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    cause = ": ".join(filter(None, [type(error).__name__, one_line(first_line)]))
    return Problem.of_kind(ProblemKind.PROGRAM, cause)


class OperatorError(Exception):
    """An error whose text is a sentence for the operator. It is shown without a traceback."""


class _KindError(OperatorError):
    """
    An error that carries a problem. `str()` returns the problem's line.

    `Problem.of_kind` makes the problem of the arguments: the kind, a detail that is added to the
    cause, and other fields. The subject is the account unless the caller names another.
    """

    to_change = ""
    """The Airflow connection to change, unless the caller names another."""

    def __init__(
        self, kind: ProblemKind, detail: Sentence | Quoted | None = None, **more: Any
    ) -> None:
        super().__init__(detail or "")
        self.detail = detail
        """The text that is added to the kind's cause. None if there is none."""
        defaults = {"to_change": self.to_change, "subject": more.get("account") or None}
        self.problem = Problem.of_kind(kind, detail=detail or "", **{**defaults, **more})

    @property
    def kind(self) -> ProblemKind:
        """The kind of the problem."""
        return self.problem.kind

    def __str__(self) -> str:
        """Return the problem's line."""
        return str(self.problem)


class WeixinError(_KindError):
    """A call that failed or could not be made, an unusable answer or an unusable connection."""


class WarehouseError(_KindError):
    """The warehouse can't be used, permanently or at the moment."""

    to_change = "weixin_warehouse"
