"""The stand-in for WeChat: its command, and that its endpoints tell of one world."""

import os
import socket
import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise

import pytest
import requests

from weixin_sandbox import DEFAULT_ACCOUNT
from weixin_sandbox.endpoints import ENDPOINTS, Item

TODAY, YESTERDAY, OLD_DAY = date(2026, 11, 24), date(2026, 11, 23), date(2026, 11, 9)
TOTALS = "getarticletotaldetail"


def test_the_command_says_whom_to_ask_for_and_heeds_its_options() -> None:
    """Its greeting has URL, AppID and secret; day and scenarios are what was asked for."""
    options = ["--port", "0", "--today", str(TODAY), "--scenario", "offline"]
    known = {"appid": DEFAULT_ACCOUNT.appid, "secret": DEFAULT_ACCOUNT.secret}
    with subprocess.Popen(
        [sys.executable, "-m", "weixin_sandbox", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:
        assert process.stdout is not None
        greeting = "".join(process.stdout.readline() for _ in range(4)).split()
        url = next(it for it in greeting if it.startswith("http://127.0.0.1:"))

        def asked(path: str, token: str = "", **fields: str) -> dict[str, object]:
            query = {"access_token": token}
            return requests.post(url + path, params=query, json=fields, timeout=20).json()

        given = asked("/cgi-bin/stable_token", grant_type="client_credential", **known)
        codes = [
            asked(f"/datacube/{path}", str(given["access_token"]), begin_date=day, end_date=day)
            for path, day in (
                ("getarticletotal", str(TODAY)),
                ("getarticletotal", str(YESTERDAY)),
                (TOTALS, str(YESTERDAY)),
            )
        ]
        process.kill()

    assert {*known.values()} <= {*greeting}
    assert [it.get("errcode", 0) for it in codes] == [61501, 47009, 0]


def test_it_listens_on_loopback_only(sandbox_url: str) -> None:
    """The URL is 127.0.0.1, and the port is open nowhere else."""
    port = int(sandbox_url.rsplit(":", 1)[1])

    assert sandbox_url == f"http://127.0.0.1:{port}"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):  # noqa: S104 - the point
        pass


def items(endpoint: str, day: date, asked_on: date = TODAY) -> list[Item]:
    """What an endpoint answers of wx1's day."""
    return ENDPOINTS[f"/datacube/{endpoint}"].known(1, "wx1", day, asked_on)


def readers(found: list[Item]) -> dict[object, int]:
    """By article the readers of the newest row."""
    return {item.keys.get("msgid"): item.rows[-1]["read_user"] for item in found}


def test_the_endpoints_tell_of_one_world() -> None:
    """Figures of a day agree with the totals as far as anybody knows, and followers add up."""
    days = [OLD_DAY + timedelta(days=age) for age in range((TODAY - OLD_DAY).days)]
    read = {day: readers(items("getarticleread", day)) for day in days}
    (summary,) = items("getbizsummary", YESTERDAY)
    of_account, of_articles = summary.rows[0], read[YESTERDAY].values()
    first_totals = readers(items(TOTALS, OLD_DAY, OLD_DAY + timedelta(days=1)))

    totals = readers(items(TOTALS, OLD_DAY))
    assert len(totals) > 3
    for msgid, total in totals.items():
        of_days = [read[day].get(msgid, 0) for day in days]
        assert max(of_days) <= total <= sum(of_days)
        assert of_days[0] == first_totals[msgid]
    assert max(of_articles) <= of_account["read_user"] < sum(of_articles)
    published = of_account["send_page_count"]
    assert published == len(items(TOTALS, YESTERDAY)) < len(of_articles) / 4  # most are old
    stocks = [items("getusercumulate", it)[0].rows[0]["cumulate_user"] for it in days]
    for day, (before, stock) in zip(days[1:], pairwise(stocks), strict=True):
        change = [item.rows[0] for item in items("getusersummary", day)]
        assert stock - before == sum(it["new_user"] - it["cancel_user"] for it in change)
