"""What can go wrong: the table of its kinds; and a problem with its cause, cure and line."""

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import Enum, Flag, StrEnum, auto
from typing import NamedTuple

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.text import counted, one_line, shortened, shown


class Whose(Enum):
    """What a kind of problem concerns."""

    DAYS = auto()
    """Some days of an account."""
    ACCOUNT = auto()
    """An account, whatever the day."""
    CONNECTION = auto()
    """An account, or a connection with all its accounts."""
    RUN = auto()
    """Runs, whatever the account."""


class End(Enum):
    """What shows that a problem is over."""

    ANSWER = auto()
    """WeChat has answered otherwise since; if it concerns days, they are in as well."""
    DAYS_IN = auto()
    """Each of its days is in or final; if it is a rejected value, the row was resolved."""
    LOOK = auto()
    """The task that finds it has looked at all its days again and did not find it."""
    DAILY_RUN = auto()
    """As `LOOK`; or a daily run did not find it, whatever its days."""
    AT_ONCE = auto()
    """It is told once and never again."""


class Mark(Flag):
    """What else is true of a kind of problem."""

    RETRIED = auto()
    """Another try may succeed, so Airflow retries the task."""
    NO_ANSWER = auto()
    """It is no answer of WeChat's, so it says nothing about what else is wrong."""
    BY_ERRCODE = auto()
    """Needs a person; each errcode is an incident of its own."""
    WARNING = auto()
    """Nothing is broken: what WeChat gave is stored, or it may give no more."""


_DAYS, _ACCOUNT, _CONNECTION, _RUN = Whose
_ANSWER, _DAYS_IN, _LOOK, _DAILY_RUN, _AT_ONCE = End
_RETRIED, _NO_ANSWER, _BY_ERRCODE, _WARNING = Mark
_PLAIN = Mark(0)


