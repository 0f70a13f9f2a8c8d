"""A release in a copy of the source tree: it migrates, and imports what its sandbox answers."""

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
    """A line with what the sandbox answers about a day."""
    sandbox = weixin_sandbox.Sandbox(today=TODAY)
    body = sandbox.answer(APPID, DAY, TODAY, DATASETS[name].endpoint).decode()
    line = {"appid": APPID, "dataset": name, "day": str(DAY), "body": body}
    return json.dumps({**line, "fetched_at": f"{TODAY}T08:30:00+08:00"}) + "\n"


def shown(name: str) -> str | None:
    """The day's word in the page's calendar."""
    with found.connect() as connection:
        figures = Figures(connection, DATASETS[name], clock.now())
        ((_, cells),) = calendar.view(figures, last=DAY, search="", offset=0)["rows"]
    return cells[-1] and cells[-1]["state"]


assert all(it.__file__.startswith(FOLDER) for it in (weixin_etl, weixin_sandbox))
warehouse.migrate(URL)
found = warehouse.engine(URL)
path = Path(FOLDER) / "answers.jsonl"
path.write_text("".join(map(answer, NAMES)))
import_files(found, [path], ready_hour=10, commit_bytes=1 << 20)
sys.stdout.write(json.dumps({name: shown(name) for name in NAMES}))
