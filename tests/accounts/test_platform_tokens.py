"""A platform's tokens: shared by all workers, never lost, readable by nobody."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from platform_workers import OpenPlatform, Order, context, start
from sqlalchemy import Engine
from support import rows

from weixin_etl.accounts import tokens
from weixin_etl.accounts.platform import Platform
from weixin_etl.problem import WeixinError
from weixin_sandbox import Account, Sandbox, Scenario

APPID = "wx0000000000000001"
REFRESH = "api_authorizer_token"
COMPONENT_TOKEN = "api_component_token"
INFO = "api_get_authorizer_info"
LIST = "api_get_authorizer_list"
Asked = Callable[[str], int]


@pytest.fixture
def platform(sandbox: Sandbox, open_platform: OpenPlatform) -> Platform:
    """A platform that one account has authorised, and that has found it."""
    sandbox.component.authorize(Account(APPID, name="号"))
    platform = open_platform()
    assert [it.appid for it in platform.accounts(4)] == [APPID]
    return platform


@pytest.fixture
def order(
    sandbox: Sandbox, platform: Platform, sandbox_url: str, warehouse: Engine, key: str
) -> Order:
    """A worker's order: the account's token."""
    url = warehouse.url.render_as_string(hide_password=False)
    return Order(sandbox_url, url, [key], sandbox.component.ticket(), APPID)


def token(platform: Platform, refused: str = "") -> str:
    """The account's token as a new process gets it."""
    return platform.token(platform.account.member(APPID, ""), refused).value


def is_good(sandbox: Sandbox, token: str) -> bool:
    """Whether WeChat takes it for a call of the account."""
    return sandbox.tokens.check(token) == APPID


# ---------------------------------------------------------------------------------------- shared


def test_a_token_is_renewed_once_for_all_processes(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Only in its last five minutes or when WeChat refuses it is there another one."""
    first = token(platform)
    assert token(open_platform()) == first
    assert is_good(sandbox, first)
    assert (asked(COMPONENT_TOKEN), asked(REFRESH)) == (1, 1)

    second = token(open_platform(), refused=first)
    assert second != first
    assert token(open_platform(), refused=first) == second
    assert (asked(COMPONENT_TOKEN), asked(REFRESH)) == (1, 2)


@pytest.mark.parametrize(("seconds", "renewals"), [(310, 1), (290, 2)])
def test_a_token_in_its_last_five_minutes_is_renewed(
    platform: Platform, warehouse: Engine, asked: Asked, seconds: int, renewals: int
) -> None:
    """By the warehouse's clock, which is the same for all."""
    token(platform)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.platform_token SET expires_at = now() + %s * interval '1 second'",
            (seconds,),
        )
    token(platform)
    assert asked(REFRESH) == renewals


@pytest.mark.parametrize("rotates", [False, True])
def test_workers_that_need_a_token_at_once_renew_it_once(
    sandbox: Sandbox, order: Order, asked: Asked, rotates: bool
) -> None:
    """A refresh token is good for one renewal where WeChat replaces it."""
    sandbox.component.rotates_refresh_tokens = rotates
    sandbox.latency_seconds = 0.2
    together = context.Barrier(4)
    workers = [start(replace(order, together=together)) for _ in range(4)]
    (shared,) = {worker.token() for worker in workers}
    assert is_good(sandbox, shared)
    assert asked(REFRESH) == 1


# ---------------------------------------------------------------------------------------- killed


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("dies_at", ["UPDATE weixin.platform_token", "COMMIT"])
def test_a_worker_that_dies_between_answer_and_commit_loses_nothing(
    sandbox: Sandbox, order: Order, platform: Platform, asked: Asked, dies_at: str, rotates: bool
) -> None:
    """WeChat may have replaced the refresh token: then it says which one is in force."""
    sandbox.component.rotates_refresh_tokens = rotates
    assert start(replace(order, dies_at=dies_at)).token() == ""
    assert is_good(sandbox, token(platform))
    assert asked(INFO) == 1 + rotates  # the first: what it is called
    assert is_good(sandbox, token(platform, refused=token(platform)))


def test_an_account_whose_refresh_token_is_lost_for_good_is_named(
    sandbox: Sandbox, platform: Platform
) -> None:
    """WeChat refuses the only one it says is in force."""
    sandbox.scenarios.append(Scenario("token-call:errcode:61023", account=APPID))
    with pytest.raises(WeixinError) as refused:
        token(platform)
    assert APPID in str(refused.value)
    assert "have the account authorised again" in str(refused.value)


def test_an_account_that_withdrew_gets_no_token(sandbox: Sandbox, platform: Platform) -> None:
    """WeChat says so of it alone; what is stored of it is no token any more."""
    first = token(platform)
    sandbox.component.withdraw(APPID)

    with pytest.raises(WeixinError) as refused:
        token(platform, refused=first)

    assert refused.value.problem.errcode == 61003


def test_a_row_that_stays_locked_is_the_trouble_of_its_account(
    platform: Platform, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not end the task, and with it all other accounts."""
    monkeypatch.setattr(tokens, "_LOCK_LIMITS", "SET LOCAL lock_timeout = '100ms'")
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
        with pytest.raises(WeixinError, match=APPID) as stuck:
            token(platform)
    assert "waited too long for a lock" in str(stuck.value)
    assert token(platform)


# ------------------------------------------------------------------------------------- encrypted


def test_the_table_holds_nothing_that_can_be_read(
    sandbox: Sandbox, platform: Platform, warehouse: Engine
) -> None:
    """Neither tokens nor tickets nor the secret, in any form a person would find."""
    token(platform)
    stored = str(rows(warehouse, "SELECT * FROM weixin.platform_token"))
    secrets = sandbox.component.issued_secrets | sandbox.issued_tokens | {sandbox.component.secret}
    assert len(secrets) >= 5
    assert not [secret for secret in secrets if secret in stored]


def test_a_new_key_takes_over(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, key: str, asked: Asked
) -> None:
    """While both keys are there, a renewal encrypts with the new one; then the old one may go."""
    first = token(platform)
    new = Fernet.generate_key().decode()
    assert token(open_platform(new, key)) == first

    second = token(open_platform(new, key), refused=first)
    assert token(open_platform(new)) == second
    assert is_good(sandbox, token(open_platform(new), refused=second))
    assert (asked(REFRESH), asked(INFO)) == (3, 1)  # the info: what it is called


def test_what_can_not_be_opened_costs_a_renewal(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """Its key is lost, or it is no ciphertext at all."""
    sandbox.component.rotates_refresh_tokens = True
    token(platform)
    assert is_good(sandbox, token(open_platform(Fernet.generate_key().decode())))

    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.platform_token SET access_token = 'é'")
    platform.accounts(4)
    assert is_good(sandbox, token(platform))


def test_a_token_opens_in_its_own_row_alone(
    sandbox: Sandbox,
    platform: Platform,
    warehouse: Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever copies another account's tokens into a row gets neither used, and it is said."""
    other = "wx0000000000000002"
    sandbox.component.authorize(Account(other))
    platform.accounts(4)
    platform.token(platform.account.member(other, ""))
    token(platform)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.platform_token AS own SET access_token = other.access_token, "
            "refresh_token = other.refresh_token FROM weixin.platform_token AS other "
            "WHERE own.appid LIKE 'wx%%1' AND other.appid LIKE 'wx%%2'"
        )

    assert is_good(sandbox, token(platform))
    assert "wx0000000000000001: a token is encrypted with another key, or for" in caplog.text
