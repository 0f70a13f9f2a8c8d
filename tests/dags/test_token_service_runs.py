"""Runs of accounts whose tokens a company's own token service gives: WeChat is asked for none."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from dag_runs import MORNING, NOT_IN, WINDOW, DailyDag, loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox, Scenario

BEARER = "the bearer of the token service"
SERVICE = "/token-service"


@pytest.fixture
def collected(
    daily: DailyDag, memories_apart: None, sandbox: Sandbox, sandbox_url: str
) -> Callable[..., DailyDag]:
    """The DAG with the account's token given by the sandbox's token service."""

    def make(account: Account = DEFAULT_ACCOUNT, bearer: str = BEARER, **extra: Any) -> DailyDag:
        sandbox.token_service.bearer = BEARER
        extra = {"name": account.name, "token_url": f"{sandbox_url}{SERVICE}", **extra}
        daily.connect(account, sandbox_url, "weixin_default", password=bearer, extra=extra)
        return daily

    return make


def token_calls(sandbox: Sandbox) -> Counter[str]:
    """Where a token was asked for, and how often."""
    return Counter(call.path for call in sandbox.calls if "token" in call.path)


def test_a_token_that_ends_during_the_run_is_asked_for_once_more(
    collected: Callable[..., DailyDag], sandbox: Sandbox, warehouse: Engine
):
    """The service has a new one, and the day comes in."""
    daily = collected()
    sandbox.scenarios[:] = [Scenario("token-expired", day=WINDOW[3], times=1)]

    outcome = daily.run()

    assert outcome.state == "success"
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())
    assert token_calls(sandbox) == {SERVICE: 3}


def test_a_stale_token_is_asked_for_once_more_then_said(
    collected: Callable[..., DailyDag], sandbox: Sandbox, warehouse: Engine
):
    """The sentence sends the operator to the service; once it is mended the run comes in."""
    daily = collected()
    daily.set("AIRFLOW__WEIXIN__RETRIES", "0")
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.token_service.is_stale = True
    sandbox.token_service.token(DEFAULT_ACCOUNT.appid)
    sandbox.expire_tokens()

    outcome = daily.run()
    calls, data = token_calls(sandbox), asked_in_vain(sandbox)
    sandbox.token_service.is_stale = False
    mended = daily.run()

    assert outcome.state == "failed"
    assert outcome.errors == [("ingest", NOT_IN), ("check", NOT_IN)]
    (line,) = outcome.told("check")
    assert line.startswith(
        f"{DEFAULT_ACCOUNT.name}: have the token service mended: it gives a stale token, also "
        "when asked again"
    )
    assert calls == {SERVICE: 4}  # twice for the quota, twice for a day
    assert data == 1
    assert mended.state == "success"
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())
    assert token_calls(sandbox).keys() == {SERVICE}


def asked_in_vain(sandbox: Sandbox) -> int:
    """Data calls that were refused."""
    return sum(call.path.startswith("/datacube/") and bool(call.errcode) for call in sandbox.calls)


def test_a_token_of_a_platform_that_the_account_has_left_makes_the_run_red(
    collected: Callable[..., DailyDag], sandbox: Sandbox
):
    """The service may be a platform's; without its list nobody retires the account but a person."""
    daily = collected()
    sandbox.scenarios[:] = [Scenario("errcode:61003")]

    morning, next_morning = daily.run(), daily.on(1)

    assert (morning.state, next_morning.state) == ("failed", "failed")
    (line,) = next_morning.told("check")
    assert "have it authorised, or leave it out of weixin_accounts" in line
    assert line.endswith("errcode 61003")
