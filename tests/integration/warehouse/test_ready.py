"""Whether WeChat had computed yesterday's figures is judged once per account and try."""

from datetime import date

import pytest
from sqlalchemy import Engine
from support import empty
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    at,
    body,
    contents,
    coverage,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.load import Load, Outcome
from weixin_etl.model import Account

OLD_DAY, NEXT_DAY, YESTERDAY = (date(2026, 11, day) for day in (16, 22, 23))
"""The last row of the first is that of 22 November."""
CAUSE = "the figures are not ready yet"
SHOWS_NOTHING = pair(body(article("1_1", {"22": {"share_count": 1}})), "24 08:30")
SHOWS_YESTERDAY = pair(
    body(article("2_1", {"22": {}, "23": {}}), day=NEXT_DAY), "24 08:30", day=NEXT_DAY
)


def load(warehouse: Engine) -> Load:
    return Load(warehouse, SCHEDULED, ready_hour=10)


def states(judged: list[Outcome]) -> list[str]:
    return [pair.state for pair in judged]


def test_nothing_has_yesterdays_row(warehouse: Engine):
    """Articles are counting and none has yesterday's row: loaded as far as it came, not ready."""
    (judged,) = load_pairs(warehouse, SHOWS_NOTHING)

    assert (judged.state, judged.counts.inserted) == ("not_ready", 1)
    assert coverage(
        warehouse, "data_state, ready_at, attempt_state, attempts, error_code, error"
    ) == [("loaded", None, "not_ready", 1, None, f"{CAUSE}: no article has yesterday's row")]
    assert rows(warehouse, "SELECT inserted, state FROM weixin.run_report") == [(1, "not_ready")]


def test_days_that_count_no_more_are_in(warehouse: Engine):
    """Not ready are yesterday's and the days that list an article still counting, no others."""
    silent = date(2026, 11, 21)

    judged = load_pairs(
        warehouse,
        pair(body(article("3_1", {"22": {}}), day=OLD_DAY), "24 08:30", day=OLD_DAY),
        SHOWS_NOTHING,
        pair(body(day=silent), "24 08:30", day=silent),
        pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY),
    )

    assert states(judged) == ["loaded", "not_ready", "empty", "not_ready"]


def test_an_article_that_the_newest_answer_omits_counts_no_more(warehouse: Engine):
    """It may be deleted: nobody waits for its row of yesterday."""
    load_pairs(warehouse, pair(body(article("1_1", {"22": {}})), "23 11:00"))

    assert states(load_pairs(warehouse, pair(body(), "24 08:30"))) == ["empty"]


@pytest.mark.parametrize(
    ("account", "dataset"),
    [(OTHER_ACCOUNT, ARTICLE_TOTAL), (ACCOUNT, ARTICLE_TOTAL_DETAIL)],
    ids=["another account's", "the other dataset's"],
)
def test_figures_of_others_show_nothing(warehouse: Engine, account: Account, dataset: Dataset):
    """Each account and each dataset is judged by its own answers."""
    answer = body(article("1_1", {"23": {}}), rows_key=dataset.rows_key)
    others = pair(answer, "24 08:30", dataset=dataset)
    load_pairs(warehouse, others, account=account, dataset=dataset)

    assert states(load_pairs(warehouse, SHOWS_NOTHING)) == ["not_ready"]


def test_articles_that_only_the_other_dataset_lists(warehouse: Engine):
    """Nobody waits for their rows here: an account may publish what one endpoint never lists."""
    answer = body(article("1_1", {}), rows_key="detail_list")
    only_there = pair(answer, "24 08:30", dataset=ARTICLE_TOTAL_DETAIL)
    load_pairs(warehouse, only_there, dataset=ARTICLE_TOTAL_DETAIL)

    judged = load_pairs(
        warehouse, pair(body(), "24 08:30"), pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY)
    )

    assert states(judged) == ["empty", "empty"]


@pytest.mark.parametrize("is_delay", [True, "true"])
def test_wechat_says_that_it_is_late(warehouse: Engine, is_delay: bool | str):
    """`is_delay` means not ready, whatever the hour and the rows say; the figures are loaded."""
    answer = body(article("1_1", {"23": {"share_count": 1}}), is_delay=is_delay)

    (judged,) = load_pairs(warehouse, pair(answer, "24 11:30"))

    assert (judged.state, judged.counts.inserted) == ("not_ready", 1)
    assert judged.error
    assert judged.error.happened == f"{CAUSE}: the answer says is_delay"


def test_midnight_passes_between_two_answers(warehouse: Engine):
    """Each is judged by its own yesterday: the first holds it, WeChat hasn't computed the next."""
    judged = load_pairs(
        warehouse,
        pair(body(article("1_1", {"23": {}})), "24 09:59"),
        pair(body(article("2_1", {"23": {}}), day=NEXT_DAY), "25 00:01", day=NEXT_DAY),
    )

    assert states(judged) == ["loaded", "not_ready"]


@pytest.mark.parametrize("order", [1, -1], ids=["shown last", "shown first"])
def test_the_last_commit_of_a_try_judges_all_its_pairs(warehouse: Engine, order: int):
    """One article with yesterday's row, of whatever day and commit, shows that it is computed."""
    first, last = [SHOWS_NOTHING, SHOWS_YESTERDAY][::order]
    loading = load(warehouse)

    assert loading.commit([first], complete=[]) == []
    assert rows(warehouse, "SELECT inserted + updated > 0, state FROM weixin.run_report") == [
        (True, "planned")
    ]
    judged = loading.commit([last], complete=[ACCOUNT.appid])

    assert states(judged) == ["loaded", "loaded"]
    assert coverage(warehouse, "attempt_state, ready_at") == [("ok", at("24 08:30"))] * 2
    assert rows(
        warehouse,
        "SELECT publication_date, calls, inserted, state FROM weixin.run_report ORDER BY 1",
    ) == [(DAY, 1, 1, "loaded"), (NEXT_DAY, 1, 2, "loaded")]


def test_killed_between_two_commits(warehouse: Engine):
    """What is in stays, unjudged and planned; a second try leaves the tables as one alone does."""
    load_pairs(warehouse, SHOWS_NOTHING, SHOWS_YESTERDAY)
    undisturbed = contents(warehouse)
    empty(warehouse)

    load(warehouse).commit([SHOWS_NOTHING], complete=[])
    assert coverage(warehouse, "data_state, ready_at, attempt_state") == [("loaded", None, None)]
    load_pairs(warehouse, SHOWS_NOTHING, SHOWS_YESTERDAY)

    held = contents(warehouse)
    reports = held.pop("run_report")
    assert held == {table: found for table, found in undisturbed.items() if table != "run_report"}
    assert [(row["calls"], row["inserted"], row["unchanged"], row["state"]) for row in reports] == [
        (2, 1, 1, "loaded"),
        (1, 2, 0, "loaded"),
    ]
