"""Tests of the page "WeChat" in a real browser, served by Airflow's own web server."""

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
import requests
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from support import choose_port, migrated_warehouse
from world.notified import People, run

from weixin_etl.datasets import (
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    FOLLOWER_CHANGE,
    FOLLOWER_TOTAL,
)
from weixin_etl.health.alerts import Airflow, DagState
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.orchestration.web.page.app import app as page_app
from weixin_etl.orchestration.web.page.app import readable
from weixin_local.home import postgres_connection
from weixin_local.postgres import Server

expect.set_options(timeout=30_000)  # a busy machine needs longer than Playwright's five seconds

DAG, NOON = ARTICLE_TOTAL.dag_id, "2026-11-24T12:00:00+08:00"
TODAY = 15
"""The number of days from the first morning to the day of `NOON`."""
POINTS = "0.0,24.0 20.0,20.0 40.0,16.0 60.0,12.0 80.0,8.0 100.0,4.0 120.0,0.0"
"""The line of an article that gains a thousand readers each day."""
ARTICLES = f"dataset={ARTICLE_TOTAL.name}"
VIEWS = {
    "problems": "",
    "coverage": f"coverage?{ARTICLES}",
    "day": f"day?{ARTICLES}&appid=well&day=2026-11-20",
    "articles": f"articles?{ARTICLES}",
    "article": f"article?{ARTICLES}&appid=odd&msgid=9_1",
    "rejected": f"day?{ARTICLES}&appid=odd&day=2026-11-20",
}
HOSTILE = "<b>粗</b><img src=x onerror='window.harmed = 1'>"
"""The title of each article."""
NAMES = {
    "well": "春风",
    "one": "夏雨",
    "two": "秋月",
    "secret": "星辰",
    "lost": "云端",
    "left": "灯塔",
    "offline": "晨曦",
    "odd": "青山",
}
ODD_DAY = date(2026, 11, 20)


def odd_answer(day: date) -> bytes | None:
    """Return an answer whose sharers are texts, for `ODD_DAY` only."""
    rows = [
        {"stat_date": f"2026-11-{number}", "int_page_read_user": number * 100, "share_user": "many"}
        for number in range(20, 24)
    ]
    article = {"ref_date": str(ODD_DAY), "msgid": "9_1", "title": HOSTILE, "details": rows}
    return json.dumps({"list": [article]}).encode() if day == ODD_DAY else None


WORDS = "AppSecret AppID Airflow password begin_date end_date accounts refetch ready_hour weixin"
WORDS += " Excel weixin_ answers dataset ingest weixin_accounts share_user replay WEIXIN_NOW"
WORDS_IN_CHINESE = {*(dataset.dag_id for dataset in DATASETS.values()), *NAMES, *WORDS.split()}
"""The Latin words that the Chinese page may contain."""


