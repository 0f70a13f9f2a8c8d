"""
What can go wrong: the table of its kinds, the errors that say so, and a problem with its line.

`ProblemKind` has what the code asks of a kind. `problems.csv` has what people read of it, in
English and Chinese, and which errcodes and SQLSTATEs lead to it; an errcode may have its own texts.
The codes are WeChat's "全局返回码":
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import csv
import logging
import re
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from weixin_etl.clock import days_as_ranges
from weixin_etl.text import one_line, shown

_LONGEST = {"cause": 500, "cure": 2000, "account": 2000, "subject": 2000}
"""Characters of the texts, which may quote a stranger."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of every problem of a kind; by default it concerns some days of an account."""

    word: str
    """What tables, messages and the page call it."""
    is_common: bool = False
    """Whether one act ends it for all accounts that have it."""
    is_of_account: bool = False
    """Whether it concerns an account whatever the day."""
    is_of_connection: bool = False
    """Whether it may concern a connection with all its accounts."""
    is_of_warehouse: bool = False
    """Whether the warehouse is at fault, not WeChat."""
    is_of_run: bool = False
    """Whether Airflow makes no run, or ends none."""
    is_of_one_statement: bool = False
    """Whether the warehouse refuses this statement only: other accounts can still be loaded."""
    is_retried: bool = False
    """Whether another try may succeed, so that Airflow retries the task."""
    stops_account: bool = False
    """
    Whether the account's other days need not be asked for: in this try when it is retried, until
    the Beijing midnight for a daily quota, else in the whole run.
    """
    is_outage: bool = False
    """Whether no usable answer came: several in a row mean that further calls would fail too."""
    is_no_answer: bool = False
    """Whether it is no answer of WeChat's, so that it says nothing about what else is wrong."""
    is_warning: bool = False
    """Whether nothing is broken: what WeChat gave is stored, or it may give no more."""
    is_momentary: bool = False
    """Whether it is told once and never again: nothing shows that it is over."""


_account = partial(Kind, is_of_account=True)
_stops = partial(_account, stops_account=True)
_connection = partial(_stops, is_of_connection=True)
_common = partial(Kind, is_common=True)
_setup = partial(_common, is_of_warehouse=True, is_no_answer=True)
_warehouse = partial(_setup, is_retried=True)
_run = partial(Kind, is_of_run=True)
_asks_nobody = partial(_common, is_retried=True, is_no_answer=True)
_outage = partial(_account, is_retried=True, is_outage=True, is_no_answer=True)


