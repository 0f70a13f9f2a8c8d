"""Whether WeChat had computed yesterday's figures is judged per account, not per article."""

from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import DAY, OTHER_ACCOUNT, article, body, load_pairs, pair, rows

from weixin_etl.api.errors import NotReadyError
from weixin_etl.pair import Pair

YESTERDAY = date(2026, 11, 23)
OLD_DAY = date(2026, 11, 16)
"""Its last row is that of 22 November."""
SENTENCE = (
    "报纸 (wx1): the figures are not ready yet; they come after 08:00 Beijing time, by 10:00 surely"
)


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def test_nothing_has_yesterdays_row(warehouse: Engine):
    """Articles are counting and none has yesterday's row: loaded as far as it came, not ready."""
    answer = body(article("1_1", {"22": {"share_count": 1}}), article("1_2", {"22": {}}))

    (report,) = load_pairs(warehouse, pair(answer, "24 08:30"))

    assert (report.state, str(report.error)) == ("not_ready", SENTENCE)
    assert rows(
        warehouse,
        "SELECT data_state, row_count, is_final, attempt_state, attempts, error_code, error "
        "FROM weixin.coverage",
    ) == [("loaded", 2, False, "not_ready", 1, None, SENTENCE)]
    assert rows(warehouse, "SELECT inserted, state FROM weixin.run_report") == [(2, "not_ready")]


def test_one_sibling_has_yesterdays_row(warehouse: Engine):
    """One article with yesterday's row, of whatever day, shows that WeChat has computed it."""
    reports = load_pairs(
        warehouse,
        pair(body(article("1_1", {"22": {}})), "24 08:30"),
        pair(
            body(article("2_1", {"22": {}, "23": {}}), day=date(2026, 11, 22)),
            "24 08:30",
            day=date(2026, 11, 22),
        ),
    )

    assert [report.state for report in reports] == ["loaded", "loaded"]


def test_another_accounts_figures_show_nothing(warehouse: Engine):
    """Another account's figures of yesterday do not make this one's ready."""
    load_pairs(warehouse, pair(body(article("1_1", {"23": {}})), "24 08:30"), account=OTHER_ACCOUNT)

    (report,) = load_pairs(warehouse, pair(body(article("1_1", {"22": {}})), "24 08:30"))

    assert report.state == "not_ready"


def test_days_that_count_no_more_are_in(warehouse: Engine):
    """Without yesterday's figures the days whose last row is older are in all the same."""
    reports = load_pairs(
        warehouse,
        pair(body(article("1_1", {"22": {}}), day=OLD_DAY), "24 08:30", day=OLD_DAY),
        pair(body(article("2_1", {"22": {}})), "24 08:30"),
        pair(body(day=date(2026, 11, 21)), "24 08:30", day=date(2026, 11, 21)),
        pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY),
    )

    assert [report.state for report in reports] == ["loaded", "not_ready", "empty", "not_ready"]


def test_empty_yesterday_with_nothing_counting(warehouse: Engine):
    """With nothing still counting, an empty yesterday is accepted, and asked again: not final."""
    (report,) = load_pairs(warehouse, pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY))

    assert (report.state, report.error) == ("empty", None)
    assert rows(warehouse, "SELECT data_state, attempt_state, is_final FROM weixin.coverage") == [
        ("empty", "ok", False)
    ]


@pytest.mark.parametrize("is_delay", [True, "true"])
def test_wechat_says_that_it_is_late(warehouse: Engine, is_delay: bool | str):
    """`is_delay` means not ready, whatever the rows say; the figures are loaded."""
    answer = body(article("1_1", {"23": {"share_count": 1}}), is_delay=is_delay)

    (report,) = load_pairs(warehouse, pair(answer, "24 08:30"))

    assert report.state == "not_ready"
    assert report.counts.inserted == 1


def test_wechat_refuses_because_it_is_late(warehouse: Engine):
    """61503 is not ready, with its code; nothing is loaded."""
    error = NotReadyError("rid: 1", account="报纸", errcode=61503)

    (report,) = load_pairs(warehouse, Pair(DAY, 1, error=error))

    assert report.state == "not_ready"
    assert rows(
        warehouse, "SELECT data_state, attempt_state, error_code, error FROM weixin.coverage"
    ) == [
        (
            None,
            "not_ready",
            61503,
            "报纸: the figures are not ready yet; they come after 08:00 Beijing time, by 10:00 "
            "surely (errcode 61503: rid: 1)",
        )
    ]


def test_ready_later_the_same_morning(warehouse: Engine):
    """The same account is ready as soon as an answer holds yesterday's row."""
    load_pairs(warehouse, pair(body(article("1_1", {"22": {}})), "24 08:10"))

    (report,) = load_pairs(warehouse, pair(body(article("1_1", {"22": {}, "23": {}})), "24 09:30"))

    assert report.state == "loaded"
    assert rows(warehouse, "SELECT attempt_state, attempts, error FROM weixin.coverage") == [
        ("ok", 0, None)
    ]


def test_midnight_passes_between_two_answers(warehouse: Engine):
    """Each is judged by its own yesterday: the first holds it, WeChat hasn't computed the next."""
    next_day = date(2026, 11, 22)

    before, after = load_pairs(
        warehouse,
        pair(body(article("1_1", {"23": {}})), "24 23:59"),
        pair(body(article("2_1", {"23": {}}), day=next_day), "25 00:01", day=next_day),
    )

    assert (before.state, before.error) == ("loaded", None)
    assert after.state == "not_ready"
