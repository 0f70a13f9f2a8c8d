"""One account's trouble stops no other, and never leaves the run green."""

import pytest
from dag_runs import MORNING, NOT_IN, WINDOW, DailyDag, asked, loaded, rows, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

COVERAGE = """
    SELECT attempt_state, error_code, data_state, count(*)
    FROM weixin.coverage WHERE appid = :appid
    GROUP BY attempt_state, error_code, data_state
"""


def test_two_of_five_refused(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine, accounts
):
    """Three are loaded, the run is red and names the two, and nobody asks for them again."""
    one, wrong_secret, three, unauthorised, five = accounts(5)
    daily.connect(wrong_secret, sandbox_url, "a1", password="not the secret")
    sandbox.scenarios[:] = [Scenario("unauthorized", account=unauthorised.appid)]

    outcome = daily.run()

    assert outcome.state == "failed"
    figures = loaded(warehouse)
    for account in (one, three, five):
        mine = {key: value for key, value in figures.items() if key[0] == account.appid}
        assert mine == truth(sandbox, account, WINDOW, MORNING.date())
    assert {appid for appid, *_ in figures} == {one.appid, three.appid, five.appid}
    assert rows(warehouse, COVERAGE, appid=wrong_secret.appid) == [("failed", 40125, None, 7)]
    assert rows(warehouse, COVERAGE, appid=unauthorised.appid) == [("failed", 48001, None, 7)]
    assert outcome.errors == [
        ("ingest", NOT_IN),
        ("ingest", NOT_IN),
        ("check", "2 accounts are not in: see the lines above"),
    ]
    two = [
        "号2: correct the password in the environment variable AIRFLOW_CONN_A1 (the AppSecret is "
        "wrong: invalid appsecret) · 2026-11-17 to 2026-11-23 · a1, errcode 40125",
        "号4: verify the account, or have permission set 7 granted (the account may not use this "
        "API: api unauthorized) · 2026-11-17 to 2026-11-23 · a3, errcode 48001",
    ]
    assert sorted(outcome.told("ingest")) == two
    assert outcome.told("report") == two
    assert outcome.told("check") == two


def test_a_missing_connection_is_named(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """The others are loaded; the run is red and says which connection to create."""
    first, second = accounts(2)
    daily.collect(["a0", "forgotten", "a1"])

    outcome = daily.run()

    assert outcome.state == "failed"
    missing = [
        "forgotten: create it with type weixin, or use weixin_default, a0, a1 (environment) or "
        "one of Admin → Connections (there is no such Airflow connection)"
    ]
    assert outcome.errors == [("check", NOT_IN)]
    assert outcome.told("refresh_access_token") == outcome.told("check") == missing
    assert loaded(warehouse) == truth(sandbox, first, WINDOW, MORNING.date()) | truth(
        sandbox, second, WINDOW, MORNING.date()
    )


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [("weixin_default", "is not a JSON list of connection ids"), ("[]", "names no account")],
)
def test_a_broken_variable_is_told_once(
    daily: DailyDag, sandbox: Sandbox, variable: str, wrong: str
):
    """The sentence shows how to write it; nothing is asked for and nothing tried again."""
    daily.set("AIRFLOW_VAR_WEIXIN_ACCOUNTS", variable)

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.errors == [
        ("refresh_access_token", "see the ERROR line above"),
        ("check", "failed: plan, refresh_access_token; see the lines above and the log of each"),
    ]
    line = f'the Airflow Variable weixin_accounts {wrong}; write it like ["weixin_default"]'
    assert outcome.problems == [("refresh_access_token", line), ("check", line)]
    assert sandbox.calls == []


@pytest.mark.parametrize("broken", ["first", "second"])
@pytest.mark.parametrize("wanted", [None, "weixin_default", "weixin_second"])
def test_of_two_connections_of_one_account_the_one_that_works_is_used(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, broken: str, wanted: str | None
):
    """It is asked once, whichever secret is wrong and by whichever connection it is named."""
    secrets = {"weixin_default": DEFAULT_ACCOUNT.secret, "weixin_second": DEFAULT_ACCOUNT.secret}
    secrets["weixin_default" if broken == "first" else "weixin_second"] = "not the secret"
    for conn_id, secret in secrets.items():
        daily.connect(DEFAULT_ACCOUNT, sandbox_url, conn_id, password=secret)
    daily.collect(list(secrets))

    outcome = daily.run(**({"accounts": [wanted]} if wanted else {}))

    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert "weixin_second is the same account as weixin_default" in outcome.log


def test_nonsense_in_an_accounts_connection_stops_no_other(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine, accounts
):
    """Its own sentence names the connection; the other account is loaded."""
    odd, fine = accounts(2)
    daily.connect(odd, sandbox_url, "a0", extra="nonsense")

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.told("check") == [
        "a0: correct the connection's extra or leave it empty (environment variable "
        "AIRFLOW_CONN_A0) (it is not a JSON object)"
    ]
    assert loaded(warehouse) == truth(sandbox, fine, WINDOW, MORNING.date())
