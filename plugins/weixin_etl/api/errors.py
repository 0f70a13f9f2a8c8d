"""
What WeChat, or the way to it, can answer instead of figures.

    WeixinError
    ├── UnreachableError         no usable answer: connection, timeout, HTTP 5xx, -1, not JSON
    ├── TokenRefusedError        a new token was asked for and did not help
    ├── MinuteQuotaError         the minute's calls are used up
    ├── NotReadyError            the figures are not computed yet: the day stays open
    ├── DailyQuotaError          the day's calls are used up: the account rests until tomorrow
    ├── HeldBackError            not asked: the day's last calls are kept for its daily runs
    ├── EndpointOfflineError     WeChat retired the endpoint
    ├── ConfigurationError       a person has to change something; says what
    │   ├── NotAuthorisedError   WeChat says that the account has not authorised the platform
    │   └── PlatformError        the platform gets no token, so that no account of it does
    ├── AccountBlockedError      WeChat restricts the account
    ├── WithdrawnError           the account's owner withdrew the platform's authorisation
    ├── ClockError               this machine's clock and WeChat's disagree
    ├── UnreadableError          figures in an unknown form, or too many of them
    └── CallError                our own mistake, or an unclassified code

Each says what happened (`cause`) and what to change (`cure`). The table in the manual is
made of them. The codes are WeChat's "全局返回码":
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, NamedTuple, TypeVar
from unicodedata import category

from weixin_etl.datasets import ARTICLES_SET, DATASETS, Dataset
from weixin_etl.model import Account, connection_of
from weixin_etl.problem import OperatorError, Problem, ProblemKind
from weixin_etl.text import one_line

_AUTHORISE_AGAIN = "have the account authorised again"
_LEAVE_OUT = "leave it out of weixin_accounts"
E = TypeVar("E", bound="WeixinError")


class WeixinError(OperatorError):
    """A call that brought no figures. `str()` says to which account, what to change, and why."""

    kind: ClassVar[ProblemKind]
    cause: str
    """What happened, in our words; the constructor may put another here."""
    cure: str
    """What to change; when nothing, what happens next. The constructor may put another here."""
    met_by: ClassVar[str] = ""
    """What stands for it besides errcodes, for the operator's table."""
    asked_again: ClassVar[str] = "no"
    """When the account is asked again without anybody's doing, for the operator's table."""
    stops_account: ClassVar[bool] = False
    """
    Whether the account's other days need not be asked for: in this try when the error is
    retryable, until the Beijing midnight for a daily quota, else in the whole run.
    """
    is_outage: ClassVar[bool] = False
    """Whether no usable answer came: several in a row mean that further calls would fail too."""

    def __init__(
        self,
        detail: str = "",
        *,
        account: str = "",
        errcode: int | None = None,
        rid: str = "",
        cause: str = "",
        cure: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """What WeChat or the way to it said, without the rid."""
        self.account = account
        self.errcode = errcode
        self.rid = rid
        """WeChat's id of the refused call, another one each time; empty where none was given."""
        self.cause = cause or self.cause
        self.cure = cure or self.cure

    @property
    def happened(self) -> str:
        """The cause, and what was said; the same for calls refused alike."""
        return f"{self.cause}: {self.detail}" if self.detail else self.cause

    def problem(self, account: Account | None, *days: date) -> Problem:
        """The account's problem with some days; None when its connection can't be used."""
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

    def said_as(self, kind: type[E]) -> E:
        """The same refusal as an error of another kind, which may have its own cause and cure."""
        return kind(
            self.detail,
            account=self.account,
            errcode=self.errcode,
            rid=self.rid,
            cause=getattr(kind, "cause", self.cause),
            cure=getattr(kind, "cure", self.cure),
        )

    def of_connection(self, conn_id: str, *days: date) -> Problem:
        """The problem of a connection, or of an entry that stands for no account."""
        return replace(self.problem(None, *days), conn_id=conn_id)

    def __str__(self) -> str:
        """The sentence for the operator, the ids at its end."""
        about = f"{self.account}: " if self.account else ""
        errcode = "" if self.errcode is None else f", errcode {self.errcode}"
        rid = f", rid {self.rid}" if self.rid else ""
        return f"{about}{self.cure} ({self.happened}{errcode}{rid})"


class UnreachableError(WeixinError):
    """No usable answer came."""

    kind = ProblemKind.UNREACHABLE
    cause = "no usable answer came"
    cure = "wait; if it persists, check the Base URL and any proxy"
    met_by = (
        "HTTP 5xx, timeouts, broken connections, no JSON, another HTTP status than 200 without an "
        "errcode"
    )
    asked_again = "up to five times within a minute, then by Airflow"
    is_outage = True


class TokenRefusedError(WeixinError):
    """The access token was refused and asking for another one did not help."""

    kind = ProblemKind.TOKEN_REFUSED
    cause = "WeChat refuses the access token it gave"
    cure = "find the other program that refreshes this account's token"
    asked_again = "with a new token, then by Airflow"
    stops_account = True


class MinuteQuotaError(WeixinError):
    """The calls of this minute are used up, and were still after a wait."""

    kind = ProblemKind.MINUTE_QUOTA
    cause = "the calls allowed in a minute are used up"
    cure = "lower [weixin] concurrency"
    asked_again = "after a minute, then by Airflow"
    is_outage = True


class NotReadyError(WeixinError):
    """The day's figures are not computed yet."""

    kind = ProblemKind.NOT_READY
    cause = "the figures are not ready yet"
    cure = "run again once figures are there, usually by 10:00 Beijing time"
    met_by = "`is_delay`, or no article has yesterday's row"
    asked_again = "scheduled runs: every 30 minutes until noon"


class DailyQuotaError(WeixinError):
    """The calls of this day are used up."""

    kind = ProblemKind.DAILY_QUOTA
    cause = "the calls allowed in a day are used up"
    cure = "trigger a new run on a later day in Beijing, or have WeChat raise the quota"
    asked_again = "by the next daily run"
    stops_account = True


class HeldBackError(WeixinError):
    """The day was not asked for: the account's last calls are kept for the daily runs of today."""

    kind = ProblemKind.HELD_BACK
    cause = "held back for the quota"
    cure = "clear ingest on a later day in Beijing, or lower [weixin] quota_reserve"
    asked_again = "by the next daily run, where it reaches the day"


class EndpointOfflineError(WeixinError):
    """
    WeChat took the endpoint offline for the account.

    A single one does not stop the account, because it may be an accident; five in a row do.
    """

    kind = ProblemKind.ENDPOINT_OFFLINE
    cause = "WeChat took this endpoint offline"
    cure = "use the successor"
    asked_again = "by the next daily run"


class ConfigurationError(WeixinError):
    """A person has to change something at WeChat or in the connection: cause and cure say what."""

    kind = ProblemKind.CONFIGURATION
    stops_account = True


class NotAuthorisedError(ConfigurationError):
    """
    WeChat says that the account has not authorised the platform.

    Kept for accounts of a token service and those that WeChat's list still names; for others it
    becomes a `WithdrawnError`.
    """

    cause = "it has not authorised the platform"
    cure = f"have it authorised, or {_LEAVE_OUT}"


class PlatformError(ConfigurationError):
    """A third-party platform gets no token: said of it, not of each account that needs one."""

    kind = ProblemKind.PLATFORM

    def problem(self, account: Account | None, *days: date) -> Problem:
        """The problem of the platform, met for the account, with some days."""
        if account is None:
            return super().problem(None, *days)
        return self.of_connection(connection_of(account.conn_id), *days)


class AccountBlockedError(WeixinError):
    """WeChat restricts the account; its owner has to act."""

    kind = ProblemKind.ACCOUNT_BLOCKED
    cause = "WeChat restricts this account"
    cure = "let its owner look up the reason in WeChat's console"
    stops_account = True


class WithdrawnError(WeixinError):
    """
    The account's owner took the third-party platform's authorisation back.

    Found by two answers: `NotAuthorisedError`, and WeChat's list, which lacks the account. Nothing
    here is broken, so it does not make a run red; the account is no longer asked.
    """

    kind = ProblemKind.WITHDRAWN
    cause = "its owner withdrew the authorisation"
    cure = "have it authorised again if you want its figures"
    met_by = "61003, and the list of the platform's accounts lacks it"
    asked_again = "once it is authorised again"
    stops_account = True


class ClockError(WeixinError):
    """This machine's clock and WeChat's disagree: the days asked for may be the wrong ones."""

    kind = ProblemKind.CLOCK
    cause = "the clocks disagree"
    cure = "set this machine's clock, or bypass a proxy that caches"
    stops_account = True


class UnreadableError(WeixinError):
    """A successful answer that is not what the documentation shows."""

    kind = ProblemKind.UNREADABLE
    cause = "WeChat answered in an unknown form"
    cure = "report it; `weixin-etl answers` prints the answer"


class CallError(WeixinError):
    """A call that WeChat rejects as wrong, or a code that is not classified yet."""

    kind = ProblemKind.CALL_REFUSED
    cause = "WeChat does not accept the call"
    met_by = "any other errcode"
    cure = "report it, with the errcode"
    stops_account = True


class Advice(NamedTuple):
    """
    What an errcode means and what to change.

    `{connection}` stands for the account's, `{ticket}` for the Variable of its platform's ticket,
    `{permission_set}` for the one that the dataset takes.
    """

    cause: str
    cure: str


_WAIT_FOR_PUSH = "mend what writes the ticket into {ticket}"
WHAT_TO_CHANGE: dict[int, Advice] = {
    40001: Advice(
        "the AppSecret is wrong or not the newest", "correct the password in {connection}"
    ),
    40002: Advice("WeChat refused the token call", "report it, with the errcode"),
    40013: Advice("the AppID is wrong", "correct the login in {connection}"),
    40125: Advice("the AppSecret is wrong", "correct the password in {connection}"),
    40164: Advice(
        "this machine's IP is not on the account's whitelist",
        "add {address} to the IP whitelist in WeChat's console",
    ),
    40243: Advice("the AppSecret is frozen", "unfreeze it in WeChat's console"),
    42007: Advice("the account's owner changed the password", _AUTHORISE_AGAIN),
    48001: Advice(
        "the account may not use this API",
        "verify the account, or have permission set {permission_set} granted",
    ),
    61004: Advice(
        "the platform's IP is not on its whitelist", "add {address} to the platform's whitelist"
    ),
    61005: Advice("the platform's component_verify_ticket expired", _WAIT_FOR_PUSH),
    61006: Advice("the platform's component_verify_ticket is wrong", _WAIT_FOR_PUSH),
    61007: Advice(
        "the authorisation lacks permission set {permission_set}",
        f"have set {{permission_set}} authorised, or {_LEAVE_OUT}",
    ),
    61011: Advice("the platform's component is invalid", "correct the login in {connection}"),
    61023: Advice("the refresh token is invalid", _AUTHORISE_AGAIN),
    61502: Advice("this is not an Official Account", _LEAVE_OUT),
    **dict.fromkeys(
        (89501, 89503),
        Advice(
            "the account's admin must confirm this machine's IP",
            "ask the admin to confirm {address}; then clear ingest",
        ),
    ),
    89506: Advice(
        "the account's admin refused this machine's IP", "ask the admin again in 24 hours"
    ),
    89507: Advice(
        "the account's admin refused this machine's IP", "ask the admin again in an hour"
    ),
}
IN_CONNECTION = frozenset(code for code, it in WHAT_TO_CHANGE.items() if "{connection}" in it.cure)
"""Errcodes on which the account's connection has to be changed."""
TOKEN_CODES = frozenset({40001, 40014, 42001})
BY_CODE: dict[int, type[WeixinError]] = {
    -1: UnreachableError,
    **dict.fromkeys(sorted(TOKEN_CODES), TokenRefusedError),
    45009: DailyQuotaError,
    45011: MinuteQuotaError,
    47009: EndpointOfflineError,
    48004: AccountBlockedError,
    50002: AccountBlockedError,
    61003: NotAuthorisedError,
    61503: NotReadyError,
}


_ERRCODES = range(-(2**31), 2**31)
_LONGEST_ERRMSG = 500
_LONGEST_READ = 2000
_LONGEST_RID = 100
_RID = re.compile(r"(?<![\s,;])[\s,;]*\brid: *([\w-]+)")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


def from_errcode(
    errcode: int,
    errmsg: str,
    *,
    account: str,
    connection: str = "its connection",
    ticket: str = "its Variable",
    dataset: Dataset | None = None,
    is_token_call: bool = False,
    secrets: Sequence[str] = (),
) -> WeixinError:
    """
    The error an errcode stands for; on a token call 40001 means the secret, not the token.

    `connection` and `ticket` are what an operator has to look for to change it. With the dataset
    that was asked for, an endpoint that is offline names its successor, and one that the account
    may not use the permission set it takes. `secrets` are what nobody may read, should WeChat
    repeat it.
    """
    errmsg = _harmless(errmsg, secrets)
    rid = _RID.search(errmsg)
    detail = one_line(_RID.sub("", errmsg), _LONGEST_ERRMSG)
    if errcode not in _ERRCODES:
        return UnreadableError(f"errcode {errcode}: {detail}", account=account)
    kind = BY_CODE.get(errcode)
    if kind is None or (is_token_call and errcode in TOKEN_CODES):
        kind = ConfigurationError if errcode in WHAT_TO_CHANGE else CallError
    cause = cure = ""
    if kind is ConfigurationError:
        address = _ADDRESS.search(detail)
        places = {
            "connection": connection,
            "ticket": ticket,
            "address": address[0] if address else "this machine's IP",
            "permission_set": dataset.permission_set if dataset else ARTICLES_SET,
        }
        cause, cure = (text.format_map(places) for text in WHAT_TO_CHANGE[errcode])
    elif kind is EndpointOfflineError and dataset is not None:
        cure = _successor(dataset)
    return kind(
        detail,
        account=account,
        errcode=errcode,
        rid=rid[1][:_LONGEST_RID] if rid else "",
        cause=cause,
        cure=cure,
    )


def _harmless(said: str, secrets: Sequence[str]) -> str:
    """What WeChat said, in one line, without secrets: also not the part of one at a cut."""
    part = max(map(len, secrets), default=0)
    # also where a character that nobody sees holds a secret's parts apart
    read = said[: _LONGEST_READ + part]
    head = "".join(it for it in read if it in "\n\t" or category(it) not in ("Cc", "Cf"))
    for secret in secrets:
        head = head.replace(secret, "***")
    return one_line(head[:-part] if part and len(said) > _LONGEST_READ + part else head)


def _successor(dataset: Dataset) -> str:
    if dataset.successor is None:
        return "ask WeChat: this endpoint has no successor that is known here"
    successor = DATASETS[dataset.successor]
    return f"use the successor's DAG {successor.dag_id}"
