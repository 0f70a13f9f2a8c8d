"""Check what plan, report and check write down of a run, beyond what test_calendars.py compares."""

import logging
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import text
from support import rows
from support.wire import refuses
from world.pipeline import MORNING, Pipeline, by_hand
from world.wechat import Refusal, at, date_of, instant

from weixin_etl.api.threads import convert
from weixin_etl.model import Batch, ConfiguredAccount, Due, PlannedAccount
from weixin_etl.run import Settings
from weixin_etl.run.check import SLICES_IN_LOG
from weixin_etl.run.plan import DryRun, DryRunAccount, plan, split_batches

OF_ONE_ACCOUNT = replace(MORNING, accounts=("wx0",))


def test_a_dry_run_writes_nothing(morning: Pipeline) -> None:
    """The dry run plans the same days as the run would."""
    planned = morning.collector.planned(replace(OF_ONE_ACCOUNT, dry_run=True))
    (account,) = planned.accounts

    days = [date_of(-age) for age in range(1, 8)]
    assert account.due.days == days
    assert planned.dry_run == DryRun(1, 7, None, [DryRunAccount("wx0", days, calls_made=0)])
    for table in ("run_report", "dim_account", "collected_since"):
        assert rows(morning.warehouse, f"SELECT * FROM weixin.{table}") == []


def test_a_dry_run_counts_its_calls_and_the_calls_left(morning: Pipeline) -> None:
    """Days that no daily run asks for may not use the quota's reserve."""
    morning.collector.run(OF_ONE_ACCOUNT)
    older = replace(by_hand(-20, 3), dry_run=True)
    collector = replace(morning.collector, settings=Settings(daily_calls=50, quota_reserve=10))

    dry_run = collector.planned(older).dry_run

    assert dry_run
    assert (dry_run.account_count, dry_run.call_count, dry_run.calls_limit) == (5, 15, 40)
    named = {account.name: (len(account.days), account.calls_made) for account in dry_run.accounts}
    assert named == {"wx0": (3, 7), **{f"wx{number}": (3, 0) for number in range(1, 5)}}


def test_a_run_collects_the_accounts_it_names_and_updates_the_list(morning: Pipeline) -> None:
    """`is_active` follows the list of accounts, and a name follows its connection."""
    collector = morning.collector
    active = "SELECT name FROM weixin.dim_account WHERE is_active ORDER BY appid"
    collector.plan(MORNING)
    renamed = replace(collector.accounts["c0"], name="新名")
    collector = replace(collector, accounts={**collector.accounts, "c0": renamed})
    two = replace(MORNING, accounts=("wx0", "wx3"))

    assert [account.appid for account in collector.plan(two)] == ["wx0", "wx3"]
    assert rows(morning.warehouse, active) == [("新名",), ("wx1",), ("wx2",), ("wx3",), ("wx4",)]

    unusable = replace(collector, accounts={"c0": renamed, "c1": None})
    left = plan(unusable.work(MORNING), unusable.configured(MORNING)).removed
    assert {problem.account for problem in left} == {"wx2", "wx3", "wx4"}
    assert rows(morning.warehouse, active) == [("新名",), ("wx1",)]
    assert [len(unusable.check(run, []).not_in) for run in (two, MORNING)] == [0, 1]


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ({"c": "wxa", "d": "wxb"}, {"d": "wxb"}, ""),
        ({"p/wxa": "wxa", "p/wxb": "wxb"}, {"p/wxb": "wxb"}, "withdrawn"),
        ({"c": "wxa"}, {"c": "wxb"}, "replaced"),
    ],
)
def test_an_account_that_left_the_list_has_a_reason(
    morning: Pipeline, before: dict[str, str], after: dict[str, str], code: str
) -> None:
    """The entry is gone, a platform no longer lists the account, or the AppID was replaced."""
    found = [
        [ConfiguredAccount(conn_id, appid, appid) for conn_id, appid in listed.items()]
        for listed in (before, after)
    ]
    (left,) = [plan(morning.collector.work(MORNING), accounts).removed for accounts in found][1]

    assert (left.appid, left.code) == ("wxa", code)


def test_a_platform_that_cannot_be_used_keeps_its_accounts(morning: Pipeline) -> None:
    """Accounts leave the list with their platform, not when its connection breaks."""
    whole = morning.collector
    first, second = (whole.accounts[conn_id] for conn_id in ("c0", "c1"))
    replace(whole, accounts={"platform/wx0": first, "other/wx1": second}).plan(MORNING)
    broken = replace(whole, accounts={"platform": None})

    left = plan(broken.work(MORNING), broken.configured(MORNING)).removed

    assert [problem.appid for problem in left] == ["wx1"]


def test_a_run_asks_again_within_the_instant_of_another_runs_answers(morning: Pipeline) -> None:
    """A plan is later than the answers before it, even if the clock stands still."""
    morning.call_seconds = 0
    for run_id in ("one", "another"):
        assert morning.collector.run(replace(OF_ONE_ACCOUNT, run_id=run_id)).problems == []

    assert len(morning.asked) == 2 * 7


