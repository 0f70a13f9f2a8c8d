"""Check that a replay rebuilds the facts from the kept answers and changes nothing else."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, rows
from support.warehouse_loads import (
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
    load_chunk,
    refused,
    staged,
)

from weixin_etl import cli
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.kept.replay import ReplayResult, replay, select_slices
from weixin_etl.model import Counts
from weixin_etl.problem import ProblemKind, WeixinError

OTHER_DAY = DAY + timedelta(days=1)
MORNINGS = {
    "22 08:30": [
        article(
            "1_1",
            {"20": {"share_count": 1, "new_a": 1}, "21": {"share_count": 2, "new_a": 1}},
            title="旧",
        ),
        article("1_2", {"20": {"share_count": 5, "share_user": 3}}),
    ],
    "22 11:00": [article("1_1", {"20": {"share_count": 1, "new_a": 1}}, title="新")],
    "23 10:30": [
        article("1_1", {"20": {"share_count": 4}, "22": {"share_count": 9}}, title="新"),
        article("1_2", {"20": {"share_count": 5}}),
    ],
}


def run(warehouse: Engine, *, is_applied: bool = True, **chosen: Any) -> ReplayResult:
    """Replay the chosen days."""
    dataset = chosen.pop("dataset", ARTICLE_TOTAL)
    slices = select_slices(warehouse, dataset, **chosen)
    return replay(warehouse, dataset, slices, ready_hour=10, is_applied=is_applied)


@pytest.fixture
def mornings(warehouse: Engine) -> Engine:
    """Load three mornings of a day and a quieter day, for two accounts."""
    know(warehouse, ACCOUNT.appid, OTHER_ACCOUNT.appid)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        for fetched, items in MORNINGS.items():
            quiet = article("2_1", {"21": {"share_count": 7}})
            load_chunk(
                warehouse,
                staged(body(*items), fetched, account=account),
                staged(body(quiet, day=OTHER_DAY, n=fetched), fetched, OTHER_DAY, account=account),
            )
    return warehouse


CORRUPTED = """
    UPDATE weixin.fact_article_total SET share_count = 100, share_user = 8 WHERE msgid = '1_1';
    UPDATE weixin.fact_article_total SET share_user = NULL, extra = '{"b": 1}' WHERE msgid = '1_2';
    DELETE FROM weixin.fact_article_total WHERE msgid = '2_1' AND appid = 'wx2';
    UPDATE weixin.dim_article SET title = '错' WHERE msgid = '1_1' AND appid = 'wx1';
    UPDATE weixin.coverage SET row_count = 77, through_date = '2026-11-01' WHERE appid = 'wx1';
"""
RESTATED = """
    SELECT msgid, metric, kind, old_value::integer, new_value::integer
    FROM analytics.restatement WHERE cause = 'replay' AND appid = 'wx1' AND stat_date = '2026-11-20'
    ORDER BY 1, 2
"""


@pytest.mark.every_postgres
def test_a_replay_shows_the_changes_that_applying_it_makes(loader: Engine, mornings: Engine):
    """
    Without `--apply` nothing is written.

    Values are restored, values that no answer gives are removed, and `analytics.restatement` names
    the replay as the cause. The rights of daily runs are enough (0019).
    """
    held = "to_jsonb(fact_article_total) - 'changed_at'"
    before = facts(mornings, held), coverage(mornings, "*")
    assert not run(loader).changes
    execute(mornings, CORRUPTED)
    corrupted = contents(mornings, versions=True)

    diff = run(loader, is_applied=False)
    assert contents(mornings, versions=True) == corrupted
    assert diff == ReplayResult(
        4, Counts(inserted=1, updated=8, unchanged=1), articles=1, coverage=2
    )
    assert run(loader) == diff
    assert not run(loader).changes

    assert (facts(mornings, held), coverage(mornings, "*")) == before
    assert rows(mornings, RESTATED) == [
        ("1_1", "share_count", "correction", 100, 4),
        ("1_1", "share_user", "removed", 8, None),
        ("1_2", "share_user", "late", None, 3),
    ]


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
def test_a_replay_changes_only_the_selected_days(
    mornings: Engine, chosen: dict[str, Any], appids: list[str], days: list[date]
):
    """Accounts are selected by any of their names, days by publication day."""
    execute(mornings, "TRUNCATE weixin.fact_article_total")

    run(mornings, **chosen)

    found = {*facts(mornings, "appid, publication_date")}
    assert found == {(appid, day) for appid in appids for day in days}


def test_only_a_ready_answer_unlists_articles(warehouse: Engine):
    """
    A replay keeps since when an article is not listed.

    Early and unreadable answers do not count, though an early one may list an article.
    """
    know(warehouse, ACCOUNT.appid)
    first, second, third = (article(f"1_{number}", {"20": {"share_count": 1}}) for number in "123")
    nothing_fits = b'{"list": [{"ref_date": "2026-11-20", "details": []}]}'
    early = {"23 08:30": body(first), "24 08:30": body(first)}  # without yesterday's row
    answers = {"21 10:00": body(first, second), "21 10:30": body(first, third, is_delay=True)}
    answers |= {"22 10:00": nothing_fits, **early, "24 10:00": body(first, told_at="24")}
    for fetched, answer in answers.items():
        load_chunk(warehouse, staged(answer, fetched))
    since = (
        "SELECT msgid, (unlisted_since ->> 'article_total')::timestamptz FROM weixin.dim_article"
    )
    loaded = dict(rows(warehouse, since))

    run(warehouse)

    assert loaded == {"1_1": None, "1_2": at("24 10:00"), "1_3": at("24 10:00")}
    assert dict(rows(warehouse, since)) == loaded


BY_AN_OLDER_PARSER = """
    UPDATE weixin.coverage SET fetched_at = NULL, through_date = NULL, row_count = NULL,
        article_count = 0, ready_at = NULL, list_sha256 = NULL, settled = 'given_up',
        error_kind = 'unreadable', error = 'no row fits', cure = 'report it' WHERE appid = 'wx1';
    INSERT INTO weixin.rejected_row
        (dataset, appid, day, msgid, code, reason, payload, raw_response_id, rejected_at)
    SELECT dataset, appid, day, '1_1', 'text', 'an older reason', '{}', raw_response_id, now()
    FROM weixin.raw_response WHERE appid = 'wx1';
    TRUNCATE weixin.fact_article_total;
