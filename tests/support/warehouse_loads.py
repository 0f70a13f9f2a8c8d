"""
Build answers as WeChat gives them, load them, and read the warehouse's tables.

`article` and `body` make an answer. `staged` makes the load's input, and `load_chunk` loads it.
`line` and `import_lines` import the same answers from a file. `facts`, `coverage` and `contents`
return the rows of the tables.
"""

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
"""A publication day whose window includes the tests' day, 24 November 2026."""
SCHEDULED = Run("scheduled__2026-11-24", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=True)


def at(text: str) -> datetime:
    """Return an instant of November 2026 in Beijing, written as `24 10:30`."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


def article(msgid: str, rows: dict[str, dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """
    Return an article of an answer.

    Args:
        msgid: The article's id.
        rows: The figures by day of November 2026, such as `{"20": {"share_count": 1}}`.
        **keys: Further keys of the article.
    """
    details = [{"stat_date": f"2026-11-{day}", **figures} for day, figures in rows.items()]
    return {"msgid": msgid, "details": details, **keys}


def body(
    *articles: dict[str, Any], day: date = DAY, rows_key: str = "details", **keys: Any
) -> bytes:
    """Return the bytes of an answer that lists the articles for one publication day."""
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
    """Return the load's input for one answered slice; `fetched` is the time of the answer."""
    fetched_at = at(fetched) if isinstance(fetched, str) else fetched
    return load.stage_response(dataset, account, day, Response(answer, fetched_at, calls=1))


def refused(
    error: WeixinError, when: str = "24 10:30", day: date = DAY, calls: int = 1
) -> StagedAnswer:
    """Return the load's input for one slice whose call failed."""
    return load.stage_response(ARTICLE_TOTAL, ACCOUNT, day, FailedCall(error, at(when), calls))


def know(warehouse: Engine, *appids: str) -> None:
    """Insert the accounts into `dim_account`, as a plan does before the first load."""
    with warehouse.begin() as connection:
        values = {"appids": list(appids), "seen_at": at("20 08:00")}
        connection.execute(statement("dim_account/import.sql"), values)


def line(answer: Any, on: str | datetime = "23 10:30", **keys: Any) -> str:
    """
    Return a line of an import file with an answer for `DAY`.

    Args:
        answer: The answer as a text or as an object.
        on: The time at which it was fetched.
        **keys: Keys of the line that replace the usual ones.
    """
    fields = {"appid": ACCOUNT.appid, "dataset": ARTICLE_TOTAL.name, "day": str(DAY)}
    fields |= {"body": answer, "fetched_at": str(on if isinstance(on, datetime) else at(on))}
    return json.dumps(fields | keys, ensure_ascii=False) + "\n"


def import_lines(warehouse: Engine, *lines: str, **of_import: Any) -> ImportResult:
    """Import the lines as one file, and return the result of the import."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "answers.jsonl")
        path.write_text("".join(lines))
        options = {"ready_hour": 10, "commit_bytes": 1 << 20}
        return import_files(warehouse, [path], **{**options, **of_import})


def load_chunk(warehouse: Engine, *staged: StagedAnswer, **of_run: Any) -> Counts:
    """Load the slices as one chunk of their account, and return the load's row counts."""
    return Load(warehouse, replace(SCHEDULED, **of_run), ready_hour=10).commit([staged])


def coverage(warehouse: Engine, columns: str) -> list[tuple[Any, ...]]:
    """Return the columns of `coverage`, ordered by dataset, account and day."""
    order = "dataset, appid, day"
    return rows(warehouse, f"SELECT {columns} FROM weixin.coverage ORDER BY {order}")


def facts(warehouse: Engine, columns: str) -> list[tuple[Any, ...]]:
    """Return the columns of `fact_article_total`, ordered by its key."""
    order = "appid, msgid, stat_date"
    return rows(warehouse, f"SELECT {columns} FROM weixin.fact_article_total ORDER BY {order}")


TABLES = ("dim_article", "dim_article_title_history", "fact_article_total", "fact_history")
TABLES += ("raw_response", "coverage", "rejected_row", "run_report")


def contents(
    warehouse: Engine, *tables: str, versions: bool = False
) -> dict[str, list[tuple[Any, ...]]]:
    """
    Return all rows of the tables as texts, by table name; by default of all `TABLES`.

    With `versions`, each row begins with the id of the transaction that wrote it. A rewritten row
    then differs from an untouched one.
    """
    columns = "xmin::text, entry::text" if versions else "entry::text"
    sql = f"SELECT {columns} FROM weixin.{{}} AS entry"
    return {table: sorted(rows(warehouse, sql.format(table))) for table in tables or TABLES}
