"""Tests of the sandbox's command and of its address."""

import socket
import sys
from datetime import date
from pathlib import Path

import pytest
import requests
from support import choose_port
from support.people import serving

from weixin_sandbox import DEFAULT_ACCOUNT

TODAY, YESTERDAY = date(2026, 11, 24), date(2026, 11, 23)


def test_the_command_prints_its_account_and_uses_its_options(tmp_path: Path) -> None:
    port, log = choose_port(), tmp_path / "log"
    options = ["--port", str(port), "--today", str(TODAY), "--scenario", "offline"]
    known = {"appid": DEFAULT_ACCOUNT.appid, "secret": DEFAULT_ACCOUNT.secret}
    with serving([sys.executable, "-m", "weixin_sandbox", *options], port, log) as url:

        def asked(path: str, token: str = "", **fields: str) -> dict[str, object]:
            query = {"access_token": token}
            return requests.post(url + path, params=query, json=fields, timeout=20).json()

        given = asked("/cgi-bin/stable_token", grant_type="client_credential", **known)
        codes = [
            asked(f"/datacube/{path}", str(given["access_token"]), begin_date=day, end_date=day)
            for path, day in (
                ("getarticletotal", str(TODAY)),
                ("getarticletotal", str(YESTERDAY)),
                ("getarticletotaldetail", str(YESTERDAY)),
            )
        ]

    assert {*known.values()} <= {*log.read_text().split()}
    assert [answer.get("errcode", 0) for answer in codes] == [61501, 47009, 0]


def test_the_sandbox_listens_on_loopback_only(sandbox_url: str) -> None:
    port = int(sandbox_url.rsplit(":", 1)[1])

    assert sandbox_url == f"http://127.0.0.1:{port}"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):  # noqa: S104 - the point
        pass
