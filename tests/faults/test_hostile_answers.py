"""Whatever an answer holds, it is loaded, rejected or refused, in bounded time and memory."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from hostile_answers import ANY_TEXT, DAY, ODD_NUMBERS, answers, held_rows, written
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingest_processes import IngestProcess
from sqlalchemy import Engine
from trial import MORNING, Trial, Warehouses, accounts
from wire import LIMITS, Handler, Reply, Wire, refused, says

from weixin_etl import load as loading
from weixin_etl.api.client import Answer, WeixinClient
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL, Dataset
from weixin_etl.load import Load, Staged
from weixin_etl.model import Account, Counts, Run
from weixin_etl.parse import parse
from weixin_etl.run import Settings
from weixin_sandbox import Sandbox

EXAMPLES = (40, 1000)
"""In `make test-all`, and with `--soak`."""
MEGABYTE = 1 << 20
ANSWERS = 31
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
HELD = sqlalchemy.text(
    """
    SELECT
        (SELECT count(*) FROM weixin.fact_article_total WHERE appid = :appid)
        + (SELECT count(*) FROM weixin.fact_article_total_detail WHERE appid = :appid),
        (SELECT count(*) FROM weixin.rejected_row WHERE appid = :appid)
    """
)


def test_any_answer_is_in_the_warehouse_once(
    warehouses: Warehouses, dataset: Dataset, is_soak: bool
):
    """Each part is a row or a rejected one; the same answer again changes nothing."""
    numbers = itertools.count()
    with warehouses.passing("any") as engine:

        @settings(max_examples=EXAMPLES[is_soak], deadline=None)
        @given(answers(dataset))
        def load_twice(answer: dict[str, Any]) -> None:
            account = Account("any", f"wx{next(numbers)}", "", "any")
            body = written(answer)
            parsed = parse(dataset, body, DAY, FETCHED_AT)
            came = Answer(body, FETCHED_AT, calls=1)
            it = loading.staged(dataset, account, DAY, came)

            load(engine, dataset, it)
            again = load(engine, dataset, it)

            with engine.connect() as connection:
                held = connection.execute(HELD, {"appid": account.appid}).one()
            parts = {(it.msgid, it.stat_date, it.reason, it.payload) for it in parsed.rejected}
            assert tuple(held) == (parsed.row_count, len(parts))
            assert bool(sum(held)) == bool(held_rows(dataset, answer))
            assert again == Counts(unchanged=parsed.row_count, rejected=len(parsed.rejected))

        load_twice()


def test_any_refusal_is_in_the_warehouse_as_a_sentence(
    warehouses: Warehouses, dataset: Dataset, is_soak: bool
):
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

            with engine.connect() as connection:
                said = connection.exec_driver_sql("SELECT error FROM weixin.coverage").scalar_one()
            assert said == error.problem.cause
            assert len(said) < 800

        load_refusal()


def load(engine: Engine, dataset: Dataset, it: Staged) -> Counts:
    """Commit one pair; what that did."""
    run = Run("run", dataset, FETCHED_AT.date(), is_scheduled=False)
    return Load(engine, run, ready_hour=10).commit([[it]])


@contextmanager
def trial_of(
    warehouses: Warehouses, dataset: Dataset, answer: Callable[[str], Reply]
) -> Iterator[Trial]:
    """The pipeline against a server that has this answer for each day."""
    with warehouses.passing("hostile") as engine, Wire().serving() as server:
        server.on_data = lambda handler: answer(json.loads(handler.asked.body)["begin_date"])(
            handler
        )
        yield Trial(dataset, engine, Sandbox(accounts(1)), server.account.base_url)


def two_hundred_megabytes(handler: Handler) -> None:
    """A beginning and spaces."""
    size = 200 * MEGABYTE
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(200):
        handler.wfile.write(b" " * MEGABYTE)


def test_an_ingest_of_hostile_answers(warehouses: Warehouses, dataset: Dataset):
    """Too large, too deep, too many parts: refused, each with its reason; the others are in."""
    answers = {
        "2026-12-23": says(b'{"list":[{"ref_date":"2026-12-23","msgid":"1_1"}]}'),
        "2026-12-22": two_hundred_megabytes,
        "2026-12-21": says(b'{"list":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        "2026-12-20": says(b'{"list":[' + b"{}," * 5_000_000 + b"{}]}"),
    }
    empty = says(b'{"list":[]}')
    with trial_of(warehouses, dataset, lambda day: answers.get(day, empty)) as trial:
        end = IngestProcess(trial.plan("hostile", MORNING)).outcome()

        assert ": the answer is larger than 16777216 bytes) [2026-12-22]" in end.said
        assert ": the answer is nested too deeply) [2026-12-21]" in end.said
        assert ": more than 100000 parts of the answer do not fit, the first because of" in (
            end.said
        )
        assert end.peak_mb < 500
        assert trial.rows("SELECT msgid FROM weixin.dim_article") == [("1_1",)]


@pytest.mark.parametrize(
    ("articles", "commit_megabytes", "most_mb"),
    [(400, 16, 270), pytest.param(1550, 64, 560, marks=pytest.mark.soak)],
    ids=["3.7 MB", "14 MB"],
)
def test_memory_is_bounded_by_a_commit(
    warehouses: Warehouses, articles: int, commit_megabytes: int, most_mb: int
):
    """Many large answers of an account take as much memory as the few that a commit holds."""
    last = MORNING.date() - timedelta(days=ARTICLE_TOTAL.window + 1)
    first = last - timedelta(days=ANSWERS - 1)
    with trial_of(warehouses, ARTICLE_TOTAL, lambda day: says(large(day, articles))) as trial:
        order = trial.plan("large", MORNING, begin_date=first, end_date=last)

        settings = Settings(commit_bytes=commit_megabytes * MEGABYTE)
        end = IngestProcess(replace(order, settings=settings)).outcome()

        assert end.is_done, end.said
        assert end.peak_mb < most_mb
        assert trial.rows("SELECT count(*) FROM weixin.fact_article_total") == [
            (ANSWERS * articles * ARTICLE_TOTAL.window,)
        ]


def large(day: str, articles: int) -> bytes:
    """An answer whose articles have every row and metric."""
    metrics = {metric.name: 123_456_789_012 for metric in ARTICLE_TOTAL.metrics}
    days = [date.fromisoformat(day) + timedelta(days=n) for n in range(ARTICLE_TOTAL.window)]
    rows = json.dumps([{"stat_date": str(stat_date), **metrics} for stat_date in days])
    items = (
        f'{{"ref_date":"{day}","msgid":"{day}-{number}_1","details":{rows}}}'
        for number in range(articles)
    )
    return f'{{"list":[{",".join(items)}]}}'.encode()
