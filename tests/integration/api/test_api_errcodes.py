"""What the client does about an errcode before it gives up (weixin-api.md, section 4)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wire import DATA_PATH, DATASET, DAY, LIMITS, TOKEN_PATH, answered, refused

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    CallError,
    ConfigurationError,
    DailyQuotaError,
    EndpointOfflineError,
    MinuteQuotaError,
    NotReadyError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.model import Account
from weixin_sandbox import Sandbox, Scenario

FIVE_TRIES = replace(LIMITS, tries=5)
Counter = Callable[[str], int]


@pytest.mark.parametrize(
    ("errcode", "kind", "calls", "says"),
    [
        (-1, UnreachableError, 5, "could not be reached or was busy"),
        (45011, MinuteQuotaError, 2, "lower [weixin] concurrency"),
        (61503, NotReadyError, 1, "they come after 08:00 Beijing time"),
        (45009, DailyQuotaError, 1, "the quota is new at 00:00 Beijing time"),
        (47009, EndpointOfflineError, 1, "the DAG weixin_article_total_detail"),
        (40164, ConfigurationError, 1, "add it in the console (errcode 40164: invalid ip 203.0."),
        (61501, CallError, 1, "please report this"),
        (99999, CallError, 1, "please report this"),
    ],
)
def test_a_refused_data_call_tells_its_calls_its_time_and_its_sentence(
    sandbox: Sandbox,
    account: Account,
    asked: Counter,
    errcode: int,
    kind: type[WeixinError],
    calls: int,
    says: str,
):
    """Busy is asked five times, a used-up minute twice, everything else once."""
    sandbox.scenarios[:] = [Scenario(f"errcode:{errcode}")]

    refusal = refused(WeixinClient(account, FIVE_TRIES).datacube(DATASET, DAY))

    assert type(refusal.error) is kind
    assert (refusal.calls, asked(DATA_PATH)) == (calls, calls)
    assert refusal.refused_at.isoformat() == "2026-11-24T02:30:00+00:00"
    assert refusal.error.errcode == errcode
    assert str(refusal.error).startswith("沙箱公众号 (wx5a4d80c70b1e2f3a): ")
    assert says in str(refusal.error)


def test_days_refused_alike_have_one_reason_and_a_rid_each(sandbox: Sandbox, client: WeixinClient):
    """WeChat gives each refused call an id of its own."""
    sandbox.scenarios[:] = [Scenario("not-ready-code")]

    errors = [refused(client.datacube(DATASET, DAY)).error for _ in range(3)]

    assert len({error.reason for error in errors}) == 1
    assert len({error.rid for error in errors} - {""}) == 3
    assert all(str(error).endswith(f" rid: {error.rid}") for error in errors)


@pytest.mark.parametrize(
    ("errcode", "kind", "token_calls", "says"),
    [
        (-1, UnreachableError, 5, "could not be reached or was busy"),
        (40001, ConfigurationError, 1, "the AppSecret is wrong or not the newest"),
        (45011, MinuteQuotaError, 2, "allowed in a minute are used up"),
        (99999, CallError, 1, "please report this"),
    ],
)
def test_an_errcode_on_the_token_call_ends_the_call_before_any_data_call(
    sandbox: Sandbox,
    account: Account,
    asked: Counter,
    errcode: int,
    kind: type[WeixinError],
    token_calls: int,
    says: str,
):
    """The same reactions, but 40001 means the secret there and a new token can't help."""
    sandbox.scenarios[:] = [Scenario(f"token-call:errcode:{errcode}")]

    refusal = refused(WeixinClient(account, FIVE_TRIES).datacube(DATASET, DAY))

    assert type(refusal.error) is kind
    assert (asked(TOKEN_PATH), asked(DATA_PATH), refusal.calls) == (token_calls, 0, 0)
    assert says in str(refusal.error)


def test_a_minute_quota_that_is_free_after_the_wait_brings_the_figures(
    sandbox: Sandbox, account: Account, client: WeixinClient
):
    """45011 is waited for once, and the second answer counts."""
    sandbox.scenarios[:] = [Scenario("minute-quota", times=1)]

    answer = answered(client.datacube(DATASET, DAY))

    assert answer.calls == 2
    assert answer.body == sandbox.answer(account.appid, DAY, asked_on=sandbox.beijing_today)
