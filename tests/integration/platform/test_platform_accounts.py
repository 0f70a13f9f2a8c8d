"""Which accounts a platform stands for: found, named, withdrawn, authorised again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from platform_workers import OpenPlatform
from sqlalchemy import Engine
from support import HASTE, rows

from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.rules import REFUSALS_THAT_STOP
from weixin_sandbox import Account, AccountKind, Call, Sandbox, Scenario

LIST = "api_get_authorizer_list"
INFO = "api_get_authorizer_info"
Asked = Callable[[str], int]


def authorize(sandbox: Sandbox, *numbers: int) -> list[str]:
    """Let accounts of these numbers authorise the platform."""
    accounts = [Account(f"wx{number:016x}", name=f"号{number}") for number in numbers]
    for account in accounts:
        sandbox.component.authorize(account)
    return [account.appid for account in accounts]


def test_accounts_are_found_on_every_page_and_named_once(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Each by the id under which its figures go, with its name at WeChat."""
    appids = authorize(sandbox, *range(1, 502))
    found = open_platform().discover(4)
    assert [it.appid for it in found.accounts] == appids
    assert {(it.conn_id, it.name) for it in found.accounts} == {
        (f"weixin_platform/{appid}", f"号{number}") for number, appid in enumerate(appids, start=1)
    }
    assert (asked(LIST), asked(INFO)) == (2, 501)

    again = open_platform()
    assert again.discover(4) == found
    assert again.known() == found
    assert (asked(LIST), asked(INFO)) == (4, 501)


def test_accounts_that_come_and_go_while_the_list_is_read_hide_no_others(
    sandbox: Sandbox, open_platform: OpenPlatform
) -> None:
    """The first page loses an account, so that the second one begins one too far."""
    appids = authorize(sandbox, *range(1, 502))
    platform = open_platform()

    def withdraw(call: Call) -> None:
        if call.path.endswith(LIST) and len(sandbox.calls) == 2:
            sandbox.component.withdraw(appids[0])

    sandbox.before_delivery = withdraw
    found = platform.discover(4)
    assert {it.appid for it in found.accounts} == set(appids[1:])
    assert found.problem is None


def test_runs_that_write_many_accounts_do_so_one_after_the_other(
    sandbox: Sandbox, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """Two DAGs begin in the same minute; row by row, each could wait for what the other holds."""
    platform = open_platform()
    platform.discover(4)
    authorize(sandbox, 1, 2)
    with ThreadPoolExecutor(1) as pool, warehouse.begin() as other:
        other.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
        found = pool.submit(platform.discover, 4)
        with pytest.raises(TimeoutError):
            found.result(timeout=1)
        names = "SELECT name FROM weixin.platform_token WHERE name IS NOT NULL"
        assert rows(warehouse, names) == []
        other.rollback()
        assert {it.name for it in found.result().accounts} == {"号1", "号2"}


def test_an_account_is_withdrawn_when_the_list_lacks_it_and_wechat_says_so(
    sandbox: Sandbox, open_platform: OpenPlatform, warehouse: Engine, asked: Asked
) -> None:
    """It is told of for thirty days, and authorised again it is as good as new."""
    gone, stays = authorize(sandbox, 1, 2)
    open_platform().discover(4)
    sandbox.component.withdraw(gone)
    found = open_platform().discover(4)
    assert [it.appid for it in found.accounts] == [stays]
    (problem,) = found.withdrawn.values()
    assert problem is not None
    assert (problem.kind, problem.appid, problem.account) == (ProblemKind.WITHDRAWN, gone, "号1")
    assert open_platform().discover(4) == found

    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.platform_token SET withdrawn_at = withdrawn_at - interval '30 days'"
        )
    assert open_platform().discover(4).withdrawn == {gone: None}

    asked_before = asked(INFO)
    sandbox.component.authorize(gone)
    found = open_platform().discover(4)
    assert ([it.appid for it in found.accounts], found.withdrawn) == ([gone, stays], {})
    assert open_platform().token(found.accounts[0]).value in sandbox.issued_tokens
    assert asked(INFO) == asked_before


