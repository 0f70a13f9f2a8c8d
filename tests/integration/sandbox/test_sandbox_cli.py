"""The sandbox as a process of its own, and its server."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
import requests
from sandbox_caller import DETAIL, TODAY, YESTERDAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox
from weixin_sandbox.__main__ import main
from weixin_sandbox.effects import EFFECTS, NUMBERED

COMMAND = [sys.executable, "-m", "weixin_sandbox"]


@contextmanager
def running(
    *arguments: str, lines: int = 4
) -> Iterator[tuple[subprocess.Popen[str], list[str], Caller]]:
    """A sandbox process, so many lines of its greeting, and a client of it."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(lines)]
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


def test_a_component_and_its_authorizers_on_the_command_line():
    """The greeting has the first ticket and the first ten accounts; all of them authorised it."""
    arguments = ["--component", "wxc:sc", "--authorizer", "wx00:零号", "--authorizers", "30"]
    arguments += ["--token-service-bearer", "b1", "--scenario", "info-call:busy:account=wxc"]
    with running(*arguments, lines=18) as (_, greeting, caller):
        ticket = greeting[6].split()[1]
        token = caller.post(
            "/cgi-bin/component/api_component_token",
            {
                "component_appid": "wxc",
                "component_appsecret": "sc",
                "component_verify_ticket": ticket,
            },
        ).json()["component_access_token"]
        listed = caller.post(
            "/cgi-bin/component/api_get_authorizer_list",
            {"component_appid": "wxc", "offset": 0, "count": 500},
            params={"component_access_token": token},
        ).json()
        newest = caller.get("/sandbox/ticket").text
        service = caller.get("/token-service", params={"appid": "wx00"})

    assert [line.split() for line in greeting[4:6]] == [["component", "wxc"], ["secret", "sc"]]
    assert newest == ticket
    appids = [one["authorizer_appid"] for one in listed["list"]]
    named = [line.split() for line in greeting[7:17]]
    assert named[0] == ["authorizer", "wx00", "零号"]
    assert [appid for _, appid, _ in named] == appids[:10]
    assert greeting[17] == "            and 21 more\n"
    assert listed["total_count"] == 31
    assert service.status_code == 401


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_while_an_answer_is_held_back(number: signal.Signals):
    """Exit code 0 within seconds, without a traceback or a token."""
    with running("--scenario", "slow", "--today", "2026-11-24") as (process, _, caller):
        token = caller.token()
        caller.read_timeout = 0.5
        with pytest.raises(requests.ReadTimeout):
            caller.ask(YESTERDAY, token)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert token not in errors


def test_help_lists_every_scenario_with_its_sentence(capsys: pytest.CaptureFixture[str]):
    """What can go wrong is one command away."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    sentences = {name: effect.sentence for name, effect in EFFECTS.items()}
    for name, sentence in {**sentences, **NUMBERED}.items():
        assert f"  {name:16}{sentence}" in lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "unrecognized arguments"),  # noqa: S104 - refused is the point
        (["--port", "65536"], "not a port"),
        (["--account", "wx1"], "is not APPID:SECRET"),
        (["--component", "wxc"], "is not APPID:SECRET"),
        (["--authorizer", ":name"], "is not APPID"),
        (["--authorizers", "many"], "not a number of accounts"),
        (["--today", "yesterday"], "yesterday"),
        (["--scenario", "bussy"], "no scenario 'bussy'"),
        (["--scenario", "busy:time=1"], "unknown options: time"),
        (["--scenario", "busy:day=20x"], "20x"),
        (["--scenario", "busy:asked_from=8 o'clock"], "8 o'clock"),
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
