"""A server in WeChat's place that means harm: what it writes does none."""

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
"""Clears a terminal, rings, turns the order of reading, and begins the line anew."""
UNSTORABLE = "\0\ud800"
"""What Postgres takes in no text: a refusal that can't be stored would hold back all days."""
HARM = {*HOSTILE} - {*"[2J of 2 accounts"}
FIRST, DAY, OTHER = (str(WINDOW[n]) for n in (0, 3, 4))
MANY = {f"m{number}{HOSTILE}": 1 for number in range(100_000)}


def answers(handler: Handler) -> None:
    """A refusal of the oldest day; of the others an article, whose every text means harm."""
    day = json.loads(handler.asked.body)["begin_date"]
    row = {"stat_date": day, "int_page_read_user": 9, "share_count": HOSTILE}
    row |= MANY if day == DAY else {f"m{HOSTILE}": 1}
    item = {"ref_date": day, "msgid": f"1{HOSTILE}_1", "title": HOSTILE, "details": [row]}
    good = {"list": [item, {"ref_date": HOSTILE, "msgid": HOSTILE}]}
    said = {"errcode": 61501, "errmsg": HOSTILE + UNSTORABLE} if day == FIRST else good
    says(json.dumps(said).encode())(handler)


def test_no_text_of_a_stranger_reaches_people_as_it_is(
    daily: DailyDag,
    receiver: Receiver,
    warehouse: Engine,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    """
    Not by a command, a log line, a message or the page; the warehouse has WeChat's own.

    Of a hundred thousand metrics that nobody knows the log names a few.
    """
    wire = Wire()
    wire.on_data = answers
    daily.set("COLUMNS", "200")
    with wire.serving():
        who = Account(wire.account.appid, wire.account.secret, f"春风{HOSTILE[-12:]}\u202e")
        daily.connect(who, "weixin_default", host=wire.account.base_url)
        outcome = daily.on(0)
    set_paused(is_paused=False)
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"appid": HOSTILE, "dataset": HOSTILE}) + "\n")
    main(["status"])
    main(["replay", "article_total"])
    main(["import", str(file)])
    main(["answers", "--list", who.appid, DAY])
    main(["answers", HOSTILE, DAY])
    printed = capsys.readouterr()
    with redirect_stdout(io.StringIO()) as of_make_run:
        show(warehouse, ARTICLE_TOTAL, outcome.run_id)

    seen = {
        "log": outcome.log,
        "out": printed.out,
        "err": printed.err,
        "terminal": in_terminal(daily.monkeypatch, "answers", who.appid, OTHER),
        "messages": json.dumps(receiver.messages, ensure_ascii=False),
        "page": "".join(on_the_page(who.appid).values()),
        "make run": of_make_run.getvalue(),
    }
    assert {where: HARM & {*text} for where, text in seen.items()} == {it: set() for it in seen}
    assert [where for where, text in seen.items() if "2 of 2 accounts" in text] == [*seen]
    assert rows(warehouse, "SELECT DISTINCT title FROM weixin.dim_article") == [(HOSTILE,)]
    (named,) = [line for line in outcome.log.splitlines() if "metrics that are not known" in line]
    assert len(named) < 500


def in_terminal(monkeypatch: pytest.MonkeyPatch, *command: str) -> str:
    """What a command writes to a terminal."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb") as terminal, os.fdopen(slave, "w") as stdout:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            main(command)
            stdout.flush()
        return os.read(terminal.fileno(), 1 << 16).decode().replace("\r\n", "\n")
