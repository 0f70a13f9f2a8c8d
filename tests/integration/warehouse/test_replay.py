"""Facts rebuilt from the kept answers: what a replay changes, and what it leaves alone."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    article,
    at,
    body,
    contents,
    coverage,
    facts,
    history,
    know,
    load_pairs,
    pair,
    refused,
    rows,
)

from weixin_etl import cli
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.kept.replay import Replayed, replay, selected
from weixin_etl.model import Counts
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.warehouse.locks import begin_load

WITHOUT_CHANGED_AT = "to_jsonb(fact_article_total) - 'changed_at'"
WIPE = "TRUNCATE weixin.fact_article_total"


def run(warehouse: Engine, *, is_applied: bool = True, **chosen: Any) -> Replayed:
    dataset = chosen.pop("dataset", ARTICLE_TOTAL)
    pairs = selected(warehouse, dataset, **chosen)
    return replay(warehouse, dataset, pairs, ready_hour=10, is_applied=is_applied)


def alter(warehouse: Engine, sql: str) -> None:
    """Change what the warehouse holds by other means."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(sql)


MORNINGS = [
    (
        "22 08:30",
        body(
            article(
                "1_1",
                {"20": {"share_count": 1, "new_a": 1}, "21": {"share_count": 2, "new_a": 1}},
                title="旧",
            ),
            article("1_2", {"20": {"share_count": 5, "share_user": 3}}),
        ),
    ),
    ("22 11:00", body(article("1_1", {"20": {"share_count": 1, "new_a": 1}}, title="新"))),
    (
        "23 10:30",
        body(
            article("1_1", {"20": {"share_count": 4}, "22": {"share_count": 9}}, title="新"),
            article("1_2", {"20": {"share_count": 5}}),
        ),
    ),
]
OTHER_DAY = DAY + timedelta(days=1)


def load_mornings(warehouse: Engine) -> None:
    """Three mornings of an account's day, a quieter day, and the same of another account."""
    know(warehouse, ACCOUNT.appid, OTHER_ACCOUNT.appid)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        for fetched, answer in MORNINGS:
            quiet = body(
                article("2_1", {"21": {"share_count": 7}}), day=OTHER_DAY, told_at=fetched[:2]
            )
            load_pairs(
                warehouse,
                pair(answer, fetched, account=account),
                pair(quiet, fetched, OTHER_DAY, account=account),
            )


def test_only_a_ready_answer_unlists_articles(warehouse: Engine):
    """A replay keeps since when they are not listed: no early or unreadable answer says so."""
    know(warehouse, ACCOUNT.appid)
    first, second = (article(name, {"20": {"share_count": 1}}) for name in ("1_1", "1_2"))
    nothing_fits = b'{"list": [{"ref_date": "2026-11-20", "details": []}]}'
    for fetched, answer in (
        ("21 10:00", body(first, second)),
        ("22 10:00", nothing_fits),
        ("23 08:30", body(first)),  # before the hour, without yesterday's row
        ("24 10:00", body(first, told_at="24")),
    ):
        load_pairs(warehouse, pair(answer, fetched))
    since = (
        "SELECT msgid, (unlisted_since ->> 'article_total')::timestamptz FROM weixin.dim_article"
    )
    loaded = dict(rows(warehouse, since))

    run(warehouse)

    assert loaded == {"1_1": None, "1_2": at("24 10:00")}
    assert dict(rows(warehouse, since)) == loaded


CORRUPTED = """
    UPDATE weixin.fact_article_total SET share_count = 100, share_user = 8 WHERE msgid = '1_1';
    UPDATE weixin.fact_article_total SET share_user = NULL, extra = '{"b": 1}' WHERE msgid = '1_2';
    DELETE FROM weixin.fact_article_total WHERE msgid = '2_1' AND appid = 'wx2';
    INSERT INTO weixin.fact_article_total
        (appid, msgid, stat_date, publication_date, raw_response_id, fetched_at, changed_at)
        VALUES ('wx1', '9_9', '2026-11-20', '2026-11-20', 1, now(), now());
    UPDATE weixin.coverage SET row_count = 77, through_date = '2026-11-01' WHERE appid = 'wx1';
"""