class ProblemKind(StrEnum):
    """What can go wrong, in the words of the tables, the messages and the page: a row per kind."""

    heading: str
    """The problem in a few words; `{who}` is an account, a task or a subject."""
    whose: Whose
    ends: End
    marks: Mark
    found_by: str
    """The task that looks for it; empty if none does."""

    UNREACHABLE = "unreachable", "{who} unreachable", _ACCOUNT, _ANSWER, _RETRIED | _NO_ANSWER
    TOKEN_REFUSED = "token_refused", "{who} refused", _ACCOUNT, _ANSWER, _RETRIED
    MINUTE_QUOTA = (
        "minute_quota",
        "{who}: the minute's quota is used up",
        _ACCOUNT,
        _ANSWER,
        _RETRIED | _NO_ANSWER,
    )
    NOT_READY = "not_ready", "{who}: figures not ready", _DAYS, _DAYS_IN
    DAILY_QUOTA = "daily_quota", "{who}: the day's quota is used up", _ACCOUNT, _ANSWER
    HELD_BACK = "held_back", "{who}: days held back for the quota", _DAYS, _DAYS_IN, _NO_ANSWER
    ENDPOINT_OFFLINE = (
        "endpoint_offline",
        "{who}: endpoint retired",
        _DAYS,
        _ANSWER,
        _PLAIN,
        "check",
    )
    CONFIGURATION = "configuration", "{who} refused", _CONNECTION, _ANSWER, _BY_ERRCODE
    ACCOUNT_BLOCKED = "account_blocked", "{who} refused", _ACCOUNT, _ANSWER, _BY_ERRCODE
    WITHDRAWN = "withdrawn", "{who}: authorisation withdrawn", _ACCOUNT, _ANSWER, _WARNING
    PLATFORM = "platform", "{who} gets no token", _CONNECTION, _ANSWER, _NO_ANSWER
    CLOCK = "clock", "the clocks disagree", _ACCOUNT, _ANSWER, _NO_ANSWER
    UNREADABLE = "unreadable", "{who}: unreadable answer", _DAYS, _DAYS_IN
    CALL_REFUSED = "call_refused", "{who} refused", _DAYS, _ANSWER, _BY_ERRCODE
    PARAMETER = "parameter", "{who}: wrong parameter", _DAYS, _DAYS_IN, _NO_ANSWER
    WAREHOUSE = "warehouse", "the warehouse does not work", _DAYS, _DAYS_IN, _RETRIED | _NO_ANSWER
    WAREHOUSE_SETUP = "warehouse_setup", "the warehouse cannot be used", _DAYS, _DAYS_IN, _NO_ANSWER
    PROGRAM = "program", "{who}: program fault", _DAYS, _DAYS_IN, _RETRIED | _NO_ANSWER
    NOT_ASKED = "not_asked", "{who} not asked", _DAYS, _DAYS_IN, _RETRIED | _NO_ANSWER
    CHECK = "check", "{who}: {subject} is broken", _DAYS, _LOOK, _PLAIN, "check"
    POOL_MISSING = "pool_missing", "the pool is missing", _RUN, _LOOK, _PLAIN, ""
    RUN_LATE = "run_late", "the daily run is late", _RUN, _LOOK, _PLAIN, "check"
    DAYS_LOST = "days_lost", "{who}: days lost", _DAYS, _DAILY_RUN, _PLAIN, "plan"
    UNKNOWN_METRIC = "unknown_metric", "unknown metric {subject}", _RUN, _AT_ONCE, _WARNING, ""
    TOTAL_FELL = "total_fell", "{who}: a total fell", _DAYS, _DAILY_RUN, _WARNING, "check"
    ARTICLE_MISSING = (
        "article_missing",
        "{who}: an article is missing",
        _DAYS,
        _DAILY_RUN,
        _WARNING,
        "check",
    )
    ARTICLE_MOVED = (
        "article_moved",
        "{who}: an article has another publication day",
        _DAYS,
        _DAILY_RUN,
        _WARNING,
        "check",
    )
    REJECTED = "rejected", "{who}: a value does not fit", _DAYS, _DAYS_IN, _WARNING, "check"
    UNSTEADY = (
        "unsteady",
        "{who}: the list of articles keeps changing",
        _DAYS,
        _DAILY_RUN,
        _WARNING,
        "check",
    )
    SILENT = "silent", "{who} lists nothing new", _ACCOUNT, _DAILY_RUN, _WARNING, "check"
    NOT_COLLECTED = (
        "not_collected",
        "{who}: no longer collected",
        _ACCOUNT,
        _DAILY_RUN,
        _WARNING,
        "plan",
    )
    UNKNOWN = "unknown", "{who}: unknown problem", _RUN, _LOOK, _PLAIN, ""
    """A kind of another version, which wrote it into the warehouse: nothing here finds it."""

    def __new__(
        cls,
        word: str,
        heading: str,
        whose: Whose,
        ends: End,
        marks: Mark = _PLAIN,
        found_by: str = "ingest",
    ) -> "ProblemKind":
        """A word that carries its row."""
        kind = str.__new__(cls, word)
        kind._value_ = word
        kind.heading, kind.whose, kind.ends = heading, whose, ends
        kind.marks, kind.found_by = marks, found_by
        return kind

    @classmethod
    def _missing_(cls, _: object) -> "ProblemKind":
        return cls.UNKNOWN

    @property
    def is_retried(self) -> bool:
        """Whether another try may succeed, so that Airflow retries the task."""
        return Mark.RETRIED in self.marks

    @property
    def is_warning(self) -> bool:
        """Whether nothing is broken."""
        return Mark.WARNING in self.marks

    @property
    def is_of_account(self) -> bool:
        """Whether it concerns an account whatever the day."""
        return self.whose in (Whose.ACCOUNT, Whose.CONNECTION)

    @property
    def is_finding(self) -> bool:
        """Whether it is something to know that stays true: told even after it is over."""
        return self.is_warning and not self.is_of_account

    @property
    def keeps_days_out(self) -> bool:
        """Whether days are not in because of it: nothing to mend where nobody wants them."""
        return self.whose is Whose.DAYS and self.ends is not End.LOOK and not self.is_warning


class Wait(NamedTuple):
    """What a kind of problem waits for."""

    until: time
    """The time of day, in Beijing."""
    cure: str
    """What to do, with the `{time}`."""

    @property
    def on_any_day(self) -> str:
        """The cure, whatever the day."""
        return self.cure.format(time=f"{self.until:%H:%M}")


