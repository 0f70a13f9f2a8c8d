"""What the sandbox answers when nothing goes wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import pytest
from sandbox_caller import DETAIL, TODAY, TOTAL, Caller

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

HALF_A_YEAR = [date(2025, 11, 1) + timedelta(days=number) for number in range(180)]
OFTEN_ABSENT = {
    "int_page_from_kanyikan_read_user",
    "int_page_from_kanyikan_read_count",
    "int_page_from_souyisou_read_user",
    "int_page_from_souyisou_read_count",
}
UNDOCUMENTED = {"int_page_from_finder_read_user", "int_page_from_finder_read_count"}


def known(day: date, asked_on: date, endpoint: str) -> list:
    """The articles of a day as they stood on another."""
    return json.loads(Sandbox().answer(DEFAULT_ACCOUNT.appid, day, asked_on, endpoint=endpoint))[
        "list"
    ]


@pytest.fixture(scope="module")
def finished() -> list[dict]:
    """The articles of half a year of `getarticletotal`, long after it."""
    late = timedelta(days=30)
    return [item for day in HALF_A_YEAR for item in known(day, day + late, TOTAL)]


@pytest.mark.parametrize("endpoint", [TOTAL, DETAIL])
def test_served_bytes_are_the_truth_of_answer(caller: Caller, endpoint: str):
    """What is served is byte for byte what `answer` says, for a month; it is bare UTF-8 text."""
    days = [TODAY - timedelta(days=age) for age in range(1, 31)]

    served = [caller.ask(day, endpoint=endpoint) for day in days]

    assert [answer.content for answer in served] == [
        caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY, endpoint=endpoint) for day in days
    ]
    assert {answer.headers["Content-Type"] for answer in served} == {"text/plain"}
    assert "，".encode() in served[0].content


def test_an_article_of_getarticletotal_looks_like_wechats(finished: list[dict]):
    """The documented metrics, four of which come all or none, and two nobody documented."""
    always = {metric.name for metric in ARTICLE_TOTAL.metrics} - OFTEN_ABSENT | {"stat_date"}
    rows = [row for item in finished for row in item["details"]]

    keys = {"ref_date", "msgid", "title", "user_source", "url", "content_url", "details"}
    assert {frozenset(item) for item in finished} == {frozenset(keys)}
    assert {frozenset(set(row) - always) for row in rows if always <= set(row)} == {
        frozenset(),
        frozenset(OFTEN_ABSENT),
        frozenset(UNDOCUMENTED),
        frozenset(OFTEN_ABSENT | UNDOCUMENTED),
    }
    assert all(always <= set(row) for row in rows)


@pytest.mark.parametrize(
    ("endpoint", "rows_key", "readers", "window"),
    [
        (TOTAL, "details", "int_page_read_user", 7),
        (DETAIL, "detail_list", "read_user", 30),
    ],
)
def test_a_row_is_added_every_morning_and_none_is_restated(
    endpoint: str, rows_key: str, readers: str, window: int
):
    """A day has a row of each day until yesterday, up to the window, and totals never fall."""
    day = date(2026, 8, 2)
    whole = [item[rows_key] for item in known(day, day + timedelta(days=60), endpoint)]
    dates = [(day + timedelta(days=number)).isoformat() for number in range(window)]

    assert [[row["stat_date"] for row in rows] for rows in whole] == [dates] * 6
    assert all(a[readers] <= b[readers] for rows in whole for a, b in pairwise(rows))
    for age in (1, 2, 7, 29, 31):
        items = known(day, day + timedelta(days=age), endpoint)
        assert [item[rows_key] for item in items] == [rows[:age] for rows in whole]


def test_figures_have_what_breaks_careless_loaders(finished: list[dict]):
    """Odd titles, silent days, sub-totals that do not add up, eight articles in a message."""
    titles = "".join(item["title"] for item in finished)
    rows = [row for item in finished for row in item["details"]]
    sources = [n for n in rows[0] if n.startswith("int_page_from") and n.endswith("_user")]
    gaps = [sum(row.get(n, 0) for n in sources) - row["int_page_read_user"] for row in rows]
    silent = set(HALF_A_YEAR) - {date.fromisoformat(item["ref_date"]) for item in finished}

    assert [odd for odd in ['"', ",", "\\", "'", "🔥", "\u200d", "“"] if odd not in titles] == []
    assert min(gaps) < 0 < max(gaps)
    assert 0.2 < len(silent) / len(HALF_A_YEAR) < 0.37
    assert len({item["msgid"] for item in finished}) == len(finished)
    assert {item["msgid"].split("_")[1] for item in finished} == set("12345678")


@pytest.mark.parametrize("endpoint", [TOTAL, DETAIL])
def test_same_seed_gives_the_same_bytes_in_another_process(
    start: Callable[..., Caller], endpoint: str
):
    """Figures depend on seed, account and days, not on the process or its hash seed."""
    day = date(2026, 11, 18)
    script = (
        "import sys; from datetime import date; from weixin_sandbox import *;"
        "sys.stdout.buffer.write(Sandbox().answer(DEFAULT_ACCOUNT.appid,"
        f"date(2026, 11, 18), date(2026, 11, 24), endpoint={endpoint!r}))"
    )

    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
    )

    assert said.stdout == start().ask(day, endpoint=endpoint).content
    assert said.stdout != start(seed=2).ask(day, endpoint=endpoint).content