"""


@pytest.mark.parametrize("titles", [("甲", "乙"), ("甲", "甲")], ids=["two answers", "seen twice"])
def test_a_replay_loads_rows_that_an_older_parser_rejected(
    warehouse: Engine, titles: tuple[str, str]
):
    """The parts are resolved, and the day is final, by two answers or by one seen twice."""
    know(warehouse, "wx1")
    week_ago = date(2026, 11, 14)
    totals = {str(day): {"int_page_read_user": day} for day in range(14, 21)}
    for fetched, title in zip(("21 08:30", "22 08:30"), titles, strict=True):
        answer = body(article("1_1", totals, title=title), day=week_ago)
        load_chunk(warehouse, staged(answer, fetched, week_ago))
    before = contents(warehouse, "coverage", "fact_article_total")
    assert coverage(warehouse, "settled") == [("final",)]
    execute(warehouse, BY_AN_OLDER_PARSER)

    replayed = run(warehouse)

    assert (replayed.counts.inserted, replayed.coverage) == (7, 1)
    assert contents(warehouse, "coverage", "fact_article_total") == before
    parts = "SELECT DISTINCT reason, resolved_at FROM weixin.rejected_row"
    assert rows(warehouse, parts) == [("an older reason", at("24 10:30"))]


def test_a_replay_finishes_a_day_whose_figures_an_older_parser_did_not_know(
    warehouse: Engine,
) -> None:
    """The day was given up because no figure could be read."""
    know(warehouse, "wx1")
    week_ago = date(2026, 11, 14)
    totals = {str(day): {"int_page_read_user": day} for day in range(14, 21)}
    for fetched in ("21 08:30", "22 08:30"):
        answer = body(article("1_1", totals), day=week_ago)
        load_chunk(warehouse, staged(answer, fetched, week_ago))
    before = contents(warehouse, "coverage")
    given_up = "settled = 'given_up', error_kind = 'no_figures', error = 'none', newest_date = NULL"
    execute(warehouse, f"UPDATE weixin.coverage SET {given_up}")

    run(warehouse)

    assert contents(warehouse, "coverage") == before


def test_a_replay_is_no_attempt(warehouse: Engine):
    """A day that was not ready stays so, and a later refusal stays the newest attempt."""
    know(warehouse, "wx1")
    first, other = (
        staged(body(article("1_1", {"20": {"share_count": 1}})), "23 08:30"),
        body(article("2_1", {"21": {"share_count": 1}}), day=OTHER_DAY),
    )
    load_chunk(warehouse, first, staged(other, "23 08:30", OTHER_DAY))
    later = body(article("2_1", {"22": {"share_count": 1}}), day=OTHER_DAY)
    load_chunk(warehouse, staged(later, "23 11:00", OTHER_DAY))
    offline = WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009")
    load_chunk(warehouse, refused(offline, "24 08:30", OTHER_DAY))
    before = coverage(warehouse, "*")

    assert not run(warehouse).changes

    assert coverage(warehouse, "*") == before
    as_before = [(None, "not_ready"), (at("23 11:00"), "endpoint_offline")]
    assert coverage(warehouse, "ready_at, error_kind") == as_before


def test_the_command_shows_the_changes_and_writes_them_with_apply(
    mornings: Engine, connected: None, capsys: pytest.CaptureFixture[str]
):
    execute(mornings, CORRUPTED)
    asked, printed = ["replay", "article_total", "--accounts", "wx2", "--end", "2026-11-20"], []
    for more in ([], ["--apply"], []):
        assert cli.main([*asked, *more]) == 0
        printed.append([line.rstrip() for line in capsys.readouterr().out.splitlines()])

    difference = "4 rows with other values"
    assert printed == [
        ["1 slice read. This would change:", difference, "Nothing is written: --apply does."],
        ["1 slice read. This was written:", difference],
        ["1 slice read: the fact is what the kept answers say, nothing changes"],
    ]
