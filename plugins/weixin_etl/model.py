"""The nouns: what the verbs hand to one another, and the states a pair can be in."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from weixin_etl.datasets import Dataset
from weixin_etl.json_text import one_line

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


class ParameterError(ValueError):
    """A parameter of the run can't be used. `str()` says why and what to enter."""

    is_retryable = False


class DataState(StrEnum):
    """What the warehouse has of a pair."""

    LOADED = "loaded"
    EMPTY = "empty"


class AttemptState(StrEnum):
    """How an attempt for a pair ended."""

    OK = "ok"
    NOT_READY = "not_ready"
    FAILED = "failed"


class PairState(StrEnum):
    """What a run's last attempt brought of a pair it planned."""

    PLANNED = "planned"
    HELD_BACK = "held_back"
    """Not asked for, so that calls are left for the daily runs of the day."""
    LOADED = "loaded"
    EMPTY = "empty"
    NOT_READY = "not_ready"
    FAILED = "failed"


class Cause(StrEnum):
    """Why a figure has another value."""

    WECHAT = "wechat"
    REPLAY = "replay"


class DayState(StrEnum):
    """What people are shown of a pair; `rules.day_state` says which it is."""

    FINAL = "final"
    IN = "in"
    RESTING = "resting"
    OPEN = "open"
    LATE = "late"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    NEVER_ASKED = "never_asked"
    RETIRED = "retired"
    LOST = "lost"


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
_NAMES_IN_LINE = 20


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _few_ranges(days: Sequence[date]) -> str:
    """The first ranges of the days, and how many days there are when these are not all."""
    ranges = days_as_ranges(days).split(", ")
    named = ", ".join(ranges[:_RANGES_IN_LINE])
    return named if len(ranges) <= _RANGES_IN_LINE else f"{named}, … ({len(days)} days)"


@dataclass(frozen=True, slots=True)
class Account:
    """One Official Account, as its Airflow connection describes it."""

    conn_id: str
    """Of an account that authorised a platform: `<the platform's conn_id>/<appid>`."""
    appid: str
    secret: str = field(repr=False)
    """
    The AppSecret, or what the token service knows the connection by; empty where neither is needed.
    """
    name: str
    base_url: str = DEFAULT_BASE_URL
    variable: str = ""
    """The environment variable that holds the connection; empty when it is kept elsewhere."""
    token_url: str = ""
    """The token service that owns its token; empty when WeChat is asked for it."""
    is_platform: bool = False
    """Whether it is a third-party platform, which stands for the accounts authorised to it."""

    @property
    def connection(self) -> str:
        """What an operator has to look for to change it."""
        if self.variable:
            return f"the environment variable {self.variable}"
        return f"the connection {connection_of(self.conn_id)}"

    @property
    def ticket_variable(self) -> str:
        """The Airflow Variable that its platform's ticket is written into."""
        return f"{connection_of(self.conn_id)}_ticket"

    def __str__(self) -> str:
        """What people call it, and which one it is."""
        return self.name if self.name == self.appid else f"{self.name} ({self.appid})"


def connection_of(conn_id: str) -> str:
    """The Airflow connection behind an account's `conn_id`; the platform's when it has one."""
    platform, _, appid = conn_id.rpartition("/")
    return platform if platform and appid.startswith("wx") else conn_id


@dataclass(frozen=True, slots=True)
class SaidQuota:
    """What WeChat says of an account's calls of one endpoint, whoever makes them."""

    limit: int
    """Calls allowed in a day in Beijing."""
    left: int
    """Of these, the ones that can still be made on the day of `asked_at`."""
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class ConfiguredAccount:
    """An entry of the list of accounts, without its secret, as the run found it."""

    conn_id: str
    appid: str | None
    """None when the connection can't be used."""
    name: str
    is_wanted: bool = True
    """Whether the run collects it; false when the form limits the run to others."""
    problem: Problem | None = None
    """Why it can't be asked, if so."""
    quota: SaidQuota | None = None
    """None when WeChat was not asked, or did not say."""


@dataclass(frozen=True, slots=True)
class PlannedAccount:
    """An account and the publication days to ask for, newest first."""

    conn_id: str
    appid: str
    name: str
    days: list[date]
    planned_at: datetime
    """When its run was planned: it tells the plan from the run's others."""


@dataclass(frozen=True, slots=True)
class PlanStamp:
    """What tells a run's plan from its others, and how much it names."""

    planned_at: datetime
    pair_count: int


Pair = tuple[str, date]
"""An account, by its AppID, and a publication day."""
Batch = list[PlannedAccount]
"""Accounts one ingest task works on."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a dataset's DAG."""

    run_id: str
    dataset: Dataset
    today: date
    """The run's day in Beijing: of its logical date, or of its start when it has none."""
    is_scheduled: bool
    installation: str = ""
    """Which Airflow it is a run of: those that share a warehouse may use the same run ids."""
    begin_date: date | None = None
    end_date: date | None = None
    accounts: tuple[str, ...] = ()
    """Connection ids or appids the run is limited to; none means all."""
    refetch: bool = False
    dry_run: bool = False

    @property
    def names_dates(self) -> bool:
        """Whether the form named the days to ask for."""
        return self.begin_date is not None or self.end_date is not None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the warehouse has of a pair, and how its last attempt ended."""

    publication_date: date
    data_state: DataState | None = None
    fetched_at: datetime | None = None
    """Fetch time of the newest loaded answer."""
    ready_at: datetime | None = None
    """Fetch time of the newest ready answer."""
    is_final: bool = False
    is_resting: bool = False
    """It waits until WeChat lists an article of the account again: it is final but for that."""
    is_provisional: bool = False
    """What the newest ready answer lists must not be relied on yet."""
    lists_articles: bool = False
    """Whether the newest answer lists any."""
    attempt_state: AttemptState | None = None
    error_kind: ProblemKind | None = None
    error_code: int | None = None
    error: str | None = None
    """What happened in the last attempt, when it did not end ok."""
    cure: str | None = None
    rid: str | None = None
    next_attempt_at: datetime | None = None
    """Before it the account is not asked: its daily quota is used up."""


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """A pair of a run's newest plan, how far the run has come with it, and its coverage."""

    appid: str
    name: str
    conn_id: str
    publication_date: date
    planned_at: datetime
    is_probe: bool
    is_witness: bool
    """It is asked for even if it is final, to find out whether the account lists an article."""
    state: PairState
    is_retryable: bool
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Counts:
    """What a merge did, in rows (`restated` and `kept`: in values)."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    restated: int = 0
    kept: int = 0
    """Values that the answer left out and that keep their old value."""


def accounts_are(count: int) -> str:
    """`1 account is`, `3 accounts are`."""
    return "1 account is" if count == 1 else f"{count} accounts are"


def few_names(names: Sequence[str]) -> str:
    """`a, b and 9 more`: as many as a line holds, there may be thousands."""
    more = len(names) - _NAMES_IN_LINE
    return ", ".join(names[:_NAMES_IN_LINE]) + (f" and {more} more" if more > 0 else "")


def days_as_ranges(days: Sequence[date]) -> str:
    """`2026-11-17 to 2026-11-19, 2026-11-23`: the days in order, neighbours joined."""
    ranges: list[list[date]] = []
    for day in sorted(set(days)):
        if ranges and (day - ranges[-1][1]).days == 1:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in ranges
    )
