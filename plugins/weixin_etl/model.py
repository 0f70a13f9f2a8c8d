"""
The records that the steps of a run hand to one another.

They describe an account, a run, its plan, and the coverage of each slice (an account and a day).
`State` lists the states of a day. All records are immutable.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import add
from typing import Any

import msgspec
from msgspec.structs import asdict, astuple

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.problem import OperatorError, Problem
from weixin_etl.sentences import sentence
from weixin_etl.text import counted

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


class ParameterError(OperatorError):
    """A parameter of the run is invalid. `str()` gives the reason and what to enter."""


class State(StrEnum):
    """The state of a day of an account, in the words people read. `rules.state_of` computes it."""

    FINAL = "final"
    GIVEN_UP = "given_up"
    ENDED = "ended"
    LOST = "lost"
    SILENT = "silent"
    UNCONFIRMED = "unconfirmed"
    IN = "in"
    BEHIND = "behind"
    LATE = "late"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Account:
    """An Official Account, or a connection that stands for several, from an Airflow connection."""

    conn_id: str
    """The connection's id. `<conn_id>/<appid>` for a member of a connection with many accounts."""
    appid: str
    """The AppID. A platform has its own. A token service that stands for many accounts has none."""
    secret: str = field(repr=False)
    """The AppSecret, or the credential for the token service. Empty if neither is needed."""
    name: str
    base_url: str = DEFAULT_BASE_URL
    token_url: str = ""
    """The URL of the token service. Empty if WeChat issues the access token."""
    is_platform: bool = False
    """Whether this is a third-party platform. It stands for the accounts that authorised it."""

    @property
    def airflow_connection(self) -> str:
        """The id of the Airflow connection that an operator edits to change the account."""
        return connection_id(self.conn_id)

    @property
    def ticket_variable(self) -> str:
        """The name of the Airflow Variable that holds the platform's ticket."""
        return f"{self.airflow_connection}_ticket"

    @property
    def stands_for_many(self) -> bool:
        """Whether the connection stands for several accounts: a platform, or one without AppID."""
        return self.is_platform or not self.appid

    def member(self, appid: str, name: str) -> "Account":
        """
        Return an account that this connection stands for, with `<conn_id>/<appid>` as its id.

        An empty name becomes the AppID. A platform's member has no secret. A token service's member
        has the credential of the connection.
        """
        return replace(
            self,
            conn_id=f"{self.conn_id}/{appid}",
            appid=appid,
            secret="" if self.is_platform else self.secret,
            name=name or appid,
            is_platform=False,
        )

    def __str__(self) -> str:
        """Return the name, followed by the AppID if that is known and differs."""
        return self.name if self.appid in ("", self.name) else f"{self.name} ({self.appid})"


def connection_id(conn_id: str) -> str:
    """
    Return the id of the Airflow connection that an account's `conn_id` belongs to.

    Of `<connection>/<appid>`, the id of a member, it is the connection; an AppID begins with `wx`.
    Any other id is returned unchanged, with its slashes.
    """
    platform, _, appid = conn_id.rpartition("/")
    return platform if platform and appid.startswith("wx") else conn_id


@dataclass(frozen=True, slots=True)
class ConfiguredAccount:
    """An entry of the list of accounts when the run started, without the secret."""

    conn_id: str
    appid: str | None
    """None if the connection can't be used."""
    name: str
    is_wanted: bool = True
    """Whether the run collects the account. False if the form names only other accounts."""
    problem: Problem | None = None
    """The reason why no request can be made for the account, if there is one."""


@dataclass(frozen=True, slots=True)
class Due:
    """The days that a run requests of one account, newest first."""

    first: list[date] = field(default_factory=list)
    """The days of the present window, then the control day. They form one chunk."""
    older: list[date] = field(default_factory=list)
    """The other days. They form chunks of at most 30 days."""
    control_day: date | None = None
    """
    A day known to have articles, requested again to find out whether the endpoint still answers.

    It is the last of the `first` days. It is None if a day of the window lists articles. It may be
    settled.
    """
    is_retirement_check: bool = False
    """Whether the endpoint is retired. One day is requested to find out whether it is back."""

    @property
    def days(self) -> list[date]:
        """All days that are requested: `first`, then `older`."""
        return [*self.first, *self.older]


@dataclass(frozen=True, slots=True)
class PlannedAccount:
    """An account with the days to request: the part of a plan that is passed through Airflow."""

    conn_id: str
    appid: str
    name: str
    planned_at: datetime
    """When the plan was made. A ready answer since then satisfies a slice, from any run."""
    due: Due = Due()  # a mutable default is no risk: the class is frozen

    @property
    def problem_fields(self) -> dict[str, Any]:
        """The fields `account` (the name), `appid` and `conn_id` of a `Problem` of the account."""
        return {"account": self.name, "appid": self.appid, "conn_id": self.conn_id}


Slice = tuple[str, date]
"""The unit that is requested, loaded and retried: an AppID and a day."""
Batch = list[PlannedAccount]
"""The accounts of one ingest task."""