@pytest.fixture(scope="module")
def origin(metadata_url: str, embedded_server: Server) -> Iterator[str]:
    """
    Run Airflow's web server with the plugin and a warehouse after sixteen mornings; yield its URL.

    One account has had a wrong secret since the seventh morning. Another has two days that WeChat
    never computed, and a third one's endpoint was retired three mornings ago. Today a call of two
    accounts is refused, and one answer has texts for figures. One account left long ago.
    """
    from airflow.api_fastapi.app import create_app

    port, late = choose_port(), (date(2026, 11, 10), date(2026, 11, 11))
    with (
        migrated_warehouse(embedded_server, "page") as engine,
        pytest.MonkeyPatch.context() as patch,
    ):
        people = People(engine, NAMES, {"catch_up_days": 3}, title=HOSTILE)
        for day in range(TODAY + 1):
            if day == 5:
                people.names = {appid: NAMES[appid] for appid in NAMES if appid != "left"}
            answers = {"lost": lambda day: 61503 if day in late else None}
            answers |= {"secret": 40125} if day > 5 else {}
            answers |= {"offline": 47009} if day > 12 else {}
            answers |= dict.fromkeys(("one", "two"), 48009) if day == TODAY else {}
            answers |= {"odd": odd_answer} if day == TODAY else {}
            people.morning(8.5, **answers)
        patch.setenv("WEIXIN_NOW", NOON)
        patch.setenv("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(engine.url))
        patch.setattr(airflow_state, "read", lambda: Airflow({ARTICLE_TOTAL.name: DagState()}))
        config = uvicorn.Config(create_app(apps="core"), port=port, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def token(origin: str) -> str:
    """Return the login token of a user who may only read."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username="viewer", role="viewer")
    return get_auth_manager().generate_jwt(user)


Visit = Callable[..., Page]
WATCH = """
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.refused.push(`${event.violatedDirective} ${event.target.outerHTML}`));
"""


@pytest.fixture
def visit(browser: Browser, origin: str, token: str) -> Iterator[Visit]:
    """
    Return a function that opens a view in a new browser context: `visit("", width=390)`.

    The view's policy must forbid foreign and inline scripts, and no script may fail.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(
        path: str, width: int = 1280, scheme: Any = "light", language: str = "en-US", **more: Any
    ) -> Page:
        look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, **more}
        contexts.append(browser.new_context(locale=language, **look))
        contexts[-1].add_cookies([{"name": "_token", "value": token, "url": origin}])
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(WATCH)
        page.clock.install()
        answer = page.goto(f"{origin}/weixin/{path}")
        policy = answer.headers["content-security-policy"] if answer else ""
        assert ("default-src 'none'" in policy, "unsafe" in policy) == (True, False)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        (1280, "light", "en-US"),
        (1280, "dark", "zh-CN"),
        (390, "light", "zh-CN"),
        (390, "dark", "en-US"),
    ],
)
def test_each_view_fits_the_screen_and_axe_finds_nothing_serious(
    visit: Visit, width: int, scheme: str, language: str
) -> None:
    """
    The policy blocks nothing that the page needs.

    In a Chinese browser all texts are Chinese, except names and the words of WeChat.
    """
    for view, path in VIEWS.items():
        page = visit(path, width, scheme, language)
        violations = Axe().run(page).response["violations"]
        serious = [found for found in violations if found["impact"] in ("serious", "critical")]

        assert serious == [], view
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("window.refused") == []
        assert page.locator("html").get_attribute("lang") == language.removesuffix("-US")
        shown = page.locator("body").inner_text().replace(HOSTILE, "")
        english = set(re.findall(r"[A-Za-z_]{4,}", shown)) - WORDS_IN_CHINESE
        assert bool(english) == (language == "en-US")


def test_the_page_works_without_scripts(visit: Visit) -> None:
    """A button starts the search, and links lead to other days."""
    page = visit(VIEWS["coverage"], java_script_enabled=False)

    page.fill("#search", "星辰")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    page.locator(".calendar .needs_you").last.click()
    page.get_by_role("link", name="← 2026-11-22").click()
    expect(page.locator("h2")).to_have_text("星辰, 2026-11-22")


def test_a_card_shows_the_account_the_cure_the_days_and_the_beginning(visit: Visit) -> None:
    """Accounts with the same cause share one card."""
    page = visit("", 390)
    card = page.locator(".card.failure", has_text="40125")
    expect(card.locator("h3")).to_have_text("星辰 refused")
    expect(card.locator(".cure")).to_have_text("Correct the password in the connection secret")
    expect(card).to_contain_text("2026-11-23")
    expect(card).to_contain_text("since 2026-11-15 08:30")
    links = [link.get_attribute("href") for link in card.locator("a").all()]
    assert links == [f"/dags/{DAG}", f"/dags/{DAG}/runs/{run(TODAY).run_id}"]
    lost = page.locator(".card.warning", has_text="云端")
    expect(lost).to_contain_text("begin_date 2026-11-10, end_date 2026-11-11")

    both = page.locator(".card", has_text="夏雨 +1")
    expect(both.locator("summary")).to_have_text("Which 2 accounts")
    expect(both).to_contain_text("秋月")


