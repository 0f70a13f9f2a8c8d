"""
What WeChat, or the way to it, can answer instead of figures.

    WeixinError
    ├── TransientError           tried again by the client, then by Airflow
    │   ├── UnreachableError     no usable answer: connection, timeout, HTTP 5xx, -1, not JSON
    │   ├── TokenRefusedError    a new token was asked for and did not help
    │   └── MinuteQuotaError     the minute's calls are used up
    ├── NotReadyError            the figures are not computed yet: the day stays open
    ├── DailyQuotaError          the day's calls are used up: the account rests until tomorrow
    ├── EndpointOfflineError     WeChat retired the endpoint
    ├── ConfigurationError       a person has to change something; says what
    ├── AccountBlockedError      WeChat restricts the account
    ├── ClockError               this machine's clock and WeChat's disagree
    ├── UnreadableError          figures in an unknown form, or too many of them
    └── CallError                our own mistake, or an unclassified code

An instance's text is the sentence for the operator, complete when it is raised: nothing is added
to an error later. The codes are WeChat's "全局返回码":
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import re
from typing import ClassVar

from weixin_etl.datasets import DATASETS, Dataset


class WeixinError(Exception):
    """A call that brought no figures. `str()` says why, to which account, and what to change."""

    sentence: str = "WeChat refused the call"
    """What happened and what to change, in our words; the constructor may put another here."""
    is_retryable: ClassVar[bool] = False
    """Whether Airflow should try the task again by itself."""
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
        sentence: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """What WeChat or the way to it said, without the rid."""
        self.account = account
        self.errcode = errcode
        self.rid = rid
        """WeChat's id of the refused call, another one each time; empty where none was given."""
        self.sentence = sentence or self.sentence

    @property
    def reason(self) -> str:
        """The sentence for the operator without the rid: the same for calls refused alike."""
        code = "" if self.errcode is None else f"errcode {self.errcode}"
        said = ": ".join(part for part in (code, self.detail) if part)
        if self.sentence:
            said = f"{self.sentence} ({said})" if said else self.sentence
        return f"{self.account}: {said}" if self.account else said

    def __str__(self) -> str:
        """The sentence for the operator, and the rid at its end."""
        return f"{self.reason} rid: {self.rid}" if self.rid else self.reason


class TransientError(WeixinError):
    """Trouble that usually passes without intervention."""

    is_retryable = True


class UnreachableError(TransientError):
    """No usable answer came."""

    sentence = "WeChat could not be reached or was busy"
    is_outage = True


class TokenRefusedError(TransientError):
    """The access token was refused and asking for another one did not help."""

    sentence = (
        "WeChat refuses the access token it gave; another program is refreshing this account's "
        "token: find it"
    )
    stops_account = True


class MinuteQuotaError(TransientError):
    """The calls of this minute are used up, and were still after a wait."""

    sentence = "the calls allowed in a minute are used up; lower [weixin] concurrency"
    is_outage = True


class NotReadyError(WeixinError):
    """The day's figures are not computed yet."""

    sentence = (
        "the figures are not ready yet; they come after 08:00 Beijing time, by 10:00 at the latest"
    )


class DailyQuotaError(WeixinError):
    """The calls of this day are used up."""

    sentence = "the calls allowed in a day are used up; the quota is new at 00:00 Beijing time"
    stops_account = True


class EndpointOfflineError(WeixinError):
    """
    WeChat took the endpoint offline for the account.

    A single one does not stop the account, because it may be an accident; five in a row do.
    """

    sentence = "WeChat took this endpoint offline"


class ConfigurationError(WeixinError):
    """A person has to change something at WeChat or in the connection; the sentence says what."""

    sentence = ""
    stops_account = True


class AccountBlockedError(WeixinError):
    """WeChat restricts the account; its owner has to act."""

    sentence = "WeChat restricts this account; its owner finds the reason in the console"
    stops_account = True


class ClockError(WeixinError):
    """This machine's clock and WeChat's disagree: the days asked for may be the wrong ones."""

    sentence = (
        "the clocks disagree; set this machine's clock, and if WeChat's time is the wrong one, a "
        "proxy may be answering with cached pages"
    )
    stops_account = True


