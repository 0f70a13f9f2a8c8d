"""Answers as WeChat would give them, loads of them, and what the warehouse holds afterwards."""

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from support import rows
from weixin_etl import load
from weixin_etl.api.client import FailedCall, Response
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL, Dataset
from weixin_etl.kept.imported import ImportResult, import_files
from weixin_etl.load import Load, StagedAnswer
from weixin_etl.model import Account, Counts, Run
from weixin_etl.problem import WeixinError
from weixin_etl.warehouse import statement

ACCOUNT = Account("weixin_default", "wx1", "secret-of-wx1", "报纸")
OTHER_ACCOUNT = Account("weixin_other", "wx2", "secret-of-wx2", "杂志")
DAY = date(2026, 11, 20)
"""A publication day whose totals still grow on the tests' day, 24 November 2026."""
SCHEDULED = Run("scheduled__2026-11-24", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=True)


def at(text: str) -> datetime:
    """An instant of November 2026 in Beijing: `24 10:30`."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


def article(msgid: str, rows: dict[str, dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """An item of an answer; `rows` are its figures by day of November 2026."""
    details = [{"stat_date": f"2026-11-{day}", **figures} for day, figures in rows.items()]
    return {"msgid": msgid, "details": details, **keys}


def body(
    *articles: dict[str, Any], day: date = DAY, rows_key: str = "details", **keys: Any
) -> bytes:
    """The bytes of an answer for a publication day."""
    items = [
        {"ref_date": day.isoformat(), rows_key: item["details"]}
        | {name: value for name, value in item.items() if name != "details"}
        for item in articles
    ]
    return json.dumps({"list": items, **keys}, ensure_ascii=False).encode()


def staged(
    answer: bytes,
    fetched: str | datetime,
    day: date = DAY,
    dataset: Dataset = ARTICLE_TOTAL,
    account: Account = ACCOUNT,
) -> StagedAnswer:
    """What ingest hands over after the call: the answer, fetched then, taken apart."""
    fetched_at = at(fetched) if isinstance(fetched, str) else fetched
    return load.stage_response(dataset, account, day, Response(answer, fetched_at, calls=1))


def refused(
    error: WeixinError, when: str = "24 10:30", day: date = DAY, calls: int = 1
) -> StagedAnswer:
    """What ingest hands over when there was no answer."""
    return load.stage_response(ARTICLE_TOTAL, ACCOUNT, day, FailedCall(error, at(when), calls))


def know(warehouse: Engine, *appids: str) -> None:
    """Give accounts a row, as a plan does before anything of them is loaded."""
    with warehouse.begin() as connection:
        values = {"appids": list(appids), "seen_at": at("20 08:00")}
        connection.execute(statement("dim_account/import.sql"), values)


def line(said: Any, on: str | datetime = "23 10:30", **keys: Any) -> str:
    """A line of a file to import: an answer for the tests' day, as a text or as an object."""
    about = {"appid": ACCOUNT.appid, "dataset": ARTICLE_TOTAL.name, "day": str(DAY), "body": said}
    about |= {"fetched_at": str(on if isinstance(on, datetime) else at(on))}
    return json.dumps(about | keys, ensure_ascii=False) + "\n"


def import_lines(warehouse: Engine, *lines: str, **of_import: Any) -> ImportResult:
    """Import them, as one file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "answers.jsonl")
        path.write_text("".join(lines))
        usual = {"ready_hour": 10, "commit_bytes": 1 << 20}
        return import_files(warehouse, [path], **{**usual, **of_import})


def load_chunk(warehouse: Engine, *staged: StagedAnswer, **of_run: Any) -> Counts:
    """Load the pairs as one chunk of their account; what that did."""
    return Load(warehouse, replace(SCHEDULED, **of_run), ready_hour=10).commit([staged])


def coverage(warehouse: Engine, columns: str) -> list[tuple[Any, ...]]:
    """Columns of the coverage, oldest day first."""
    order = "dataset, appid, day"
    return rows(warehouse, f"SELECT {columns} FROM weixin.coverage ORDER BY {order}")


def facts(warehouse: Engine, columns: str) -> list[tuple[Any, ...]]:
    """Columns of the fact, in the order of its key."""
    order = "appid, msgid, stat_date"
    return rows(warehouse, f"SELECT {columns} FROM weixin.fact_article_total ORDER BY {order}")


TABLES = ("dim_article", "dim_article_title_history", "fact_article_total", "fact_history")
TABLES += ("raw_response", "coverage", "rejected_row", "run_report")


def contents(
    warehouse: Engine, *tables: str, versions: bool = False
) -> dict[str, list[tuple[Any, ...]]]:
    """
    Every row of some tables or all, as a text.

    With `versions` also the transaction that wrote each, so that a rewritten row differs from one
    that was left alone.
    """
    shown = "xmin::text, it::text" if versions else "it::text"
    sql = f"SELECT {shown} FROM weixin.{{}} AS it"
    return {table: sorted(rows(warehouse, sql.format(table))) for table in tables or TABLES}
