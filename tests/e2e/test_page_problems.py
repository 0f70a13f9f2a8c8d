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
    "incident_id": None,
    "others": [],
    "kind": "program",
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
    "path": "",
}
ACCOUNT = {
    "dataset": "article_total",
    "name": "春风",
    "is_healthy": True,
    "is_retired": False,
    "days_not_in_count": 0,
    "open_day_count": 0,
    "silent_day_count": 0,
    "open_incidents": 0,
    "being_asked_count": 0,
    "being_asked_left": 0,
    "calls_today": 7,
}
FRAME = """<html lang="en"><script type="application/json" id="configuration">{}</script><main>"""
SHOW = """async ([found, now]) => {
    const { problems } = await import("/problems.js");
    const shown = await problems({ now, go: () => {}, ask: async () => found });
    document.querySelector("main").replaceChildren(...shown.nodes.filter(Boolean));
    shown.ready({ isRefresh: false });
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


def show(page: Page, *, is_healthy: bool = False, problem: int = 0, **found: Any) -> Page:
    """The view of what the server found, by a link to a problem if one is named."""
    nothing = {"problems": [], "closed": [], "account_count": 1, "accounts": [], "page_size": 25}
    answer = nothing | {"runs": [], "is_read": True, "is_healthy": is_healthy, **found}
    page.evaluate(SHOW, [answer, {"problem": problem}])
    return page


@pytest.mark.parametrize("is_healthy", [True, False])
def test_the_servers_verdict_decides_the_colour(page: Page, *, is_healthy: bool) -> None:
    """As monitors see it, whatever is listed."""
    show(page, is_healthy=is_healthy)

    assert page.locator(".notice.good").count() == is_healthy
    assert page.locator(".notice.bad").count() == (not is_healthy)


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        ("the AppSecret is wrong", "The AppSecret is wrong"),
        ("nothing: it is stored", "Nothing: it is stored"),
        ("http://example.com answers 502", "http://example.com answers 502"),
        ("share_user is a text", "share_user is a text"),
    ],
)
def test_a_sentence_begins_with_a_capital_a_name_does_not(
    page: Page, cause: str, shown: str
) -> None:
    """Names and addresses are copied and searched for."""
    show(page, problems=[INCIDENT | {"cause": cause}])

    assert page.locator(".card h3").inner_text() == f"All accounts {shown}"


@pytest.mark.parametrize("closed_at", [None, "2026-11-24T02:31:00Z"])
def test_a_link_to_a_problem_opens_it(page: Page, closed_at: str | None) -> None:
    """One of an account among others with the same cause, also when it is over."""
    one, other = (
        INCIDENT | {"incident_id": n, "account": name, "cure": "ask", "closed_at": closed_at}
        for n, name in ((6, "春风"), (7, "夏雨"))
    )
    show(page, **{"closed" if closed_at else "problems": [one | {"others": [other]}]}, problem=7)

    assert page.locator(".card .who").inner_text() == "春风 and 1 more"
    assert page.locator("li.marked").inner_text().startswith("夏雨")
    assert page.evaluate("document.activeElement.id") == "problem-7"
    assert show(page, problem=8).get_by_text("The problem of the link is over").is_visible()


def test_a_run_at_work_is_no_problem(page: Page) -> None:
    """How far it has come is said in grey, of the run and of each account that is being asked."""
    run = {"dataset": "article_total", "run_id": "daily", "done": 186, "pair_count": 620}
    asked = ACCOUNT | {"being_asked_count": 7, "being_asked_left": 5}
    show(page, is_healthy=True, runs=[run], accounts=[asked])

    assert "being asked: 186 of 620 days" in page.locator(".notice.work").inner_text()
    assert page.locator("progress").get_attribute("value") == "186"
    assert page.locator(".chip.retired").inner_text() == "being asked: 2 of 7 days are done"
    assert page.locator(".wrong, .chip.bad, .card").count() == 0


def test_what_is_not_known_is_not_said(page: Page) -> None:
    """When the warehouse can't be read; and in a new installation nothing of the past."""
    show(page, is_read=False, account_count=0, problems=[INCIDENT | {"kind": "warehouse"}])
    unread = page.locator("main").inner_text()
    show(page, account_count=0, problems=[INCIDENT | {"kind": "not_asked", "cure": "unpause it"}])
    new = page.locator("main").inner_text()

    assert unread.splitlines()[0] == "One thing is wrong now"
    assert new.startswith("Daily runs collect no account yet. Do this first:")
    for said in (unread, new):
        assert "Accounts" not in said
        assert "seven days" not in said


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
