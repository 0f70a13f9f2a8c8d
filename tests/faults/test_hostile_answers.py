"""Check that any answer is loaded or rejected, in bounded memory."""

import itertools
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from support import empty, rows
from support.hostile_answers import DAY, answers, written
from support.wire import says
from world.pipeline import MORNING, day_asked
from world.processes import IngestProcess, order, several
from world.wechat import date_of, day_number

from weixin_etl.api.client import Response
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, Dataset
from weixin_etl.load import Load, stage_response
from weixin_etl.model import Account, Counts, Run, days_newest_first
from weixin_etl.parse import parse

FETCHED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=SHANGHAI)
NUMBERS = itertools.count()


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
@settings(
    max_examples=settings().max_examples // 2,  # fifty, and a thousand in a soak
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_answer_is_in_the_warehouse_once(
    warehouse: Engine, dataset: Dataset, data: st.DataObject
) -> None:
    """
    An answer's exact bytes are kept (0005).

    Each part is a row or is rejected. Loading the answer again changes nothing.
    """
    account = Account("any", f"wx{next(NUMBERS)}", "", "any")
    body = written(data.draw(answers(dataset)))
    parsed = parse(dataset, body, DAY, FETCHED_AT)
    staged = stage_response(dataset, account, DAY, Response(body, FETCHED_AT, calls=1))
    run = Run("run", dataset, FETCHED_AT.date(), is_scheduled=False)

    _, again = (Load(warehouse, run, ready_hour=10).commit([[staged]]) for _ in range(2))

    def held(column: str, table: str) -> list[Any]:
        sql = f"SELECT {column} FROM weixin.{table} WHERE appid = :appid"
        return [value for (value,) in rows(warehouse, sql, appid=account.appid)]

    parts = {(part.msgid, part.stat_date, part.reason, part.payload) for part in parsed.rejected}
    kept = [zstandard.decompress(bytes(packed)) for packed in held("body", "raw_response")]
    counts = [len(held("1", table)) for table in (dataset.fact, "rejected_row")]
    assert (kept, counts) == ([body], [parsed.row_count, len(parts)])
    unchanged = Counts(1, unchanged=parsed.row_count, rejected=len(parsed.rejected))
    assert again == unchanged


def test_memory_is_bounded_by_a_commit(warehouse: Engine) -> None:
    """Nine more accounts add less memory than the bytes of their answers."""
    peaks_mb = []
    for accounts in (3, 12):
        empty(warehouse)
        with several(warehouse, accounts) as engine:
            engine.wire.on_data = lambda handler: says(large(str(day_asked(handler))))(handler)
            engine.settings = replace(engine.settings, concurrency=4, commit_bytes=8 << 20)
            end = IngestProcess(order(engine.collector, MORNING)).outcome()
        assert end.is_done, end.problems
        peaks_mb.append(end.peak_mb)
    bytes_more = 9 * ARTICLE_TOTAL.window * len(large(str(FETCHED_AT.date())))

    assert peaks_mb[1] - peaks_mb[0] < bytes_more >> 20


def large(day: str) -> bytes:
    """Return an answer of 1.3 MB, whose articles have every row and metric."""
    first, window = datetime.fromisoformat(day).date(), ARTICLE_TOTAL.window
    metrics = {metric.name: 123_456_789_012 for metric in ARTICLE_TOTAL.metrics}
    days = days_newest_first(first, date_of(day_number(first) + window - 1))
    details = json.dumps([{"stat_date": str(stat_date), **metrics} for stat_date in days])
    items = (
        f'{{"ref_date":"{day}","msgid":"{day}-{number}_1","details":{details}}}'
        for number in range(150)
    )
    return f'{{"list":[{",".join(items)}]}}'.encode()
