"""What can go wrong, and what people are told of it: one trouble with its cause and its cure."""

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from weixin_etl.clock import days_as_ranges
from weixin_etl.json_text import one_line, shown


class ProblemKind(StrEnum):
    """What can go wrong, in the words of the tables, the messages and the page."""

    UNREACHABLE = "unreachable"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 # no secret
    MINUTE_QUOTA = "minute_quota"
    NOT_READY = "not_ready"
    DAILY_QUOTA = "daily_quota"
    HELD_BACK = "held_back"
    ENDPOINT_OFFLINE = "endpoint_offline"
    CONFIGURATION = "configuration"
    ACCOUNT_BLOCKED = "account_blocked"
    WITHDRAWN = "withdrawn"
    PLATFORM = "platform"
    CLOCK = "clock"
    UNREADABLE = "unreadable"
    CALL_REFUSED = "call_refused"
    PARAMETER = "parameter"
    WAREHOUSE = "warehouse"
    PROGRAM = "program"
    NOT_ASKED = "not_asked"
    CHECK = "check"
    POOL_MISSING = "pool_missing"
    RUN_LATE = "run_late"
    DAYS_LOST = "days_lost"
    UNKNOWN_METRIC = "unknown_metric"
    TOTAL_FELL = "total_fell"
    ARTICLE_MISSING = "article_missing"
    ARTICLE_MOVED = "article_moved"
    REJECTED = "rejected"
    UNSTEADY = "unsteady"
    SILENT = "silent"
    NOT_COLLECTED = "not_collected"
    UNKNOWN = "unknown"
    """Of another version, which wrote it into the warehouse: nothing here meets it."""

    @classmethod
    def _missing_(cls, _: object) -> "ProblemKind":
        return cls.UNKNOWN

    @property
    def is_warning(self) -> bool:
        """Whether nothing is broken here: what WeChat gave is stored, or it may give no more."""
        return self in (
            self.UNKNOWN_METRIC,
            self.TOTAL_FELL,
            self.ARTICLE_MISSING,
            self.ARTICLE_MOVED,
            self.REJECTED,
            self.UNSTEADY,
            self.SILENT,
            self.NOT_COLLECTED,
            self.WITHDRAWN,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Trouble of one kind, with one cause, of one account, a whole connection, or the whole run.

    `str()` is its line in the log: what to change first, ids last, at most 160 characters. WeChat's
    id of the call is left out where it does not fit.
    """

    kind: ProblemKind
    cause: str
    """What happened."""
    cure: str
    """What to change; when nothing, what happens next."""
    account: str = ""
    """What people call the account; empty when it concerns the whole run."""
    appid: str | None = None
    conn_id: str = ""
    subject: str | None = None
    """What else tells it from others of its kind: a metric, an article, a connection."""
    days: tuple[date, ...] = ()
    """The publication days concerned."""
    errcode: int | None = None
    rid: str = ""
    """WeChat's id of one of the refused calls."""

    def __post_init__(self) -> None:
        """Hold texts that can be shown: all but `kind` may quote a stranger."""
        for name in ("cause", "cure", "account", "subject"):
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text))

    @classmethod
    def of_connection(
        cls,
        conn_id: str,
        kind: ProblemKind,
        cause: str,
        cure: str,
        days: tuple[date, ...] = (),
        errcode: int | None = None,
        rid: str = "",
    ) -> "Problem":
        """Trouble of a whole connection, or of an entry of the list that stands for no account."""
        return cls(
            kind,
            cause,
            cure,
            account=conn_id,
            conn_id=conn_id,
            subject=conn_id,
            days=days,
            errcode=errcode,
            rid=rid,
        )

    @property
    def is_error(self) -> bool:
        """Whether somebody has to act; figures that are late usually come without it."""
        return self.kind not in (ProblemKind.NOT_READY, ProblemKind.WITHDRAWN)

    @property
    def in_full(self) -> str:
        """Its line, however long."""
        about = f"{self.account}: " if self.account else ""
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        ids = ", ".join(part for part in (self._conn_id, errcode) if part)
        end = (days_as_ranges(self.days), ids)
        return about + " · ".join(part for part in (self._said, *end) if part)

    @property
    def _conn_id(self) -> str:
        """Shown of an account; a connection's own trouble begins with what tells it from others."""
        return self.conn_id if self.appid else ""

    @property
    def _said(self) -> str:
        """Cure, and cause."""
        return (
            f"{self.cure} ({self.cause})" if self.cure and self.cause else self.cure or self.cause
        )

    def __str__(self) -> str:
        """Account, cure, cause, days, ids."""
        longest = _LONGEST_NAME if self.appid else _LONGEST_ENTRY
        about = f"{_shortened(self.account, longest)}: " if self.account else ""
        said = self._said
        errcode = "" if self.errcode is None else f"errcode {self.errcode}"
        rid = f"rid {self.rid}" if self.rid else ""
        ends = [
            "".join(f" · {part}" for part in (_few_ranges(self.days), ", ".join(ids)) if part)
            for ids in (
                [part for part in (self._conn_id, errcode, rid) if part],
                [part for part in (self._conn_id, errcode) if part],
            )
        ]
        end = next((it for it in ends if len(about + said + it) <= LONGEST_LINE), ends[-1])
        return about + _shortened(said, LONGEST_LINE - len(about) - len(end)) + end


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
    """Log its line; the level tells whether somebody has to act."""
    log.log(logging.ERROR if problem.is_error else logging.WARNING, "%s", problem)


LONGEST_LINE = 160
_LONGEST_NAME = 24
"""Of an account, whose ids are at the line's end."""
_LONGEST_ENTRY = 64
"""Of an entry of the list of accounts, which nothing else tells from others."""
_RANGES_IN_LINE = 2


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _few_ranges(days: Sequence[date]) -> str:
    """The first ranges of the days, and how many days there are when these are not all."""
    ranges = days_as_ranges(days).split(", ")
    named = ", ".join(ranges[:_RANGES_IN_LINE])
    return named if len(ranges) <= _RANGES_IN_LINE else f"{named}, … ({len(days)} days)"


def log_frames(log: logging.Logger, error: BaseException) -> None:
    """Log the frames between the marks by which Airflow's UI collapses them."""
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")


def fault(error: BaseException) -> Problem:
    """The trouble, for the line below the frames."""
    cause = first_line(error)
    return Problem(ProblemKind.PROGRAM, cause, cure="report it, with the lines above")


def first_line(error: BaseException) -> str:
    """The error's class and first line; the driver's line where SQLAlchemy wraps its error."""
    said = str(getattr(error, "orig", None) or error).strip()
    name = type(error).__name__
    return f"{name}: {one_line(said.splitlines()[0])}" if said else name
