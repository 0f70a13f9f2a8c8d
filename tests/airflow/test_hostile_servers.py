"""Tests of a hostile server in WeChat's place: its texts do no harm where people read them."""

import io
import json
import os
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from dag_runs import WINDOW, DailyDag, on_the_page, set_paused
from sqlalchemy import Engine
from support import rows
from support.receivers import Receiver
from support.wire import Handler, Wire, says

from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_local.run import show
from weixin_sandbox import Account

HOSTILE = "\x1b[2J\x07\x7f\x9b\u202e\u2066\u200f\u2028\r2 of 2 accounts"
"""A text that clears a terminal, rings, reverses the reading order and restarts the line."""
UNSTORABLE = "\0\ud800"
"""Characters that Postgres can't store. A refusal that can't be stored would block all days."""
HARM = {*HOSTILE} - {*"[2J of 2 accounts"}
FIRST, DAY, OTHER_DAY = (str(WINDOW[n]) for n in (0, 3, 4))
MANY = {f"m{number}{HOSTILE}": 1 for number in range(100_000)}


def answers(handler: Handler) -> None:
    """Refuse the oldest day, and answer each other day with an article of hostile texts."""
    day = json.loads(handler.asked.body)["begin_date"]
    row = {"stat_date": day, "int_page_read_user": 9, "share_count": HOSTILE}
    row |= MANY if day == DAY else {f"m{HOSTILE}": 1}
    item = {"ref_date": day, "msgid": f"1{HOSTILE}_1", "title": HOSTILE, "details": [row]}
    good = {"list": [item, {"ref_date": HOSTILE, "msgid": HOSTILE}]}
    answer = {"errcode": 61501, "errmsg": HOSTILE + UNSTORABLE} if day == FIRST else good
    says(json.dumps(answer).encode())(handler)


def test_hostile_texts_reach_people_only_after_cleaning(
    daily: DailyDag,
    receiver: Receiver,
    warehouse: Engine,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    """
    Commands, log lines, messages and the page are cleaned. The warehouse keeps the original title.

    Of a hundred thousand unknown metrics the log names a few.
    """
    wire = Wire()
    wire.on_data = answers
    daily.set("COLUMNS", "200")
    with wire.serving():
        account = Account(wire.account.appid, wire.account.secret, f"春风{HOSTILE[-12:]}\u202e")
        daily.connect(account, "weixin_default", host=wire.account.base_url)
        outcome = daily.on(0)
    set_paused(is_paused=False)
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"appid": HOSTILE, "dataset": HOSTILE}) + "\n")
    main(["status"])
    main(["replay", "article_total"])
    main(["import", str(file)])
    main(["answers", "--list", account.appid, DAY])
    main(["answers", HOSTILE, DAY])
    printed = capsys.readouterr()
    with redirect_stdout(io.StringIO()) as of_make_run:
        show(warehouse, ARTICLE_TOTAL, outcome.run_id)

    seen = {
        "log": outcome.log,
        "out": printed.out,
        "err": printed.err,
        "terminal": in_terminal(daily.monkeypatch, "answers", account.appid, OTHER_DAY),
        "messages": json.dumps(receiver.messages, ensure_ascii=False),
        "page": "".join(on_the_page(account.appid).values()),
        "make run": of_make_run.getvalue(),
    }
    assert {where: HARM & {*text} for where, text in seen.items()} == {name: set() for name in seen}
    assert [where for where, text in seen.items() if "2 of 2 accounts" in text] == [*seen]
    assert rows(warehouse, "SELECT DISTINCT title FROM weixin.dim_article") == [(HOSTILE,)]
    (named,) = [line for line in outcome.log.splitlines() if "metrics that are not known" in line]
    assert len(named) < 500


def in_terminal(monkeypatch: pytest.MonkeyPatch, *command: str) -> str:
    """Run a command with a terminal as its output, and return what it wrote."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb") as terminal, os.fdopen(slave, "w") as stdout:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            main(command)
            stdout.flush()
        return os.read(terminal.fileno(), 1 << 16).decode().replace("\r\n", "\n")
