"""What can go wrong: the table of its kinds; and a problem with its cause, cure and line."""

import logging
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any

from weixin_etl.clock import days_as_ranges
from weixin_etl.text import one_line, shown

_LONGEST = {"cause": 500, "cure": 2000, "account": 2000, "subject": 2000}
"""Characters of the texts, which may quote a stranger."""


class OperatorError(Exception):
    """An error whose text is a sentence for the operator: it is shown without a traceback."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of every problem of a kind; by default it concerns some days of an account."""

    word: str
    """What tables, messages and the page call it."""
    heading: str
    """The problem in a few words; `{who}` is an account, a task or a subject."""
    is_common: bool = False
    """Whether one act ends it for all accounts that have it."""
    is_of_account: bool = False
    """Whether it concerns an account whatever the day."""
    is_of_connection: bool = False
    """Whether it may concern a connection with all its accounts."""
    is_retried: bool = False
    """Whether another try may succeed, so that Airflow retries the task."""
    is_no_answer: bool = False
    """Whether it is no answer of WeChat's, so that it says nothing about what else is wrong."""
    is_warning: bool = False
    """Whether nothing is broken: what WeChat gave is stored, or it may give no more."""
    is_momentary: bool = False
    """Whether it is told once and never again: nothing shows that it is over."""


_account = partial(Kind, is_of_account=True)
_connection = partial(_account, is_of_connection=True)
_common = partial(Kind, is_common=True)


class ProblemKind(StrEnum):
    """What can go wrong, in the words of the tables, the messages and the page: a row per kind."""

    heading: str
    is_common: bool
    is_of_account: bool
    is_of_connection: bool
    is_retried: bool
    is_no_answer: bool
    is_warning: bool
    is_momentary: bool

    UNREACHABLE = _account(
        "unreachable", "{who} unreachable", is_common=True, is_retried=True, is_no_answer=True
    )
    TOKEN_REFUSED = _account("token_refused", "{who} refused", is_retried=True)
    MINUTE_QUOTA = _account(
        "minute_quota", "{who}: the minute's quota is used up", is_retried=True, is_no_answer=True
    )
    NOT_READY = _common("not_ready", "{who}: figures not ready")
    DAILY_QUOTA = _account("daily_quota", "{who}: the day's quota is used up")
    HELD_BACK = Kind("held_back", "{who}: days held back for the quota", is_no_answer=True)
    ENDPOINT_OFFLINE = _common("endpoint_offline", "{who}: endpoint retired")
    CONFIGURATION = _connection("configuration", "{who} refused")
    ACCOUNT_BLOCKED = _account("account_blocked", "{who} refused")
    WITHDRAWN = _account("withdrawn", "{who}: authorisation withdrawn", is_warning=True)
    PLATFORM = _connection("platform", "{who} gets no token", is_no_answer=True)
    CLOCK = _account("clock", "the clocks disagree", is_common=True, is_no_answer=True)
    UNREADABLE = Kind("unreadable", "{who}: unreadable answer")
    CALL_REFUSED = _common("call_refused", "{who} refused")
    PARAMETER = Kind("parameter", "{who}: wrong parameter", is_no_answer=True)
    WAREHOUSE = _common(
        "warehouse", "the warehouse does not work", is_retried=True, is_no_answer=True
    )
    WAREHOUSE_SETUP = _common("warehouse_setup", "the warehouse cannot be used", is_no_answer=True)
    PROGRAM = Kind("program", "{who}: program fault", is_retried=True, is_no_answer=True)
    NOT_ASKED = _common("not_asked", "{who} not asked", is_retried=True, is_no_answer=True)
    RUN_LATE = Kind("run_late", "the daily run is late")
    RUN_ENDED = _common("run_ended", "a run ended early")
    DAYS_LOST = Kind("days_lost", "{who}: days lost")
    UNKNOWN_METRIC = Kind(
        "unknown_metric", "unknown metric {subject}", is_warning=True, is_momentary=True
    )
    REJECTED = Kind("rejected", "{who}: a value does not fit", is_warning=True)
    SILENT = _account("silent", "{who} lists nothing new", is_warning=True)
    NOT_COLLECTED = _account(
        "not_collected", "{who}: no longer collected", is_warning=True, is_momentary=True
    )
    UNKNOWN = Kind("unknown", "{who}: unknown problem")
    """A kind of another version, which wrote it into the warehouse: nothing here finds it."""

    def __new__(cls, kind: Any) -> "ProblemKind":
        """A word that carries its `Kind`; a type checker takes looking a word up for this call."""
        member = str.__new__(cls, kind.word)
        member._value_ = kind.word
        vars(member).update(asdict(kind))
        return member

    @classmethod
    def _missing_(cls, _: object) -> "ProblemKind":
        return cls.UNKNOWN


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
    errcode: int | None = None
    to_change: str = ""
    """The Airflow connection that its cure is about, where that is not its own; not recorded."""

    def __post_init__(self) -> None:
        """Hold texts that can be shown."""
        if self.conn_id and not self.appid:
            object.__setattr__(self, "account", self.conn_id)
            object.__setattr__(self, "subject", self.conn_id)
        for name, longest in _LONGEST.items():
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text, longest))

    @property
    def title(self) -> str:
        """The problem in a few words."""
        who = self.account or self.subject or "WeChat"
        return self.kind.heading.format(who=who, subject=self.subject)

    def __str__(self) -> str:
        """What to change first, ids last; of a connection, which it begins with, no conn_id."""
        cause, cure = self.cause, self.cure
        said = f"{cure} ({cause})" if cure and cause else cure or cause
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        ids = filter(None, [self.conn_id if self.appid else "", errcode])
        parts = [said, days_as_ranges(self.days), ", ".join(ids)]
        return (f"{self.account}: " if self.account else "") + " · ".join(filter(None, parts))


def together(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that differ only in their days as one."""
    alike: dict[Problem, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(replace(problem, days=()), []).append(problem)
    return [replace(same, days=days_of(those)) for same, those in alike.items()]


def days_of(problems: Iterable[Problem]) -> tuple[date, ...]:
    """The days of all of them."""
    return tuple(sorted({day for problem in problems for day in problem.days}))


def log_problem(log: logging.Logger, problem: Problem) -> None:
    """Log its line; an error where somebody has to act: figures that are late usually come."""
    is_warning = problem.kind.is_warning or problem.kind is ProblemKind.NOT_READY
    log.log(logging.WARNING if is_warning else logging.ERROR, "%s", problem)


def program_fault(log: logging.Logger, error: BaseException) -> Problem:
    """
    Log the frames of an unexpected error; the problem that it is, for the line below them.

    Airflow's UI collapses what is between the marks. The cause has the error's first line, the
    driver's where SQLAlchemy wraps its error.
    """
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")
    first_line, *_ = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    cause = ": ".join(filter(None, [type(error).__name__, one_line(first_line)]))
    return Problem(ProblemKind.PROGRAM, cause, cure="report it, with the lines above")