def days_newest_first(first: date, last: date) -> list[date]:
    """Return the days from `last` back to `first`, both included. Empty if `last` is earlier."""
    return [last - timedelta(number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a dataset's DAG."""

    run_id: str
    dataset: Dataset
    today: date
    """The Beijing day of the run's logical date, or of its start if it has no logical date."""
    is_scheduled: bool = False
    begin_date: date | None = None
    """The first day to request. None before `dated` is called, if the form names no dates."""
    end_date: date | None = None
    names_dates: bool = False
    """Whether the form names the days to request."""
    accounts: tuple[str, ...] = ()
    """Connection ids or AppIDs the run is limited to. Empty means all."""
    refetch: bool = False
    dry_run: bool = False

    @property
    def days(self) -> list[date]:
        """
        The days from `begin_date` to `end_date`, newest first.

        Raises:
            ValueError: a date is missing, so `dated` did not return this run.
        """
        if self.begin_date is None or self.end_date is None:
            raise ValueError("the run has no dates yet")
        return days_newest_first(self.begin_date, self.end_date)

    def dated(self, today: date) -> "Run":
        """
        Return the run with its first and last day: the form's dates, or the run's window.

        The window are the `W` days before the run's day, without days before the dataset's first
        day, and without days after yesterday if the run's day is in the future.

        Args:
            today: the real day in Beijing.

        Raises:
            ParameterError: The form names one date only, the first date is after the last, a date
                is before the dataset's first day or after yesterday, or the window has no day.
        """
        first_day, yesterday = self.dataset.first_day, today - timedelta(days=1)
        begin, end = self.begin_date, self.end_date
        if not self.names_dates:
            begin = max(self.today - timedelta(days=self.dataset.window), first_day)
            end = min(self.today - timedelta(days=1), yesterday)
        if begin is None or end is None:
            raise ParameterError(sentence("give both begin_date and end_date, or neither"))
        limits = "{endpoint} has days from {begin} to yesterday in Beijing, {last}"
        places = {"endpoint": self.dataset.endpoint, "begin": first_day, "last": yesterday}
        why = sentence(limits, **places)
        refusals = {
            "nothing can be asked for on {today}: {why}": begin > end and not self.names_dates,
            "begin_date {begin} is after end_date {end}": begin > end,
            "end_date {end} is too late: {why}": end > yesterday,
            "begin_date {begin} is too early: {why}": begin < first_day,
        }
        if frame := next((frame for frame, applies in refusals.items() if applies), None):
            raise ParameterError(sentence(frame, today=self.today, begin=begin, end=end, why=why))
        return replace(self, begin_date=begin, end_date=end)


EMPTY_LIST_SHA256 = hashlib.sha256(b"").digest()
"""The `list_sha256` of an empty list."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The stored result of the requests for a slice: a row of `weixin.coverage`."""

    settled: str | None = None
    """
    `final`, or `given_up` if the answer can't be read or has no figures. None for an open day.

    A settled day is not requested again.
    """
    ready_at: datetime | None = None
    """When the newest ready answer was fetched."""
    list_sha256: bytes | None = None
    """
    The hash of the articles that the newest ready answer lists.

    None if it lists none and no other answer fetched on that Beijing day lists an article.
    """
    article_count: int = 0
    """The largest number of articles that an answer has listed."""
    attempted_at: datetime | None = None
    error_kind: str | None = None
    """
    The problem kind of the last attempt (`not_ready`, …).

    None if its answer was ready, unless the day was given up with the kind `no_figures`.
    """
    error_code: int | None = None
    error: str | None = None
    """The cause of the last attempt's error."""
    cure: str | None = None
    listed_since: datetime | None = None
    """When the first of the consecutive ready answers with the newest list was fetched."""
    fetched_at: datetime | None = None
    """When the newest loaded answer was fetched, whether it was ready or not."""
    through_date: date | None = None
    """The last stat_date that every article of the newest loaded answer reaches."""
    newest_date: date | None = None
    """The last stat_date for which an article of the newest loaded answer has figures."""
    row_count: int | None = None
    """The number of rows of the newest loaded answer."""
    fell_at: datetime | None = None
    """When the last answer was fetched in which a running total fell."""
    fall: str | None = None
    """The total that fell: article, stat_date, metric, old and new value."""

    @property
    def ready_date(self) -> date | None:
        """The Beijing day on which the newest ready answer was fetched. None if there is none."""
        return clock.beijing_date(self.ready_at) if self.ready_at else None

    def is_attempted_since(self, instant: datetime) -> bool:
        """Return whether the last attempt, of any run, was made at or after `instant`."""
        return self.attempted_at is not None and self.attempted_at >= instant

    @property
    def may_be_control_day(self) -> bool:
        """Whether an answer listed articles, one was ready, and the day is not given up."""
        return bool(self.article_count and self.ready_at) and self.settled != "given_up"

    @property
    def lists_articles(self) -> bool:
        """Whether the newest ready answer lists articles. False if there is none."""
        return self.list_sha256 not in (None, EMPTY_LIST_SHA256)


class Counts(msgspec.Struct, frozen=True):
    """The number of calls, of written and unchanged rows, and of rejected parts of answers."""

    calls: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sums of the five numbers."""
        return Counts(*map(add, astuple(self), astuple(other)))

    def __str__(self) -> str:
        """Return `3 calls, 2 inserted, 0 updated, 5 unchanged, 0 rejected`."""
        _, *rows = (f"{count} {name}" for name, count in asdict(self).items())
        return ", ".join([counted(self.calls, "call"), *rows])