def test_a_list_that_lacks_accounts_withdraws_nobody(
    sandbox: Sandbox,
    open_platform: OpenPlatform,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An accident of WeChat's must not end the collection of accounts that authorise it."""
    appids = authorize(sandbox, 1, 2)
    platform = open_platform()
    platform.discover(4)
    monkeypatch.setattr(sandbox.component, "page", lambda *_: (0, []))
    found = platform.discover(4)
    assert ([it.appid for it in found.accounts], found.withdrawn) == (appids, {})
    assert "2 accounts asked, although the list of 平台" in caplog.text


@pytest.mark.parametrize(
    "name", ["list-call:http-500", "list-call:bad-json", "list-call:cut-answer"]
)
def test_without_its_list_the_accounts_of_before_are_there(
    sandbox: Sandbox, open_platform: OpenPlatform, name: str
) -> None:
    """And it is said that others may be missing."""
    appids = authorize(sandbox, 1, 2)
    open_platform().discover(4)
    authorize(sandbox, 3)
    sandbox.scenarios.append(Scenario(name))
    found = open_platform().discover(4)
    assert [it.appid for it in found.accounts] == appids
    assert isinstance(found.problem, WeixinError)


@pytest.mark.parametrize("kind", [AccountKind.MINI_PROGRAM, AccountKind.VIDEO])
def test_what_is_no_official_account_is_not_among_the_accounts(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked, kind: AccountKind
) -> None:
    """Mini programs authorise platforms as well, in the same list; each is asked about once."""
    (appid,) = authorize(sandbox, 1)
    sandbox.component.authorize(Account("wx00000000000000ff", name="小程序", kind=kind))

    found = open_platform().discover(4)
    again = open_platform().discover(4)

    assert [it.appid for it in found.accounts] == [appid]
    assert (found.others, found.problem) == ({"wx00000000000000ff"}, None)
    assert again == found
    assert asked(INFO) == 2


def test_names_are_not_asked_for_in_vain(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    """Thousands of calls that all fail would take the whole morning, of the other accounts too."""
    caplog.set_level("INFO")
    appids = authorize(sandbox, *range(1, 41))
    sandbox.scenarios.append(Scenario("info-call:busy"))

    found = open_platform().discover(1)

    assert [it.appid for it in found.accounts] == appids
    assert asked(INFO) == REFUSALS_THAT_STOP * HASTE.tries
    assert "what 40 of its accounts are called is not known: no usable answer came" in caplog.text


def test_a_list_that_stays_incomplete_is_said(
    sandbox: Sandbox, open_platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    """
    Else accounts that nobody has seen yet are missing behind a green run.

    A server that ignores the offset gives the same page for ever: it is not asked without end.
    """
    authorize(sandbox, 1)
    first = sandbox.component.page(0, 1)[1]
    monkeypatch.setattr(sandbox.component, "page", lambda *_: (10**9, first))
    found = open_platform().discover(4)
    assert len(found.accounts) == 1
    assert "it has 1 of 1000000000 accounts" in str(found.problem)
    assert asked(LIST) == 3 * 2  # the list is read three times, while it is incomplete


def test_without_a_token_of_the_platform_no_account_is_asked_and_none_forgotten(
    sandbox: Sandbox, open_platform: OpenPlatform
) -> None:
    """Those that have withdrawn are told of for thirty days, whatever the ticket is."""
    gone, _ = authorize(sandbox, 1, 2)
    open_platform().discover(4)
    sandbox.component.withdraw(gone)
    withdrawn = open_platform().discover(4).withdrawn
    sandbox.component.expire_tokens()
    sandbox.component.expire_tickets()
    found = open_platform(ticket=lambda: "ticket@@@nobody's").discover(4)
    assert found.problem
    assert "61006" in str(found.problem)
    assert (found.accounts, found.withdrawn) == ([], withdrawn)
    assert [*withdrawn] == [gone]


def test_clocks_that_disagree_stop_everything(
    sandbox: Sandbox, open_platform: OpenPlatform
) -> None:
    """The days to ask for would be the wrong ones."""
    authorize(sandbox, 1)
    sandbox.scenarios.append(Scenario("token-call:clock-skew"))
    with pytest.raises(WeixinError) as refused:
        open_platform().discover(4)
    assert refused.value.kind is ProblemKind.CLOCK