STORED = """
    INSERT INTO weixin.coverage
        (dataset, appid, day, settled, article_count, list_sha256, ready_at, attempted_at)
    VALUES ('article_total', 'wx0', :day, :settled, :count, sha256(:listed), :at, :at)
"""
"""Stores a day that an earlier run has settled."""


def test_a_day_that_was_given_up_is_no_control_day(morning: Pipeline) -> None:
    """The control day is the readable day with articles that was asked for longest ago."""
    days = [(-30, "given_up"), (-20, "final"), (-19, "final"), (-10, "final"), (-9, "final")]
    with morning.warehouse.begin() as connection:
        for day, settled in days:
            count = int(day < -10)
            attempt = {"listed": b"1_1"[: 3 * count], "at": instant(at(day + 9))}
            stored = {"day": date_of(day), "settled": settled, "count": count, **attempt}
            connection.execute(text(STORED), stored)

    (account,) = morning.collector.plan(OF_ONE_ACCOUNT)

    assert account.due.control_day == date_of(-20)


def test_a_new_plan_resets_the_record_of_the_run(morning: Pipeline) -> None:
    """Only the changes that the run has made are kept."""
    morning.wire.on_data = refuses(61503)
    morning.collector.run(OF_ONE_ACCOUNT)
    morning.moment = at(0, 12)

    morning.collector.plan(OF_ONE_ACCOUNT)

    record = "SELECT count(*), sum(calls)::int, min(planned_at) FROM weixin.run_report"
    assert rows(morning.warehouse, record) == [(7, 0, instant(at(0, 12)))]


def test_a_cleared_run_reports_changed_days_that_its_new_plan_leaves_out(morning: Pipeline) -> None:
    """Days that became final since are not planned again."""
    collector, run = morning.collector, by_hand(-10, 3, accounts=("wx0",))
    collector.run(run)
    morning.moment = at(1, 10.5)
    collector.run(replace(run, run_id="other"))  # these answers confirm the others

    batch = collector.plan(run)

    assert batch == []
    assert collector.check(run, batch).changed_days == [date_of(day) for day in (-12, -11, -10)]


def test_the_report_names_the_days_whose_rows_changed(morning: Pipeline) -> None:
    """Unchanged days and days without an answer are not named."""
    collector, again = morning.collector, replace(OF_ONE_ACCOUNT, run_id="again")
    collector.run(OF_ONE_ACCOUNT)
    wechat = morning.calendar.wechats[OF_ONE_ACCOUNT.dataset.name, "wx0"]
    for day in (-2, -4):
        wechat.articles[day][0].corrections = [(at(0, 11), 0)]
    wechat.refused_on[-4, 0] = Refusal.BUSY
    morning.moment = at(0, 12)

    batch = collector.plan(again)
    collector.ingest(again, batch)

    judgement = collector.check(again, batch)
    assert collector.report(again, batch) == judgement.totals
    assert judgement.totals == {
        **{"calls": 7, "inserted": 0, "updated": 1, "unchanged": 28 - 4 - 1, "rejected": 0},
        **{"in": 6, "not_in": 1},
    }
    assert judgement.changed_days == [date_of(-2)]


@pytest.mark.parametrize("is_few", [True, False])
def test_the_log_has_a_line_for_each_account_day_of_a_few_accounts(
    morning: Pipeline, caplog: pytest.LogCaptureFixture, is_few: bool
) -> None:
    """For ten thousand accounts that would be seventy thousand lines."""
    caplog.set_level(logging.INFO)
    days = SLICES_IN_LOG // 5 + (not is_few)
    batch = morning.collector.plan(by_hand(-1, days))
    caplog.clear()

    totals = morning.collector.report(MORNING, batch)

    assert totals["not_in"] == 5 * days
    assert len(caplog.messages) == 1 + 5 * days * is_few


def test_a_batch_in_xcom_is_the_plan_and_has_no_secret(morning: Pipeline) -> None:
    made = morning.collector.plan(MORNING)

    kept = msgspec.to_builtins(split_batches(made))

    assert convert(kept, list[Batch]) == [[account] for account in made]
    assert morning.wire.account.secret not in str(kept)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (32, [1] * 32), (33, [7, 7, 7, 6, 6]), (8001, [243] * 15 + [242] * 18)],
)
def test_accounts_are_spread_evenly_over_batches(count: int, sizes: list[int]) -> None:
    """Up to 32 accounts a batch is one account; more are spread over batches of 8 to 250."""
    accounts = [
        PlannedAccount(*(f"wx{n:04}",) * 3, instant(0), Due([date_of(0)])) for n in range(count)
    ]

    made = split_batches(accounts)

    assert [len(batch) for batch in made] == sizes
    planned = [account for batch in made for account in batch]
    assert sorted(planned, key=lambda account: account.appid) == accounts
