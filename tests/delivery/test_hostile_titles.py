"""Titles are strangers' texts: what a digest and the files make of them."""

import csv
import io
import json
import re
from datetime import date
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Engine
from support import execute, rows

from delivery.conftest import TITLES
from weixin_etl.delivery import export
from weixin_etl.delivery.digest import compose_digest, read_digest
from weixin_etl.health.notifications import Installation
from weixin_etl.health.wording import Wording

DAY = date(2026, 11, 23)
PERIOD = date(2026, 11, 20), DAY


def message(warehouse: Engine, language: str = "en") -> str:
    """Return the title and body of the digest of `DAY`."""
    with warehouse.connect() as connection:
        installation = Installation("http://airflow.example/weixin/", Wording(language))
        composed = compose_digest(read_digest(connection, DAY), installation)
    return f"{composed.title}\n{composed.body}"


def file_of(warehouse: Engine, write: Any, *arguments: Any, **options: Any) -> bytes:
    """Return the bytes of a file of the period that a function of `export` writes."""
    file = io.BytesIO()
    with warehouse.connect() as connection:
        selection = export.select(connection, (), *PERIOD)
        write(connection, selection, *arguments, file, **options)
    return file.getvalue()


@pytest.mark.parametrize("first", range(0, len(TITLES), 5))
def test_no_title_is_a_link_a_mention_or_markup_in_a_digest(hostile: Engine, first: int) -> None:
    """Each title is on the line of its article, which is short; the page is the only link."""
    execute(
        hostile,
        "DELETE FROM weixin.fact_article_total "
        f"WHERE split_part(msgid, '_', 1)::int NOT BETWEEN {first} AND {first + 4}",
        "UPDATE weixin.account_day_state SET stale_from = '2026-11-20'",
    )
    *lines, page = message(hostile).splitlines()
    listed = [line for line in lines if re.match(r"\d\. ", line)]

    assert page == "http://airflow.example/weixin/"
    assert [line[0] for line in listed] == list("12345"[: len(TITLES) - first])
    for line in listed:
        assert re.search(r"· 报纸: [\d,]+ readers\b", line)
        assert not re.search(r"[<>@#&*_~`|/\\\[\]()]|://|[a-z]\.[a-z]", line)
        assert len(line.encode()) < 220


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_digest_of_many_accounts_that_lack_fits_into_a_message(
    hostile: Engine, language: str
) -> None:
    """The last line before the page says how many accounts are not listed."""
    execute(
        hostile,
        """
        INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
        SELECT 'wxn' || number, repeat('很长的名字', 12) || number, 'n' || number, TRUE, now()
        FROM generate_series(1, 300) AS number
        """,
    )
    text = message(hostile, language)

    assert 1500 < len(text.encode()) <= 1800
    heading = {"en": "Not complete:", "zh-CN": "数据不完整："}[language]
    *listed, more, page = text.splitlines()[text.splitlines().index(heading) + 1 :]
    assert page == "http://airflow.example/weixin/"
    assert re.search(rf"\b{301 - len(listed)}\b", more)


def test_titles_are_texts_in_a_workbook(hostile: Engine) -> None:
    """No title becomes a formula, a link, a number or a day."""
    content = file_of(hostile, export.write_workbook, words=Wording())
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Articles"]
    cells = {row[2].value: row[6] for row in sheet.iter_rows(min_row=2)}

    for rank, title in enumerate(TITLES):
        cell = cells[f"{rank}_1"]
        assert (cell.data_type, cell.hyperlink) == ("s", None)
        assert cell.value == title.replace("\r", " ")


def test_titles_are_the_same_in_csv_and_json_lines(hostile: Engine) -> None:
    """A program reads each title as WeChat gave it."""
    stored = dict(rows(hostile, "SELECT msgid, title FROM weixin.dim_article"))
    assert {*stored.values()} == {*TITLES}
    as_csv = file_of(hostile, export.write_csv, "article", words=Wording())
    as_lines = file_of(hostile, export.write_jsonl, "article")
    from_csv = csv.DictReader(io.StringIO(as_csv.decode(), newline=""))

    assert {row["msgid"]: row["title"] for row in from_csv} == stored
    objects = map(json.loads, as_lines.splitlines())
    assert {row["msgid"]: row["title"] for row in objects} == stored