class ProblemKind(StrEnum):
    """What can go wrong, in the words of the tables, the messages and the page: a row per kind."""

    is_common: bool
    is_of_account: bool
    is_of_connection: bool
    is_of_warehouse: bool
    is_of_run: bool
    is_of_one_statement: bool
    is_retried: bool
    stops_account: bool
    is_outage: bool
    is_no_answer: bool
    is_warning: bool
    is_momentary: bool

    # WeChat, the way to it, and a company's token service
    UNREACHABLE = _outage("unreachable", is_common=True)
    TOKEN_SERVICE = _outage("token_service", is_common=True)
    TOKEN_REFUSED = _stops("token_refused", is_retried=True)
    TOKEN_STALE = _stops("token_stale", is_retried=True)
    MINUTE_QUOTA = _outage("minute_quota")
    NOT_READY = _common("not_ready")
    DAILY_QUOTA = _stops("daily_quota")
    HELD_BACK = Kind("held_back", is_no_answer=True)
    ENDPOINT_OFFLINE = _common("endpoint_offline")
    """A single one may be an accident, and does not stop the account; five in a row do."""
    CONFIGURATION = _connection("configuration")
    CONNECTION_MISSING = _connection("connection_missing")
    CONNECTION_FIELD = _connection("connection_field")
    TICKET_MISSING = _connection("ticket_missing")
    ACCOUNTS_LIST = _connection("accounts_list")
    APPID_CHANGED = _connection("appid_changed")
    TOKEN_SERVICE_REFUSES = _connection("token_service_refuses")
    TOKEN_SERVICE_LACKS = _connection("token_service_lacks")
    NOT_AUTHORISED = _connection("not_authorised")
    """Of an account that was listed when the run began."""
    PLATFORM = _connection("platform", is_no_answer=True)
    """Said of the platform, not of each account that needs its token."""
    ACCOUNT_BLOCKED = _stops("account_blocked")
    CLOCK = _stops("clock", is_common=True, is_no_answer=True)
    UNREADABLE = Kind("unreadable")
    CALL_REFUSED = _common("call_refused", stops_account=True)
    # the warehouse
    WAREHOUSE = _warehouse("warehouse")
    WAREHOUSE_CONNECTIONS = _warehouse("warehouse_connections")
    WAREHOUSE_READ_ONLY = _warehouse("warehouse_read_only")
    WAREHOUSE_RIGHTS = _warehouse("warehouse_rights")
    WAREHOUSE_FULL = _warehouse("warehouse_full")
    WAREHOUSE_LOCKED = _warehouse("warehouse_locked", is_of_one_statement=True)
    WAREHOUSE_GAVE_UP = _warehouse("warehouse_gave_up", is_of_one_statement=True)
    WAREHOUSE_BROKEN = _warehouse("warehouse_broken")
    WAREHOUSE_MISSING = _setup("warehouse_missing")
    WAREHOUSE_OLD = _setup("warehouse_old")
    WAREHOUSE_SETUP = _setup("warehouse_setup")
    # runs, and what came
    PARAMETER = Kind("parameter", is_no_answer=True)
    PROGRAM = Kind("program", is_retried=True, is_no_answer=True)
    TASK_KILLED = Kind("task_killed", is_retried=True, is_no_answer=True)
    NOT_ASKED = _asks_nobody("not_asked")
    NOTHING_SET_UP = _asks_nobody("nothing_set_up")
    NOTHING_COLLECTED = _asks_nobody("nothing_collected")
    FIRST_RUN = _asks_nobody("first_run")
    RUN_LATE = _run("run_late")
    RUN_ENDED = _run("run_ended", is_common=True)
    RUN_MISSING = _run("run_missing")
    SCHEDULER_DOWN = _run("scheduler_down")
    DAG_MISSING = _run("dag_missing")
    DAG_PAUSED = _run("dag_paused")
    DAG_LEFT_OUT = _run("dag_left_out")
    UNTOLD = Kind("untold")
    DAYS_LOST = Kind("days_lost")
    UNKNOWN_METRIC = Kind("unknown_metric", is_warning=True, is_momentary=True)
    REJECTED = Kind("rejected", is_warning=True)
    SILENT = _account("silent", is_warning=True)
    NOT_COLLECTED = _account("not_collected", is_warning=True, is_momentary=True)
    UNKNOWN = Kind("unknown")
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


# ------------------------------------------------------------------------------ what people read


class Texts(NamedTuple):
    """
    What people read of a kind, or of an errcode, in one language.

    Places: `{who}` an account, task or subject, `{subject}`; in a cure `{connection}` the Airflow
    connection to change, `{role}` the role of its user, `{ticket}` the Variable of its platform's
    ticket, `{address}` the IP that WeChat names.
    """

    title: str
    cause: str
    cure: str


class Row(NamedTuple):
    """A row of `problems.csv`."""

    kind: ProblemKind
    errcodes: tuple[int, ...]
    sqlstates: tuple[str, ...]
    """Or their beginnings."""
    asked_again: str
    """When the account is asked again without anybody's doing."""
    english: Texts
    chinese: Texts


def _rows() -> list[Row]:
    with Path(__file__).with_name("problems.csv").open(encoding="utf-8", newline="") as file:
        return [_row(*line.values()) for line in csv.DictReader(file)]


