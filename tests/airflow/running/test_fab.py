"""Tests of the page in an Airflow with FAB, as docker compose runs it: rights and masking."""

import re

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from support.rest import Rest

from weixin_etl.datasets import ARTICLE_TOTAL

from .stack import DAG, PASSWORD

expect.set_options(timeout=30_000)  # a busy machine needs longer than Playwright's five seconds

OF = f"dataset={ARTICLE_TOTAL.name}"
PATHS = ("", f"coverage?{OF}", f"day?{OF}&appid=a&day=2026-11-01", f"articles?{OF}", "health")


@pytest.fixture(scope="module")
def admin(fab: int) -> Rest:
    """Return a session of the administrator."""
    return Rest(fab, PASSWORD)


def statuses(user: Rest, method: str = "GET") -> set[int]:
    return {user.request(method, f"weixin/{path}").status_code for path in PATHS}


def test_users_who_can_read_a_dag_can_read_the_page_and_nobody_writes(
    fab: int, admin: Rest
) -> None:
    """
    Without a login the page shows nothing of the warehouse, and it serves no other files.

    A user without the right to press *Test* gets Airflow's refusal.
    """
    nobody, viewer, stranger = (Rest(fab, PASSWORD, n) for n in ("nobody", "viewer", "viewer"))
    stranger.headers = {}

    assert statuses(stranger) == {401, 307}  # the views lead to the login
    assert (statuses(nobody), statuses(viewer)) == ({403}, {200, 503})  # /health
    test = "POST", "api/v2/connections/test", {"conn_type": "weixin", "port": 0}
    assert [user.request(*test).status_code for user in (stranger, viewer)] == [401, 403]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert statuses(admin, method) == {405}
    for path in ("docs", "redoc", "openapi.json", "static/app.py", "static/..%2Fapp.py"):
        assert admin.request("GET", f"weixin/{path}").status_code == 404


def test_the_page_works_inside_airflow(browser: Browser, admin: Rest) -> None:
    """
    A message's link leads to its problem, after the login if necessary.

    A link of the page opens the DAG outside the sandboxed frame. The page has Airflow's language.
    """
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{admin.origin}/weixin/#problem-1")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".card:target")).to_be_in_viewport()
        inside(page, admin.origin).locator(".scripted a.airflow[href*='/dags/']").first.click()
        # Airflow shows the frame's path in its own address. The DAG must not open in the frame.
        page.wait_for_url(re.compile(rf"^{admin.origin}/dags/{DAG}"), wait_until="commit")
        shown = inside(page, admin.origin)
        page.evaluate("localStorage.setItem('i18nextLng', 'zh-CN')")
        expect(shown.locator("h1")).to_have_text("微信公众号")


def inside(page: Page, origin: str) -> FrameLocator:
    page.goto(f"{origin}/")
    page.get_by_role("link", name="WeChat").click()
    return page.frame_locator("iframe[title='WeChat']")


def test_the_ticket_and_the_receivers_address_are_masked(admin: Rest) -> None:
    """The setting of docker compose and of `make up` masks them. Other Variables are shown."""
    values = {"weixin_platform_ticket": "ticket@@@1", "anything_else": "can be read"}
    for key, value in values.items():
        admin("POST", "variables", {"key": key, "value": value})
    extra = '{"config": {"path": "wecombot://s3cr3t-key"}}'
    alerts = {"connection_id": "alerts_too", "conn_type": "apprise", "extra": extra}
    admin("POST", "connections", alerts)

    shown = [admin("GET", f"variables/{key}")["value"] for key in values]
    assert shown == ["***", "can be read"]
    extra = admin("GET", "connections/alerts_too")["extra"]
    assert ("config" in extra, "s3cr3t-key" in extra) == (True, False)
