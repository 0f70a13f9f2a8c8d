"""How the first view words what the server says: its scripts in a browser, without an Airflow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from weixin_etl.orchestration.page.app import FILES, dictionary

ORIGIN = "http://page.test"
INCIDENT = {
    "kind": "check",
    "is_warning": False,
    "dataset": "article_total",
    "account": "",
    "cure": "",
    "cause": "it happened",
    "days": "",
    "day_count": 0,
    "error_code": None,
    "opened_at": "2026-11-24T00:31:00Z",
    "seen_at": "2026-11-24T00:31:00Z",
    "closed_at": None,
    "lasted": "",
    "run_id": None,
}
ACCOUNT = {
    "dataset": "article_total",
    "name": "春风",
    "is_healthy": True,
    "is_retired": False,
    "days_not_in_count": 0,
    "open_day_count": 0,
    "open_incidents": 0,
    "calls_today": 7,
    "quota_left": None,
}
FRAME = """<html lang="en"><script type="application/json" id="configuration">{}</script><main>"""
SHOW = """async (found) => {
    const { problems } = await import("/problems.js");
    const shown = await problems({ now: {}, go: () => {}, ask: async () => found });
    document.querySelector("main").replaceChildren(...shown.nodes.filter(Boolean));
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page's frame and scripts, and nothing behind them."""
    configuration = {
        "base": "",
        "airflow": "",
        "datasets": [{"name": "article_total", "dag_id": "weixin_article_total"}],
        "labels": dictionary(),
    }

    def answer(route: Route) -> None:
        name = Path(route.request.url).name
        if name in FILES:
            route.fulfill(path=FILES[name], content_type="text/javascript")
        else:
            body = FRAME.format(json.dumps(configuration))
            route.fulfill(body=body, content_type="text/html; charset=utf-8")

    with browser.new_context() as context:
        made = context.new_page()
        made.route("**/*", answer)
        made.goto(f"{ORIGIN}/")
        yield made


def show(page: Page, *, is_healthy: bool = False, **found: Any) -> Page:
    """The view of what the server found."""
    nothing = {"problems": [], "closed": [], "account_count": 1, "accounts": [], "page_size": 25}
    answer = nothing | {"checked_at": "2026-11-24T05:00:00Z", "is_healthy": is_healthy, **found}
    page.evaluate(SHOW, answer)
    return page


@pytest.mark.parametrize("is_healthy", [True, False])
def test_the_servers_verdict_decides_the_colour(page: Page, *, is_healthy: bool) -> None:
    """As monitors see it, whatever is listed."""
    show(page, is_healthy=is_healthy)

    assert page.locator(".notice.good").count() == is_healthy
    assert page.locator(".notice.bad").count() == (not is_healthy)
    assert "Checked at 2026-11-24 13:00 Beijing time" in page.locator(".notice").inner_text()


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        ("the AppSecret is wrong", "The AppSecret is wrong"),
        ("http://example.com answers 502", "http://example.com answers 502"),
        ("total_does_not_fall: share_user fell", "total_does_not_fall: share_user fell"),
    ],
)
def test_a_sentence_begins_with_a_capital_a_name_does_not(
    page: Page, cause: str, shown: str
) -> None:
    """Names and addresses are copied and searched for."""
    show(page, problems=[INCIDENT | {"cause": cause}])

    assert page.locator(".card h3").inner_text() == f"All accounts {shown}"


def test_what_concerns_all_accounts_stands_alone(page: Page) -> None:
    """Two unknown metrics are not two accounts; two accounts with the same cure are one card."""
    of_run = [INCIDENT | {"cure": "ask", "cause": cause} for cause in ("metric a", "metric b")]
    of_accounts = [INCIDENT | {"cure": "wait", "account": name} for name in ("春风", "夏雨")]
    show(page, problems=[*of_run, *of_accounts])

    assert page.locator(".card .who").all_inner_texts() == [
        "All accounts",
        "All accounts",
        "春风 and 1 more",
    ]


def test_how_long_it_lasted_is_in_the_words_of_the_messages(page: Page) -> None:
    """Seconds are a minute there too."""
    over = {"closed_at": "2026-11-24T00:31:10Z", "lasted": "1 min"}
    show(page, is_healthy=True, closed=[INCIDENT | over])

    facts = page.locator(".card.over .facts").inner_text()
    assert "lasted 1 min, until 2026-11-24 08:31 Beijing time" in facts


def test_an_account_whose_endpoint_is_retired_says_so(page: Page) -> None:
    """Rather than that it has a problem: the card above says which."""
    show(page, accounts=[ACCOUNT | {"is_retired": True, "open_incidents": 1}])

    assert page.locator(".chip").inner_text() == "endpoint retired"
