"""Tests of a platform's tokens in the warehouse: shared by all workers, never lost, encrypted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet, MultiFernet
from platform_workers import OpenPlatform, Order, is_killed, platform_account
from sqlalchemy import Connection, Engine, event

from weixin_etl import warehouse as warehouse_module
from weixin_etl.accounts.platform import Platform
from weixin_etl.accounts.tokens import StoredTokens
from weixin_etl.api.token import Token
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import Account, Sandbox, Scenario

APPID, OTHER_APPID = "wx0000000000000001", "wx0000000000000002"
REFRESH, COMPONENT_TOKEN, INFO = "authorizer_token", "component_token", "get_authorizer_info"
Asked = Callable[[str], int]


@pytest.fixture
def platform(sandbox: Sandbox, open_platform: OpenPlatform) -> Platform:
    """Return a platform that has found the one account that authorised it."""
    sandbox.component.authorize(Account(APPID, name="号"))
    platform = open_platform()
    assert [account.appid for account in platform.accounts(4)] == [APPID]
    return platform


def token(platform: Platform, refused: str = "", appid: str = APPID) -> str:
    """Return the token that the platform gives for the account; `refused` is not given again."""
    return platform.token(platform.account.member(appid, ""), refused).value


def is_good(sandbox: Sandbox, token: str) -> bool:
    """Return whether WeChat accepts the token for a call of the account."""
    return sandbox.tokens.check(token) == APPID


def run_sql(warehouse: Engine, sql: str, *values: object) -> None:
    """Run a statement as the warehouse's owner."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(sql, values)


def test_a_token_is_renewed_once_for_all_processes(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, asked: Asked
) -> None:
    """A token is replaced only in its last five minutes or after WeChat refused it."""
    first = token(platform)
    assert token(open_platform()) == first
    assert is_good(sandbox, first)
    second = token(open_platform(), refused=first)
    assert second != first
    assert token(open_platform(), refused=first) == second
    assert (asked(COMPONENT_TOKEN), asked(REFRESH)) == (1, 2)


@pytest.mark.parametrize(("seconds", "renewals"), [(310, 1), (290, 2)])
def test_a_token_in_its_last_five_minutes_is_renewed(
    platform: Platform, warehouse: Engine, asked: Asked, seconds: int, renewals: int
) -> None:
    """The warehouse's clock decides, because all processes share it."""
    token(platform)
    ends = "UPDATE weixin.platform_token SET expires_at = now() + %s * interval '1 second'"
    run_sql(warehouse, ends, seconds)
    token(platform)

    assert asked(REFRESH) == renewals


@pytest.mark.parametrize("rotates", [False, True])
def test_workers_that_need_a_token_at_once_renew_it_once(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, asked: Asked, rotates: bool
) -> None:
    """A refresh token that WeChat replaces is valid for one renewal only."""
    sandbox.component.rotates_refresh_tokens = rotates
    sandbox.latency_seconds = 0.2

    with ThreadPoolExecutor(4) as pool:
        (shared,) = {*pool.map(lambda _: token(open_platform()), range(4))}

    assert is_good(sandbox, shared)
    assert asked(REFRESH) == 1


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("dies_at", ["UPDATE weixin.platform_token", "COMMIT"])
def test_a_worker_killed_between_answer_and_commit_loses_no_token(
    sandbox: Sandbox,
    sandbox_url: str,
    warehouse: Engine,
    key: str,
    platform: Platform,
    asked: Asked,
    dies_at: str,
    rotates: bool,
) -> None:
    """If WeChat has replaced the refresh token, the next worker asks for the valid one."""
    sandbox.component.rotates_refresh_tokens = rotates
    url = warehouse.url.render_as_string(hide_password=False)

    assert is_killed(Order(sandbox_url, url, [key], sandbox.component.ticket(), APPID, dies_at))
    assert is_good(sandbox, token(platform))
    assert asked(INFO) == 1 + rotates  # the first call asks for the name
    assert is_good(sandbox, token(platform, refused=token(platform)))


@pytest.mark.parametrize(("errcode", "infos"), [(61023, 1), (48001, 0), (-1, 0)])
def test_the_error_of_a_refused_token_names_the_account(
    sandbox: Sandbox, platform: Platform, asked: Asked, errcode: int, infos: int
) -> None:
    """The platform asks for a new refresh token only if the stored one is refused as invalid."""
    sandbox.scenarios.append(Scenario(f"token-call:errcode:{errcode}", account=APPID))

    with pytest.raises(WeixinError, match=APPID) as refused:
        token(platform)

    assert refused.value.problem.errcode == errcode
    assert asked(INFO) == 1 + infos  # the first call asks for the name


def test_a_locked_row_fails_its_account_only(
    platform: Platform, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """A lock must not fail the task, which would stop all other accounts."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
        with pytest.raises(WeixinError, match=APPID) as stuck:
            token(open_platform(is_patient=False))

    assert stuck.value.kind is ProblemKind.UNREACHABLE
    assert token(platform)


def test_a_lock_and_the_wait_for_a_lock_end_after_twenty_minutes(
    warehouse: Engine, key: str
) -> None:
    """A lock ends even if the machine of its worker is gone."""
    engine, limits = warehouse_module.engine(warehouse.url), set()

    def look(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if "FOR UPDATE" in sql:
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                limits.add(connection.exec_driver_sql(f"SHOW {name}").scalar())

    event.listen(engine, "before_cursor_execute", look)
    stored = StoredTokens(platform_account(""), engine, MultiFernet([Fernet(key)]))
    stored.token(stored.platform, "", lambda _: (Token("token", 7200), ""))
    assert limits == {"20min"}


# ------------------------------------------------------------------------------------- encrypted


def test_a_renewal_encrypts_with_the_new_key_and_the_old_key_can_be_removed(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, key: str, asked: Asked
) -> None:
    first, new = token(platform), Fernet.generate_key().decode()
    assert token(open_platform(new, key)) == first

    second = token(open_platform(new, key), refused=first)
    assert token(open_platform(new)) == second
    assert is_good(sandbox, token(open_platform(new), refused=second))
    assert (asked(REFRESH), asked(INFO)) == (3, 1)  # the info call asks for the name


@pytest.mark.parametrize("stored", ["of another key", "of another row", "no ciphertext"])
def test_a_token_opens_in_its_own_row_alone(
    sandbox: Sandbox,
    platform: Platform,
    open_platform: OpenPlatform,
    warehouse: Engine,
    caplog: pytest.LogCaptureFixture,
    stored: str,
) -> None:
    """A token that can't be decrypted is renewed and logged. No other account's token is used."""
    sandbox.component.rotates_refresh_tokens = True
    sandbox.component.authorize(Account(OTHER_APPID))
    platform.accounts(4)
    first, other_token = token(platform), token(platform, appid=OTHER_APPID)
    if stored == "of another key":
        platform = open_platform(Fernet.generate_key().decode())
    elif stored == "no ciphertext":
        run_sql(warehouse, "UPDATE weixin.platform_token SET access_token = 'é'")
    else:
        run_sql(
            warehouse,
            "UPDATE weixin.platform_token AS own SET access_token = other.access_token, "
            "refresh_token = other.refresh_token FROM weixin.platform_token AS other "
            "WHERE own.appid = %s AND other.appid = %s",
            APPID,
            OTHER_APPID,
        )

    renewed = token(platform)

    assert is_good(sandbox, renewed)
    assert renewed not in (first, other_token)
    assert f"{APPID}: a token is encrypted with another key" in caplog.text
