"""Facts rebuilt from the kept answers: what a replay changes, and what it leaves alone."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replaced
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
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl import cli
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import Diff, FigureDiff, Replayed, replay
from weixin_etl.warehouse.locks import lock_load

ALL = Selection(ARTICLE_TOTAL)
WITHOUT_CHANGED_AT = "to_jsonb(fact_article_total) - 'changed_at' - 'loaded_at'"
RESTATED = """
    SELECT msgid, metric, kind, old_value, new_value
    FROM weixin.restatement WHERE cause = 'replay'
"""
WIPE = "TRUNCATE weixin.fact_article_total"


def run(warehouse: Engine, selection: Selection = ALL, *, is_applied: bool = True) -> Replayed:
    return replay(warehouse, selection, ready_hour=10, is_applied=is_applied)


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
                warehouse, pair(answer, fetched), pair(quiet, fetched, OTHER_DAY), account=account
            )


CORRUPTED = """
    UPDATE weixin.fact_article_total SET share_count = 100, share_user = 8 WHERE msgid = '1_1';
    UPDATE weixin.fact_article_total SET share_user = NULL, extra = '{"b": 1}' WHERE msgid = '1_2';
    DELETE FROM weixin.fact_article_total WHERE msgid = '2_1' AND appid = 'wx2';
    INSERT INTO weixin.fact_article_total
        (appid, msgid, stat_date, publication_date, raw_response_id, fetched_at, loaded_at,
        changed_at)
        VALUES ('wx1', '9_9', '2026-11-20', '2026-11-20', 1, now(), now(), now());
    UPDATE weixin.coverage SET row_count = 77, through_date = '2026-11-01' WHERE appid = 'wx1';
"""


def test_what_a_replay_finds_and_restates(warehouse: Engine):
    """Values come back, those that no answer gives are gone; rows that none holds stay."""
    load_mornings(warehouse)
    before = contents(warehouse, ["fact_article_total", "coverage"])
    assert rows(warehouse, RESTATED) == []
    alter(warehouse, CORRUPTED)

    replayed = run(warehouse)

    assert replayed == Replayed(
        is_applied=True,
        pairs=4,
        answers=10,
        diff=Diff(
            new_rows=1,
            changed_rows=8,
            left_rows=1,
            figures=(
                FigureDiff("extra", 2, ("wx1", "1_2", "2026-11-20", '{"b": 1}', None)),
                FigureDiff("share_count", 6, ("wx1", "1_1", "2026-11-20", "100", "4")),
                FigureDiff("share_user", 8, ("wx1", "1_1", "2026-11-20", "8", None)),
            ),
        ),
        coverage=2,
    )
    alter(warehouse, "DELETE FROM weixin.fact_article_total WHERE msgid = '9_9'")
    alter(warehouse, "UPDATE weixin.fact_article_total SET changed_at = '2026-11-24 10:30+08'")
    assert contents(warehouse, ["fact_article_total", "coverage"]) == before
    assert sorted(rows(warehouse, RESTATED), key=str) == sorted(
        [
            *[("1_1", "share_count", "correction", 100, it) for it in (4, 2, 9) for _ in "12"],
            *[("1_1", "share_user", "removed", 8, None) for _ in "123456"],
            *[("1_2", "share_user", "late", None, 3) for _ in "12"],
        ],
        key=str,
    )


def test_the_difference_is_what_applying_it_does(warehouse: Engine):
    """A diff writes nothing, not even a row anew, and says what will be."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)
    before = contents(warehouse, versions=True)

    diff = run(warehouse, is_applied=False)

    assert contents(warehouse, versions=True) == before
    assert not diff.is_empty
    applied = run(warehouse)
    assert replaced(diff, is_applied=True) == applied
    assert run(warehouse).is_empty


