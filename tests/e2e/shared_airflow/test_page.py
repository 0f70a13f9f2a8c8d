"""The page "WeChat articles" in a real Airflow with FAB, in a real browser, behind its login."""

import re
from datetime import datetime

import page_world
import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Page, expect
from rest import Rest

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL

from .running import DAG, PASSWORD, FabServer, log_in

expect.set_options(timeout=30_000)  # a busy machine needs longer than Playwright's five seconds

PATHS = (
    "/",
    f"/coverage?dataset={ARTICLE_TOTAL.name}",
    f"/day?dataset={ARTICLE_TOTAL.name}&appid=wx0003&day=2026-11-01",
    f"/articles?dataset={ARTICLE_TOTAL.name}",
    "/health",
)
Headers = dict[str, str]


@pytest.fixture(scope="module")
def origin(fab: FabServer) -> str:
    """Where the page is, and a warehouse of 16 accounts, some of them in trouble."""
    engine = the_warehouse.engine(fab.warehouse_url)
    noon = datetime.fromisoformat(fab.environment["WEIXIN_NOW"])
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        page_world.fill(connection, ARTICLE_TOTAL, 16, 100, noon)
    engine.dispose()
    return fab.origin()


@pytest.fixture(scope="module")
def admin(origin: str) -> Headers:
    """The headers of somebody who may do anything."""
    return log_in(origin, "admin")


def statuses(origin: str, headers: Headers | None = None, method: str = "GET") -> set[int]:
    """The status codes of the page's answers, whatever the path."""
    return {
        requests.request(
            method, f"{origin}/weixin{path}", headers=headers, timeout=60, allow_redirects=False
        ).status_code
        for path in PATHS
    }


def test_who_may_read_a_dag_reads_and_nobody_writes(origin: str, admin: Headers) -> None:
    """Without a login nothing of the warehouse is said; nor is there another file."""
    readable = {200, 503}  # what is wrong makes /health 503

    assert statuses(origin) == {401, 307}  # the views lead to the login
    assert statuses(origin, {"Authorization": "Bearer no.token.atall"}) <= {401, 403}
    assert statuses(origin, log_in(origin, "nobody")) == {403}
    assert statuses(origin, log_in(origin, "viewer")) == readable
    assert statuses(origin, admin) == readable
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert statuses(origin, admin, method) == {405}
    for path in ("docs", "redoc", "openapi.json", "static/app.py", "static/..%2Fapp.py"):
        answer = requests.get(f"{origin}/weixin/{path}", headers=admin, timeout=60)
        assert answer.status_code == 404


class TestHealth:
    """`/health` is for monitors."""

    def test_it_names_what_is_wrong(self, origin: str, admin: Headers) -> None:
        """503 as long as something is, with the cure."""
        answer = requests.get(f"{origin}/weixin/health", headers=admin, timeout=30)
        said = answer.json()

        assert (answer.status_code, said["is_healthy"]) == (503, False)
        problems = [it["problem"] for it in said["problems"]]
        (blocked,) = [it for it in problems if it["errcode"] == 40164]
        assert blocked["account"] == "江湖"
        assert blocked["cure"] == (
            "add this machine's IP 203.0.113.7 to the IP whitelist in WeChat's console"
        )

    def test_a_paused_dag_is_named(self, fab: FabServer, origin: str, admin: Headers) -> None:
        """Its runs would wait for ever."""
        rest = Rest(fab.port, PASSWORD)
        rest("PATCH", f"dags/{DAG}", {"is_paused": True})
        try:
            said = requests.get(f"{origin}/weixin/health", headers=admin, timeout=30).json()
        finally:
            rest("PATCH", f"dags/{DAG}", {"is_paused": False})

        problems = [it["problem"] for it in said["problems"]]
        causes = {it["cause"]: it["cure"] for it in problems}
        assert causes["the DAG is paused"] == f"unpause {DAG} if its figures are wanted again"


def test_it_works_inside_airflow(browser: Browser, origin: str) -> None:
    """
    Logged in by Airflow's own form, in Airflow's theme and language.

    Who opens a message's link logged out comes to its problem after the login. A link leads out of
    Airflow's sandboxed frame to the DAG.
    """
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{origin}/weixin/#problem-1")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".card:target")).to_be_in_viewport()
        page.goto(f"{origin}/")
        page.get_by_role("link", name="WeChat articles").click()
        inside(page).locator("a.airflow[href*='/dags/']").first.click()
        # Airflow adds what the frame shows to its own address: the DAG must not be in the frame
        page.wait_for_url(re.compile(rf"^{origin}/dags/{DAG}"), wait_until="commit")

        page.goto(f"{origin}/")
        page.get_by_role("link", name="WeChat articles").click()
        page.evaluate("localStorage.setItem('i18nextLng', 'zh-CN')")
        expect(inside(page).locator("h1")).to_have_text("公众号文章")


def inside(page: Page) -> FrameLocator:
    """The page in Airflow's frame."""
    return page.frame_locator("iframe[title='WeChat articles']")
