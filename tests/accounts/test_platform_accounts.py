"""Which accounts a platform stands for: those of WeChat's list, each named once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from platform_workers import OpenPlatform
from sqlalchemy import Engine
from support import HASTE, rows

from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.rules import REFUSALS_THAT_STOP
from weixin_sandbox import Account, Sandbox, Scenario

LIST = "api_get_authorizer_list"
INFO = "api_get_authorizer_info"
Asked = Callable[[str], int]


def authorize(sandbox: Sandbox, *numbers: int) -> list[str]:
    """Let accounts of these numbers authorise the platform."""
    accounts = [Account(f"wx{number:016x}", name=f"号{number}") for number in numbers]
    for account in accounts:
        sandbox.component.authorize(account)
    return [account.appid for account in accounts]


def appids(platform_accounts: list) -> list[str]:
    """The AppIDs, in order."""
    return sorted(account.appid for account in platform_accounts)


def test_accounts_are_found_on_every_page_and_named_once(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Each by the id under which its figures go, with its name at WeChat."""
    authorized = authorize(sandbox, *range(1, 502))

    found, again = open_platform().accounts(4), open_platform().accounts(4)

    assert {(it.conn_id, it.name) for it in found} == {
        (f"weixin_platform/{appid}", f"号{number}")
        for number, appid in enumerate(authorized, start=1)
    }
    assert again == found
    assert (asked(LIST), asked(INFO)) == (4, 501)


def test_runs_that_write_many_accounts_do_so_one_after_the_other(
    sandbox: Sandbox, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """Two DAGs begin in the same minute; row by row, each could wait for what the other holds."""
    platform = open_platform()
    platform.accounts(4)
    authorize(sandbox, 1, 2)
    with ThreadPoolExecutor(1) as pool, warehouse.begin() as other:
        other.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
        found = pool.submit(platform.accounts, 4)
        with pytest.raises(TimeoutError):
            found.result(timeout=1)
        names = "SELECT name FROM weixin.platform_token WHERE name IS NOT NULL"
        assert rows(warehouse, names) == []
        other.rollback()
        assert {it.name for it in found.result()} == {"号1", "号2"}


def test_accounts_are_those_that_the_list_has_now(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """One that withdrew is gone; authorised again, it is as good as new."""
    gone, stays = authorize(sandbox, 1, 2)
    first = open_platform().token(open_platform().accounts(4)[0])
    sandbox.component.withdraw(gone)
    without = open_platform().accounts(4)
    asked_before = asked(INFO)
    sandbox.component.authorize(Account(gone))
    again = open_platform().accounts(4)

    assert (appids(without), appids(again)) == ([stays], [gone, stays])
    renewed = [open_platform().token(it) for it in again if it.appid == gone]
    assert [it.value in sandbox.issued_tokens and it != first for it in renewed] == [True]
    assert asked(INFO) == asked_before


def test_what_is_no_official_account_is_not_among_the_accounts(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Mini programs authorise platforms as well, in the same list; each is asked about once."""
    authorized = authorize(sandbox, 1)
    mini = Account("wx00000000000000ff", name="小程序", is_mini_program=True)
    sandbox.component.authorize(mini)

    found, again = open_platform().accounts(4), open_platform().accounts(4)

    assert appids(found) == authorized
    assert again == found
    assert asked(INFO) == 2


def test_names_are_not_asked_for_in_vain(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Thousands of calls that all fail would take the morning; the next run asks again."""
    authorized = authorize(sandbox, *range(1, 41))
    sandbox.scenarios.append(Scenario("info-call:busy"))
    found = open_platform().accounts(1)
    in_vain = asked(INFO)
    sandbox.scenarios.clear()
    again = open_platform().accounts(4)

    assert [it.name for it in found] == authorized
    assert in_vain == REFUSALS_THAT_STOP * HASTE.tries
    assert {it.name for it in again} == {f"号{number}" for number in range(1, 41)}


@pytest.mark.parametrize("trouble", ["list-call:http-500", "list-call:bad-json", "not whole"])
def test_without_its_whole_list_the_platform_stands_for_nobody(
    sandbox: Sandbox,
    open_platform: OpenPlatform,
    monkeypatch: pytest.MonkeyPatch,
    asked: Asked,
    trouble: str,
) -> None:
    """
    Else accounts that nobody has seen yet are missing behind a green run.

    A server that ignores the offset gives the same page for ever: it is not asked without end.
    """
    authorize(sandbox, 1)
    first = sandbox.component.page(0, 1)[1]
    if trouble == "not whole":
        monkeypatch.setattr(sandbox.component, "page", lambda *_: (10**9, first))
    else:
        sandbox.scenarios.append(Scenario(trouble))

    with pytest.raises(WeixinError) as missing:
        open_platform().accounts(4)

    assert missing.value.kind is ProblemKind.UNREACHABLE
    assert asked(LIST) <= HASTE.tries


def test_without_a_token_of_the_platform_it_is_the_platform_that_is_refused(
    sandbox: Sandbox, open_platform: OpenPlatform
) -> None:
    """Not each account that would need one."""
    authorize(sandbox, 1)
    account = open_platform().accounts(4)[0]
    sandbox.component.expire_tokens()
    sandbox.component.expire_tickets()
    platform = open_platform(ticket=lambda: "ticket@@@nobody's")

    for call in (lambda: platform.accounts(4), lambda: platform.token(account)):
        with pytest.raises(WeixinError) as refused:
            call()
        assert (refused.value.kind, refused.value.problem.errcode) == (ProblemKind.PLATFORM, 61006)


def test_clocks_that_disagree_stop_everything(
    sandbox: Sandbox, open_platform: OpenPlatform
) -> None:
    """The days to ask for would be the wrong ones."""
    authorize(sandbox, 1)
    sandbox.scenarios.append(Scenario("token-call:clock-skew"))
    with pytest.raises(WeixinError) as refused:
        open_platform().accounts(4)
    assert refused.value.kind is ProblemKind.CLOCK
