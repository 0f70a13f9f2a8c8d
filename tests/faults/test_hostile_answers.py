"""Whatever an answer holds, it is loaded, rejected or refused, in bounded memory."""

import itertools
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import zstandard
from hostile_answers import ANY_TEXT, DAY, ODD_NUMBERS, answers, held_rows, written
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from support import rows
from warehouses import MORNING, Warehouses, accounts
from wire import LIMITS, Handler, Wire, refused, says
from world.processes import IngestProcess, order

from weixin_etl import load as loading
from weixin_etl.api.client import Answer, WeixinClient
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, Dataset
from weixin_etl.load import Load, Staged
from weixin_etl.model import Account, Counts, Run, days_of
from weixin_etl.parse import parse
from weixin_etl.rules import DAY as A_DAY

EXAMPLES = (40, 1000)
"""In `make test-all`, and with `--soak`."""
MEGABYTE = 1 << 20
FETCHED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=SHANGHAI)
REFUSALS = st.fixed_dictionaries(
    {
        "errcode": st.integers(1)
        | st.integers(1).map(str)
        | st.integers(max_value=-2)
        | ODD_NUMBERS.filter(lambda digits: "0.00" not in digits)
        | ANY_TEXT.map("x{}".format),
        "errmsg": st.none() | ANY_TEXT | ANY_TEXT.map(lambda text: text * 1000),
    }
)
both_datasets = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)


def load(engine: Engine, dataset: Dataset, it: Staged) -> Counts:
    """Commit one pair; what that did."""
    run = Run("run", dataset, FETCHED_AT.date(), is_scheduled=False)
    return Load(engine, run, ready_hour=10).commit([[it]])


@both_datasets
def test_any_answer_is_in_the_warehouse_once(
    warehouses: Warehouses, dataset: Dataset, is_soak: bool
) -> None:
    """Its exact bytes (0005), and each part as a row or a rejected one; again changes nothing."""
    numbers = itertools.count()
    of_account = "FROM weixin.{} WHERE appid = :appid"
    with warehouses.passing("any") as engine:

        @settings(max_examples=EXAMPLES[is_soak], deadline=None)
        @given(answers(dataset))
        def load_twice(answer: dict[str, Any]) -> None:
            account = Account("any", f"wx{next(numbers)}", "", "any")
            body = written(answer)
            parsed = parse(dataset, body, DAY, FETCHED_AT)
            it = loading.staged(dataset, account, DAY, Answer(body, FETCHED_AT, calls=1))

            load(engine, dataset, it)
            again = load(engine, dataset, it)

            def held(what: str, table: str) -> list[tuple[Any, ...]]:
                sql = f"SELECT {what} {of_account.format(table)}"
                return rows(engine, sql, appid=account.appid)

            parts = {(it.msgid, it.stat_date, it.reason, it.payload) for it in parsed.rejected}
            assert [
                zstandard.decompress(bytes(kept)) for (kept,) in held("body", "raw_response")
            ] == [body]
            assert len(held("1", dataset.fact)) == parsed.row_count
            assert len(held("1", "rejected_row")) == len(parts)
            assert bool(parsed.row_count or parts) == bool(held_rows(dataset, answer))
            assert again == Counts(
                calls=1, unchanged=parsed.row_count, rejected=len(parsed.rejected)
            )

        load_twice()


@both_datasets
def test_any_refusal_is_in_the_warehouse_as_a_sentence(
    warehouses: Warehouses, dataset: Dataset, is_soak: bool
) -> None:
    """Whatever its errcode and errmsg are; one that cannot be stored would hold back all days."""
    fast = replace(LIMITS, tries=1, minute_quota_wait_seconds=0)
    with warehouses.passing("refused") as engine, Wire().serving() as server:
        client = WeixinClient(server.account, fast)

        @settings(max_examples=EXAMPLES[is_soak], deadline=None)
        @given(REFUSALS)
        @example({"errcode": 1, "errmsg": "a\0b\ud800"})
        def load_refusal(answer: dict[str, Any]) -> None:
            server.on_data = says(written(answer))
            refusal = refused(client.datacube(dataset, DAY))
            error = refusal.error
            assert error.__traceback__ is error.__context__ is None  # they would hold the answer

            load(engine, dataset, loading.staged(dataset, client.account, DAY, refusal))

            ((said,),) = rows(engine, "SELECT error FROM weixin.coverage")
            assert said == error.problem.cause
            assert len(said) < 800

        load_refusal()


