"""One account's trouble stops no other, and never leaves the run green."""

import pytest
from dag_runs import MORNING, NOT_IN, WINDOW, DailyDag, asked, rows
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

COVERAGE = """
    SELECT error_kind, error_code, fetched_at, count(*)
    FROM weixin.coverage WHERE appid = :appid GROUP BY 1, 2, 3
"""


def test_accounts_that_fail_beside_others(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine, accounts
):
    """Three are loaded; the run is red and names the rest, for which nobody asks again."""
    one, wrong_secret, three, unauthorised, five, odd = accounts(6)
    daily.connect(wrong_secret, sandbox_url, "a1", password="not the secret")
    daily.connect(odd, sandbox_url, "a5", extra="nonsense")
    daily.collect(["a0", "a1", "a2", "a3", "a4", "a5", "forgotten"])
    sandbox.scenarios[:] = [Scenario("unauthorized", account=unauthorised.appid)]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert loaded(warehouse) == truth(sandbox, [one, three, five], WINDOW, MORNING.date())
    assert rows(warehouse, COVERAGE, appid=wrong_secret.appid) == [
        ("configuration", 40125, None, 7)
    ]
    assert rows(warehouse, COVERAGE, appid=unauthorised.appid) == [
        ("configuration", 48001, None, 7)
    ]
    assert outcome.errors == [
        ("ingest", NOT_IN),
        ("ingest", NOT_IN),
        ("check", "4 accounts are not in: see the lines above"),
    ]
    refused = {
        "号2: correct the password in the connection a1 (the AppSecret is "
        "wrong: invalid appsecret) · 2026-11-17 to 2026-11-23 · a1, errcode 40125",
        "号4: verify the account, or have permission set 7 granted (2 for "
        "followers) (the account may not use this API: api unauthorized) · 2026-11-17 to "
        "2026-11-23 · a3, errcode 48001",
    }
    nonsense = (
        "a5: correct the connection's extra or leave it empty (JSON is malformed: invalid "
        "character (byte 4))"
    )
    assert set(outcome.told("ingest")) == refused
    (missing,) = {*outcome.told("check")} - refused - {nonsense}
    assert missing.startswith("forgotten: create the connection forgotten with type weixin")
    assert len(outcome.told("check")) == 4
    assert {nonsense, missing} <= {*outcome.told("refresh_access_token")}


@pytest.mark.parametrize(
    ("broken", "wanted"), [("weixin_default", "weixin_default"), ("weixin_second", None)]
)
def test_of_two_connections_of_one_account_the_one_that_works_is_used(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, broken: str, wanted: str | None
):
    """It is asked once, whichever secret is wrong and by whichever connection it is named."""
    for conn_id in ("weixin_default", "weixin_second"):
        secret = "not the secret" if conn_id == broken else DEFAULT_ACCOUNT.secret
        daily.connect(DEFAULT_ACCOUNT, sandbox_url, conn_id, password=secret)
    daily.collect(["weixin_default", "weixin_second"])

    outcome = daily.run(**({"accounts": [wanted]} if wanted else {}))

    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert "weixin_second is the same account as weixin_default" in outcome.log
