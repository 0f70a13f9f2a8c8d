"""A platform's tokens: shared by all workers, never lost, readable by nobody."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet, MultiFernet
from platform_workers import OpenPlatform, Order, is_killed, the_platform
from sqlalchemy import Connection, Engine, event

from weixin_etl import warehouse as the_warehouse
from weixin_etl.accounts.platform import Platform
from weixin_etl.accounts.tokens import StoredTokens
from weixin_etl.api.token import Token
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import Account, Sandbox, Scenario

APPID, OTHER = "wx0000000000000001", "wx0000000000000002"
REFRESH, COMPONENT_TOKEN, INFO = "authorizer_token", "component_token", "get_authorizer_info"
Asked = Callable[[str], int]


@pytest.fixture
def platform(sandbox: Sandbox, open_platform: OpenPlatform) -> Platform:
    """A platform that one account has authorised, and that has found it."""
    sandbox.component.authorize(Account(APPID, name="号"))
    platform = open_platform()
    assert [it.appid for it in platform.accounts(4)] == [APPID]
    return platform


def token(platform: Platform, refused: str = "", appid: str = APPID) -> str:
    """The account's token as a new process gets it."""
    return platform.token(platform.account.member(appid, ""), refused).value


def is_good(sandbox: Sandbox, token: str) -> bool:
    """Whether WeChat takes it for a call of the account."""
    return sandbox.tokens.check(token) == APPID


def run_sql(warehouse: Engine, sql: str, *values: object) -> None:
    """As the owner."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(sql, values)


def test_a_token_is_renewed_once_for_all_processes(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Only in its last five minutes or when WeChat refuses it is there another one."""
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
    """By the warehouse's clock, which is the same for all."""
    token(platform)
    ends = "UPDATE weixin.platform_token SET expires_at = now() + %s * interval '1 second'"
    run_sql(warehouse, ends, seconds)
    token(platform)

    assert asked(REFRESH) == renewals


@pytest.mark.parametrize("rotates", [False, True])
def test_workers_that_need_a_token_at_once_renew_it_once(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, asked: Asked, rotates: bool
) -> None:
    """A refresh token is good for one renewal where WeChat replaces it."""
    sandbox.component.rotates_refresh_tokens = rotates
    sandbox.latency_seconds = 0.2

    with ThreadPoolExecutor(4) as pool:
        (shared,) = {*pool.map(lambda _: token(open_platform()), range(4))}

    assert is_good(sandbox, shared)
    assert asked(REFRESH) == 1


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("dies_at", ["UPDATE weixin.platform_token", "COMMIT"])
def test_a_worker_that_dies_between_answer_and_commit_loses_nothing(
    sandbox: Sandbox,
    sandbox_url: str,
    warehouse: Engine,
    key: str,
    platform: Platform,
    asked: Asked,
    dies_at: str,
    rotates: bool,
) -> None:
    """WeChat may have replaced the refresh token: then it says which one is in force."""
    sandbox.component.rotates_refresh_tokens = rotates
    url = warehouse.url.render_as_string(hide_password=False)

    assert is_killed(Order(sandbox_url, url, [key], sandbox.component.ticket(), APPID, dies_at))
    assert is_good(sandbox, token(platform))
    assert asked(INFO) == 1 + rotates  # the first: what it is called
    assert is_good(sandbox, token(platform, refused=token(platform)))


@pytest.mark.parametrize(("errcode", "infos"), [(61023, 1), (48001, 0), (-1, 0)])
def test_an_account_that_is_refused_a_token_is_named(
    sandbox: Sandbox, platform: Platform, asked: Asked, errcode: int, infos: int
) -> None:
    """Which refresh token is in force is asked for only if the stored one is refused as invalid."""
    sandbox.scenarios.append(Scenario(f"token-call:errcode:{errcode}", account=APPID))

    with pytest.raises(WeixinError, match=APPID) as refused:
        token(platform)

    assert refused.value.problem.errcode == errcode
    assert asked(INFO) == 1 + infos  # the first: what it is called


def test_a_row_that_stays_locked_is_the_trouble_of_its_account(
    platform: Platform, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """It must not end the task, and with it all other accounts."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
        with pytest.raises(WeixinError, match=APPID) as stuck:
            token(open_platform(is_patient=False))

    assert stuck.value.kind is ProblemKind.UNREACHABLE
    assert token(platform)


def test_a_lock_ends_though_its_worker_is_gone(warehouse: Engine, key: str) -> None:
    """After twenty minutes, with its machine even; so does waiting for a lock."""
    engine, limits = the_warehouse.engine(warehouse.url), set()

    def look(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if "FOR UPDATE" in sql:
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                limits.add(connection.exec_driver_sql(f"SHOW {name}").scalar())

    event.listen(engine, "before_cursor_execute", look)
    stored = StoredTokens(the_platform(""), engine, MultiFernet([Fernet(key)]))
    stored.token(stored.platform, "", lambda _: (Token("token", 7200), ""))
    assert limits == {"20min"}


# ------------------------------------------------------------------------------------- encrypted


def test_a_new_key_takes_over(
    sandbox: Sandbox, platform: Platform, open_platform: OpenPlatform, key: str, asked: Asked
) -> None:
    """While both keys are there, a renewal encrypts with the new one; then the old one may go."""
    first, new = token(platform), Fernet.generate_key().decode()
    assert token(open_platform(new, key)) == first

    second = token(open_platform(new, key), refused=first)
    assert token(open_platform(new)) == second
    assert is_good(sandbox, token(open_platform(new), refused=second))
    assert (asked(REFRESH), asked(INFO)) == (3, 1)  # the info: what it is called


@pytest.mark.parametrize("stored", ["of another key", "of another row", "no ciphertext"])
def test_a_token_opens_in_its_own_row_alone(
    sandbox: Sandbox,
    platform: Platform,
    open_platform: OpenPlatform,
    warehouse: Engine,
    caplog: pytest.LogCaptureFixture,
    stored: str,
) -> None:
    """What can't be opened costs a renewal: another account's token is not used, and it is said."""
    sandbox.component.rotates_refresh_tokens = True
    sandbox.component.authorize(Account(OTHER))
    platform.accounts(4)
    first, its = token(platform), token(platform, appid=OTHER)
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
            OTHER,
        )

    renewed = token(platform)

    assert is_good(sandbox, renewed)
    assert renewed not in (first, its)
    assert f"{APPID}: a token is encrypted with another key" in caplog.text
