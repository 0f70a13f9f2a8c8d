"""The nouns: what the verbs hand to one another, and the states a pair can be in."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import add

import msgspec
from msgspec.structs import asdict, astuple

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.problem import OperatorError, Problem
from weixin_etl.sentences import sentence
from weixin_etl.text import counted

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


class ParameterError(OperatorError):
    """A parameter of the run can't be used. `str()` says why and what to enter."""


class State(StrEnum):
    """What people call a pair, everywhere; `rules.state` says which it is."""

    FINAL = "final"
    GIVEN_UP = "given_up"
    LOST = "lost"
    SILENT = "silent"
    UNCONFIRMED = "unconfirmed"
    IN = "in"
    LATE = "late"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Account:
    """One Official Account, as its Airflow connection describes it."""

    conn_id: str
    """`<conn_id>/<appid>` for one of the accounts that a connection stands for."""
    appid: str
    """A platform's own; empty for a token service that stands for all of its accounts."""
    secret: str = field(repr=False)
    """
    The AppSecret, or what the token service knows the connection by; empty where neither is needed.
    """
    name: str
    base_url: str = DEFAULT_BASE_URL
    token_url: str = ""
    """The token service that owns its token; empty when WeChat is asked for it."""
    is_platform: bool = False
    """Whether it is a third-party platform, which stands for the accounts authorised to it."""

    @property
    def airflow_connection(self) -> str:
        """What an operator has to look for to change it."""
        return connection_id(self.conn_id)

    @property
    def ticket_variable(self) -> str:
        """The Airflow Variable that its platform's ticket is written into."""
        return f"{self.airflow_connection}_ticket"

    @property
    def stands_for_many(self) -> bool:
        """Whether it is a connection that stands for accounts, and none itself."""
        return self.is_platform or not self.appid

    def member(self, appid: str, name: str) -> "Account":
        """One of the accounts that it stands for; without a name it goes by its AppID."""
        return replace(
            self,
            conn_id=f"{self.conn_id}/{appid}",
            appid=appid,
            secret="" if self.is_platform else self.secret,
            name=name or appid,
            is_platform=False,
        )

    def __str__(self) -> str:
        """What people call it, and which one it is."""
        return self.name if self.appid in ("", self.name) else f"{self.name} ({self.appid})"


def connection_id(conn_id: str) -> str:
    """The Airflow connection behind an account's `conn_id`."""
    platform, _, appid = conn_id.rpartition("/")
    return platform if platform and appid.startswith("wx") else conn_id


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


@dataclass(frozen=True, slots=True)
class Due:
    """What a run asks an account for, newest first."""

    first: list[date] = field(default_factory=list)
    """The days of the present window, then the control_day: merged and judged together."""
    older: list[date] = field(default_factory=list)
    """Merged and judged in chunks of at most 30."""
    control_day: date | None = None
    """The last of the first days, where none of the window lists an article; settled or not."""
    is_retirement_check: bool = False
    """The endpoint is retired: one day is asked, to find out when it is back."""

    @property
    def days(self) -> list[date]:
        """Those that are asked for."""
        return [*self.first, *self.older]


@dataclass(frozen=True, slots=True)
class PlannedAccount:
    """An account and what to ask for: part of a plan, as Airflow keeps it."""

    conn_id: str
    appid: str
    name: str
    planned_at: datetime
    """A pair is in once it was answered since, whoever asked."""
    due: Due = Due()  # it is frozen


Slice = tuple[str, date]
"""An account, by its AppID, and a day."""
Batch = list[PlannedAccount]
"""Accounts one ingest task works on."""


