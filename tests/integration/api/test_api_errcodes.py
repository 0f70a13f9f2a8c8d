"""Each errcode of WeChat becomes one error with one reaction (weixin-api.md, section 4)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wire import DATA_PATH, DAY, LIMITS, TOKEN_PATH

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    AccountBlockedError,
    CallError,
    ConfigurationError,
    DailyQuotaError,
    EndpointOfflineError,
    MinuteQuotaError,
    NotReadyError,
    TokenRefusedError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.model import Account
from weixin_sandbox import Sandbox, Scenario

FIVE_TRIES = replace(LIMITS, tries=5)
Counter = Callable[[str], int]

ON_A_DATA_CALL = [
    # errcode, error, data calls made, tried again by Airflow, stops the account, what it says
    (-1, UnreachableError, 5, True, False, "could not be reached or was busy"),
    (40001, TokenRefusedError, 1, True, True, "find out who else resets this account's token"),
    (40014, TokenRefusedError, 1, True, True, "find out who else resets this account's token"),
    (42001, TokenRefusedError, 1, True, True, "find out who else resets this account's token"),
    (45011, MinuteQuotaError, 2, True, False, "lower [weixin] concurrency"),
    (61503, NotReadyError, 1, False, False, "they come after 08:00 Beijing time"),
    (45009, DailyQuotaError, 1, False, True, "the quota is new at 00:00 Beijing time"),
    (
        47009,
        EndpointOfflineError,
        1,
        False,
        True,
        "WeChat took this endpoint offline",
    ),
    (40013, ConfigurationError, 1, False, True, "correct the connection's login"),
    (40125, ConfigurationError, 1, False, True, "correct the connection's password"),
    (40164, ConfigurationError, 1, False, True, "add it in the console (errcode 40164: invalid ip"),
    (40243, ConfigurationError, 1, False, True, "thaw it in the console"),
    (48001, ConfigurationError, 1, False, True, "must be verified, or permission set 7 is missing"),
    (61003, ConfigurationError, 1, False, True, "has not authorised the platform; have it"),
    (
        61004,
        ConfigurationError,
        1,
        False,
        True,
        "platform's IP is not on its whitelist; add it",
    ),
    (61007, ConfigurationError, 1, False, True, "lacks the permission set; have the account"),
    (61502, ConfigurationError, 1, False, True, "not an Official Account; take it off the list"),
    (89501, ConfigurationError, 1, False, True, "admin must confirm this machine's IP"),
    (89503, ConfigurationError, 1, False, True, "admin must confirm this machine's IP"),
    (89506, ConfigurationError, 1, False, True, "ask again in 24 hours"),
    (89507, ConfigurationError, 1, False, True, "ask again in an hour"),
    (
        42007,
        ConfigurationError,
        1,
        False,
        True,
        "changed the password; have the account",
    ),
    (48004, AccountBlockedError, 1, False, True, "its owner finds the reason in the console"),
    (50002, AccountBlockedError, 1, False, True, "its owner finds the reason in the console"),
    (41001, CallError, 1, False, False, "please report this"),
    (41002, CallError, 1, False, False, "please report this"),
    (41004, CallError, 1, False, False, "please report this"),
    (43002, CallError, 1, False, False, "please report this"),
    (44002, CallError, 1, False, False, "please report this"),
    (47001, CallError, 1, False, False, "please report this"),
    (40097, CallError, 1, False, False, "please report this"),
    (61500, CallError, 1, False, False, "please report this"),
    (61501, CallError, 1, False, False, "please report this"),
    (61005, ConfigurationError, 1, False, True, "wait for the next push"),
    (61006, ConfigurationError, 1, False, True, "wait for the next push"),
    (61011, ConfigurationError, 1, False, True, "check its AppID"),
    (61023, ConfigurationError, 1, False, True, "have the account authorised again"),
    (99999, CallError, 1, False, False, "please report this"),
]


@pytest.mark.parametrize(
    ("errcode", "kind", "calls", "is_retryable", "stops_account", "says"),
    ON_A_DATA_CALL,
    ids=[str(row[0]) for row in ON_A_DATA_CALL],
)
def test_an_errcode_has_its_error_its_reaction_and_its_sentence(
    sandbox: Sandbox,
    account: Account,
    asked: Counter,
    errcode: int,
    kind: type[WeixinError],
    calls: int,
    is_retryable: bool,
    stops_account: bool,
    says: str,
):
    """Busy is asked five times, a used-up minute twice, everything else once."""
    sandbox.scenarios[:] = [Scenario(f"errcode:{errcode}")]

    with pytest.raises(WeixinError) as caught:
        WeixinClient(account, FIVE_TRIES).datacube(DATA_PATH, DAY)

    error = caught.value
    assert type(error) is kind
    assert (error.calls, asked(DATA_PATH)) == (calls, calls)
    assert (error.is_retryable, error.stops_account) == (is_retryable, stops_account)
    assert error.errcode == errcode
    assert str(error).startswith("沙箱公众号 (wx5a4d80c70b1e2f3a): ")
    assert says in str(error)
    assert f"errcode {errcode}" in str(error)


@pytest.mark.parametrize(
    ("errcode", "kind", "token_calls", "says"),
    [
        (-1, UnreachableError, 5, "could not be reached or was busy"),
        (40001, ConfigurationError, 1, "the AppSecret is wrong or not the newest"),
        (40014, CallError, 1, "please report this"),
        (40164, ConfigurationError, 1, "invalid ip 203.0.113.7"),
        (40243, ConfigurationError, 1, "thaw it in the console"),
        (45009, DailyQuotaError, 1, "new at 00:00 Beijing time"),
        (45011, MinuteQuotaError, 2, "allowed in a minute are used up"),
        (50002, AccountBlockedError, 1, "its owner finds the reason"),
        (89503, ConfigurationError, 1, "must confirm this machine's IP"),
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

    with pytest.raises(WeixinError, match="沙箱公众号") as caught:
        WeixinClient(account, FIVE_TRIES).datacube(DATA_PATH, DAY)

    assert type(caught.value) is kind
    assert (asked(TOKEN_PATH), asked(DATA_PATH), caught.value.calls) == (token_calls, 0, 0)
    assert says in str(caught.value)


def test_a_minute_quota_that_is_free_after_the_wait_brings_the_figures(
    sandbox: Sandbox, account: Account
):
    """45011 is waited for once, and the second answer counts."""
    sandbox.scenarios[:] = [Scenario("minute-quota", times=1)]

    answer = WeixinClient(account, FIVE_TRIES).datacube(DATA_PATH, DAY)

    assert answer.calls == 2
    assert answer.body == sandbox.answer(account.appid, DAY, asked_on=sandbox.beijing_today)
