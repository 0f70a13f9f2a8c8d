"""Runs of a third-party platform leave no token, ticket or secret behind."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from dag_runs import WINDOW, Done, PlatformDag, rows
from platform_runs import spoil
from receivers import Receiver
from secret_search import places, printed
from sqlalchemy import Engine

from weixin_etl.datasets import DATASETS
from weixin_sandbox import DEFAULT_COMPONENT, Call, Sandbox, Scenario


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
    receiver: Receiver,
    warehouse: Engine,
    metadata: Engine,
    dags_test: Callable[[str], Done],
    tmp_path: Path,
):
    """
    In print and logs at DEBUG, both databases, messages and the page.

    Of a run in which accounts are refused in every way there is, and of one without a good ticket.
    """
    sandbox.component.rotates_refresh_tokens = True
    _, invalid, lacking, refused, renamed, gone = platform.authorize(6)
    platform.dag.set("AIRFLOW__WEIXIN__RETRIES", "0")
    platform.dag.set("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.component.revoke_permission(lacking.appid)
    sandbox.scenarios[:] = [
        Scenario("list-call:bad-json", times=1),
        Scenario("token-call:errcode:61023", account=invalid.appid),
        Scenario("errcode:40001", account=refused.appid),
        Scenario("info-call:cut-answer", account=renamed.appid),
    ]

    def withdraw(call: Call) -> None:
        if call.appid == gone.appid and call.publication_date == WINDOW[-2]:
            sandbox.component.withdraw(gone.appid)

    sandbox.before_delivery = withdraw
    first = dags_test("2026-11-24")
    sandbox.before_delivery = None
    spoil(platform, "old", warehouse)
    second = dags_test("2026-11-24")

    (run_id,) = rows(warehouse, "SELECT DISTINCT run_id FROM weixin.run_report")[0]
    for sentence in ("61023", "61007", "61003", "40001"):
        assert sentence in first.stdout
    assert "weixin_platform_ticket" in second.stdout
    ours = [DEFAULT_COMPONENT.secret, os.environ["AIRFLOW__CORE__FERNET_KEY"]]
    hidden = [*ours, *sandbox.component.issued_secrets, *sandbox.issued_tokens]
    said = {f"first {name}": text for name, text in printed(first).items()}
    said |= {f"second {name}": text for name, text in printed(second).items()}
    said |= on_the_page(run_id) | {"messages": str(receiver.messages)}
    databases = {"airflow": metadata, "weixin": warehouse}
    assert len(hidden) > 15
    assert places(hidden, said, [tmp_path], databases) == set()
    # the search finds what may be there
    assert places(["号2", refused.appid], said, [tmp_path], databases) >= {
        "first stdout",
        "/health",
        "/api/problems",
        "messages",
        "weixin.platform_token.appid",
    }
