"""The sandbox on the command line, as a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from sandbox_caller import DATA_PATH, DETAIL_PATH

from weixin_sandbox import DEFAULT_ACCOUNT
from weixin_sandbox.__main__ import main
from weixin_sandbox.effects import EFFECTS

COMMAND = [sys.executable, "-m", "weixin_sandbox"]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A sandbox process and the lines of its greeting for one account."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        assert process.stdout is not None
        yield process, [process.stdout.readline() for _ in range(4)]
    finally:
        process.kill()
        process.communicate()


def url_of(greeting: list[str]) -> str:
    """The base URL a greeting names."""
    return re.search(r"http://127\.0\.0\.1:\d+", greeting[1])[0]


def fetch_token(url: str, appid: str, secret: str) -> dict:
    """What the token call answers."""
    body = {"grant_type": "client_credential", "appid": appid, "secret": secret}
    return requests.post(f"{url}/cgi-bin/stable_token", json=body, timeout=10).json()


def test_the_first_line_says_that_it_is_not_wechat():
    """Then come the URL and the account to use, and they work."""
    with running() as (_, greeting):
        assert greeting[0].startswith("This is a sandbox, not WeChat: ")
        assert DEFAULT_ACCOUNT.appid in greeting[2]
        assert DEFAULT_ACCOUNT.secret in greeting[3]
        answer = fetch_token(url_of(greeting), DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret)

    assert answer["expires_in"] == 7200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number: signal.Signals):
    """Exit code 0 and nothing on stderr, with a client still connected."""
    with running() as (process, greeting), requests.Session() as session:
        session.get(url_of(greeting), timeout=10)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")


def test_a_held_answer_does_not_hold_up_the_end():
    """A signal during a slow answer ends the process within seconds and without a traceback."""
    with running("--scenario", "slow", "--today", "2026-11-24") as (process, greeting):
        url = url_of(greeting)
        token = fetch_token(url, DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret)["access_token"]
        asking = threading.Thread(
            target=requests.post,
            args=(url + DATA_PATH,),
            kwargs={
                "params": {"access_token": token},
                "json": {"begin_date": "2026-11-23", "end_date": "2026-11-23"},
                "timeout": 30,
            },
        )
        asking.start()
        asking.join(timeout=0.5)
        assert asking.is_alive()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        asking.join()

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert token not in errors


def test_an_occupied_port_is_one_sentence_and_exit_code_1():
    """No traceback, and nothing that looks like a start."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        ended = subprocess.run(
            [*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False
        )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"The sandbox cannot listen on port {port} (Address already in use): "
        "free it or choose another with --port.\n"
    )


def test_options_reach_the_sandbox():
    """Account, day, seed and scenarios are what the command line says."""
    arguments = ["--account", "wx1:s1:一号", "--today", "2026-11-24", "--seed", "7"]
    scenario = "errcode:48004:account=wx1,day=2026-11-20,times=1"
    with running(*arguments, "--scenario", scenario) as (_, greeting):
        url = url_of(greeting)
        query = {"access_token": fetch_token(url, "wx1", "s1")["access_token"]}
        codes = [
            requests.post(
                url + DATA_PATH,
                params=query,
                json={"begin_date": day, "end_date": day},
                timeout=10,
            )
            .json()
            .get("errcode", 0)
            for day in ("2026-11-23", "2026-11-24", "2026-11-20", "2026-11-20")
        ]

    assert "wx1  一号" in greeting[2]
    assert codes == [0, 61501, 48004, 0]


def test_a_scenario_can_name_its_endpoint():
    """`endpoint=` lets the successor be offline, and the endpoint that is so by default not."""
    arguments = ["--today", "2026-11-24", "--scenario", "offline:endpoint=getarticletotaldetail"]
    with running(*arguments) as (_, greeting):
        url = url_of(greeting)
        token = fetch_token(url, DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret)["access_token"]
        answers = [
            requests.post(
                url + path,
                params={"access_token": token},
                json={"begin_date": "2026-11-23", "end_date": "2026-11-23"},
                timeout=10,
            ).json()
            for path in (DATA_PATH, DETAIL_PATH)
        ]

    assert [answer.get("errcode", 0) for answer in answers] == [0, 47009]


def test_help_lists_every_scenario_with_its_sentence(capsys: pytest.CaptureFixture[str]):
    """What can go wrong is one command away."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    for name, effect in EFFECTS.items():
        assert f"  {name:16}{effect.sentence}" in lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "unrecognized arguments"),  # noqa: S104 - refused is the point
        (["--port", "65536"], "not a port"),
        (["--port", "-1"], "not a port"),
        (["--account", "wx1"], "is not APPID:SECRET"),
        (["--today", "yesterday"], "yesterday"),
        (["--scenario", "bussy"], "no scenario 'bussy'"),
        (["--scenario", "busy:times=0"], "never hits"),
        (["--scenario", "busy:time=1"], "unknown options: time"),
        (["--scenario", "busy:day=20x"], "20x"),
        (["--scenario", "busy:endpoint=getnothing"], "no endpoint 'getnothing'"),
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
