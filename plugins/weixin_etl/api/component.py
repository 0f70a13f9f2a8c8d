"""
The calls of a third-party platform, which WeChat calls a component.

https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ under "authorization-management"
and "ticket-token".
"""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from weixin_etl import json_text
from weixin_etl.api.http import Call, Caller, CallLimits
from weixin_etl.api.threads import convert
from weixin_etl.api.token import Seconds, Token, TokenText
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.text import counted, one_line

log = logging.getLogger(__name__)

ACCOUNTS_A_PAGE = 500
_PATH = "/cgi-bin/component/"
_TOKEN = "component_access_token"  # noqa: S105 # a parameter's name
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Renewed:
    """An account's new token, and the refresh token that the next one is asked for with."""

    token: Token
    refresh_token: str = field(repr=False)


_RefreshToken = Annotated[str, Meta(pattern=r"^[!-~]*\Z")] | None
"""May be empty or missing."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An account that has authorised the platform, by WeChat's list."""

    authorizer_appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    auth_time: Annotated[float, Meta(ge=0, lt=1 << 33)]
    """When it last did so, in seconds of Unix time: milliseconds are beyond the limit."""
    refresh_token: _RefreshToken = field(default=None, repr=False)

    @property
    def authorized_at(self) -> datetime:
        return datetime.fromtimestamp(self.auth_time, tz=UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list of authorisations."""

    total: int
    """Entries on all pages."""
    entries: int
    """Entries on this page."""
    authorizations: list[Authorization]
    """The entries that can be read."""


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What WeChat says of an account that has authorised the platform."""

    name: str
    """What its readers call it; may be empty."""
    is_official_account: bool
    """Whether it has articles: mini programs and video accounts authorise platforms as well."""
    refresh_token: str = field(repr=False)
    """The one now in force; may be empty."""


class Component:
    """Speaks for a platform; may be used by several threads at once. Its errors hold no secret."""

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self.account = account
        self._limits = limits

    def component_token(self, ticket: str) -> Token:
        """
        A new token of the platform, for its newest `component_verify_ticket`.

        Raises:
            WeixinError: WeChat gives none.
        """
        payload = {
            "component_appid": self.account.appid,
            "component_appsecret": self.account.secret,
            "component_verify_ticket": ticket,
        }
        call = Call(f"{_PATH}api_component_token", payload, secrets=(ticket,))
        answer = self._post(self.account, call, _ComponentToken)
        return Token(answer.component_access_token, answer.expires_in)

    def renewed(self, component_token: str, account: Account, refresh_token: str) -> Renewed:
        """
        A new token of an account. The refresh token that comes with it must be kept.

        Raises:
            WeixinError: WeChat gives none.
        """
        payload = {
            "component_appid": self.account.appid,
            "authorizer_appid": account.appid,
            "authorizer_refresh_token": refresh_token,
        }
        call = self._call("api_authorizer_token", payload, component_token, refresh_token)
        answer = self._post(account, call, _AuthorizerToken)
        return Renewed(
            Token(answer.authorizer_access_token, answer.expires_in),
            answer.authorizer_refresh_token or refresh_token,
        )

    def authorizations(self, component_token: str, offset: int) -> Page:
        """
        At most 500 of the accounts that have authorised the platform, after the first `offset`.

        Raises:
            WeixinError: WeChat gives no list.
        """
        payload = {
            "component_appid": self.account.appid,
            "offset": offset,
            "count": ACCOUNTS_A_PAGE,
        }
        call = self._call("api_get_authorizer_list", payload, component_token)
        answer = self._post(self.account, call, _List)
        readable = [it for entry in answer.entries if (it := _authorization(entry))]
        if unreadable := len(answer.entries) - len(readable):
            log.warning(
                "%s: its list has %s",
                self.account,
                counted(unreadable, "unreadable item"),
            )
        return Page(answer.total_count, len(answer.entries), readable)

    def info(self, component_token: str, account: Account) -> AccountInfo:
        """
        What an account is, what it is called, and its refresh token.

        Raises:
            WeixinError: WeChat does not say.
        """
        payload = {"component_appid": self.account.appid, "authorizer_appid": account.appid}
        call = self._call("api_get_authorizer_info", payload, component_token)
        answer = self._post(account, call, _Info)
        info = answer.authorizer_info
        return AccountInfo(
            one_line(info.nick_name or ""),
            not (info.mini_program_info or info.channels_info),
            answer.authorization_info.authorizer_refresh_token or "",
        )

    def _call(self, name: str, payload: dict[str, Any], token: str, *secrets: str) -> Call:
        return Call(f"{_PATH}{name}", payload, token, token_name=_TOKEN, secrets=secrets)

    def _post(self, account: Account, call: Call, form: type[T]) -> T:
        """The answer of a call about an account, in the form the documentation shows."""
        name = call.path.rpartition("/")[2]
        try:
            body = Caller(account, self._limits).post(call)
            return convert(json_text.decode(body), form)
        except (ValueError, RecursionError):
            why = f"{name} was answered in an unknown form"
        except WeixinError as error:
            if error.kind is not ProblemKind.UNREADABLE:
                raise
            why = f"{name} was not answered usably: {error.detail}"
        raise WeixinError(ProblemKind.UNREACHABLE, why, account=str(account))


def _authorization(entry: Any) -> Authorization | None:
    """An entry of the list; None when it cannot be read."""
    try:
        return convert(entry, Authorization)
    except ValueError:
        return None


class _ComponentToken(msgspec.Struct):
    component_access_token: TokenText
    expires_in: Seconds


class _AuthorizerToken(msgspec.Struct):
    authorizer_access_token: TokenText
    expires_in: Seconds
    authorizer_refresh_token: _RefreshToken = None


class _List(msgspec.Struct):
    total_count: int
    entries: list[Any] = msgspec.field(name="list")


class _AuthorizerInfo(msgspec.Struct):
    nick_name: str | None = None
    mini_program_info: Any = msgspec.field(name="MiniProgramInfo", default=None)
    channels_info: Any = None
    """Either is there only where the account is such a one."""


class _AuthorizationInfo(msgspec.Struct):
    authorizer_refresh_token: _RefreshToken = None


class _Info(msgspec.Struct):
    authorizer_info: _AuthorizerInfo = msgspec.field(default_factory=_AuthorizerInfo)
    authorization_info: _AuthorizationInfo = msgspec.field(default_factory=_AuthorizationInfo)