def _row(kind: str, errcodes: str, sqlstates: str, asked_again: str, *texts: str) -> Row:
    codes = tuple(map(int, errcodes.split()))
    states = tuple(sqlstates.split())
    return Row(ProblemKind(kind), codes, states, asked_again, Texts(*texts[:3]), Texts(*texts[3:]))


ROWS = _rows()
"""The first of a kind has what holds for all of it; an errcode's row has no title of its own."""
_OF_KIND = {row.kind: row for row in reversed(ROWS)}
_OF_ERRCODE = {(row.kind, code): row for row in ROWS for code in row.errcodes}
_KIND_OF_ERRCODE = {code: row.kind for row in reversed(ROWS) for code in row.errcodes}
_KIND_OF_SQLSTATE = {state: row.kind for row in ROWS for state in row.sqlstates}
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


def row_of(kind: ProblemKind, errcode: int | None = None) -> Row:
    """The row with its title: the kind's; with its cause and cure: the errcode's, if it has one."""
    is_of_platform = kind is ProblemKind.PLATFORM  # which is refused as accounts are
    refused = ProblemKind.CONFIGURATION if is_of_platform else kind
    return _OF_ERRCODE.get((refused, errcode or 0), _OF_KIND[kind])


def kind_of_errcode(errcode: int, *, is_token_call: bool) -> ProblemKind:
    """What an errcode stands for: on a token call 40001 means the secret, not the token."""
    kind = _KIND_OF_ERRCODE.get(errcode, ProblemKind.CALL_REFUSED)
    if is_token_call and kind is ProblemKind.TOKEN_REFUSED:
        is_known = (ProblemKind.CONFIGURATION, errcode) in _OF_ERRCODE
        return ProblemKind.CONFIGURATION if is_known else ProblemKind.CALL_REFUSED
    return kind


def kind_of_sqlstate(sqlstate: str) -> ProblemKind | None:
    """What an SQLSTATE stands for; None when the statement is at fault, not the warehouse."""
    beginnings = (sqlstate[:length] for length in range(len(sqlstate), 1, -1))
    return next((kind for it in beginnings if (kind := _KIND_OF_SQLSTATE.get(it))), None)


def filled(text: str, conn_id: str, cause: str) -> str:
    """A cure with its places filled in; what is not known is left out."""
    address = _ADDRESS.search(cause)
    role = "weixin_reader" if conn_id == "weixin_reader" else "weixin_loader"
    places = {
        "connection": conn_id,
        "role": role,
        "ticket": f"{conn_id}_ticket",
        "address": address[0] if address else "",
    }
    return " ".join(text.format_map(places).split())


# ----------------------------------------------------------------------------------- the problem


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

    @classmethod
    def of_kind(
        cls, kind: ProblemKind, cause: str | None = None, cure: str | None = None, **more: Any
    ) -> "Problem":
        """A problem with the cause and the cure of its kind, unless others are given."""
        texts = row_of(kind).english
        if cure is None:
            conn_id = more.get("to_change") or more.get("conn_id", "")
            cure = filled(texts.cure, conn_id, cause or "")
        return cls(kind, texts.cause if cause is None else cause, cure, **more)

    def __post_init__(self) -> None:
        """Hold texts that can be shown."""
        if self.conn_id and not self.appid:
            object.__setattr__(self, "account", self.conn_id)
            object.__setattr__(self, "subject", self.conn_id)
        for name, longest in _LONGEST.items():
            if text := getattr(self, name):
                object.__setattr__(self, name, one_line(text, longest))

    @property
    def who(self) -> str:
        """Whose it is, or what it is about."""
        return self.account or self.subject or ""

    @property
    def title(self) -> str:
        """The problem in a few words."""
        title = row_of(self.kind).english.title
        return title.format(who=self.who or "WeChat", subject=self.subject)

    @property
    def is_in_connection(self) -> bool:
        """Whether its cure is to change a connection."""
        return "{connection}" in row_of(self.kind, self.errcode).english.cure

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
    return Problem.of_kind(ProblemKind.PROGRAM, cause)