def test_what_a_replay_finds_and_changes(warehouse: Engine):
    """Values come back, those that no answer gives are gone; rows that none holds stay."""
    load_mornings(warehouse)
    before = facts(warehouse, WITHOUT_CHANGED_AT), coverage(warehouse, "*")
    of_replay = ("cause", "appid", "item", "stat_date", "share_count", "share_user")
    assert [it for it in history(warehouse, *of_replay) if it[0] == "replay"] == []
    alter(warehouse, CORRUPTED)

    replayed = run(warehouse)

    assert replayed == Replayed(4, Counts(inserted=1, updated=8, unchanged=1), coverage=2)
    alter(warehouse, "DELETE FROM weixin.fact_article_total WHERE msgid = '9_9'")
    assert (facts(warehouse, WITHOUT_CHANGED_AT), coverage(warehouse, "*")) == before
    assert [it[1:] for it in history(warehouse, *of_replay) if it[0] == "replay"] == [
        *(
            (appid, msgid, DAY + timedelta(age), *replaced)
            for appid in ("wx1", "wx2")
            for msgid, age, *replaced in [
                *(("1_1", age, 100, 8) for age in range(3)),
                ("1_2", 0, 5, None),
            ]
        )
    ]


def test_the_difference_is_what_applying_it_does(warehouse: Engine):
    """Without `--apply` nothing is written, not even a row anew, and it is said what would be."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)
    before = contents(warehouse, versions=True)

    diff = run(warehouse, is_applied=False)

    assert contents(warehouse, versions=True) == before
    assert diff.changes
    assert run(warehouse) == diff
    assert not run(warehouse).changes


@pytest.mark.parametrize(
    ("chosen", "appids", "days"),
    [
        ({"names": ["wx2"]}, ["wx2"], [DAY, OTHER_DAY]),
        ({"begin": OTHER_DAY}, ["wx1", "wx2"], [OTHER_DAY]),
        ({"end": DAY}, ["wx1", "wx2"], [DAY]),
        ({"dataset": ARTICLE_TOTAL_DETAIL}, [], []),
    ],
    ids=["accounts", "from a day", "to a day", "dataset"],
)
def test_only_what_is_selected(
    warehouse: Engine, chosen: dict[str, Any], appids: list[str], days: list[date]
):
    """Accounts by any of their names, publication days, one dataset."""
    load_mornings(warehouse)
    alter(warehouse, WIPE)

    run(warehouse, **chosen)

    assert rows(
        warehouse,
        "SELECT DISTINCT appid, publication_date FROM weixin.fact_article_total ORDER BY 1, 2",
    ) == [(appid, day) for appid in appids for day in days]


BY_AN_OLDER_PARSER = """
    UPDATE weixin.coverage SET fetched_at = NULL, through_date = NULL, row_count = NULL,
        article_count = 0, ready_at = NULL, list_sha256 = NULL, settled = 'given_up',
        error_kind = 'unreadable', error = 'no row fits', cure = 'report it' WHERE appid = 'wx1';
    INSERT INTO weixin.rejected_row
        (dataset, appid, day, msgid, reason, payload, raw_response_id, rejected_at)
    SELECT dataset, appid, day, '1_1', 'an older reason', '{}', raw_response_id, now()
    FROM weixin.raw_response WHERE appid = 'wx1';
    TRUNCATE weixin.fact_article_total;
