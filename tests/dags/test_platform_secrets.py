"""Runs of a third-party platform leave no token, ticket or secret behind."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from dag_runs import Done, PlatformDag, rows
from receivers import Receiver
from secret_search import places, printed
from sqlalchemy import Engine

from weixin_etl.datasets import DATASETS
from weixin_sandbox import DEFAULT_COMPONENT, Account, Call, Sandbox, Scenario

BEARER = "the bearer of the token service"


def on_the_page(run_id: str) -> dict[str, str]:
    """Everything that the page's server answers."""
    from fastapi.testclient import TestClient

    from weixin_etl.orchestration.page.app import app
    from weixin_etl.orchestration.page.reader import Reader, reader

    dataset = "dataset=article_total"
    app.dependency_overrides[reader] = lambda: Reader(tuple(DATASETS.values()))
    try:
        client = TestClient(app)
        answers = {
            path: client.get(path).text
            for path in (
                "/health",
                "/api/problems",
                f"/api/calendar?{dataset}",
                f"/api/pair?{dataset}&appid=wx0000000000000002&day=2026-11-23",
                f"/api/runs?{dataset}",
                f"/api/run?{dataset}&run_id={quote(run_id)}",
            )
        }
    finally:
        app.dependency_overrides.clear()
    return answers


def test_no_token_ticket_or_secret_is_left_anywhere(
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
    In print and logs at DEBUG, both databases, messages and the page.

    A run in which WeChat refuses a refresh token, the ticket, and what a token service gives.
    """
    sandbox.component.rotates_refresh_tokens = True
    invalid, last = platform.authorize(2)
    serviced = Account("wx00000000000000aa", "", "号9")
    sandbox.accounts[serviced.appid] = serviced
    extra = {"name": serviced.name, "token_url": f"{sandbox_url}/token-service"}
    platform.dag.connect(serviced, sandbox_url, "serviced", password=BEARER, extra=extra)
    platform.dag.collect(["weixin_platform", "serviced"])
    sandbox.token_service.bearer = BEARER
    sandbox.token_service.is_stale = True
    platform.dag.set("AIRFLOW__WEIXIN__RETRIES", "0")
    platform.dag.set("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [
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

    (run_id,) = rows(warehouse, "SELECT DISTINCT run_id FROM weixin.run_report")[0]
    for sentence in ("61023", "weixin_platform_ticket", "have the token service mended"):
        assert sentence in done.stdout
    ours = [DEFAULT_COMPONENT.secret, os.environ["AIRFLOW__CORE__FERNET_KEY"], BEARER]
    hidden = [*ours, *sandbox.component.issued_secrets, *sandbox.issued_tokens]
    said = printed(done) | on_the_page(run_id) | {"messages": str(receiver.messages)}
    databases = {"airflow": metadata, "weixin": warehouse}
    assert len(hidden) > 10
    assert places(hidden, said, [tmp_path], databases) == set()
    # the search finds what may be there
    names = [invalid.name, last.name, last.appid]
    assert places(names, said, [tmp_path], databases) >= {
        "stdout",
        "/health",
        "/api/problems",
        "messages",
        "weixin.platform_token.appid",
    }
