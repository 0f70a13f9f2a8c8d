"""A server in WeChat's place that means harm: what it writes does none."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from dag_runs import WINDOW, DailyDag, november, rows, set_paused
from receivers import Receiver
from sqlalchemy import Engine
from wire import Handler, Reply, Wire, says

from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_local.run import show
from weixin_sandbox import Account

HOSTILE = "\x1b[2J\x07\x7f\x9b\u202e\u2066\u200f\u2028\r2 of 2 accounts"
"""Clears a terminal, rings, turns the order of reading, and begins the line anew."""
HARM = {*HOSTILE} - {*"[2J of 2 accounts"}


@pytest.fixture
def start() -> Iterator[Callable[[Reply], Wire]]:
    """Start a server that answers calls for figures so."""
    with ExitStack() as served:

        def start(on_data: Reply) -> Wire:
            wire = Wire()
            wire.on_data = on_data
            return served.enter_context(wire.serving())

        yield start


def answers(handler: Handler) -> None:
    """A refusal of the oldest day; of the others an article, whose every text means harm."""
    day = json.loads(handler.asked.body)["begin_date"]
    if day == str(WINDOW[0]):
        refusal = {"errcode": 61501, "errmsg": HOSTILE}
        says(json.dumps(refusal, ensure_ascii=False).encode())(handler)
        return
    row = {"stat_date": day, "share_count": HOSTILE, "share_user": 1, f"m{HOSTILE}": 1}
    item = {"ref_date": day, "msgid": f"1{HOSTILE}_1", "title": HOSTILE, "details": [row]}
    strange = {"ref_date": HOSTILE, "msgid": HOSTILE}
    says(json.dumps({"list": [item, strange]}, ensure_ascii=False).encode())(handler)


def test_no_text_of_a_stranger_reaches_people_as_it_is(
    daily: DailyDag,
    receiver: Receiver,
    warehouse: Engine,
    start: Callable[[Reply], Wire],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """Not by a command, a log line, a message or the page; the warehouse has WeChat's own."""
    wire = start(answers)
    account = wire.account
    monkeypatch.setenv("COLUMNS", "200")
    who = Account(account.appid, account.secret, f"春风{HOSTILE[-12:]}\u202e")
    daily.connect(who, account.base_url, "weixin_default")

    outcome = daily.run()
    set_paused(is_paused=False)
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.fact_article_total SET int_page_read_user = 9")
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"appid": HOSTILE, "dataset": HOSTILE}) + "\n")
    commands = [
        ["status"],
        ["replay", "article_total"],
        ["import", str(file)],
        ["answers", "--list", account.appid, str(november(20)[0])],
        ["answers", HOSTILE, str(november(20)[0])],
    ]
    for command in commands:
        main(command)
    printed = capsys.readouterr()
    on_terminal = in_terminal(
        monkeypatch, lambda: main(["answers", account.appid, str(november(20)[0])])
    )

    told = json.dumps(receiver.messages, ensure_ascii=False)
    seen = {
        "log": outcome.log,
        "out": printed.out,
        "err": printed.err,
        "terminal": on_terminal.replace("\r\n", "\n"),
        "messages": told,
        "page": page(account.appid),
        "make run": what_make_run_prints(warehouse, outcome.run_id),
    }
    assert {where: HARM & {*text} for where, text in seen.items()} == {
        where: set() for where in seen
    }
    quoting = [where for where, text in seen.items() if "2 of 2 accounts" in text]
    assert quoting == [*seen]
    assert rows(warehouse, "SELECT DISTINCT title FROM weixin.dim_article") == [(HOSTILE,)]


def in_terminal(monkeypatch: pytest.MonkeyPatch, command: Callable[[], Any]) -> str:
    """What a command writes to a terminal."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb") as terminal, os.fdopen(slave, "w") as stdout:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            command()
            stdout.flush()
        return os.read(terminal.fileno(), 1 << 16).decode()


def page(appid: str) -> str:
    """What the page serves."""
    from fastapi.testclient import TestClient

    from weixin_etl.orchestration.web.page.app import app, readable

    paths = ("/", f"/day?appid={appid}&day={november(20)[0]}", "/articles", "/health")
    app.dependency_overrides[readable] = lambda: tuple(DATASETS.values())
    try:
        return "".join(TestClient(app).get(path).text for path in paths)
    finally:
        app.dependency_overrides.clear()


def what_make_run_prints(warehouse: Engine, run_id: str) -> str:
    """The table and the answer to a question."""
    with redirect_stdout(io.StringIO()) as out:
        show(warehouse, ARTICLE_TOTAL, run_id)
    return out.getvalue()
