"""What the client does about an errcode before it gives up (weixin-api.md, section 4)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wire import DATA_PATH, DATASET, DAY, LIMITS, TOKEN_PATH, refused

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    MinuteQuotaError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.model import Account
from weixin_sandbox import Sandbox, Scenario

FIVE_TRIES = replace(LIMITS, tries=5)
Counter = Callable[[str], int]


@pytest.mark.parametrize(
    ("scenario", "kind", "calls"),
    [
        ("errcode:-1", UnreachableError, (1, 5)),
        ("errcode:45011", MinuteQuotaError, (1, 2)),
        ("errcode:45009", DailyQuotaError, (1, 1)),
        ("token-call:errcode:-1", UnreachableError, (5, 0)),
        ("token-call:errcode:45011", MinuteQuotaError, (2, 0)),
        ("token-call:errcode:40001", ConfigurationError, (1, 0)),
    ],
)
def test_a_refused_call_tells_its_calls_and_its_time(
    sandbox: Sandbox,
    account: Account,
    asked: Counter,
    scenario: str,
    kind: type[WeixinError],
    calls: tuple[int, int],
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