def test_the_page_begins_with_the_progress_of_this_morning(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the next run, as `weixin-etl status` does."""
    next_run_at = datetime.fromisoformat(NOON) + timedelta(hours=20, minutes=30)
    airflow = Airflow({ARTICLE_TOTAL.name: DagState(next_run_at=next_run_at)})
    monkeypatch.setattr(airflow_state, "read", lambda: airflow)

    first = visit("").locator("main > *").first
    expect(first).to_have_text(
        re.compile(r"^Today, 6 accounts: \d+ of \d+ days in at 08:30; next run tomorrow 08:30$")
    )
    first = visit("", language="zh-CN").locator("main > *").first
    expect(first).to_have_text(re.compile("^今天，6 个公众号：.*；下一次运行：明天 08:30$"))


def test_each_view_says_that_the_clock_is_replaced(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for view in ("", "coverage", "articles"):
        expect(visit(view).locator("#replaced-clock")).to_contain_text(
            "WEIXIN_NOW replaces the clock: for the pipeline it is 2026-11-24 12:00"
        )
    monkeypatch.delenv("WEIXIN_NOW")
    page = visit("")
    expect(page.locator("#read")).to_be_visible()
    expect(page.locator("#replaced-clock")).to_have_count(0)


def test_rejected_figures_are_shown_with_every_reason(visit: Visit) -> None:
    """The card has their number and reason. The day's page lists them and is not complete."""
    page = visit("")
    card = page.locator(".card.warning", has_text="青山")
    expect(card.locator(".cause")).to_have_text(
        "4 figures are text, not numbers, e.g. share_user; they are not loaded"
    )
    cells = visit(VIEWS["coverage"]).locator("tr", has_text="青山").locator(".cell.rejected")
    expect(cells).to_have_count(1)
    expect(cells).to_have_attribute("title", "2026-11-20: In · not complete")
    card.get_by_role("link", name="Every reason, 2026-11-20").click()
    expect(page.locator("h2")).to_have_text("青山, 2026-11-20")
    expect(page.locator("main")).to_contain_text("so the day is not complete")
    assert "complete as of" not in page.locator("main").inner_text()
    row = page.locator("#rejected ~ table").first.locator("tbody tr")
    expect(row).to_have_text(re.compile("4 figures are text.*2026-11-20 to 2026-11-23"))


def test_a_running_run_is_no_problem(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows its progress and the time of its next call."""
    name, run_id = ARTICLE_TOTAL.name, run(TODAY).run_id
    waits = {(name, run_id): datetime.fromisoformat(NOON) + timedelta(minutes=30)}
    airflow = Airflow({name: DagState()}, runs={name: {run_id}}, waits=waits)
    monkeypatch.setattr(airflow_state, "read", lambda: airflow)
    page = visit("")

    expect(page.locator(".work")).to_contain_text("asks again at 2026-11-24 12:30, until noon")
    assert page.locator(".work a").get_attribute("href") == f"/dags/{DAG}/runs/{run_id}"
    done, total = (page.locator("progress").get_attribute(name) for name in ("value", "max"))
    assert 0 < int(done or 0) < int(total or 0)


def test_keys_move_in_the_calendar_and_a_day_shows_its_cure_and_its_calls(visit: Visit) -> None:
    """The day's page also has the parameters for Airflow's form; a final day needs `refetch`."""
    final = visit(VIEWS["day"].replace("11-20", "11-09")).locator("#form")
    expect(final).to_contain_text('"refetch":true')
    page = visit(VIEWS["coverage"])

    page.locator("tr", has_text="星辰").locator("a.cell").last.focus()
    for key in ("ArrowUp", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("h2")).to_have_text("星辰, 2026-11-22")
    expect(page.locator(".chip")).to_have_text("Late")
    expect(page.locator(".cure")).to_have_text("Correct the password in the connection secret")
    runs = page.locator(f"a[href^='/dags/{DAG}/runs/scheduled__']")
    expect(runs.first).to_have_text("2026-11-24 08:30")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    filled = {"begin_date": "2026-11-22", "end_date": "2026-11-22", "accounts": ["secret"]}
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == filled


def test_no_day_of_a_retired_endpoint_offers_a_trigger(visit: Visit) -> None:
    """The day names the DAG to unpause. Loaded days keep their signs."""
    page = visit(VIEWS["coverage"])
    row = page.locator("tr", has_text="晨曦")
    cells = [row.locator(f".cell.{sign}") for sign in ("final", "in", "needs_you")]
    assert [cell.count() for cell in cells] == [12, 7, 3]
    row.locator(".needs_you").last.click()
    expect(page.locator(".cure")).to_have_text("Unpause weixin_article_total_detail")
    expect(page.locator(".chip")).to_have_text("Ended")
    for day in ("2026-11-23", "2026-11-09"):
        page = visit(VIEWS["day"].replace("2026-11-20", day).replace("well", "offline"))
        expect(page.locator("h2")).to_have_text(f"晨曦, {day}")
        assert page.locator("#form").count() == 0


def test_a_day_of_an_account_that_left_names_the_last_run_and_offers_no_trigger(
    visit: Visit,
) -> None:
    """Loaded days keep their signs."""
    page = visit(VIEWS["coverage"] + "&last=2026-11-20")
    row = page.locator("tr", has_text="灯塔")
    cells = [row.locator(f".cell.{sign}") for sign in ("final", "in", "not_yet")]
    assert [cell.count() for cell in cells] == [4, 7, 0]
    row.locator(".in").last.click()
    expect(page.locator("main")).to_contain_text("its last run was at 2026-11-13 08:30")
    expect(page.locator("main")).to_contain_text("will not become final")
    assert page.locator("#form").count() == 0


def test_the_calendar_searches_while_a_person_types_and_shows_earlier_days(visit: Visit) -> None:
    """The box keeps its focus, and the address contains the search. A lost day says so."""
    page = visit(VIEWS["coverage"])

    page.locator("#search").press_sequentially("LOST")
    expect(page.locator(".calendar tbody tr")).to_have_count(1)
    assert page.evaluate("document.activeElement.id") == "search"
    assert "search=LOST" in page.url
    page.get_by_role("link", name="Earlier days").click()
    expect(page.locator(".calendar tbody tr")).to_contain_text("云端")
    page.get_by_role("link", name="Newest").click()
    page.locator(".calendar .needs_you").first.click()
    expect(page.locator("h2")).to_have_text("云端, 2026-11-10")
    expect(page.locator("main")).to_contain_text("no daily run reaches it any more")
    page = visit(VIEWS["coverage"])
    expect(page.locator("tr", has_text="灯塔")).to_contain_text("not collected")
    page.select_option("#dataset", FOLLOWER_TOTAL.name)
    expect(page.locator(".empty")).to_contain_text("Days appear after the first run")


def test_a_visible_page_refreshes_itself_and_shows_a_failed_refresh(visit: Visit) -> None:
    """Open details, the scroll position and the content stay, even if the login ends."""
    page = visit("", 390)
    page.locator("summary").first.click()
    page.evaluate("scrollTo(0, 150)")
    asked: list[str] = []

    def later(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("days lost", "it is news"))

    page.route("**/weixin/", later)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.fast_forward(61_000)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("h3", has_text="it is news")).to_have_count(1)
    expect(page.locator("details")).to_have_attribute("open", "")
    assert page.evaluate("scrollY") == 150
    page.unroute("**/weixin/")
    for happens, is_stale in (
        (lambda: page.route("**/weixin/", lambda route: route.abort()), True),
        (lambda: page.unroute("**/weixin/"), False),
        (page.context.clear_cookies, True),
    ):
        happens()
        page.clock.fast_forward(61_000)
        expect(page.locator("#stale")).to_be_visible(visible=is_stale)
    expect(page.locator(".card", has_text="40125")).to_be_visible()


def test_the_newest_articles_are_listed_with_a_line_of_their_growth(visit: Visit) -> None:
    """Markup in a title is shown as text."""
    page = visit(VIEWS["articles"])

    expect(page.locator("table").last.locator("tbody tr").first).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.harmed") is None
    page.fill("#search", "春风")
    expect(page.locator("tbody tr", has_text="夏雨")).to_have_count(0)
    page.select_option("#sort", "newest")
    expect(page.locator("table").last.locator("tbody tr").first).to_contain_text("2026-11-23")
    final = page.locator("tbody tr", has_text="2026-11-16")
    expect(final).to_contain_text("final")
    assert final.locator("polyline").get_attribute("points") == POINTS
    expect(final.locator("svg")).to_have_accessible_name(re.compile("by day: 1: 1,000, 2: 2,000"))
    page = visit(VIEWS["articles"])
    expect(page.locator("table").last.locator("tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("26–50 of ")
    total = page.locator("table").first.locator("tbody tr", has_text="春风")
    expect(total).to_have_text(re.compile(r"22\+7,000133,000"))
    total.get_by_role("link").click()
    expect(page.locator("table").first.locator("tbody tr")).to_have_count(1)
    page.locator("table").last.locator("tbody tr").first.get_by_role("link").click()
    expect(page.locator("h2")).to_have_text(HOSTILE)
    expect(page.locator("tbody tr").first).to_have_text(re.compile(r"2026-11-23\+1,0001,000"))
    page = visit(f"articles?dataset={ARTICLE_TOTAL_DETAIL.name}")  # it has no articles
    expect(page.locator(".empty")).to_be_visible()


@pytest.mark.parametrize("view", ["articles", "coverage"])
def test_the_views_lead_to_a_file_of_all_accounts_or_of_one(visit: Visit, view: str) -> None:
    """The file is that of the account that was searched for."""
    for search, appids in (("", {*NAMES}), ("&search=well", {"well"})):
        page = visit(f"{view}?{ARTICLES}{search}")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as Excel file").click()
        assert download.value.suggested_filename == "weixin-2026-10-25-2026-11-23.xlsx"
        book = openpyxl.load_workbook(download.value.path().open("rb"))
        rows = [*book["Articles"].iter_rows(min_row=2, values_only=True)]
        assert {row[0] for row in rows} <= appids
        assert len(rows) > 5
        assert {row[6] for row in rows} == {HOSTILE}


@pytest.mark.parametrize(
    ("names", "sheets"),
    [
        ([*DATASETS], ["Read me", "Accounts by day", "Articles", "Articles by day", "Followers"]),
        ([ARTICLE_TOTAL.name, FOLLOWER_TOTAL.name], ["Read me"]),
        ([FOLLOWER_TOTAL.name, FOLLOWER_CHANGE.name], ["Read me", "Followers"]),
    ],
)
@pytest.mark.usefixtures("origin")
def test_a_file_has_what_its_reader_may_read(names: list[str], sheets: list[str]) -> None:
    """A sheet is left out unless the reader may read every DAG that its figures come from."""
    allowed = tuple(DATASETS[name] for name in names)
    page_app.dependency_overrides[readable] = lambda: allowed
    try:
        answer = TestClient(page_app).get("/export", headers={"Accept-Language": "en"})
        unknown = TestClient(page_app).get("/export?appid=nobody")
        later = TestClient(page_app).get("/export?begin=2026-12-24")
    finally:
        page_app.dependency_overrides.clear()
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == sheets
    cells = {row[0] for row in book["Read me"].iter_rows(values_only=True)}
    assert ("Missing" in cells) == (len(sheets) > 1)
    assert (unknown.status_code, later.status_code) == (404, 404)
    assert "begin 2026-12-24 is after end 2026-11-23" in later.text.lower()


@pytest.mark.parametrize(("view", "where"), [("problems", ".card"), ("coverage", ".bad")])
def test_the_only_problem_is_the_warehouse_if_it_cannot_be_read(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, view: str, where: str
) -> None:
    """The page says nothing about accounts."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_READER", "postgres://a:b@127.0.0.1:1/c")
    page = visit(VIEWS[view])

    expect(page.locator(where, has_text="weixin_reader")).to_have_count(1)
    assert "not asked" not in page.locator("main").inner_text()


GOOD = {"dataset": ARTICLE_TOTAL.name, "appid": "odd", "day": str(ODD_DAY), "msgid": "9_1"}
"""Valid values of the required parameters."""
NEVER = ["x" * 5000, "9" * 5000, "%00", "a%00b", "%1B[2J", "%C2%9B"]
"""Values that are invalid for every parameter."""
TEXTS = ["", "%FF%FE", "%ED%A0%80", "0001-01-01", "9999-12-31", "-1", str(2**70), "1e300", "nan"]
"""Values that are invalid for a number, a day or a switch, but valid for a text."""


@pytest.mark.parametrize(
    "route",
    [route for route in page_app.routes if isinstance(route, APIRoute)],
    ids=lambda route: route.path,
)
def test_an_invalid_parameter_is_refused(origin: str, token: str, route: APIRoute) -> None:
    """No parameter of any route leads to status 500 or to an unreadable warehouse."""
    assert route.methods == {"GET"}
    fields = get_flat_dependant(route.dependant).query_params
    good = {field.alias: GOOD[field.alias] for field in fields if field.field_info.is_required()}

    def status(**odd: str) -> int:
        query = "&".join(f"{name}={value}" for name, value in (good | odd).items())
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{origin}/weixin{route.path}?{query}"
        return requests.get(url, headers=headers, timeout=60).status_code

    assert status() == (503 if route.path == "/health" else 200)
    for field in fields:
        for value in [*NEVER, *TEXTS]:
            fits = field.field_info.annotation is str and value in TEXTS
            assert status(**{field.alias: value}) in ({200, 404} if fits else {422}), value
