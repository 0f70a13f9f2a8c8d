"""Runs of a third-party platform: its accounts, one by one or all, and its tokens."""

from datetime import date

import pytest
from dag_runs import MORNING, WINDOW, PlatformDag, asked, november, rows
from figures import loaded, truth
from platform_runs import ACTIVE, component_calls, conn_ids
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_sandbox import Account, Sandbox, Scenario

OF_THE_ACCOUNT = (
    "SELECT * FROM weixin.fact_article_total ORDER BY appid, msgid, stat_date",
    "SELECT * FROM weixin.dim_article ORDER BY msgid",
    "SELECT raw_response_id, dataset, appid, day, body_sha256 FROM weixin.raw_response ORDER BY 1",
    "SELECT * FROM weixin.fact_history",
    "SELECT appid, day, settled, list_sha256, article_count, row_count FROM weixin.coverage "
    "ORDER BY day",
)
"""The tables, but for when somebody last asked."""


def test_two_mornings_of_a_platform(
    platform: PlatformDag,
    sandbox: Sandbox,
    warehouse: Engine,
    capsys: pytest.CaptureFixture[str],
):
    """
    Every figure of its accounts; one call for its token, one for the list, two an account.

    The next run finds the tokens of the first in the warehouse, the platform's own included, and so
    does a probe.
    """
    accounts = platform.authorize(3)

    outcome = platform.dag.run()
    calls = component_calls(sandbox)
    sandbox.calls.clear()
    platform.dag.set("WEIXIN_NOW", "2026-11-24T10:31:00+08:00")
    again = platform.dag.run(refetch=True)
    calls_again, asked_again = component_calls(sandbox), asked(sandbox)
    sandbox.calls.clear()
    capsys.readouterr()
    probed = main(["probe", "--accounts", accounts[0].appid, "--datasets", "article_total"])

    assert (outcome.state, outcome.errors) == ("success", [])
    assert outcome.labels == ["号1", "号2", "号3"]
    assert loaded(warehouse) == truth(sandbox, accounts, WINDOW, MORNING.date())
    assert rows(warehouse, ACTIVE) == conn_ids(accounts)
    assert calls == {
        "api_component_token": 1,
        "api_get_authorizer_list": 1,
        "api_get_authorizer_info": 3,
        "api_authorizer_token": 3,
    }
    assert again.state == "success"
    assert asked_again == dict.fromkeys(WINDOW, 3)
    assert calls_again == component_calls(sandbox) == {"api_get_authorizer_list": 1}
    assert (probed, {call.appid for call in sandbox.calls if "datacube" in call.path}) == (
        0,
        {accounts[0].appid},
    )
    assert "The pipeline will work for this account." in capsys.readouterr().out


def test_an_account_that_moves_is_the_same_one(
    platform: PlatformDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine
):
    """From its own secret to a token service, and on to a platform: only who asks is another."""
    account = Account("wx00000000000000aa", "its own secret", "自")
    sandbox.accounts[account.appid] = account
    sandbox.component.authorize(account)
    dag, service = platform.dag, {"name": "自", "token_url": f"{sandbox_url}/token-service"}
    dag.connect(account, sandbox_url, "weixin_own")
    dag.connect(account, sandbox_url, "weixin_service", password="", extra=service)
    seen = []
    for minute, conn_id in enumerate(("weixin_own", "weixin_service", "weixin_platform")):
        dag.set("WEIXIN_NOW", f"2026-11-24T10:3{minute}:00+08:00")
        dag.collect([conn_id])
        assert dag.run(refetch=True).state == "success"
        ((its,),) = rows(warehouse, ACTIVE)
        assert its.partition("/")[0] == conn_id
        seen.append([rows(warehouse, table) for table in OF_THE_ACCOUNT])

    assert seen[0][0]
    assert seen == [seen[0]] * 3


def test_tokens_are_not_asked_for_in_vain(platform: PlatformDag, sandbox: Sandbox):
    """Five outages in a row, and the platform is left alone until each account's days are asked."""
    platform.authorize(12)
    platform.dag.call(1)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [
        Scenario("token-call:http-500", account=f"wx{number:016x}") for number in range(1, 13)
    ]

    outcome = platform.dag.run()

    assert outcome.state == "failed"
    assert component_calls(sandbox)["api_authorizer_token"] == 5 + 12


def test_a_new_account_starts_with_its_window(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """The morning after it authorised the platform; no later one asks for days before that."""
    platform.authorize(1)
    platform.dag.run()
    new = platform.authorize(2)

    outcome = platform.dag.on(1)
    later = platform.dag.on(2)

    assert (outcome.state, later.state) == ("success", "success")
    assert "号2: 7 calls; 2026-11-18 to 2026-11-24\n" in outcome.log
    days = november(18, 19, 20, 21, 22, 23, 24, 25)
    of_new = {key for key in loaded(warehouse) if key[0] in {it.appid for it in new}}
    assert of_new == truth(sandbox, new, days, date(2026, 11, 26)).keys()


def test_a_token_service_stands_for_all_of_its_accounts(
    platform: PlatformDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine
):
    """By one connection without a login: an account that the service adds is found by a run."""
    accounts = [Account(f"wx{n:016x}", "", f"号{n}") for n in (1, 2)]
    sandbox.accounts.update({it.appid: it for it in accounts[:1]})
    service = Account("", "", "company")
    extra = {"token_url": f"{sandbox_url}/token-service"}
    platform.dag.connect(service, sandbox_url, "company", extra=extra)
    platform.dag.collect(["company"])

    first = platform.dag.run()
    sandbox.accounts[accounts[1].appid] = accounts[1]
    second = platform.dag.on(1)

    assert (first.state, second.state) == ("success", "success")
    assert rows(warehouse, ACTIVE) == [(f"company/{it.appid}",) for it in accounts]
    days = november(17, 18, 19, 20, 21, 22, 23, 24)
    of_first, of_second = accounts[:1], accounts[1:]
    assert loaded(warehouse).keys() == (
        truth(sandbox, of_first, days, date(2026, 11, 25)).keys()
        | truth(sandbox, of_second, days[1:], date(2026, 11, 25)).keys()
    )
    assert component_calls(sandbox) == {}