WAITS = {
    ProblemKind.NOT_READY: Wait(time(10), "run again after {time} Beijing time"),
    ProblemKind.DAILY_QUOTA: Wait(
        time(0),
        "wait until {time} Beijing time, or have WeChat raise the quota, then run with refetch",
    ),
    ProblemKind.HELD_BACK: Wait(
        time(0), "clear ingest after {time} Beijing time, or lower [weixin] quota_reserve"
    ),
}
RUN_NOW = "run again now"


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What went wrong, with one cause, for one account, a whole connection, or the whole run.

    `str()` is its line in the log: what to change first, ids last, at most 160 characters. WeChat's
    id of the call is left out where it does not fit.
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
    rid: str = ""
    """WeChat's id of one of the refused calls."""
    to_change: str = ""
    """The Airflow connection that its cure is about, where that is not its own; not recorded."""

    def __post_init__(self) -> None:
        """Hold texts that can be shown: all but `kind` may quote a stranger."""
        if self.conn_id and not self.appid:
            object.__setattr__(self, "account", self.conn_id)
            object.__setattr__(self, "subject", self.conn_id)
        for name in ("cause", "cure", "account", "subject"):
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text))

    @property
    def title(self) -> str:
        """The problem in a few words."""
        return self.kind.heading.format(who=self.who, subject=self.subject)

    @property
    def who(self) -> str:
        """What its title says it is about."""
        return self.account or self.subject or "WeChat"

    def as_of(self, met_at: datetime, now: datetime) -> "Problem":
        """
        With the cure for who reads it at `now`, if it waits for a time of day.

        That is the next such time after it was met: `run again after 2026-11-24 10:00 Beijing
        time`, and once that has come `run again now`.
        """
        wait = WAITS.get(self.kind)
        if wait is None:
            return self
        at = clock.next_time(wait.until, met_at)
        cure = RUN_NOW if at <= now else wait.cure.format(time=f"{at:%Y-%m-%d %H:%M}")
        return replace(self, cure=cure)

    @property
    def in_full(self) -> str:
        """Its line, however long, without the id of a call."""
        return self._line(self.account, self._said, days_as_ranges(self.days))

    def __str__(self) -> str:
        """Account, cure, cause, days, ids; what is too long ends with a whole word."""
        account = shortened(self.account, _LONGEST_NAME if self.appid else _LONGEST_ENTRY)
        days = _few_ranges(self.days)
        line = self._line(account, self._said, days, self.rid)
        if len(line) > LONGEST_LINE:
            line = self._line(account, self._said, days)
        if (excess := len(line) - LONGEST_LINE) > 0:
            line = self._line(account, self._said_in(len(self._said) - excess), days)
        return shortened(line, LONGEST_LINE)

    @property
    def _said(self) -> str:
        """Cure, and cause."""
        return _said(self.cure, self.cause)

    def _said_in(self, length: int) -> str:
        """Cure and cause in so many characters: the cure is whole, if there is room for it."""
        cause = shortened(self.cause, len(self.cause) - (len(self._said) - length))
        return shortened(_said(self.cure, cause), length)

    def _line(self, account: str, said: str, days: str, rid: str = "") -> str:
        """A connection's problem has no conn_id at the end: it begins with it."""
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        ids = [self.conn_id if self.appid else "", errcode, f"rid {rid}" if rid else ""]
        parts = [said, days, ", ".join(filter(None, ids))]
        return (f"{account}: " if account else "") + " · ".join(filter(None, parts))


def together(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that differ only in their days, and in the ids of their calls, as one."""
    alike: dict[Problem, list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[replace(problem, days=(), rid="")].append(problem)
    return [
        replace(
            same, days=tuple(sorted({day for it in those for day in it.days})), rid=those[0].rid
        )
        for same, those in alike.items()
    ]


def log_problem(log: logging.Logger, problem: Problem) -> None:
    """Log its line; an error where somebody has to act: figures that are late usually come."""
    is_warning = problem.kind.is_warning or problem.kind is ProblemKind.NOT_READY
    log.log(logging.WARNING if is_warning else logging.ERROR, "%s", problem)


LONGEST_LINE = 160
_LONGEST_NAME = 24
"""Characters of an account's name, whose ids are at the line's end."""
_LONGEST_ENTRY = 64
"""Characters of an entry of the list of accounts, which nothing else tells from others."""
_RANGES_IN_LINE = 2


def _said(cure: str, cause: str) -> str:
    return f"{cure} ({cause})" if cure and cause else cure or cause


def _few_ranges(days: Sequence[date]) -> str:
    """The first ranges of the days, and how many more days there are."""
    ranges = days_as_ranges(days).split(", ")
    named = ", ".join(ranges[:_RANGES_IN_LINE])
    if len(ranges) <= _RANGES_IN_LINE:
        return named
    last = date.fromisoformat(named[-len("2026-11-17") :])
    return f"{named} and {counted(sum(day > last for day in set(days)), 'more day')}"


def log_frames(log: logging.Logger, error: BaseException) -> None:
    """Log the frames between the marks by which Airflow's UI collapses them."""
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")


def program_fault(error: BaseException) -> Problem:
    """The problem that an unexpected error is, for the line below its frames."""
    return Problem(ProblemKind.PROGRAM, first_line(error), cure="report it, with the lines above")


def first_line(error: BaseException) -> str:
    """The error's class and first line; the driver's line where SQLAlchemy wraps its error."""
    said = str(getattr(error, "orig", None) or error).strip()
    name = type(error).__name__
    return f"{name}: {one_line(said.splitlines()[0])}" if said else name
