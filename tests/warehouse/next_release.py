"""
A program of a later release, which runs in a copy of the source tree.

It migrates the warehouse, imports its sandbox's answers, and prints the states of the day on the
page. test_declared.py starts it with a URL, the folder of the copy and names of datasets.
"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path

import weixin_etl
import weixin_sandbox
from weixin_etl import clock, warehouse
from weixin_etl.datasets import DATASETS
from weixin_etl.kept.imported import import_files
from weixin_etl.orchestration.web.page import calendar
from weixin_etl.orchestration.web.page.calendar import Figures

URL, FOLDER, *NAMES = sys.argv[1:]
TODAY = date(2026, 11, 24)
DAY = TODAY - timedelta(days=3)
APPID = weixin_sandbox.DEFAULT_ACCOUNT.appid


def answer(name: str) -> str:
    """Return an import line with the sandbox's answer for `DAY`."""
    sandbox = weixin_sandbox.Sandbox(today=TODAY)
    body = sandbox.answer(APPID, DAY, TODAY, DATASETS[name].endpoint).decode()
    line = {"appid": APPID, "dataset": name, "day": str(DAY), "body": body}
    return json.dumps({**line, "fetched_at": f"{TODAY}T08:30:00+08:00"}) + "\n"


def shown(name: str) -> str | None:
    """Return the state of `DAY` in the page's calendar."""
    with engine.connect() as connection:
        figures = Figures(connection, DATASETS[name], clock.now())
        ((_, cells),) = calendar.view(figures, last=DAY, search="", offset=0)["rows"]
    return cells[-1] and cells[-1]["state"]


assert all(package.__file__.startswith(FOLDER) for package in (weixin_etl, weixin_sandbox))
warehouse.migrate(URL)
engine = warehouse.engine(URL)
path = Path(FOLDER) / "answers.jsonl"
path.write_text("".join(map(answer, NAMES)))
import_files(engine, [path], ready_hour=10, commit_bytes=1 << 20)
sys.stdout.write(json.dumps({name: shown(name) for name in NAMES}))
