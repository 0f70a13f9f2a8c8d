"""`airflow dags test`, as somebody types it: exit codes, and no secret anywhere."""

import os
from collections.abc import Callable
from pathlib import Path

from dag_runs import WINDOW, DailyDag, Done, PlatformDag, asked, november, set_paused
from figures import loaded, truth
from receivers import Receiver
from secret_search import places, printed
from sqlalchemy import Engine

from weixin_etl.datasets import DATASETS
from weixin_sandbox import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Call, Sandbox, Scenario

BEARER = "the bearer of the token service"


def test_a_good_run(
    dags_test: Callable[[str], Done], daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """The publication days 17 to 23 November of 2026-11-24, asked for two days later."""
    daily.set("WEIXIN_NOW", "2026-11-26T10:30:00+08:00")

    done = dags_test("2026-11-24")

    assert done.returncode == 0, done.stdout
    assert sorted(asked(sandbox)) == WINDOW
    assert loaded(warehouse) == truth(
        sandbox, [DEFAULT_ACCOUNT], WINDOW, asked_on=sandbox.beijing_today
    )


def test_a_failing_run_leaves_no_secret_anywhere(
    platform: PlatformDag,
    sandbox: Sandbox,
    sandbox_url: str,
    receiver: Receiver,
    warehouse: Engine,
    metadata: Engine,
    dags_test: Callable[[str], Done],
    tmp_path: Path,
):
    """
    Its exit code is 1; WeChat refuses in every way there is.

    Of accounts of their own the secret, the tokens and the answers; of a platform a refresh token
    and the ticket; and what a token service gives. Neither a secret, right or wrong, nor a token or
    ticket is in print or logs at DEBUG, in either database, in messages or on the page.
    """
    dag = platform.dag
    sandbox.component.rotates_refresh_tokens = True
    invalid, last = platform.authorize(2)
    fine, wrong, refused, broken, serviced = (
        Account(f"wx00000000000000a{n}", f"5ecret-of-a-{n}", f"自{n}") for n in range(5)
    )
    for account in (fine, wrong, refused, broken, serviced):
        sandbox.accounts[account.appid] = account
        dag.connect(account, sandbox_url, account.name.replace("自", "own_"))
    dag.connect(wrong, sandbox_url, "own_1", password="wrong-secret-6b1f")
    dag.connect(fine, "http://127.0.0.1:1", "nobody_there", login="wx9", password="s3cr3t-9d7a")
    extra = {"name": serviced.name, "token_url": f"{sandbox_url}/token-service"}
    dag.connect(serviced, sandbox_url, "own_4", password=BEARER, extra=extra)
    sandbox.token_service_bearer = BEARER
    stale = sandbox.tokens.stable(serviced.appid)
    sandbox.service_token = lambda _appid: stale
    own = [f"own_{n}" for n in range(5)]
    dag.collect([*own, "nobody_there", "weixin_platform"])
    dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [
        Scenario("token-expired", account=fine.appid, day=november(20)[0], times=1),
        Scenario("errcode:40001", account=refused.appid),
        Scenario("cut-answer", account=broken.appid, day=november(20)[0]),
        Scenario("http-500", account=broken.appid, day=november(21)[0]),
        Scenario("bad-json", account=broken.appid, day=november(22)[0]),
        Scenario("list-call:bad-json", times=1),
        Scenario("token-call:errcode:61023", account=invalid.appid),
        Scenario("info-call:cut-answer", account=last.appid),
        Scenario("token-expired", account=last.appid),
        Scenario("token-expired", account=serviced.appid),
    ]

    def end(call: Call) -> None:
        if call.appid == last.appid and call.publication_date:
            sandbox.component.expire_tickets()
            sandbox.component.expire_tokens()

    sandbox.before_delivery = end
    done = dags_test("2026-11-24")
    set_paused(is_paused=False)

    assert done.returncode == 1, done.stdout
    assert "DagRun failed" in done.stderr
    for sentence in (
        "自1: correct the password in the connection own_1 (the AppSecret",
        "自2: find the other program that refreshes this account's token; of a token service",
        "自3: wait; if it persists, check the Base URL and any proxy (no usable",
        "自4: find the other program that refreshes this account's token; of a token service",
        "61023",
        "weixin_platform_ticket",
        "[debug ",
    ):
        assert sentence in done.stdout
    hidden = [
        *(fine.secret, wrong.secret, refused.secret, broken.secret),
        *("wrong-secret-6b1f", "s3cr3t-9d7a", BEARER, DEFAULT_COMPONENT.secret),
        os.environ["AIRFLOW__CORE__FERNET_KEY"],
        *sandbox.component.issued_secrets,
        *sandbox.issued_tokens,
    ]
    assert len(hidden) > 15
    said = printed(done) | on_the_page() | {"messages": str(receiver.messages)}
    searched = (said, [tmp_path], {"airflow": metadata, "weixin": warehouse})
    assert places(hidden, *searched) == set()
    # the search finds what may be there: in a print, a message, a text, the bytes of an answer
    shown = [invalid.name, last.name, last.appid, wrong.name, fine.appid, "stat_date"]
    assert places(shown, *searched) >= {
        "stdout",
        "/health",
        "/",
        "messages",
        "weixin.platform_token.appid",
        "weixin.dim_article.appid",
        "weixin.raw_response.body",
    }


def on_the_page() -> dict[str, str]:
    """Everything that the page's server answers."""
    from fastapi.testclient import TestClient

    from weixin_etl.orchestration.web.page.app import app, readable

    dataset = "dataset=article_total"
    app.dependency_overrides[readable] = lambda: tuple(DATASETS.values())
    try:
        client = TestClient(app)
        answers = {
            path: client.get(path).text
            for path in (
                "/",
                "/health",
                f"/coverage?{dataset}",
                f"/day?{dataset}&appid=wx0000000000000002&day=2026-11-23",
                f"/articles?{dataset}",
            )
        }
    finally:
        app.dependency_overrides.clear()
    return answers