"""
WEEK = {str(day): {"share_count": day} for day in range(14, 21)}
WEEK_AGO = date(2026, 11, 14)


def test_what_an_older_parser_rejected(warehouse: Engine):
    """Rows are loaded, rejected parts resolved, and the day is ready and final, not given up."""
    know(warehouse, "wx1")
    for fetched in ("20 10:30", "21 08:30"):
        rows_ = {day: row for day, row in WEEK.items() if int(day) < int(fetched[:2])}
        answer = body(article("1_1", rows_), day=WEEK_AGO)
        load_pairs(warehouse, pair(answer, fetched, WEEK_AGO))
    assert coverage(warehouse, "settled") == [("final",)]
    before = contents(warehouse, ["coverage", "fact_article_total"])
    alter(warehouse, BY_AN_OLDER_PARSER)

    replayed = run(warehouse)

    assert (replayed.counts.inserted, replayed.coverage) == (7, 1)
    assert contents(warehouse, ["coverage", "fact_article_total"]) == before
    assert rows(warehouse, "SELECT DISTINCT reason, resolved_at FROM weixin.rejected_row") == [
        ("an older reason", at("24 10:30"))
    ]


def test_what_still_does_not_fit_stays_open(warehouse: Engine):
    """An open part is not rejected a second time; one with a new reason replaces the old."""
    know(warehouse, "wx1")
    odd = body(article("1_1", {"20": {"share_count": "many"}, "21": {"share_count": -1}}))
    load_pairs(warehouse, pair(odd, "23 10:30"))
    alter(warehouse, "UPDATE weixin.rejected_row SET reason = 'old' WHERE stat_date = '2026-11-21'")

    assert run(warehouse, is_applied=False).rejected == 2
    assert run(warehouse).changes
    assert not run(warehouse).changes

    assert rows(
        warehouse,
        "SELECT stat_date::text, left(reason, 18), resolved_at IS NULL "
        "FROM weixin.rejected_row ORDER BY rejected_row_id",
    ) == [
        ("2026-11-20", "share_count is a t", True),
        ("2026-11-21", "old", False),
        ("2026-11-21", "share_count is a n", True),
    ]
    before = contents(warehouse, versions=True)
    assert not run(warehouse).changes
    assert contents(warehouse, versions=True) == before


def test_a_day_that_was_not_ready_stays_so(warehouse: Engine):
    """What came later, for another day, does not show what WeChat had computed before."""
    know(warehouse, "wx1")
    load_pairs(
        warehouse,
        pair(body(article("1_1", {"20": {"share_count": 1}})), "23 08:30"),
        pair(
            body(article("2_1", {"21": {"share_count": 1}}), day=OTHER_DAY), "23 08:30", OTHER_DAY
        ),
    )
    later = body(article("2_1", {"22": {"share_count": 1}}), day=OTHER_DAY)
    load_pairs(warehouse, pair(later, "23 11:00", OTHER_DAY))
    before = coverage(warehouse, "*")

    assert not run(warehouse).changes
    assert coverage(warehouse, "*") == before
    assert coverage(warehouse, "ready_at, error_kind") == [
        (None, "not_ready"),
        (at("23 11:00"), None),
    ]


def test_a_refusal_since_then_stays_the_last_attempt(warehouse: Engine):
    """A replay is no attempt."""
    load_mornings(warehouse)
    load_pairs(
        warehouse, refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009"), "24 08:30")
    )
    before = coverage(warehouse, "*")
    assert coverage(warehouse, "ready_at, error_code")[0] == (at("23 10:30"), 47009)

    assert not run(warehouse).changes

    assert coverage(warehouse, "*") == before


@pytest.mark.every_postgres
def test_the_loader_may_replay(warehouse: Engine, loader: Engine):
    """With the privileges of daily runs."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)
    alter(warehouse, BY_AN_OLDER_PARSER)

    assert run(loader).changes
    assert not run(loader).changes


def test_a_replay_waits_for_a_load_of_the_account(warehouse: Engine):
    """And a load for it: they take the same lock, one account after the other."""
    load_mornings(warehouse)
    alter(warehouse, WIPE)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool, warehouse.begin() as connection:
        begin_load(connection, ["wx1"])
        replaying = pool.submit(run, warehouse)
        for _ in range(1000):
            if rows(warehouse, waiting) == [(1,)] or replaying.done():
                break
            signal.sigtimedwait([], 0.02)

        assert rows(warehouse, waiting) == [(1,)]
        assert facts(warehouse, "msgid") == []
        connection.rollback()
        assert replaying.result().counts.inserted == 10


Printed = Callable[..., str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], connected: None) -> Printed:
    """What a command prints."""

    def printed(*arguments: str) -> str:
        assert cli.main(list(arguments)) == 0
        return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())

    return printed


def test_the_command(warehouse: Engine, printed: Printed):
    """It shows what would change, and writes it when told to."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)

    shown = printed("replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20")
    again = printed(
        "replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20", "--apply"
    )

    assert shown.splitlines() == [
        "1 pair read. This would change:",
        "4 rows with other values",
        "Nothing is written: --apply does.",
    ]
    assert again.splitlines() == [
        "1 pair read. This was written:",
        "4 rows with other values",
    ]
    assert printed("replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20") == (
        "1 pair read: the fact is what the kept answers say, nothing changes"
    )
