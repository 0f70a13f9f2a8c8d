"""Which accounts a platform stands for: those of WeChat's list, each named once."""

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
    """Let accounts of these numbers authorise the platform; their AppIDs and names."""
    accounts = [Account(f"wx{number:016x}", name=f"号{number}") for number in numbers]
    for account in accounts:
        sandbox.component.authorize(account)
    return [(account.appid, account.name) for account in accounts]


def found(open_platform: OpenPlatform, concurrency: int = 4) -> list[tuple[str, str]]:
    """What a new process finds."""
    accounts = open_platform().accounts(concurrency)
    assert all(it.conn_id == f"weixin_platform/{it.appid}" for it in accounts)
    return sorted((it.appid, it.name) for it in accounts)


def test_official_accounts_are_found_on_every_page_and_named_once(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Mini programs and video accounts authorise platforms as well, in the same list."""
    authorized = authorize(sandbox, *range(1, 502))
    for number, field in enumerate(("MiniProgramInfo", "channels_info")):
        sandbox.component.authorize(Account(f"wx000000000000ff0{number}", kind_field=field))

    assert found(open_platform) == found(open_platform) == authorized
    assert (asked(LIST), asked(INFO)) == (4, 503)


def test_names_are_not_asked_for_in_vain(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked
) -> None:
    """Thousands of calls that all fail would take the morning; the next run asks again."""
    authorized = authorize(sandbox, *range(1, 41))
    sandbox.scenarios.append(Scenario("info-call:busy"))

    assert found(open_platform, 1) == [(appid, appid) for appid, _ in authorized]
    assert asked(INFO) == OUTAGES_BEFORE_STOP * HASTE.tries
    sandbox.scenarios.clear()
    assert found(open_platform) == authorized


def test_runs_that_write_many_accounts_do_so_one_after_the_other(
    sandbox: Sandbox, open_platform: OpenPlatform, warehouse: Engine
) -> None:
    """Two DAGs begin in the same minute; row by row, each could wait for what the other holds."""
    open_platform().accounts(4)
    authorize(sandbox, 1, 2)
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as other:
            other.exec_driver_sql("SELECT FROM weixin.platform_token FOR UPDATE")
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
def test_without_its_whole_list_the_platform_stands_for_nobody(
    sandbox: Sandbox, open_platform: OpenPlatform, asked: Asked, trouble: str, kind: ProblemKind
) -> None:
    """Else accounts that nobody has seen yet are missing behind a green run."""
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
    assert asked(LIST) <= HASTE.tries  # the same page is not asked for without end
