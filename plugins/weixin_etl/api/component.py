"""
The calls of a third-party platform, which WeChat calls a component.

https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ under "authorization-management"
and "ticket-token".
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from weixin_etl.api.http import Caller, CallLimits, decode_as
from weixin_etl.api.token import Seconds, Token, TokenText
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import sentence
from weixin_etl.text import one_line

ACCOUNTS_A_PAGE = 500
T = TypeVar("T")
_RefreshToken = Annotated[str, Meta(pattern=r"^[!-~]*\Z")] | None
"""May be empty or missing."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An account that has authorised the platform, by WeChat's list."""

    authorizer_appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    auth_time: Annotated[float, Meta(ge=0, lt=1 << 33)] = 0
    """When it last did so, in seconds of Unix time."""
    refresh_token: _RefreshToken = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What WeChat says of an account that has authorised the platform."""

    name: str
    """What its readers call it; may be empty."""
    is_official_account: bool
    """Whether it has articles: mini programs and video accounts authorise platforms as well."""


class Component:
    """
    Speaks for a platform; may be used by several threads at once.

    Each call raises `WeixinError` where WeChat gives no usable answer; it holds no secret.
    """

    def __init__(self, account: Account, limits: CallLimits) -> None:
        self.account = account
        self._limits = limits

    def component_token(self, ticket: str) -> Token:
        """A new token of the platform, for its newest `component_verify_ticket`."""
        payload = {"component_appsecret": self.account.secret, "component_verify_ticket": ticket}
        answer = self._post(self.account, "component_token", payload, None, _ComponentToken, ticket)
        return Token(answer.component_access_token, answer.expires_in)

    def renew_token(
        self, component_token: str, account: Account, refresh_token: str
    ) -> tuple[Token, str]:
        """A new token of an account, and the refresh token that the next one is asked for with."""
        payload = {"authorizer_appid": account.appid, "authorizer_refresh_token": refresh_token}
        call = "authorizer_token", payload, component_token, _AuthorizerToken
        answer = self._post(account, *call, refresh_token)
        token = Token(answer.authorizer_access_token, answer.expires_in)
        return token, answer.authorizer_refresh_token or refresh_token

    def list_authorizations(self, component_token: str) -> list[Authorization]:
        """All accounts that authorise the platform now; an error if some are missing."""
        found: dict[str, Authorization] = {}
        known, total = -1, 1
        while known < len(found) < total:  # a page without news is the last
            known = len(found)
            payload = {"offset": known, "count": ACCOUNTS_A_PAGE}
            page = self._post(self.account, "get_authorizer_list", payload, component_token, _List)
            found |= {it.authorizer_appid: it for it in page.entries}
            total = page.total_count
        if len(found) < total:
            raise WeixinError(
                ProblemKind.UNREACHABLE,
                sentence("WeChat gives {found} of {total} accounts", found=len(found), total=total),
                account=str(self.account),
                code="accounts_missing",
            )
        return [*found.values()]

    def account_info(self, component_token: str, account: Account) -> tuple[AccountInfo, str]:
        """What an account is, and its refresh token now in force, which may be empty."""
        payload = {"authorizer_appid": account.appid}
        answer = self._post(account, "get_authorizer_info", payload, component_token, _Info)
        info = answer.authorizer_info
        is_official_account = not (info.mini_program_info or info.channels_info)
        return (
            AccountInfo(one_line(info.nick_name or ""), is_official_account),
            answer.authorization_info.authorizer_refresh_token or "",
        )

    def _post(
        self,
        account: Account,
        name: str,
        payload: dict[str, Any],
        token: str | None,
        form: type[T],
        *secrets: str,
    ) -> T:
        """The answer of a call about an account, in the form the documentation shows."""
        body = Caller(account, self._limits).post(
            f"/cgi-bin/component/api_{name}",
            {"component_appid": self.account.appid, **payload},
            token,
            secrets=secrets,
        )
        if answer := decode_as(body, form):
            return answer
        said = sentence("api_{name} was answered in an unknown form", name=name)
        raise WeixinError(ProblemKind.UNREACHABLE, said, account=str(account))


class _ComponentToken(msgspec.Struct):
    component_access_token: TokenText
    expires_in: Seconds


class _AuthorizerToken(msgspec.Struct):
    authorizer_access_token: TokenText
    expires_in: Seconds
    authorizer_refresh_token: _RefreshToken = None


class _List(msgspec.Struct):
    total_count: int
    entries: list[Authorization] = msgspec.field(name="list")


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