@pytest.mark.parametrize(
    ("chosen", "appids", "days"),
    [
        ({"accounts": ("wx2",)}, ["wx2"], [DAY, OTHER_DAY]),
        ({"begin_date": OTHER_DAY}, ["wx1", "wx2"], [OTHER_DAY]),
        ({"end_date": DAY}, ["wx1", "wx2"], [DAY]),
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

    run(warehouse, replaced(ALL, **chosen))

    assert rows(
        warehouse,
        "SELECT DISTINCT appid, publication_date FROM weixin.fact_article_total ORDER BY 1, 2",
    ) == [(appid, day) for appid in appids for day in days]


BY_AN_OLDER_PARSER = """
    UPDATE weixin.coverage SET data_state = NULL, fetched_at = NULL, through_date = NULL,
        row_count = NULL, article_count = NULL, ready_at = NULL, is_final = FALSE,
        attempt_state = 'failed', attempts = 1, error_kind = 'unreadable', error = 'no row fits',
        cure = 'report it' WHERE appid = 'wx1';
    INSERT INTO weixin.rejected_row
        (dataset, appid, publication_date, msgid, reason, payload, raw_response_id, rejected_at)
    SELECT dataset, appid, publication_date, '1_1', 'an older reason', '{}', raw_response_id, now()
    FROM weixin.raw_response WHERE appid = 'wx1';
    TRUNCATE weixin.fact_article_total;
"""
WEEK = {str(day): {"share_count": day} for day in range(14, 21)}
WEEK_AGO = date(2026, 11, 14)


def test_what_an_older_parser_rejected(warehouse: Engine):
    """Rows are loaded, rejected parts resolved, and the day is ready and final after all."""
    know(warehouse, "wx1")
    load_pairs(warehouse, pair(body(article("1_1", WEEK), day=WEEK_AGO), "21 08:30", WEEK_AGO))
    before = contents(warehouse, ["coverage", "fact_article_total"])
    alter(warehouse, BY_AN_OLDER_PARSER)

    diff = run(warehouse, replaced(ALL, is_rejected=True), is_applied=False)
    replayed = run(warehouse, replaced(ALL, is_rejected=True))

    assert (diff.diff.new_rows, diff.diff.fitting, diff.coverage) == (7, 1, 1)
    assert replaced(diff, is_applied=True, judged=1) == replayed
    assert contents(warehouse, ["coverage", "fact_article_total"]) == before
    assert rows(warehouse, "SELECT reason, resolved_at FROM weixin.rejected_row") == [
        ("an older reason", at("24 10:30"))
    ]
    assert run(warehouse, replaced(ALL, is_rejected=True)).pairs == 0


def test_only_a_replay_resolves_what_a_mended_parser_reads(warehouse: Engine):
    """An answer that leaves the part out does not: the fact would never get the value."""
    know(warehouse, "wx1")
    load_pairs(warehouse, pair(body(article("1_1", {"20": {"share_count": 1}})), "22 08:30"))
    alter(warehouse, "UPDATE weixin.fact_article_total SET share_count = NULL")
    alter(
        warehouse,
        "INSERT INTO weixin.rejected_row (dataset, appid, publication_date, msgid, stat_date, "
        "metric, reason, payload, raw_response_id, rejected_at) SELECT dataset, appid, "
        "publication_date, '1_1', '2026-11-20', 'share_count', 'an older reason', '', "
        "raw_response_id, now() FROM weixin.raw_response",
    )
    is_open = "SELECT resolved_at IS NULL FROM weixin.rejected_row"

    load_pairs(warehouse, pair(body(article("1_1", {"20": {}})), "23 08:30"))
    assert rows(warehouse, is_open) == [(True,)]

    run(warehouse, replaced(ALL, is_rejected=True))
    assert rows(warehouse, is_open) == [(False,)]
    assert facts(warehouse, "share_count") == [(1,)]


def test_what_still_does_not_fit_stays_open(warehouse: Engine):
    """An open part is not rejected a second time; one with a new reason replaces the old."""
    know(warehouse, "wx1")
    odd = body(article("1_1", {"20": {"share_count": "many"}, "21": {"share_count": -1}}))
    load_pairs(warehouse, pair(odd, "23 10:30"))
    alter(warehouse, "UPDATE weixin.rejected_row SET reason = 'old' WHERE stat_date = '2026-11-21'")

    replayed = run(warehouse)

    assert (replayed.diff.fitting, replayed.diff.rejected) == (1, 1)
    assert rows(
        warehouse,
        "SELECT stat_date::text, left(reason, 18), resolved_at IS NULL "
        "FROM weixin.rejected_row ORDER BY rejected_row_id",
    ) == [
        ("2026-11-20", "share_count is a t", True),
        ("2026-11-21", "old", False),
        ("2026-11-21", "share_count is a n", True),
    ]
    assert run(warehouse).is_empty


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

    assert run(warehouse).is_empty
    assert coverage(warehouse, "*") == before
    assert coverage(warehouse, "ready_at")[0] == (None,)


def test_a_refusal_since_then_stays_the_last_attempt(warehouse: Engine):
    """A replay is no attempt."""
    load_mornings(warehouse)
    alter(
        warehouse,
        "UPDATE weixin.coverage SET ready_at = NULL, attempt_state = 'failed', attempts = 2, "
        "error = 'offline', error_code = 47009, attempted_at = '2026-11-24 08:30+08'",
    )

    replayed = run(warehouse)

    assert replayed.judged == 4
    assert set(coverage(warehouse, "ready_at, attempt_state, error_code, attempts")) == {
        (at("23 10:30"), "failed", 47009, 2)
    }


@pytest.mark.every_postgres
def test_the_loader_may_replay(warehouse: Engine, loader: Engine):
    """With the privileges of daily runs."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)
    alter(warehouse, BY_AN_OLDER_PARSER)

    assert not run(loader).is_empty
    assert run(loader).is_empty


KILLED = """
import os, signal, sys
from weixin_etl import warehouse
from weixin_etl.kept import answers, replay as verb
from weixin_etl.datasets import ARTICLE_TOTAL
answers._MOST_PAIRS = 1
def on_progress(done, total):
    if done > 3:
        os.kill(os.getpid(), signal.SIGKILL)
verb.replay(warehouse.engine(sys.argv[1]), answers.Selection(ARTICLE_TOTAL), ready_hour=10,
    is_applied=True, on_progress=on_progress)
"""


def test_a_killed_replay_is_completed_by_the_next(warehouse: Engine):
    """What it committed is whole, and the rest is as it was."""
    load_mornings(warehouse)
    before = facts(warehouse, WITHOUT_CHANGED_AT)
    alter(warehouse, WIPE)
    url = warehouse.url.render_as_string(hide_password=False)

    killed = subprocess.run([sys.executable, "-c", KILLED, url], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert 0 < len(facts(warehouse, "msgid")) < len(before)
    run(warehouse)
    assert facts(warehouse, WITHOUT_CHANGED_AT) == before


def test_a_replay_waits_for_a_load_of_the_account(warehouse: Engine):
    """And a load for it: they take the same lock, one account after the other."""
    load_mornings(warehouse)
    alter(warehouse, WIPE)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool, warehouse.begin() as connection:
        lock_load(connection, ["wx2"])
        replaying = pool.submit(run, warehouse)
        for _ in range(1000):
            if rows(warehouse, waiting) == [(1,)] or replaying.done():
                break
            signal.sigtimedwait([], 0.02)

        assert rows(warehouse, waiting) == [(1,)]
        assert facts(warehouse, "msgid") == []
        connection.rollback()
        assert replaying.result().diff.new_rows == 10


Printed = Callable[..., str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], connected: None) -> Printed:
    """What a command prints."""

    def printed(*arguments: str) -> str:
        assert cli.main(list(arguments)) == 0
        return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())

    return printed


def test_the_command(warehouse: Engine, printed: Printed):
    """It shows the difference by metric, and writes it when told to."""
    load_mornings(warehouse)
    alter(warehouse, CORRUPTED)

    shown = printed("replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20")
    again = printed(
        "replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20", "--apply"
    )

    assert shown.splitlines()[:2] == [
        "1 pair of account and publication day, 3 answers read. This would change:",
        "4 rows get other values",
    ]
    assert "share_count: 3 figures; for example wx2 1_1 2026-11-20: 100 → 4" in shown
    assert shown.splitlines()[-1] == "Nothing is written: --apply does."
    assert again.rstrip().splitlines() == [
        "1 pair of account and publication day, 3 answers read. This was written:",
        *shown.splitlines()[1:-1],
    ]
    assert printed("replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20") == (
        "1 pair of account and publication day, 3 answers read: "
        "the fact is what they say, nothing changes"
    )


@pytest.mark.every_postgres
def test_rejected_parts_by_reason(warehouse: Engine, printed: Printed):
    """With the metric; given by a later answer, they are gone from the list."""
    know(warehouse, "wx1", "wx2")
    odd = body(article("1_1", {"20": {"share_count": "many"}, "21": {"share_count": -1}}))
    early = body(article("1_1", {"26": {"share_count": 1}, "27": {"share_count": 1}}))
    load_pairs(warehouse, pair(odd, "23 10:30"))
    load_pairs(warehouse, pair(early, "23 10:30"), account=OTHER_ACCOUNT)

    assert printed("rejected").splitlines() == [
        "2 × stat_date is later than the day before the answer (article_total)",
        "    wx2: 1 days, 2026-11-20 to 2026-11-20",
        '    for example wx2 2026-11-20 1_1 2026-11-27: {"stat_date":"2026-11-27","share_count":1}',
        "1 × share_count is a negative number, not a whole number from 0 to 9223372036854775807 "
        "(article_total)",
        "    wx1: 1 days, 2026-11-20 to 2026-11-20",
        "    for example wx1 2026-11-20 1_1 2026-11-21: -1",
        "1 × share_count is a text, not a whole number from 0 to 9223372036854775807 "
        "(article_total)",
        "    wx1: 1 days, 2026-11-20 to 2026-11-20",
        '    for example wx1 2026-11-20 1_1 2026-11-20: "many"',
    ]
    assert printed("rejected", "--reason", "LATER than").startswith("2 × stat_date")
    assert printed("rejected", "--dataset", "article_total_detail") == (
        "There is no rejected part."
    )
    # the same bytes, seen again when the rows are no longer too early
    load_pairs(warehouse, pair(early, "30 10:30"), account=OTHER_ACCOUNT)
    assert "stat_date" not in printed("rejected")