def days_newest_first(first: date, last: date) -> list[date]:
    """From the last to the first, both included; none when the last is earlier."""
    return [last - timedelta(number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a dataset's DAG."""

    run_id: str
    dataset: Dataset
    today: date
    """The run's day in Beijing: of its logical date, or of its start when it has none."""
    is_scheduled: bool = False
    begin_date: date | None = None
    """The first day to ask for; None until `dated`, when the form names no dates."""
    end_date: date | None = None
    names_dates: bool = False
    """Whether the form named the days to ask for."""
    accounts: tuple[str, ...] = ()
    """Connection ids or appids the run is limited to; none means all."""
    refetch: bool = False
    dry_run: bool = False

    @property
    def days(self) -> list[date]:
        """The days it is about, once `dated`, newest first."""
        if self.begin_date is None or self.end_date is None:
            raise ValueError("the run has no dates yet")
        return days_newest_first(self.begin_date, self.end_date)

    def dated(self, today: date) -> "Run":
        """
        The run with the first and the last day it is about: its own, or its morning's window.

        Raises:
            ParameterError: the form's dates can't be asked for, or there is no such day.
        """
        first_day, yesterday = self.dataset.first_day, today - timedelta(days=1)
        endpoint = self.dataset.endpoint
        why = sentence(
            "{endpoint} has days from {begin} to yesterday in Beijing, {last}",
            endpoint=endpoint,
            begin=first_day,
            last=yesterday,
        )
        if not self.names_dates:
            begin = max(self.today - timedelta(days=self.dataset.window), first_day)
            end = min(self.today - timedelta(days=1), yesterday)
            if begin > end:
                raise ParameterError(
                    sentence(
                        "nothing can be asked for on {today}: {why}", today=self.today, why=why
                    )
                )
            return replace(self, begin_date=begin, end_date=end)
        if self.begin_date is None or self.end_date is None:
            raise ParameterError(sentence("give both begin_date and end_date, or neither"))
        dates = {"begin": self.begin_date, "end": self.end_date, "why": why}
        if self.begin_date > self.end_date:
            raise ParameterError(sentence("begin_date {begin} is after end_date {end}", **dates))
        if self.end_date > yesterday:
            raise ParameterError(sentence("end_date {end} is too late: {why}", **dates))
        if self.begin_date < first_day:
            raise ParameterError(sentence("begin_date {begin} is too early: {why}", **dates))
        return self


EMPTY_LIST_SHA256 = hashlib.sha256(b"").digest()
"""`list_sha256` of an empty list."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of a pair (dataset, account, day): a row of `weixin.coverage`."""

    settled: str | None = None
    """
    `final`, or `given_up` because its answer can't be read or has no figures. None: open.

    A settled day is not asked for again.
    """
    ready_at: datetime | None = None
    """When the newest ready answer was fetched."""
    list_sha256: bytes | None = None
    """What that answer lists; None if it lists nothing on a day on which the account is silent."""
    article_count: int = 0
    """The most articles that an answer has listed."""
    attempted_at: datetime | None = None
    error_kind: str | None = None
    """Why the last attempt brought nothing (`not_ready`, …); None if it was ready."""
    error_code: int | None = None
    error: str | None = None
    """What happened in the last attempt."""
    cure: str | None = None
    listed_since: datetime | None = None
    """When the first of the ready answers in a row was fetched that list the same as the newest."""
    fetched_at: datetime | None = None
    """When the newest loaded answer was fetched, ready or not."""
    through_date: date | None = None
    """The last stat_date that every article of that answer reaches."""
    newest_date: date | None = None
    """The last stat_date that any article of that answer reaches."""
    row_count: int | None = None
    """Rows of that answer."""
    fell_at: datetime | None = None
    """When the answer was fetched in which a running total fell last."""
    fall: str | None = None
    """Which total that was: article, stat_date, metric, from and to."""

    @property
    def ready_date(self) -> date | None:
        """The day in Beijing of the newest ready answer."""
        return clock.beijing_date(self.ready_at) if self.ready_at else None

    def is_attempted_since(self, instant: datetime) -> bool:
        """Whether anybody has asked for the pair since."""
        return self.attempted_at is not None and self.attempted_at >= instant

    @property
    def may_be_control_day(self) -> bool:
        """Whether it has ever listed articles, and can be read."""
        return bool(self.article_count and self.ready_at) and self.settled != "given_up"

    @property
    def lists_articles(self) -> bool:
        """Whether the newest ready answer lists any."""
        return self.list_sha256 not in (None, EMPTY_LIST_SHA256)


class Counts(msgspec.Struct, frozen=True):
    """What calls and loads did, in rows; `rejected` in parts of answers."""

    calls: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Both."""
        return Counts(*map(add, astuple(self), astuple(other)))

    def __str__(self) -> str:
        """`3 calls, 2 inserted, 0 updated, 5 unchanged, 0 rejected`."""
        _, *rows = (f"{count} {name}" for name, count in asdict(self).items())
        return ", ".join([counted(self.calls, "call"), *rows])