def two_hundred_megabytes(handler: Handler) -> None:
    """A beginning and spaces."""
    size = 200 * MEGABYTE
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(200):
        handler.wfile.write(b" " * MEGABYTE)


def test_an_ingest_of_hostile_answers(warehouses: Warehouses) -> None:
    """Too large, too deep, too many parts: unreadable, or rejected; the others are in."""
    good, *ill = days_of(MORNING.today - 4 * A_DAY, MORNING.today - A_DAY)
    replies = [
        two_hundred_megabytes,
        says(b'{"list":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        says(b'{"list":[' + b"{}," * 5_000_000 + b"{}]}"),
    ]
    by_day = dict(zip(map(str, ill), replies, strict=True))
    by_day[str(good)] = says(b'{"list":[{"ref_date":"%s","msgid":"1_1"}]}' % str(good).encode())
    with accounts(warehouses, 1) as engine:
        engine.wire.on_data = lambda it: by_day.get(
            json.loads(it.asked.body)["begin_date"], says(b'{"list":[]}')
        )(it)
        end = IngestProcess(order(engine.collector, MORNING)).outcome()

        refused_days = "SELECT day FROM weixin.coverage WHERE error_kind = 'unreadable' ORDER BY 1"
        assert [day for (day,) in rows(engine.warehouse, refused_days)] == ill[::-1]
        assert not end.is_done
        assert end.peak_mb < 600
        assert rows(engine.warehouse, "SELECT msgid FROM weixin.dim_article") == [("1_1",)]


@pytest.mark.parametrize(("articles", "megabytes", "most_mb"), [(400, 16, 270)])
def test_memory_is_bounded_by_a_commit(
    warehouses: Warehouses, articles: int, megabytes: int, most_mb: int
) -> None:
    """31 answers of 3.7 MB take as much memory as the few that a commit holds."""
    last = MORNING.today - (ARTICLE_TOTAL.window + 1) * A_DAY
    first = last - 30 * A_DAY
    with accounts(warehouses, 1) as engine:
        engine.wire.on_data = lambda it: says(
            large(json.loads(it.asked.body)["begin_date"], articles)
        )(it)
        run = replace(
            MORNING, is_scheduled=False, names_dates=True, begin_date=first, end_date=last
        )
        made = order(engine.collector, run)
        commits = replace(made.settings, concurrency=4, commit_bytes=megabytes * MEGABYTE)
        end = IngestProcess(replace(made, settings=commits)).outcome()

        assert end.is_done, end.said
        assert end.peak_mb < most_mb
        assert rows(engine.warehouse, "SELECT count(*) FROM weixin.fact_article_total") == [
            (31 * articles * ARTICLE_TOTAL.window,)
        ]


def large(day: str, articles: int) -> bytes:
    """An answer whose articles have every row and metric."""
    metrics = {metric.name: 123_456_789_012 for metric in ARTICLE_TOTAL.metrics}
    first = datetime.fromisoformat(day).date()
    days = [first + n * A_DAY for n in range(ARTICLE_TOTAL.window)]
    details = json.dumps([{"stat_date": str(stat_date), **metrics} for stat_date in days])
    items = (
        f'{{"ref_date":"{day}","msgid":"{day}-{number}_1","details":{details}}}'
        for number in range(articles)
    )
    return f'{{"list":[{",".join(items)}]}}'.encode()
