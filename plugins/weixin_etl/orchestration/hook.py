"""Airflow's side of the API: a connection of type `weixin` becomes an account and a client."""

from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ConfigurationError, WeixinError
from weixin_etl.api.http import CallLimits
from weixin_etl.loopback import is_loopback
from weixin_etl.model import DEFAULT_BASE_URL, Account


class WeixinHook(BaseHook):
    """
    A WeChat Official Account.

    login = AppID, password = AppSecret, host = base URL, extra `name` = what people call it, extra
    `allow_http` = whether secret and token may travel unencrypted to another machine.
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
            ConfigurationError: there is no such connection, or it lacks something.

        """
        conn_id = self.weixin_conn_id
        try:
            connection = self.get_connection(conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                "there is no such Airflow connection; create it with type weixin", account=conn_id
            ) from None
        appid, secret = connection.login, connection.password
        if not appid or not secret:
            missing = "password (AppSecret)" if appid else "login (AppID)"
            raise ConfigurationError(
                f"the Airflow connection has no {missing}; fill it in", account=conn_id
            )
        base_url = _base_url(connection.host, connection.port)
        address = _web_address(base_url)
        if address is None:
            raise ConfigurationError(
                "the connection's host is not a web address; correct it or leave it empty",
                account=conn_id,
            )
        extra = connection.extra_dejson
        if not _is_private(address) and str(extra.get("allow_http")).lower() != "true":
            raise ConfigurationError(
                f"{base_url} would get the AppSecret unencrypted; use https, or set allow_http in "
                "the connection's extra",
                account=conn_id,
            )
        return Account(
            conn_id=conn_id,
            appid=appid,
            secret=secret,
            name=extra.get("name") or conn_id,
            base_url=base_url,
        )

    def get_conn(self) -> WeixinClient:
        """
        A client for the account.

        Raises:
            ConfigurationError: as `account`.

        """
        return WeixinClient(self.account(), self.limits)

    def test_connection(self) -> tuple[bool, str]:
        """Whether WeChat gives a token for the account, and the sentence why not."""
        try:
            client = self.get_conn()
            client.check_token()
        except WeixinError as error:
            return False, str(error)
        return True, f"WeChat gave a token for {client.account}"


def _base_url(host: str | None, port: int | None) -> str:
    """The host with a scheme; a connection written as a URI has its port apart."""
    if not host:
        return DEFAULT_BASE_URL
    url = (host if "://" in host else f"https://{host}").rstrip("/")
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}:{port}{slash}{path}" if port else url


def _web_address(url: str) -> Url | None:
    """Its parts as who makes the call reads them: other readers find other hosts in odd ones."""
    try:
        address = parse_url(url)
    except LocationParseError:
        return None
    is_plain = not (address.auth or address.query or address.fragment or set(url) & set("\\ "))
    return address if address.scheme in {"http", "https"} and address.host and is_plain else None


def _is_private(address: Url) -> bool:
    """Whether nobody on the way can read along."""
    return address.scheme == "https" or is_loopback((address.host or "").strip("[]"))
