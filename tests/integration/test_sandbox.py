"""The stand-in for WeChat: its command, and that its endpoints tell of one world."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from wire import LIMITS

from weixin_etl.api.client import Refusal, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.model import Account
from weixin_sandbox import DEFAULT_ACCOUNT
from weixin_sandbox import Account as Known
from weixin_sandbox.endpoints import ENDPOINTS

TODAY, YESTERDAY, OLD_DAY = date(2026, 11, 24), date(2026, 11, 23), date(2026, 11, 9)
DETAIL = ARTICLE_TOTAL_DETAIL.endpoint
ONE_TRY = {"tries": 1, "minute_quota_wait_seconds": 0}


def errcode(
    url: str, account: Known, day: date = YESTERDAY, dataset: Dataset = ARTICLE_TOTAL
) -> int:
    """How a call for a publication day is answered; 0 is a success."""
    caller = Account("sandbox", account.appid, account.secret, account.name, url)
    came = WeixinClient(caller, replace(LIMITS, **ONE_TRY)).datacube(dataset, day)
    return (came.error.problem.errcode or 0) if isinstance(came, Refusal) else 0


@contextmanager
def running(*arguments: str) -> Iterator[tuple[list[str], str]]:
    """The greeting of a sandbox in a process of its own, and where it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weixin_sandbox", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(4)]
        yield greeting, greeting[1].split()[-1]
    finally:
        process.kill()
        process.communicate()


def test_the_command_says_that_it_is_not_wechat_and_heeds_its_options() -> None:
    """Then come the URL and the account to use; day and scenarios are what was asked for."""
    with running("--today", "2026-11-24", "--scenario", "offline") as (greeting, url):
        codes = [errcode(url, DEFAULT_ACCOUNT, day) for day in (TODAY, YESTERDAY)]
        codes.append(errcode(url, DEFAULT_ACCOUNT, dataset=ARTICLE_TOTAL_DETAIL))

    assert greeting[0].startswith("This is a sandbox, not WeChat: ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert DEFAULT_ACCOUNT.appid in greeting[2]
    assert DEFAULT_ACCOUNT.secret in greeting[3]
    assert codes == [61501, 47009, 0]


def test_it_listens_on_loopback_only(sandbox_url: str) -> None:
    """The URL is 127.0.0.1, and the port is open nowhere else."""
    port = int(sandbox_url.rsplit(":", 1)[1])

    assert sandbox_url == f"http://127.0.0.1:{port}"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):  # noqa: S104 - the point
        pass


def figures(endpoint: str, day: date) -> dict[str, dict[str, int]]:
    """What an endpoint answers of wx1's day: by article or channel, the newest figures."""
    items = ENDPOINTS[f"/datacube/{endpoint}"].known(1, "wx1", day, TODAY)
    return {
        str(item.keys.get("msgid", item.keys.get("user_source", ""))): item.rows[-1]
        for item in items
    }


def test_the_endpoints_tell_of_one_world() -> None:
    """Figures of a day agree with the totals as far as anybody knows, and followers add up."""
    days = [OLD_DAY + timedelta(days=age) for age in range((TODAY - OLD_DAY).days)]
    read = {day: figures("getarticleread", day) for day in days}
    total = figures(DETAIL, OLD_DAY)
    account = figures("getbizsummary", YESTERDAY)[""]
    stock = {day: figures("getusercumulate", day)["0"]["cumulate_user"] for day in days}
    readers = [row["read_user"] for row in read[YESTERDAY].values()]

    assert len(total) > 3
    for msgid, row in total.items():
        of_days = [read[day].get(msgid, {"read_user": 0})["read_user"] for day in days]
        assert max(of_days) <= row["read_user"] <= sum(of_days)
        first = ENDPOINTS[ARTICLE_TOTAL_DETAIL.path].known(
            1, "wx1", OLD_DAY, OLD_DAY + timedelta(days=1)
        )
        assert of_days[0] in [item.rows[0]["read_user"] for item in first]
    assert max(readers) <= account["read_user"] < sum(readers)
    assert account["send_page_count"] == len(figures(DETAIL, YESTERDAY))
    assert len(read[YESTERDAY]) > 4 * len(figures(DETAIL, YESTERDAY))  # most are old
    for before, day in pairwise(days):
        won = [
            row["new_user"] - row["cancel_user"] for row in figures("getusersummary", day).values()
        ]
        assert stock[day] - stock[before] == sum(won)
