"""The sandbox as a process of its own, and its server."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sandbox_caller import DETAIL, TODAY, YESTERDAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox
from weixin_sandbox.__main__ import main

COMMAND = [sys.executable, "-m", "weixin_sandbox"]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str], Caller]]:
    """A sandbox process, the lines of its greeting, and a client of it."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(4)]
        url = re.search(r"http://127\.0\.0\.1:\d+", greeting[1])
        assert url
        caller = Caller(Sandbox(), url[0])
        with caller.session:
            yield process, greeting, caller
    finally:
        process.kill()
        process.communicate()


def test_the_greeting_says_that_it_is_not_wechat_and_how_to_enter():
    """Then come the URL and the account to use, and they work."""
    with running() as (_, greeting, caller):
        assert greeting[0].startswith("This is a sandbox, not WeChat: ")
        assert DEFAULT_ACCOUNT.appid in greeting[2]
        assert DEFAULT_ACCOUNT.secret in greeting[3]
        assert caller.token()


def test_options_reach_the_sandbox():
    """Account, day and scenarios are what the command line says."""
    arguments = ["--account", "wx1:s1:一号", "--today", "2026-11-24", "--seed", "7"]
    arguments += ["--scenario", "errcode:48004:account=wx1,day=2026-11-23,times=1"]
    arguments += ["--scenario", f"offline:endpoint={DETAIL}"]
    arguments += ["--scenario", "empty:day=2026-11-09,last_day=2026-11-10,asked_from=2026-11-24"]
    arguments += ["--scenario", "short:99:asked_before=2026-11-23T23:59:59+08:00"]
    with running(*arguments) as (_, greeting, caller):
        caller.account = Account("wx1", "s1")
        codes = [caller.errcode(day) for day in (TODAY, YESTERDAY, YESTERDAY)]
        codes.append(caller.errcode(YESTERDAY, endpoint=DETAIL))
        lists = [caller.ask(date(2026, 11, day)).json()["list"] for day in (9, 10, 18)]

    assert "wx1  一号" in greeting[2]
    assert codes == [61501, 48004, 0, 47009]
    assert [bool(listed) for listed in lists] == [False, False, True]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "unrecognized arguments"),  # noqa: S104 - refused is the point
        (["--account", "wx1"], "is not APPID:SECRET"),
        (["--scenario", "bussy"], "no scenario 'bussy'"),
        (["--scenario", "busy:account=wx-nobody"], "there is no account wx-nobody"),
    ],
)
def test_a_wrong_option_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
):
    """Exit code 2 and what is wrong, before anything listens."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_it_listens_on_loopback_only(caller: Caller):
    """The URL is 127.0.0.1, and the port is open nowhere else."""
    port = int(caller.url.rsplit(":", 1)[1])

    assert caller.url == f"http://127.0.0.1:{port}"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):  # noqa: S104 - the point
        pass
