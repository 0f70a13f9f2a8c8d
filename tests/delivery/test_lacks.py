"""A digest says why figures are not complete, and waits for those that may come in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, rows

from delivery.test_hostile_titles import DAY, message
from weixin_etl.delivery import export
from weixin_etl.delivery.digest import send_digest
from weixin_etl.delivery.lacking import (
    FOLLOWERS,
    NOT_ASKED,
    NOT_COMPUTED,
    SOME_ARTICLES,
    Lack,
    find_lacks,
)
from weixin_etl.health.notifications import Installation, Notification
from weixin_etl.model import State
from weixin_etl.warehouse.account_days import refresh_account_days

MORNING = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def lacking(warehouse: Engine) -> list[str]:
    """Return the lines below *Not complete* of the digest of `DAY`."""
    *lines, _page = message(warehouse).splitlines()
    return lines[lines.index("Not complete:") + 1 :]


@dataclass(frozen=True)
class Day:
    """A row of `digest/accounts.sql` or `digest/followers.sql`."""

    appid: str = "wx1"
    account_name: str = "报纸"
    is_complete: bool = False
    is_stale: bool = False
    won: int | None = None


@dataclass(frozen=True)
class Asked:
    """A row of `digest/states.sql`."""

    dataset: str
    state: str
    error_kind: str | None = None
    is_of_articles: bool = True
    appid: str = "wx1"
    days: tuple[date, ...] = (DAY,)


def reasons(accounts: list[Any], followers: list[Any], *states: Any) -> list[str]:
    """Return what lacks, each as dataset and reason."""
    lacks = find_lacks(accounts, followers, states)
    return [f"{lack.dataset} {lack.reason}".strip() for lack in lacks]


def test_days_that_are_not_computed_yet_are_awaited(hostile: Engine) -> None:
    """Rows are loaded in batches, and the days are computed once all are in."""
    refresh_account_days(hostile)
    execute(hostile, f"UPDATE weixin.account_day_state SET stale_from = '{DAY}'")
    sent: list[Notification] = []
    reason = send_digest(hostile, sent.append, now=MORNING, installation=Installation(""))

    assert reason == f"the figures of {DAY} are not all in, they are sent at noon: 报纸"
    assert (sent, rows(hostile, "SELECT * FROM weixin.digest")) == ([], [])
    assert lacking(hostile) == [f"报纸: {NOT_COMPUTED}"]
    execute(hostile, "UPDATE weixin.account_day_state SET stale_from = '2026-11-24'")
    assert NOT_COMPUTED not in message(hostile)


def test_an_account_that_no_run_has_asked_about_is_awaited(hostile: Engine) -> None:
    """Its figures are not 0."""
    execute(
        hostile,
        """
        INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
        VALUES ('wxnew', '新号', 'new', TRUE, now())
        """,
    )
    assert f"新号: {NOT_ASKED}" in lacking(hostile)
    assert "Reads: unknown" in message(hostile)


@pytest.mark.parametrize(
    ("reason", "is_awaited"),
    [
        *[(state, state in ("late", "behind")) for state in State],
        *[(NOT_ASKED, True), (NOT_COMPUTED, True), (SOME_ARTICLES, False), (FOLLOWERS, False)],
    ],
)
def test_what_may_come_in_this_morning_is_awaited(reason: str, is_awaited: bool) -> None:
    """What is lost, or of articles that nobody asked about, delays no digest."""
    assert Lack("报纸", reason).is_awaited == is_awaited


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([Asked("old", "ended"), Asked("new", "late")], ["new late"]),
        ([Asked("old", "ended"), Asked("new", "in")], [SOME_ARTICLES]),
        ([Asked("old", "ended")], ["old ended"]),
        ([Asked("old", "in"), Asked("new", "behind")], ["new behind"]),
        ([Asked("old", "final"), Asked("new", "silent")], [SOME_ARTICLES]),
        ([Asked("old", "lost"), Asked("old", "unconfirmed")], ["old lost", "old unconfirmed"]),
        ([], [NOT_ASKED]),
        ([Asked("old", "late", appid="wx2")], [NOT_ASKED]),
        ([Asked("followers", "late", is_of_articles=False)], [NOT_ASKED]),
    ],
)
def test_the_reason_is_what_an_endpoint_that_still_answers_lacks(
    states: list[Asked], expected: list[str]
) -> None:
    """A retired endpoint is the reason only if no other is."""
    assert reasons([Day()], [], *states) == expected
    assert reasons([Day(is_complete=True)], [], *states) == []
    assert reasons([Day(is_complete=True, is_stale=True)], [], *states) == [NOT_COMPUTED]


def test_unknown_followers_have_a_reason_of_their_own() -> None:
    """Known ones have none, even if a dataset is late."""
    late = Asked("follower_change", "late", is_of_articles=False)
    assert reasons([], [Day()], late, Asked("old", "late")) == ["follower_change late"]
    assert reasons([], [Day()], Asked("old", "late")) == [FOLLOWERS]
    assert reasons([], [Day(won=0)], late) == []


def test_days_of_two_causes_are_told_on_two_lines(hostile: Engine) -> None:
    """The title of a cause is never told of the days of another."""
    refresh_account_days(hostile)
    days = "article_total late 2026-11-17 to 2026-11-19, 2026-11-21 to 2026-11-23"
    assert lacking(hostile) == [f"报纸: {days}"]
    execute(
        hostile,
        """
        UPDATE weixin.coverage SET error_kind = 'call_refused', ready_at = NULL, listed_since = NULL
        WHERE day = '2026-11-20'
        """,
    )
    assert {*lacking(hostile)} == {
        "报纸 refused: article_total late 2026-11-20",
        f"报纸: {days}",
    }


def test_readers_gained_in_two_days_are_not_told_as_yesterdays(hostile: Engine) -> None:
    """They are told with the number of days."""
    execute(
        hostile,
        "DELETE FROM weixin.fact_article_total WHERE msgid = '1_1' AND stat_date = '2026-11-22'",
    )
    (line,) = [line for line in message(hostile).splitlines() if "＋1" in line or "+1 ·" in line]
    assert line.startswith("1. ")
    assert "readers in 2 days" in line


@pytest.mark.parametrize("title", ["", " \u3000", "\u200b\u200d"])
def test_a_title_that_is_not_seen_is_said_to_be_missing(hostile: Engine, title: str) -> None:
    """The line of the article would seem to have none."""
    execute(hostile, f"UPDATE weixin.dim_article SET title = '{title}' WHERE msgid = '1_1'")
    assert "(without a title) · 报纸" in message(hostile)


def test_zero_of_the_known_accounts_is_no_sum_while_others_are_unknown(hostile: Engine) -> None:
    """An account that published nothing would make the figure of all accounts look like 0."""
    execute(hostile, "UPDATE weixin.fact_article_total SET int_page_read_user = 7")
    refresh_account_days(hostile)
    assert "Readers: 0\n" in message(hostile).replace(", complete for 0 of 1 accounts", "")
    execute(
        hostile,
        """
        INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
        VALUES ('wxnew', '新号', 'new', TRUE, now())
        """,
    )
    assert "Readers: unknown\n" in message(hostile)


@pytest.mark.parametrize(("listed_since", "is_cause"), [("24", True), ("23", False)])
def test_an_unconfirmed_answer_is_a_cause_unless_it_repeats_an_earlier_list(
    hostile: Engine, listed_since: str, is_cause: bool
) -> None:
    """The figures of one that does count as complete."""
    refresh_account_days(hostile)
    execute(
        hostile,
        f"""
        INSERT INTO weixin.coverage (
            dataset, appid, day, ready_at, fetched_at, attempted_at, listed_since, list_sha256,
            article_count, through_date, row_count
        )
        SELECT
            'article_total', appid, '2026-11-17', seen, seen, seen,
            '2026-11-{listed_since} 08:30+08', sha256('1'), 1, '2026-11-23', 7
        FROM weixin.dim_account, (VALUES (timestamptz '2026-11-24 08:30+08')) AS run (seen)
        """,
    )
    assert ("unconfirmed 2026-11-17" in message(hostile)) == is_cause
    with hostile.connect() as connection:
        causes = export.select(connection, [], DAY, DAY).causes(connection)
    assert ("unconfirmed" in {row.state for row in causes}) == is_cause
