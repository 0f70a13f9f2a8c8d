"""The nouns: what the verbs hand to one another, and the states a pair can be in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.threads import convert

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


class ParameterError(ValueError):
    """A parameter of the run can't be used. `str()` says why and what to enter."""


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
    IN_BY_ANOTHER = "in_by_another"
    """Not asked for, because another run had brought it in: shown, never stored."""


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
    BEING_ASKED = "being_asked"
    LATE = "late"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    NEVER_ASKED = "never_asked"
    RETIRED = "retired"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Account:
    """One Official Account, as its Airflow connection describes it."""

    conn_id: str
    """`<conn_id of the platform>/<appid>` for an account that has authorised a platform."""
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
    """Calls that are left on the day of `asked_at`."""
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
class Summary:
    """An answer in short: what coverage and the rules need of it, whatever becomes of its rows."""

    fetched_at: datetime
    list_sha256: bytes
    """Of what it lists: two answers list the same articles when it is the same."""
    is_empty: bool
    """Whether it lists nothing, not even a part in which no article can be made out."""
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    article_count: int = 0
    row_count: int = 0
    through_date: date | None = None
    """The last stat_date every article reaches; None when one has no row, or there is none."""
    rejected: int = 0
    """Parts that do not fit."""
    first_reason: str = ""
    """Why the first of these does not."""
    nothing_fits: bool = False
    """Whether parts are rejected, and no row gives a figure."""

    @property
    def beijing_date(self) -> date:
        """The day it was fetched."""
        return clock.beijing_date(self.fetched_at)

    @property
    def has_data(self) -> bool:
        """Whether it tells what was published; not when every part of it is rejected."""
        return bool(self.article_count or not self.rejected)

    @property
    def data_state(self) -> DataState:
        """What the warehouse has of the pair by this answer."""
        return DataState.LOADED if self.article_count else DataState.EMPTY


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
    attempted_at: datetime | None = None
    error_kind: ProblemKind | None = None
    error_code: int | None = None
    error: str | None = None
    """What happened in the last attempt, when it did not end ok."""
    cure: str | None = None
    rid: str | None = None
    next_attempt_at: datetime | None = None
    """Before it the account is not asked: its daily quota is used up."""
    is_unwanted: bool = False
    """Somebody has said since the last attempt that the day is not wanted."""

    @classmethod
    def of(cls, row: Mapping[Any, object]) -> "Coverage":
        """What a row says that has columns of `weixin.coverage`; one left out has its default."""
        return convert(dict(row), cls)  # ten times as fast as from a mapping

    @classmethod
    def by_account(
        cls, rows: Iterable[Mapping[Any, Any]]
    ) -> defaultdict[str, dict[date, "Coverage"]]:
        """What rows say of accounts' publication days, by AppID."""
        found: defaultdict[str, dict[date, Coverage]] = defaultdict(dict)
        for row in rows:
            found[row["appid"]][row["publication_date"]] = cls.of(row)
        return found


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
    """Whether another try of the task may bring it in, without anybody's doing."""
    coverage: Coverage
    calls: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    restated: int = 0

    @classmethod
    def of(cls, row: Mapping[Any, object]) -> "PlannedPair":
        """The pair of a row of `run_report/of_run.sql`."""
        values = dict(row)
        return convert({**values, "coverage": values}, cls)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a merge did, in rows (`restated` and `kept`: in values)."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    restated: int = 0
    kept: int = 0
    """Values that the answer left out and that keep their old value."""

    def __add__(self, other: "Counts") -> "Counts":
        """Both."""
        return Counts(*map(sum, zip(astuple(self), astuple(other), strict=True)))