# ------------------------------------------------------------------------------------ the errors


class OperatorError(Exception):
    """An error whose text is a sentence for the operator: it is shown without a traceback."""


class Whose(Protocol):
    """An account, as far as its problem names it."""

    @property
    def name(self) -> str: ...  # as of `model.Account`, like the others
    @property
    def appid(self) -> str: ...
    @property
    def conn_id(self) -> str: ...
    @property
    def airflow_connection(self) -> str: ...


class WeixinError(OperatorError):
    """A call that brought no figures. `str()` says to which account, what to change, and why."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str = "",
        *,
        account: str = "",
        conn_id: str = "",
        errcode: int | None = None,
        rid: str = "",
        cause: str = "",
        cure: str = "",
    ) -> None:
        """Cause and cure are the kind's, unless others are given."""
        super().__init__(detail)
        texts = row_of(kind, errcode).english
        self.kind = kind
        self.detail = detail
        """What WeChat or the way to it said, without the rid."""
        self.account = account
        self.conn_id = conn_id
        """The Airflow connection that the cure is about, if any."""
        self.errcode = errcode
        self.rid = rid
        """WeChat's id of the refused call, another one each time; empty where none was given."""
        self.cause = cause or texts.cause
        self.cure = cure or filled(texts.cure, conn_id, detail)

    @property
    def happened(self) -> str:
        """The cause, and what was said; the same for calls refused alike."""
        return f"{self.cause}: {self.detail}" if self.detail else self.cause

    def problem(self, account: Whose | None, *days: date) -> Problem:
        """
        The account's problem with some days; None when its connection can't be used.

        A platform that gets no token has it itself, for all of its accounts.
        """
        if account and self.kind is ProblemKind.PLATFORM:
            return self.of_connection(account.airflow_connection, *days)
        return Problem(
            self.kind,
            self.happened,
            self.cure,
            account=account.name if account else self.account,
            appid=account.appid if account else None,
            conn_id=account.conn_id if account else "",
            subject=None if account else self.account,
            days=days,
            errcode=self.errcode,
        )

    def of_connection(self, conn_id: str, *days: date) -> Problem:
        """The problem of a connection, or of an entry that stands for no account."""
        return replace(self.problem(None, *days), conn_id=conn_id)

    def said_as(self, kind: ProblemKind) -> "WeixinError":
        """The same refusal as one of another kind; of a platform, with its cause and cure."""
        is_of_platform = kind is ProblemKind.PLATFORM
        return WeixinError(
            kind,
            self.detail,
            account=self.account,
            conn_id=self.conn_id,
            errcode=self.errcode,
            rid=self.rid,
            cause=self.cause if is_of_platform else "",
            cure=self.cure if is_of_platform else "",
        )

    def __str__(self) -> str:
        """The sentence for the operator, the ids at its end."""
        about = f"{self.account}: " if self.account else ""
        errcode = "" if self.errcode is None else f", errcode {self.errcode}"
        rid = f", rid {self.rid}" if self.rid else ""
        return f"{about}{self.cure} ({self.happened}{errcode}{rid})"


class WarehouseError(OperatorError):
    """The warehouse can't be used, or not at the moment. `str()` says why and what to do."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str = "",
        *,
        cause: str = "",
        cure: str = "",
        conn_id: str = "weixin_warehouse",
    ) -> None:
        """By which connection; cause and cure are the kind's, unless others are given."""
        texts = row_of(kind).english
        self.kind = kind
        self.conn_id = conn_id
        self.cause = ": ".join(filter(None, [cause or texts.cause, detail]))
        self.cure = cure or filled(texts.cure, conn_id, "")
        super().__init__(f"{self.cause}; {self.cure}")

    @property
    def problem(self) -> Problem:
        """The problem of the whole run."""
        to_change = self.conn_id if self.conn_id in self.cure else ""
        return Problem(self.kind, self.cause, self.cure, to_change=to_change)
