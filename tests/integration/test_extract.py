"""Extract: one call per publication day; a refused day holds back no other."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    EndpointOfflineError,
    NotReadyError,
    UnreachableError,
)
from weixin_etl.api.http import CallLimits
from weixin_etl.datasets import DATASETS
from weixin_etl.extract import Fetched, Refused, extract
from weixin_etl.model import Account
from weixin_sandbox import Sandbox, Scenario

DATASET = DATASETS["article_total"]
DAYS = [date(2026, 11, day) for day in range(17, 24)]
LIMITS = CallLimits(tries=2, backoff_seconds=0.001, minute_quota_wait_seconds=0.001)
Extract = Callable[[int], list[Fetched | Refused]]


@pytest.fixture
def extracted(account: Account) -> Extract:
    """What extract makes of the window's days, so many calls at once."""
    return lambda concurrency: list(
        extract(WeixinClient(account, LIMITS), DATASET, DAYS, concurrency)
    )


def paths(sandbox: Sandbox) -> list[str]:
    """What was called, in order."""
    return [call.path for call in sandbox.calls]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_each_day_is_asked_once_and_answered_in_order(
    sandbox: Sandbox, account: Account, extracted: Extract, concurrency: int
):
    """The exact bytes of each, one call a day, one for the token."""
    outcomes = extracted(concurrency)

    assert [
        (outcome.publication_date, outcome.answer.body, outcome.answer.calls)
        for outcome in outcomes
    ] == [(day, sandbox.answer(account.appid, day, sandbox.beijing_today), 1) for day in DAYS]
    assert sorted(paths(sandbox)) == ["/cgi-bin/stable_token"] + [DATASET.path] * 7


@pytest.mark.parametrize(
    ("scenario", "kind", "calls"),
    [
        ("not-ready-code", NotReadyError, 1),
        ("busy", UnreachableError, 2),
        ("http-500", UnreachableError, 2),
        ("cut-answer", UnreachableError, 2),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_one_refused_day_holds_back_no_other(
    sandbox: Sandbox,
    extracted: Extract,
    concurrency: int,
    scenario: str,
    kind: type[Exception],
    calls: int,
):
    """It is refused in its place, with the calls it took; six days are fetched."""
    sandbox.scenarios[:] = [Scenario(scenario, day=DAYS[2])]

    outcomes = extracted(concurrency)

    assert [type(outcome) for outcome in outcomes] == [
        Fetched, Fetched, Refused, Fetched, Fetched, Fetched, Fetched,
    ]  # fmt: skip
    refused = outcomes[2]
    assert isinstance(refused, Refused)
    assert (refused.publication_date, type(refused.error)) == (DAYS[2], kind)
    assert refused.calls == calls
    assert paths(sandbox).count(DATASET.path) == 6 + calls


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("unauthorized", ConfigurationError),
        ("daily-quota", DailyQuotaError),
        ("offline", EndpointOfflineError),
    ],
)
def test_an_error_that_stops_the_account_is_given_to_the_days_not_asked_yet(
    sandbox: Sandbox, extracted: Extract, scenario: str, kind: type[Exception]
):
    """Without a call: the quota, and WeChat's patience, are not for asking in vain."""
    sandbox.scenarios[:] = [Scenario(scenario, day=DAYS[2])]

    outcomes = extracted(1)

    assert [type(outcome) for outcome in outcomes] == [Fetched] * 2 + [Refused] * 5
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert [outcome.publication_date for outcome in refused] == DAYS[2:]
    assert {type(outcome.error) for outcome in refused} == {kind}
    assert [outcome.calls for outcome in refused] == [1, 0, 0, 0, 0]
    assert paths(sandbox).count(DATASET.path) == 3


def test_an_account_without_a_token_is_asked_for_nothing(sandbox: Sandbox, extracted: Extract):
    """One token call, and each day gets its sentence."""
    sandbox.scenarios[:] = [Scenario("ip")]

    outcomes = extracted(4)

    assert [outcome.publication_date for outcome in outcomes] == DAYS
    assert all(
        isinstance(outcome, Refused) and outcome.calls == 0 and outcome.error.errcode == 40164
        for outcome in outcomes
    )
    assert paths(sandbox) == ["/cgi-bin/stable_token"]


def test_no_days_need_no_data_call(sandbox: Sandbox, account: Account):
    """An empty plan gives nothing."""
    assert list(extract(WeixinClient(account, LIMITS), DATASET, [], 4)) == []

    assert DATASET.path not in paths(sandbox)


def test_the_figures_of_a_silent_day_are_an_answer(sandbox: Sandbox, account: Account):
    """`{"list":[]}` is fetched like any other."""
    silent = [
        day
        for day in (DAYS[0] - timedelta(days=number) for number in range(20))
        if sandbox.answer(account.appid, day, sandbox.beijing_today) == b'{"list":[]}'
    ]

    (outcome,) = extract(WeixinClient(account, LIMITS), DATASET, silent[:1], 4)

    assert isinstance(outcome, Fetched)
    assert outcome.answer.body == b'{"list":[]}'
