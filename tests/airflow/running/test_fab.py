"""Airflow with FAB, as docker compose has it: who reads the page, and what is masked."""

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
    """Somebody who may do anything."""
    return Rest(fab, PASSWORD)


def statuses(who: Rest, method: str = "GET") -> set[int]:
    return {who.asked(method, f"weixin/{path}").status_code for path in PATHS}


def test_who_may_read_a_dag_reads_and_nobody_writes(fab: int, admin: Rest) -> None:
    """
    Without a login nothing of the warehouse is said; nor is there another file.

    Who may not press *Test* gets Airflow's answer, though our middleware looks at the call first.
    """
    nobody, viewer, stranger = (Rest(fab, PASSWORD, it) for it in ("nobody", "viewer", "viewer"))
    stranger.headers = {}

    assert statuses(stranger) == {401, 307}  # the views lead to the login
    assert (statuses(nobody), statuses(viewer)) == ({403}, {200, 503})  # /health
    test, ours = "api/v2/connections/test", {"conn_type": "weixin", "port": 0}
    assert [it.asked("POST", test, ours).status_code for it in (stranger, viewer)] == [401, 403]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert statuses(admin, method) == {405}
    for path in ("docs", "redoc", "openapi.json", "static/app.py", "static/..%2Fapp.py"):
        assert admin.asked("GET", f"weixin/{path}").status_code == 404


def test_the_page_works_inside_airflow(browser: Browser, admin: Rest) -> None:
    """
    Logged in by Airflow's own form, in Airflow's theme and language.

    Who opens a message's link logged out comes to its problem after the login. A link leads out of
    Airflow's sandboxed frame to the DAG.
    """
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{admin.origin}/weixin/#problem-1")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".card:target")).to_be_in_viewport()
        inside(page, admin.origin).locator(".scripted a.airflow[href*='/dags/']").first.click()
        # Airflow adds what the frame shows to its own address: the DAG must not be in the frame
        page.wait_for_url(re.compile(rf"^{admin.origin}/dags/{DAG}"), wait_until="commit")
        shown = inside(page, admin.origin)
        page.evaluate("localStorage.setItem('i18nextLng', 'zh-CN')")
        expect(shown.locator("h1")).to_have_text("公众号文章")


def inside(page: Page, origin: str) -> FrameLocator:
    page.goto(f"{origin}/")
    page.get_by_role("link", name="WeChat").click()
    return page.frame_locator("iframe[title='WeChat']")


def test_a_ticket_and_the_address_of_a_receiver_are_stars_for_who_may_read(admin: Rest) -> None:
    """By the setting that docker compose and `make up` have; another Variable is shown."""
    values = {"weixin_platform_ticket": "ticket@@@1", "anything_else": "can be read"}
    for key, value in values.items():
        admin("POST", "variables", {"key": key, "value": value})
    extra = '{"config": {"path": "wecombot://s3cr3t-key"}}'
    alerts = {"connection_id": "alerts_too", "conn_type": "apprise", "extra": extra}
    admin("POST", "connections", alerts)

    shown = [admin("GET", f"variables/{key}")["value"] for key in values]
    assert shown == ["***", "can be read"]
    its = admin("GET", "connections/alerts_too")["extra"]
    assert ("config" in its, "s3cr3t-key" in its) == (True, False)
