"""Accounts share the connections of their process, and nothing else."""

from dataclasses import replace

import pytest
from urllib3.connection import HTTPConnection
from wire import LIMITS, Wire, says

from weixin_etl.api import http
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account
from weixin_sandbox import Account as Known
from weixin_sandbox import Sandbox


@pytest.fixture(autouse=True)
def no_connection_yet() -> None:
    """None is left by another test."""
    http._session.cache_clear()


def test_a_hundred_accounts_need_one_connection(
    sandbox: Sandbox, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would cost a TLS handshake, and a file for as long as the process lives."""
    known = [Known(f"wx{n}", f"secret{n}") for n in range(100)]
    sandbox.accounts = {account.appid: account for account in known}
    opened: list[object] = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(
        HTTPConnection, "connect", lambda self: (opened.append(self), connect(self))[1]
    )

    for account in known:
        described = Account("c", account.appid, account.secret, account.appid, sandbox_url)
        WeixinClient(described, LIMITS).check_token()

    assert len(sandbox.calls) == 100
    assert len(opened) == 1


def test_no_cookie_of_one_account_is_sent_for_another(wire: Wire) -> None:
    """What a proxy sets with an answer is not kept."""
    token = b'{"access_token":"t","expires_in":7200}'
    wire.on_token = says(token, 200, b"Set-Cookie: who=first; Path=/")

    for appid in ("wx1", "wx2"):
        WeixinClient(replace(wire.account, appid=appid), LIMITS).check_token()

    assert [asked.headers.get("Cookie") for asked in wire.token_calls] == [None, None]
