"""
The calls of a third-party platform, which WeChat calls a component.

https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ under "authorization-management"
and "ticket-token".
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from weixin_etl import json_text
from weixin_etl.api.errors import UnreachableError
from weixin_etl.api.http import Call, Caller, CallLimits
from weixin_etl.api.token import Token
from weixin_etl.model import Account

ACCOUNTS_A_PAGE = 500
_PATH = "/cgi-bin/component/"
_TOKEN = "component_access_token"  # noqa: S105 # a parameter's name
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Renewed:
    """An account's new token, and the refresh token that the next one is asked for with."""

    token: Token
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorization:
    """An account that has authorised the platform."""

    appid: str
    refresh_token: str = field(repr=False)
    authorized_at: datetime
    """When it last did so."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list of authorisations."""

    total: int
    """Of all parts."""
    authorizations: list[Authorization]


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What WeChat says of an account that has authorised the platform."""

    name: str
    """What its readers call it; may be empty."""
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
            TokenRefusedError: WeChat refuses the platform's token.
            WithdrawnError: the account no longer authorises the platform.
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
            TokenRefusedError: WeChat refuses the platform's token.
            WeixinError: WeChat gives no list.

        """
        payload = {
            "component_appid": self.account.appid,
            "offset": offset,
            "count": ACCOUNTS_A_PAGE,
        }
        call = self._call("api_get_authorizer_list", payload, component_token)
        answer = self._post(self.account, call, _List)
        return Page(
            answer.total_count,
            [
                Authorization(
                    it.authorizer_appid,
                    it.refresh_token,
                    datetime.fromtimestamp(it.auth_time, tz=UTC),
                )
                for it in answer.list
            ],
        )

    def info(self, component_token: str, account: Account) -> AccountInfo:
        """
        What an account is called, and its refresh token.

        Raises:
            TokenRefusedError: WeChat refuses the platform's token.
            WithdrawnError: the account does not authorise the platform.
            WeixinError: WeChat does not say.

        """
        payload = {"component_appid": self.account.appid, "authorizer_appid": account.appid}
        call = self._call("api_get_authorizer_info", payload, component_token)
        answer = self._post(account, call, _Info)
        return AccountInfo(
            json_text.storable(answer.authorizer_info.nick_name).strip(),
            answer.authorization_info.authorizer_refresh_token,
        )

    def _call(self, name: str, payload: dict[str, Any], token: str, *secrets: str) -> Call:
        return Call(f"{_PATH}{name}", payload, token, token_name=_TOKEN, secrets=secrets)

    def _post(self, account: Account, call: Call, form: type[T]) -> T:
        """The answer of a call about an account, in the form the documentation shows."""
        body = Caller(account, self._limits).post(call)
        try:
            return msgspec.convert(json_text.decode(body), form)
        except (ValueError, RecursionError):
            name = call.path.rpartition("/")[2]
            raise UnreachableError(
                f"{name} was answered in an unknown form", account=str(account)
            ) from None


class _ComponentToken(msgspec.Struct):
    component_access_token: str
    expires_in: float


class _AuthorizerToken(msgspec.Struct):
    authorizer_access_token: str
    expires_in: float
    authorizer_refresh_token: str = ""


class _Listed(msgspec.Struct):
    authorizer_appid: str
    refresh_token: str
    auth_time: float


class _List(msgspec.Struct):
    total_count: int
    list: list[_Listed]


class _AuthorizerInfo(msgspec.Struct):
    nick_name: str = ""


class _AuthorizationInfo(msgspec.Struct):
    authorizer_refresh_token: str = ""


class _Info(msgspec.Struct):
    authorizer_info: _AuthorizerInfo
    authorization_info: _AuthorizationInfo
