"""
The calls of a third-party platform, which WeChat's API calls a component.

`Component` requests the platform's token and its accounts' tokens, lists the accounts that have
authorised the platform, and returns what WeChat knows of an account. `accounts.platform` uses it.

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
"""A refresh token in an answer, which may be empty or missing."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An entry of WeChat's list of accounts that have authorised the platform."""

    authorizer_appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    auth_time: Annotated[float, Meta(ge=0, lt=1 << 33)] = 0
    """The time of the last authorisation, in seconds of Unix time."""
    refresh_token: _RefreshToken = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """The properties of an account that has authorised the platform."""

    name: str
    """The name that readers see; may be empty."""
    is_official_account: bool
    """Whether the account publishes articles. Mini programs and video accounts do not."""


class Component:
    """
    The client of a platform; usable by several threads at once.

    Each call raises `WeixinError` if it gets no usable answer. The error contains no secret.
    """

    def __init__(self, account: Account, limits: CallLimits) -> None:
        """Make the client of the platform `account`; no call is made yet."""
        self.account = account
        self._limits = limits

    def component_token(self, ticket: str) -> Token:
        """Request a token of the platform, by the newest `component_verify_ticket`."""
        payload = {"component_appsecret": self.account.secret, "component_verify_ticket": ticket}
        answer = self._post(self.account, "component_token", payload, "", _ComponentToken)
        return Token(answer.component_access_token, answer.expires_in)

    def renew_token(
        self, component_token: str, account: Account, refresh_token: str
    ) -> tuple[Token, str]:
        """
        Request a new token of an account, by its refresh token.

        Returns:
            The token, and the refresh token for the next request: the new one if WeChat replaced
            it, otherwise the same.
        """
        payload = {"authorizer_appid": account.appid, "authorizer_refresh_token": refresh_token}
        answer = self._post(account, "authorizer_token", payload, component_token, _AuthorizerToken)
        token = Token(answer.authorizer_access_token, answer.expires_in)
        return token, answer.authorizer_refresh_token or refresh_token

    def list_authorizations(self, component_token: str) -> list[Authorization]:
        """
        Return all accounts that authorise the platform now, each once.

        The list is requested in pages of 500, until WeChat's total is reached or a page brings no
        further account.

        Raises:
            WeixinError: A call failed, an entry has an unexpected form, or the pages have fewer
                accounts than WeChat's total.
        """
        listed: dict[str, Authorization] = {}
        offset, total = -1, 1
        while offset < len(listed) < total:  # a page without new accounts is the last page
            offset = len(listed)
            payload = {"offset": offset, "count": ACCOUNTS_A_PAGE}
            page = self._post(self.account, "get_authorizer_list", payload, component_token, _List)
            listed |= {account.authorizer_appid: account for account in page.entries}
            total = page.total_count
        if len(listed) < total:
            frame = "WeChat gives {found} of {total} accounts"
            names = {"account": str(self.account), "code": "accounts_missing"}
            detail = sentence(frame, found=len(listed), total=total)
            raise WeixinError(ProblemKind.UNREACHABLE, detail, **names)
        return [*listed.values()]

    def account_info(self, component_token: str, account: Account) -> tuple[AccountInfo, str]:
        """
        Request an account's name and kind, and the refresh token that is valid now.

        The name, on one line, and the refresh token are empty if WeChat gives none.
        """
        payload = {"authorizer_appid": account.appid}
        answer = self._post(account, "get_authorizer_info", payload, component_token, _Info)
        info = answer.authorizer_info
        is_official_account = not (info.mini_program_info or info.channels_info)
        return (
            AccountInfo(one_line(info.nick_name or ""), is_official_account),
            answer.authorization_info.authorizer_refresh_token or "",
        )

    def _post(
        self, account: Account, name: str, payload: dict[str, Any], token: str, form: type[T]
    ) -> T:
        """
        Make a call about an account and return its answer.

        Args:
            account: The account that an error names.
            name: The name of the call, without `api_`.
            payload: The values of the body beside the platform's AppID.
            token: The platform's token; empty for the call that requests it.
            form: The type of the answer, as WeChat documents it.

        Raises:
            WeixinError: The call has no successful answer, or the answer has another form.
        """
        path = f"/cgi-bin/component/api_{name}"
        payload = {"component_appid": self.account.appid, **payload}
        body = Caller(account, self._limits).post(path, payload, token)
        if answer := decode_as(body, form):
            return answer
        detail = sentence("api_{name} was answered in an unknown form", name=name)
        raise WeixinError(ProblemKind.UNREACHABLE, detail, account=str(account))


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
    """A mini program or a video account has the field of its kind; an Official Account has none."""


class _AuthorizationInfo(msgspec.Struct):
    authorizer_refresh_token: _RefreshToken = None


class _Info(msgspec.Struct):
    authorizer_info: _AuthorizerInfo = msgspec.field(default_factory=_AuthorizerInfo)
    authorization_info: _AuthorizationInfo = msgspec.field(default_factory=_AuthorizationInfo)
