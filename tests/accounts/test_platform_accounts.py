"""Tests of the accounts that a platform finds in WeChat's list of authorisations."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from platform_workers import OpenPlatform
from sqlalchemy import Engine
from support import HASTE, rows

from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.rules import OUTAGES_BEFORE_STOP
from weixin_sandbox import Account, Sandbox, Scenario

LIST, INFO = "get_authorizer_list", "get_authorizer_info"
Asked = Callable[[str], int]


def authorize(sandbox: Sandbox, *numbers: int) -> list[tuple[str, str]]:
    """Let accounts with these numbers authorise the platform, and return their AppIDs and names."""
    accounts = [Account(f"wx{number:016x}", name=f"号{number}") for number in numbers]
    for account in accounts:
        sandbox.component.authorize(account)
    return [(account.appid, account.name) for account in accounts]


def found(open_platform: OpenPlatform, concurrency: int = 4) -> list[tuple[str, str]]:
    """Return the AppIDs and names of the accounts that a new process finds."""
    accounts = open_platform().accounts(concurrency)
    assert all(account.conn_id == f"weixin_platform/{account.appid}" for account in accounts)
    return sorted((account.appid, account.name) for account in accounts)


def test_official_accounts_are_found_on_every_page_and_named_once(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Mini programs and video accounts are in the same list, and are left out."""
    authorized = authorize(sandbox, *range(1, 502))
    for number, field in enumerate(("MiniProgramInfo", "channels_info")):
        sandbox.component.authorize(Account(f"wx000000000000ff0{number}", kind_field=field))

    assert found(open_platform) == found(open_platform) == authorized
    assert (asked(LIST), asked(INFO)) == (4, 503)


def test_a_platform_stops_asking_for_names_after_some_failed_calls(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Thousands of failing calls would take hours. The next run asks again."""
    authorized = authorize(sandbox, *range(1, 41))
    sandbox.scenarios.append(Scenario("info-call:busy"))

    assert found(open_platform, 1) == [(appid, appid) for appid, _ in authorized]
    assert asked(INFO) == OUTAGES_BEFORE_STOP * HASTE.tries
    sandbox.scenarios.clear()
    assert found(open_platform) == authorized


def test_runs_write_their_accounts_one_after_the_other(
    sandbox: Sandbox, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """Two DAGs start in the same minute. With locks row by row they could deadlock."""
    open_platform().accounts(4)
    authorize(sandbox, 1, 2)
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as writer:
            writer.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
            waiting = pool.submit(open_platform().accounts, 4)
            while not rows(warehouse, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
        assert len(waiting.result()) == 2


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ("list-call:http-500", ProblemKind.UNREACHABLE),
        ("list-call:bad-json", ProblemKind.UNREACHABLE),
        ("its list is not whole", ProblemKind.UNREACHABLE),
        ("token-call:clock-skew", ProblemKind.CLOCK),
        ("its ticket is nobody's", ProblemKind.PLATFORM),
    ],
)
def test_a_platform_whose_list_is_incomplete_fails(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked, trouble: str, kind: ProblemKind
) -> None:
    """Otherwise a run would succeed although new accounts are missing."""
    authorize(sandbox, 1)
    first = sandbox.component.page(0, 1)[1]
    if "-call" in trouble:
        sandbox.scenarios.append(Scenario(trouble))
    elif kind is ProblemKind.UNREACHABLE:
        sandbox.component.page = lambda *_: (10**9, first)  # whatever the offset

    own = {"ticket": lambda: "ticket@@@nobody's"} if kind is ProblemKind.PLATFORM else {}
    with pytest.raises(WeixinError) as missing:
        open_platform(**own).accounts(4)

    assert missing.value.kind is kind
    assert asked(LIST) <= HASTE.tries  # an empty page ends the calls