class UnreadableError(WeixinError):
    """A successful answer that is not what the documentation shows."""

    sentence = "WeChat answered in an unknown form; please report this"


class CallError(WeixinError):
    """A call that WeChat rejects as wrong, or a code that is not classified yet."""

    sentence = "WeChat does not accept the call; please report this"
    stops_account = True


WHAT_TO_CHANGE: dict[int, str] = {
    40001: "the AppSecret is wrong or not the newest; correct the connection's password",
    40002: "the token call was refused; please report this",
    40013: "the AppID is wrong; correct the connection's login",
    40125: "the AppSecret is wrong; correct the connection's password",
    40164: "this machine's IP is not on the account's whitelist; add it in the console",
    40243: "the AppSecret is frozen; unfreeze it in the console",
    42007: "the account's owner changed the password; have the account authorised again",
    48001: "the account may not use this API; it must be verified, or permission set 7 is missing",
    61003: "the account has not authorised the platform; have it authorised",
    61004: "the platform's IP is not on its whitelist; add it",
    61005: "the platform's component_verify_ticket expired; wait for the next push",
    61006: "the platform's component_verify_ticket is wrong; wait for the next push",
    61007: "the authorisation lacks the permission set; have the account authorised again",
    61011: "the platform's component is invalid; check its AppID",
    61023: "the refresh token is invalid; have the account authorised again",
    61502: "this is not an Official Account; remove it from the Airflow Variable weixin_accounts",
    89501: "the account's admin must confirm this machine's IP; then run again",
    89503: "the account's admin must confirm this machine's IP; then run again",
    89506: "the account's admin refused this machine's IP; ask again in 24 hours",
    89507: "the account's admin refused this machine's IP; ask again in an hour",
}

TOKEN_CODES = frozenset({40001, 40014, 42001})
_BY_CODE: dict[int, type[WeixinError]] = {
    -1: UnreachableError,
    **dict.fromkeys(TOKEN_CODES, TokenRefusedError),
    45009: DailyQuotaError,
    45011: MinuteQuotaError,
    47009: EndpointOfflineError,
    48004: AccountBlockedError,
    50002: AccountBlockedError,
    61503: NotReadyError,
}


_ERRCODES = range(-(2**31), 2**31)
_LONGEST_ERRMSG = 500
_LONGEST_RID = 100
_RID = re.compile(r"[\s,;]*\brid: *([\w-]+)")


def from_errcode(
    errcode: int,
    errmsg: str,
    *,
    account: str,
    dataset: Dataset | None = None,
    is_token_call: bool = False,
) -> WeixinError:
    """
    The error an errcode stands for; on a token call 40001 means the secret, not the token.

    With the dataset that was asked for, an endpoint that is offline names its successor.
    """
    rid = _RID.search(errmsg)
    detail = _RID.sub("", errmsg)
    if len(detail) > _LONGEST_ERRMSG:
        detail = detail[:_LONGEST_ERRMSG] + "…"
    if errcode not in _ERRCODES:
        return UnreadableError(f"errcode {errcode}: {detail}", account=account)
    kind = _BY_CODE.get(errcode)
    if kind is None or (is_token_call and errcode in TOKEN_CODES):
        kind = ConfigurationError if errcode in WHAT_TO_CHANGE else CallError
    sentence = ""
    if kind is ConfigurationError:
        sentence = WHAT_TO_CHANGE[errcode]
    elif kind is EndpointOfflineError and dataset is not None:
        sentence = f"{kind.sentence}; {_successor(dataset)}"
    return kind(
        detail,
        account=account,
        errcode=errcode,
        rid=rid[1][:_LONGEST_RID] if rid else "",
        sentence=sentence,
    )


def _successor(dataset: Dataset) -> str:
    if dataset.successor is None:
        return "it has no successor that is known here"
    successor = DATASETS[dataset.successor]
    return f"its successor is {successor.path[1:]}: the DAG {successor.dag_id}"
