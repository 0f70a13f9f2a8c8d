"""What the client does about an errcode before it gives up (weixin-api.md, section 4)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wire import DATA_PATH, DATASET, DAY, LIMITS, TOKEN_PATH, refused

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
    ("scenario", "kind", "calls", "says"),
    [
        ("errcode:-1", UnreachableError, (1, 5), "no usable answer came"),
        ("errcode:45011", MinuteQuotaError, (1, 2), "lower [weixin] concurrency"),
        ("errcode:61503", NotReadyError, (1, 1), "run again after 10:00 Beijing time"),
        ("errcode:45009", DailyQuotaError, (1, 1), "wait until 00:00 Beijing time"),
        (
            "errcode:47009",
            EndpointOfflineError,
            (1, 1),
            "DAG weixin_article_total_detail (",
        ),
        (
            "errcode:40164",
            ConfigurationError,
            (1, 1),
            "add 203.0.113.7 to the IP whitelist",
        ),
        ("errcode:99999", CallError, (1, 1), "report it, with the errcode"),
        ("token-call:errcode:-1", UnreachableError, (5, 0), "no usable answer came"),
        ("token-call:errcode:45011", MinuteQuotaError, (2, 0), "in a minute are used up"),
        ("token-call:errcode:40001", ConfigurationError, (1, 0), "the AppSecret is wrong"),
    ],
)
def test_a_refused_call_tells_its_calls_its_time_and_its_sentence(
    sandbox: Sandbox,
    account: Account,
    asked: Counter,
    scenario: str,
    kind: type[WeixinError],
    calls: tuple[int, int],
    says: str,
):
    """Busy is asked five times, a used-up minute twice, the rest once; no token, no data call."""
    sandbox.scenarios[:] = [Scenario(scenario)]

    refusal = refused(WeixinClient(account, FIVE_TRIES).datacube(DATASET, DAY))

    assert type(refusal.error) is kind
    assert (asked(TOKEN_PATH), asked(DATA_PATH)) == calls
    assert refusal.calls == calls[1]
    assert refusal.refused_at.isoformat() == "2026-11-24T02:30:00+00:00"
    assert refusal.error.errcode == int(scenario.rsplit(":", 1)[1])
    assert str(refusal.error).startswith("沙箱公众号 (wx5a4d80c70b1e2f3a): ")
    assert says in str(refusal.error)


def test_days_refused_alike_have_one_reason_and_a_rid_each(sandbox: Sandbox, client: WeixinClient):
    """WeChat gives each refused call an id of its own."""
    sandbox.scenarios[:] = [Scenario("not-ready-code")]

    errors = [refused(client.datacube(DATASET, DAY)).error for _ in range(3)]

    assert len({error.happened for error in errors}) == 1
    assert len({error.rid for error in errors} - {""}) == 3
    assert all(str(error).endswith(f", rid {error.rid})") for error in errors)
