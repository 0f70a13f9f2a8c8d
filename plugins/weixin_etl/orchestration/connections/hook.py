"""
The Airflow hook for connections of type `weixin`: it turns a connection into an account.

`accounts` uses it in tasks and commands. Airflow calls it for the button *Test*.
"""

from contextvars import ContextVar
from typing import Any, Literal

import msgspec
from airflow.sdk import BaseHook, Connection, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from weixin_etl.api.component import Component
from weixin_etl.api.http import CallLimits
from weixin_etl.api.token import list_service_accounts, request_token
from weixin_etl.model import DEFAULT_BASE_URL, Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import counted, one_line

tested_conn_id: ContextVar[str] = ContextVar("tested_conn_id", default="")
"""The id of the connection that the button *Test* tests; Airflow hands the hook a random id."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
WHILE_SOMEBODY_WAITS = CallLimits(
    connect_seconds=3,
    read_seconds=5,
    tries=2,
    total_seconds=8,
    backoff_seconds=0.5,
    minute_quota_wait_seconds=0,
)
"""The call limits while a person waits for the answer of the button *Test*."""


class _Extra(msgspec.Struct, frozen=True):
    """The fields of a connection's extra. The UI stores an empty field as null or an empty text."""

    name: str | None = None
    mode: Literal["", "platform"] | None = None
    token_url: str | None = None
    allow_http: bool | None = None


_EXTRA = msgspec.json.Decoder(_Extra, strict=False)
"""A lenient decoder: a connection that is written as a URI has only texts."""


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

    def __init__(self, weixin_conn_id: str = default_conn_name, **_: Any) -> None:
        """
        Make the hook of an Airflow connection, which is not looked up yet.

        Args:
            weixin_conn_id: the connection's id.
            **_: other arguments that Airflow passes to a hook. They are ignored.
        """
        super().__init__()
        self.weixin_conn_id = weixin_conn_id

    def account(self) -> Account:
        """
        Return the account that the connection describes, by its fields alone, without a call.

        The name is the connection's id if the extra has none. The base URL is WeChat's own if the
        connection has no host. AppID and AppSecret may be missing only beside a `token_url`. While
        the button *Test* tests, the account has the connection id of `tested_conn_id`.

        Raises:
            WeixinError: the connection is missing or unreadable; AppID or AppSecret is missing; the
                extra is invalid; or a URL is invalid, or unencrypted without `allow_http`.
        """
        conn_id = tested_conn_id.get() or self.weixin_conn_id
        try:
            connection = self.get_connection(self.weixin_conn_id)
        except AirflowNotFoundException:  # Airflow raises it also for unreadable connections
            raise _unusable(conn_id, "connection_missing") from None
        connection.conn_id = conn_id
        extra = _extra(connection)
        token_url = _checked_url(connection, extra, "token_url", extra.token_url or "")
        appid, secret = (connection.login or "").strip(), (connection.password or "").strip()
        for field, value in (("login (AppID)", appid), ("password (AppSecret)", secret)):
            if not value and not token_url:
                raise _unusable(conn_id, "field_missing", Quoted(field))
        return Account(
            conn_id=conn_id,
            appid=appid,
            secret=secret,
            name=one_line(extra.name or "") or conn_id,
            base_url=_checked_url(connection, extra, "host", _base_url(connection)),
            token_url=token_url,
            is_platform=extra.mode == "platform",
        )

    def test_connection(self) -> tuple[bool, str]:
        """
        Request a token, or a token service's list of accounts, as the button *Test* promises.

        A platform's token is requested with its newest ticket; no account is asked. The calls have
        the limits `WHILE_SOMEBODY_WAITS`, and no token is stored.

        Returns:
            Whether the request succeeded, and a sentence: what was received, or the problem's line.
        """
        try:
            account = self.account()
            if account.is_platform:
                Component(account, WHILE_SOMEBODY_WAITS).component_token(ticket(account))
            elif not account.appid:
                listed = list_service_accounts(account, WHILE_SOMEBODY_WAITS)
                return True, f"The token service lists {counted(len(listed), 'account')}"
            else:
                request_token(account, WHILE_SOMEBODY_WAITS)
        except WeixinError as error:
            return False, str(error)
        giver = "The token service" if account.token_url else "WeChat"
        return True, f"{giver} gave a token for {account}"


def ticket(platform: Account) -> str:
    """
    Return a platform's newest `component_verify_ticket`, from its Airflow Variable.

    The ticket is masked in the logs of this process from now on.

    Raises:
        WeixinError: the Variable is missing or empty.
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


def _extra(connection: Connection) -> _Extra:
    """
    Return the connection's extra; a connection without an extra has an empty one.

    Raises:
        WeixinError: the extra is no JSON object, or a field has a wrong type or an unknown mode.
    """
    try:
        return _EXTRA.decode(connection.extra or "{}")
    except (msgspec.MsgspecError, RecursionError) as error:
        detail = Quoted(f"extra: {one_line(str(error))}")
        raise _unusable(connection.conn_id, "field_wrong", detail) from None


def _base_url(connection: Connection) -> str:
    """
    Return the connection's host as a URL without a slash at the end; WeChat's if there is no host.

    A host without a scheme gets `https`. The connection's port, if it has one, is added behind the
    host name: a connection that was written as a URI stores it in a field of its own.
    """
    host, port = connection.host or DEFAULT_BASE_URL, connection.port
    url = (host if "://" in host else f"https://{host}").rstrip("/")
    if not port:
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}:{port}{slash}{path}"


def _checked_url(connection: Connection, extra: _Extra, field: str, url: str) -> str:
    """
    Return the URL unchanged, if secrets may be sent to it.

    It must be empty, have the scheme https or lead to this machine, unless the extra allows http.

    Args:
        connection: the connection, named in the error.
        extra: the connection's extra.
        field: the name of the connection's field that has the URL, for the error.
        url: the URL.

    Raises:
        WeixinError: the URL can't be parsed, or is unencrypted and leads to another machine.
    """
    try:
        # the HTTP client uses the same parser: other parsers find other hosts in odd URLs
        address = parse_url(url)
    except LocationParseError:
        detail = sentence("{field} is no web address", field=field)
        raise _unusable(connection.conn_id, "field_wrong", detail) from None
    is_this_machine = (address.host or "").strip("[]") in _THIS_MACHINE
    if address.scheme == "https" or is_this_machine or extra.allow_http or not url:
        return url
    raise _unusable(connection.conn_id, "unencrypted", Quoted(one_line(url)))


def _unusable(conn_id: str, code: str, detail: Sentence | Quoted | None = None) -> WeixinError:
    """
    Return the error of a connection that can't be used.

    Args:
        conn_id: the id of the connection, which the error names as the one to change.
        code: the case of the kind `configuration` in `problems.csv`; it selects the texts.
        detail: a sentence or the name of a field, added to the cause.
    """
    return WeixinError(
        ProblemKind.CONFIGURATION, detail, account=conn_id, to_change=conn_id, code=code
    )
