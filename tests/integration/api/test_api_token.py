"""An access token is asked for once per process and account, and lives in its memory only."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from wire import DATASET, DAY, LIMITS, Wire, refused, says

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import UnreachableError
from weixin_etl.api.token import Token
from weixin_sandbox import Sandbox


def test_each_account_has_its_own_token(wire: Wire):
    """Two accounts at one host, two token calls."""
    second = replace(wire.account, appid="wx0000000000000002")

    for account in (wire.account, second, wire.account, second):
        WeixinClient(account, LIMITS).datacube(DATASET, DAY)

    assert [b"wx0000000000000001" in call.body for call in wire.token_calls] == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        b'{"expires_in":7200}',
        b'{"access_token":"t"}',
        b'{"access_token":"","expires_in":7200}',
        b'{"access_token":7,"expires_in":7200}',
        b'{"access_token":null,"expires_in":7200}',
        b'{"access_token":"\xff","expires_in":7200}',
        b"{}",
        b'{"access_token":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_answer_without_a_token_is_no_token(wire: Wire, body: bytes):
    """It ends the call before any data call, as trouble that may go by itself."""
    wire.on_token = says(body)

    error = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).error

    assert type(error) is UnreachableError
    assert "answered without a token" in str(error)
    assert wire.data_calls == []


def test_a_token_is_in_no_file_and_in_no_environment(
    sandbox: Sandbox, client: WeixinClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only in the memory of the process: nothing written, nothing for children to inherit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    client.datacube(DATASET, DAY)

    (token,) = sandbox.issued_tokens
    folders = [tmp_path, Path(os.environ["AIRFLOW_HOME"])]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if token.encode() in path.read_bytes()] == []
    assert [name for name, value in os.environ.items() if token in value] == []


def test_nothing_prints_the_secret_or_the_token(wire: Wire):
    """Neither of an account, a token, a client."""
    token = Token("wire-token-1", 7200)
    client = WeixinClient(wire.account, LIMITS)
    client.check_token()

    printed = f"{wire.account!r} {wire.account} {token!r} {token} {client!r} {vars(client)}"

    assert "wire-token-1" not in printed
    assert wire.account.secret not in printed
