"""The lives of access tokens."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sandbox_caller import TODAY, Caller, Seconds

from weixin_sandbox import DEFAULT_ACCOUNT, Account

YESTERDAY = TODAY - timedelta(days=1)


def test_ordinary_mode_answers_the_same_token_and_the_time_left(caller: Caller, seconds: Seconds):
    """Asking again changes nothing but `expires_in`."""
    first = caller.stable().json()
    seconds.now += 6899

    second = caller.stable().json()

    assert first["expires_in"] == 7200
    assert second == {"access_token": first["access_token"], "expires_in": 301}


def test_a_token_is_renewed_in_its_last_five_minutes_and_both_work_for_five(
    caller: Caller, seconds: Seconds
):
    """The renewal overlaps, then the old token is expired."""
    old = caller.token()
    seconds.now += 7000
    new = caller.stable().json()

    assert new["access_token"] != old
    assert new["expires_in"] == 7200
    seconds.now += 299
    assert (caller.errcode(YESTERDAY, old), caller.errcode(YESTERDAY, new["access_token"])) == (
        0,
        0,
    )
    seconds.now += 1
    assert caller.errcode(YESTERDAY, old) == 42001
    assert caller.errcode(YESTERDAY, new["access_token"]) == 0


def test_a_token_nobody_renews_expires_after_two_hours(caller: Caller, seconds: Seconds):
    """42001 from the 7200th second on, and asking again gives another one."""
    token = caller.token()
    seconds.now += 7199
    assert caller.errcode(YESTERDAY, token) == 0
    seconds.now += 1
    assert caller.errcode(YESTERDAY, token) == 42001

    assert caller.token() != token
    assert caller.errcode(YESTERDAY, token) == 42001


def test_force_refresh_kills_the_old_token_at_once(caller: Caller):
    """The old one is 40001 from now on; ordinary mode then answers the new one."""
    old = caller.token()

    new = caller.token(force_refresh=True)

    assert new != old
    assert caller.errcode(YESTERDAY, old) == 40001
    assert caller.errcode(YESTERDAY, new) == 0
    assert caller.token() == new


def test_force_refresh_kills_the_token_that_overlaps_too(caller: Caller, seconds: Seconds):
    """A leaked token is not kept alive by a renewal."""
    leaked = caller.token()
    seconds.now += 6900
    renewed = caller.token()
    caller.token(force_refresh=True)

    assert [caller.errcode(YESTERDAY, token) for token in (leaked, renewed)] == [40001] * 2


def test_force_refresh_within_thirty_seconds_refreshes_nothing(caller: Caller, seconds: Seconds):
    """The second of two quick ones answers the token in force."""
    first = caller.token(force_refresh=True)
    seconds.now += 29
    too_soon = caller.token(force_refresh=True)
    seconds.now += 1

    assert too_soon == first
    assert caller.token(force_refresh=True) != first


def test_force_refresh_is_limited_to_twenty_a_beijing_day(caller: Caller, seconds: Seconds):
    """The 21st is 45009 and kills nothing; the next day starts anew."""
    for _ in range(20):
        last = caller.token(force_refresh=True)
        seconds.now += 30
    refused = caller.stable(force_refresh=True).json()

    assert refused["errcode"] == 45009
    assert caller.token() == last
    assert caller.errcode(YESTERDAY, last) == 0
    caller.sandbox.today = TODAY + timedelta(days=1)
    assert caller.token(force_refresh=True) != last


@pytest.mark.parametrize("value", ["true", 1, "false", None, False])
def test_only_true_forces(caller: Caller, value: object):
    """`force_refresh` is a JSON boolean."""
    assert caller.token() == caller.token(force_refresh=value)


def test_each_classic_fetch_kills_its_predecessor(caller: Caller):
    """What two processes with the classic token do to each other."""
    first = caller.classic()
    assert caller.errcode(YESTERDAY, first) == 0

    second = caller.classic()

    assert caller.errcode(YESTERDAY, first) == 40001
    assert caller.errcode(YESTERDAY, second) == 0


def test_the_classic_overlap_can_be_as_long_as_wechats(start: Callable[..., Caller]):
    """With an overlap the predecessor works that long, then it is 40001."""
    seconds = Seconds()
    caller = start(classic_overlap_seconds=300, monotonic=seconds)
    first, second = caller.classic(), caller.classic()
    seconds.now += 299
    assert caller.errcode(YESTERDAY, first) == 0
    seconds.now += 1

    assert caller.errcode(YESTERDAY, first) == 40001
    assert caller.errcode(YESTERDAY, second) == 0


def test_stable_and_classic_tokens_do_not_touch_each_other(caller: Caller):
    """Both work side by side, whatever happens to the other."""
    stable = caller.token()
    classic = caller.classic()
    assert caller.errcode(YESTERDAY, stable) == 0

    caller.sandbox.replace_token(DEFAULT_ACCOUNT.appid)

    assert caller.errcode(YESTERDAY, classic) == 0
    assert caller.errcode(YESTERDAY, stable) == 40001


def test_expire_tokens_refuses_all_in_force_until_asked_again(caller: Caller):
    """Every token, stable and classic, is 42001; new ones are issued on request."""
    stable, classic = caller.token(), caller.classic()

    caller.sandbox.expire_tokens()

    assert [caller.errcode(YESTERDAY, token) for token in (stable, classic)] == [42001] * 2
    new = caller.token()
    assert new != stable
    assert caller.errcode(YESTERDAY, new) == 0
    assert caller.errcode(YESTERDAY, stable) == 42001


def test_replace_token_is_another_process_forcing_a_refresh(caller: Caller):
    """The held token is 40001 at once, and ordinary mode answers the new one."""
    held = caller.token()

    caller.sandbox.replace_token(DEFAULT_ACCOUNT.appid)

    assert caller.errcode(YESTERDAY, held) == 40001
    assert caller.errcode(YESTERDAY, caller.token()) == 0
    assert caller.token() in caller.sandbox.issued_tokens - {held}
    with pytest.raises(KeyError):
        caller.sandbox.replace_token("wx-nobody")


def test_a_replaced_token_stays_replaced_when_all_expire(caller: Caller):
    """A dead token keeps the reason it died of."""
    held = caller.token()
    caller.sandbox.replace_token(DEFAULT_ACCOUNT.appid)

    caller.sandbox.expire_tokens()

    assert caller.errcode(YESTERDAY, held) == 40001


def test_one_accounts_refresh_leaves_the_others_alone(start: Callable[..., Caller]):
    """Tokens belong to their account."""
    first, second = Account("wx1", "s1"), Account("wx2", "s2")
    caller = start(accounts=[first, second])
    caller.account = first
    kept = caller.token()
    caller.account = second
    caller.token()

    caller.token(force_refresh=True)
    caller.sandbox.replace_token("wx2")

    assert caller.errcode(YESTERDAY, kept) == 0
    assert caller.sandbox.calls[-1].appid == "wx1"


def test_tokens_are_long_url_safe_and_never_repeated(start: Callable[..., Caller]):
    """They need room, and no two sandboxes of the same seed issue the same one."""
    callers = [start(seed=1), start(seed=1)]
    tokens = [caller.classic() for caller in callers for _ in range(20)]
    tokens += [caller.token() for caller in callers]

    assert len(set(tokens)) == 42
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{150,512}", token) for token in tokens)
    assert callers[0].sandbox.issued_tokens | callers[1].sandbox.issued_tokens == set(tokens)
