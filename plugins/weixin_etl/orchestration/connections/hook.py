"""Airflow's side of the API: a connection of type `weixin` becomes an account and a client."""

import unicodedata
from contextvars import ContextVar
from typing import Any, Literal

import msgspec
from airflow.sdk import BaseHook, Connection, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.component import Component
from weixin_etl.api.http import CallLimits
from weixin_etl.api.token import ask_for_token, listed_accounts
from weixin_etl.model import DEFAULT_BASE_URL, Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.text import counted, one_line

tested_conn_id: ContextVar[str] = ContextVar("tested_conn_id", default="")
"""While the button *Test* is served: the connection's id. Airflow hands the hook a random one."""
_LONGEST_CAUSE = 200
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
WHILE_SOMEBODY_WAITS = CallLimits(
    connect_seconds=3,
    read_seconds=5,
    tries=2,
    total_seconds=8,
    backoff_seconds=0.5,
    minute_quota_wait_seconds=0,
)


class _Extra(msgspec.Struct, frozen=True):
    """What a connection says beside login, password and host; a field left empty says nothing."""

    name: str | None = None
    mode: Literal["", "platform"] | None = None
    token_url: str | None = None
    allow_http: bool | str | None = None

    @property
    def allows_http(self) -> bool:
        return str(self.allow_http).lower() == "true"


_EXTRA = msgspec.json.Decoder(_Extra)


class WeixinHook(BaseHook):
    """
    A WeChat Official Account, or a platform or a token service with all of its accounts.

    login = AppID, password = AppSecret, host = base URL, extra `name` = what people call it, extra
    `allow_http` = whether secret and token may travel unencrypted to another machine. Extra `mode`
    = `platform`: AppID and AppSecret are the platform's. Extra `token_url` = the token service that
    owns the account's token, or without a login those of all its accounts; it is asked with the
    password, if there is one.
    """

    conn_name_attr = "weixin_conn_id"
    default_conn_name = "weixin_default"
    conn_type = "weixin"
    hook_name = "WeChat Official Account"

    def __init__(
        self, weixin_conn_id: str = default_conn_name, limits: CallLimits | None = None, **_: Any
    ) -> None:
        super().__init__()
        self.weixin_conn_id = weixin_conn_id
        self.limits = limits

    def account(self) -> Account:
        """
        The account the connection describes.

        Raises:
            WeixinError: there is no such connection, or it cannot be used as it is.
        """
        conn_id = tested_conn_id.get() or self.weixin_conn_id
        try:
            connection = self.get_connection(self.weixin_conn_id)
        except AirflowNotFoundException:  # also of one that Airflow can't read
            kind, code = ProblemKind.CONFIGURATION, "connection_missing"
            raise WeixinError(kind, account=conn_id, to_change=conn_id, code=code) from None
        connection.conn_id = conn_id
        extra = _extra(connection)
        token_url = extra.token_url and _private(connection, extra, "token_url", extra.token_url)
        appid = (connection.login or "").strip()
        if appid or not token_url:
            appid = _filled_in(connection, "login (AppID)", connection.login)
        secret = connection.password or ""
        if secret or not token_url:
            secret = _filled_in(connection, "password (AppSecret)", secret)
        return Account(
            conn_id=conn_id,
            appid=appid,
            secret=secret,
            name=one_line(extra.name or "") or conn_id,
            base_url=_private(connection, extra, "host", _base_url(connection)),
            token_url=token_url or "",
            is_platform=extra.mode == "platform",
        )

    def get_conn(self) -> WeixinClient:
        """
        A client for the account.

        Raises:
            WeixinError: as `account`.
        """
        return WeixinClient(self.account(), self.limits)

    def test_connection(self) -> tuple[bool, str]:
        """Whether there is a token now, or a list of accounts, and the sentence why not."""
        limits = self.limits or WHILE_SOMEBODY_WAITS
        try:
            account = self.account()
            if account.is_platform:
                Component(account, limits).component_token(ticket(account))
            elif not account.appid:
                listed = listed_accounts(account, limits)
                return True, f"The token service lists {counted(len(listed), 'account')}"
            else:
                ask_for_token(account, limits)
        except WeixinError as error:
            return False, str(error)
        giver = "The token service" if account.token_url else "WeChat"
        return True, f"{giver} gave a token for {account}"


def ticket(platform: Account) -> str:
    """
    A platform's newest `component_verify_ticket`, from its Airflow Variable.

    Raises:
        WeixinError: there is none.
    """
    text = (Variable.get(platform.ticket_variable, default="") or "").strip()
    if not text:
        raise WeixinError(
            ProblemKind.CONFIGURATION,
            account=str(platform),
            to_change=platform.airflow_connection,
            code="ticket_missing",
        )
    mask_secret(text)
    return text


def _filled_in(connection: Connection, field: str, value: str | None) -> str:
    if not value or not value.strip():
        raise _unusable(connection, "the connection has none", f"fill in the {field}")
    if not _is_plain(value):
        cure = f"correct the connection's {field}"
        raise _unusable(connection, "it holds control characters", cure)
    return value


def _extra(connection: Connection) -> _Extra:
    try:
        extra = _EXTRA.decode(connection.extra or "{}")
    except (msgspec.MsgspecError, RecursionError) as error:
        cause = one_line(str(error), _LONGEST_CAUSE)
        cure = "correct the connection's extra or leave it empty"
        raise _unusable(connection, cause, cure) from None
    if extra.mode and extra.token_url:
        raise _unusable(
            connection,
            "a platform's tokens are renewed here, not by a token service",
            "leave mode or token_url out of the connection's extra",
        )
    return extra


def _base_url(connection: Connection) -> str:
    """The host with a scheme; a connection written as a URI has its port apart."""
    host, port = connection.host, connection.port
    if not host:
        return DEFAULT_BASE_URL
    url = (host if "://" in host else f"https://{host}").rstrip("/")
    if not port:
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}:{port}{slash}{path}"


def _private(connection: Connection, extra: _Extra, field: str, url: str) -> str:
    """The address, if nobody in between can read what is sent there, or somebody allowed that."""
    address = _web_address(url)
    if address is None:
        raise _unusable(
            connection,
            "it is not a web address without a query",
            f"correct the connection's {field} or leave it empty",
        )
    is_private = address.scheme == "https" or (address.host or "").strip("[]") in _THIS_MACHINE
    if not is_private and not extra.allows_http:
        raise _unusable(
            connection,
            f"secret and token would travel unencrypted to {url}",
            "use https, or set allow_http in the connection's extra",
        )
    return url


def _unusable(connection: Connection, cause: str, cure: str) -> WeixinError:
    return WeixinError(
        ProblemKind.CONFIGURATION, account=connection.conn_id, cause=cause, cure=cure
    )


def _is_plain(text: str) -> bool:
    """Whether Postgres and a log line can hold it: no control character, no lone surrogate."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _web_address(url: str) -> Url | None:
    """Its parts as the HTTP client reads them: other parsers find other hosts in odd URLs."""
    try:
        address = parse_url(url)
        (address.host or "").encode("idna")
    except (LocationParseError, UnicodeError):
        return None
    is_plain = not (address.auth or address.query or address.fragment or set(url) & set("\\ "))
    is_plain &= _is_plain(url)
    return address if address.scheme in {"http", "https"} and address.host and is_plain else None
