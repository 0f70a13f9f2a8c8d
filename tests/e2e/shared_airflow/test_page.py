"""The page "WeChat articles" in a real Airflow with FAB, in a real browser, behind its login."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

import page_world
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Route, expect
from rest import Rest

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, FOLLOWER_TOTAL
from weixin_sandbox import DEFAULT_ACCOUNT

from .running import DAG, PASSWORD, FabServer, Stack, log_in

pytestmark = pytest.mark.stack
expect.set_options(timeout=30_000)  # a busy machine needs longer than Playwright's five seconds

VIEWS = ("problems", "coverage", "runs", "articles")
PATHS = (
    "/",
    "/health",
    "/static/page.css",
    "/static/page.js",
    "/plotly.js",
    "/api/problems",
    f"/api/calendar?dataset={ARTICLE_TOTAL.name}",
    f"/api/pair?dataset={ARTICLE_TOTAL.name}&appid=wx0003&day=2026-11-01",
    f"/api/runs?dataset={ARTICLE_TOTAL.name}",
    f"/api/run?dataset={ARTICLE_TOTAL.name}&run_id=none",
    f"/api/accounts?dataset={ARTICLE_TOTAL.name}",
    f"/api/articles?dataset={ARTICLE_TOTAL.name}&appid=wx0003",
    f"/api/article?dataset={ARTICLE_TOTAL.name}&appid=wx0003&msgid=1_1",
)
HOSTILE = "<b>粗</b><img src=x onerror='window.harmed = 1'>"
"""The title of each account's newest article."""
READ_THAT_DAY = """
    INSERT INTO weixin.fact_article_read (
        appid, msgid, stat_date, read_user, raw_response_id, fetched_at, changed_at
    )
    SELECT appid, msgid, %s::date - 1, 1000 + number, 1, now(), now()
    FROM (
        SELECT
            appid, msgid,
            row_number() OVER (PARTITION BY appid ORDER BY publication_date DESC) AS number
        FROM weixin.dim_article
        UNION ALL
        SELECT appid, '1_1', 1000 FROM weixin.dim_account
    ) AS article
    WHERE number < 14 OR number = 1000
"""
"""Of each account the newest thirteen articles, the older the more, and one that no day lists."""
Headers = dict[str, str]


@pytest.fixture(scope="module")
def origin(fab: FabServer) -> str:
    """Where the page is, and a warehouse of 16 accounts, some of them in trouble."""
    engine = the_warehouse.engine(fab.warehouse_url)
    noon = datetime.fromisoformat(fab.environment["WEIXIN_NOW"])
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        page_world.fill(connection, ARTICLE_TOTAL, 16, 100, noon)
        connection.exec_driver_sql(
            "UPDATE weixin.dim_article SET title = %s "
            "WHERE (appid, publication_date) IN "
            "(SELECT appid, max(publication_date) FROM weixin.dim_article GROUP BY appid)",
            (HOSTILE,),
        )
        connection.exec_driver_sql(READ_THAT_DAY, (noon,))
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
    """Without a login nothing is said, neither figures nor files; nor is there another file."""
    readable = {200, 503}  # what is wrong makes /health 503

    assert statuses(origin) == {401, 307}  # the page itself leads to the login
    assert statuses(origin, {"Authorization": "Bearer no.token.atall"}) <= {401, 403}
    assert statuses(origin, log_in(origin, "nobody")) == {403}
    assert statuses(origin, log_in(origin, "viewer")) == readable
    assert statuses(origin, admin) == readable
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert statuses(origin, admin, method) == {405}
    for path in ("docs", "redoc", "openapi.json", "static/app.py", "static/..%2Fapp.py"):
        answer = requests.get(f"{origin}/weixin/{path}", headers=admin, timeout=60)
        assert answer.status_code == 404


def test_nothing_from_elsewhere_and_nothing_inline_is_run(origin: str, admin: Headers) -> None:
    """The answer's policy says so to the browser."""
    answer = requests.get(f"{origin}/weixin/", headers=admin, timeout=30)
    policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


class TestHealth:
    """`/health` is for monitors."""

    def test_it_names_what_is_wrong_and_how_fresh_each_account_is(
        self, origin: str, admin: Headers
    ) -> None:
        """503 as long as something is, with the cure."""
        answer = requests.get(f"{origin}/weixin/health", headers=admin, timeout=30)
        said = answer.json()

        assert (answer.status_code, said["is_healthy"]) == (503, False)
        (blocked,) = [it for it in said["problems"] if it["error_code"] == 40164]
        assert blocked["account"] == "江湖"
        assert blocked["cure"] == "add 203.0.113.7 to the IP whitelist in WeChat's console"
        fresh = {it["name"]: it for it in said["accounts"] if it["dataset"] == ARTICLE_TOTAL.name}
        assert fresh["星辰"]["days_not_in_count"] == 10
        assert fresh["星辰"]["open_incidents"] == 1
        assert fresh["茶馆"]["is_retired"]
        assert "灯塔" not in fresh  # no longer collected

    def test_a_paused_dag_is_named(self, fab: FabServer, origin: str, admin: Headers) -> None:
        """Its runs would wait for ever."""
        rest = Rest(fab.port, PASSWORD)
        rest("PATCH", f"dags/{DAG}", {"is_paused": True})
        try:
            said = requests.get(f"{origin}/weixin/health", headers=admin, timeout=30).json()
        finally:
            rest("PATCH", f"dags/{DAG}", {"is_paused": False})

        causes = {it["cause"]: it["cure"] for it in said["problems"]}
        assert causes["the DAG is paused"] == f"unpause {DAG}; until then no run is created"


class Visitor:
    """Somebody logged in, with a browser of one size, theme and language."""

    def __init__(self, context: BrowserContext, origin: str, admin: Headers) -> None:
        token = admin["Authorization"].removeprefix("Bearer ")
        context.add_cookies([{"name": "_token", "value": token, "url": origin}])
        self.origin = origin
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(
            "window.refused = [];"
            "document.addEventListener('securitypolicyviolation', (event) =>"
            "  window.refused.push(`${event.violatedDirective} ${event.target.outerHTML}`));"
        )

    def opens(self, view: str, **values: str) -> Page:
        """Go to a view and wait until it is shown."""
        place = "&".join(f"{key}={value}" for key, value in {"view": view, **values}.items())
        self.page.goto("about:blank")
        self.page.goto(f"{self.origin}/weixin/#{place}")
        expect(self.page.locator("main")).to_have_attribute("aria-busy", "false")
        return self.page

    def refused(self) -> list[str]:
        """What the policy kept the page from."""
        said: list[str] = self.page.evaluate("window.refused")
        return said


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, origin: str, admin: Headers) -> Iterator[Visit]:
    """Make a visitor: `visit(width=390, scheme="dark", language="zh-CN")`."""
    contexts = []

    def made(width: int = 1280, scheme: str = "light", language: str = "en-US") -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=language,
        )
        contexts.append(context)
        return Visitor(context, origin, admin)

    yield made
    for context in contexts:
        context.close()


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
    """Nor does a script fail, or the policy keep the page from something it needs."""
    visitor = visit(width, scheme, language)
    for view in VIEWS:
        page = visitor.opens(view, dataset=ARTICLE_TOTAL.name)
        if view == "coverage":
            page.locator("button.cell.failed").first.click()
            expect(page.locator("dialog .form")).to_be_visible()
        if view == "articles":
            expect(page.locator(".chart .main-svg").first).to_be_visible()
        found = Axe().run(page).response["violations"]

        bad = [
            (it["id"], it["nodes"][0]["html"])
            for it in found
            if it["impact"] in ("serious", "critical")
        ]
        assert (view, bad) == (view, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert visitor.refused() == []
    assert visitor.complaints == []


def test_problems_say_the_cure_first_and_lead_to_the_run(visit: Visit) -> None:
    """What to change, what happened, since when, which days."""
    page = visit().opens("problems")

    card = page.locator(".card", has_text="40125")
    expect(card.locator("h3")).to_have_text("星辰 Correct the password in the connection")
    expect(card.locator("p")).to_have_text("The AppSecret is wrong")
    expect(card).to_contain_text("10 days")
    links = [it.get_attribute("href") or "" for it in card.locator("a").all()]
    assert links[0].startswith(f"/dags/{DAG}/runs/scheduled__")
    assert links[1:] == ["/connections?name_pattern=weixin_6"]
    over = page.locator(".card.over", has_text="No usable answer came")
    expect(over).to_contain_text("lasted 1 h 36 min")
    page.fill("#search", "灯塔")
    expect(page.locator(".empty")).to_contain_text("灯塔")
    page.fill("#search", "茶馆")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("endpoint retired")
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_calendar_is_walked_by_keys_and_a_day_tells_its_story(visit: Visit) -> None:
    """The story ends where it began, and the dates can be copied."""
    page = visit().opens("coverage", dataset=ARTICLE_TOTAL.name)

    days = page.locator("tr", has_text="星辰").locator("button.cell")
    days.last.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    story = page.locator("dialog")
    expect(story.locator("h2")).to_contain_text("星辰")
    expect(story.locator(".verdict")).to_contain_text("Late")
    expect(story).to_contain_text("last attempt failed")
    expect(story).to_contain_text("Correct the password in the connection")
    expect(story).to_contain_text("10 neighbouring days")
    expect(story).to_contain_text("Runs that planned it")
    assert story.locator(".form code").count() == 3
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    story.get_by_text("Copy as configuration JSON").click()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied.keys() == {"begin_date", "end_date", "accounts"}
    assert copied["accounts"] == ["wx0006"]
    page.keyboard.press("Escape")
    expect(story).to_be_hidden()
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("星辰, ")


def test_a_figure_that_came_late_is_no_correction(visit: Visit) -> None:
    """A day's story says of each figure that changed which of both it is."""
    page = visit().opens("coverage", dataset=ARTICLE_TOTAL.name)

    page.locator("tr", has_text="冬雪").locator("button.cell").nth(-4).click()

    changed = page.locator("dialog table", has_text="came later").locator("tbody tr")
    expect(changed).to_have_count(2)
    expect(changed.filter(has_text="share_user")).to_contain_text("corrected")
    expect(changed.filter(has_text="share_count")).to_contain_text("none")


def test_the_calendar_goes_back_in_time_and_shows_lost_days(visit: Visit) -> None:
    """Days that no daily run reaches any more, by day and by account."""
    visitor = visit()
    page = visitor.opens("coverage", dataset=ARTICLE_TOTAL.name)

    page.check("#only")
    expect(page.locator(".calendar tbody tr")).to_have_count(5)
    page.uncheck("#only")
    expect(page.locator(".calendar tbody tr")).to_have_count(16)
    page.click("#earlier")
    expect(page.locator("button.cell.lost").first).to_be_visible()
    page.locator("button.cell.lost").first.click()
    expect(page.locator("dialog")).to_contain_text("no daily run reaches it any more")


def test_runs_are_counted_and_opened_by_account(visit: Visit) -> None:
    """The newest first; the accounts with days that are not in on top."""
    page = visit().opens("runs", dataset=ARTICLE_TOTAL.name)

    today = page.locator("tbody tr", has_text="not in").filter(has_text="scheduled").first
    today.get_by_role("button").click()
    inner = page.locator("tr.inner tbody tr")
    expect(inner.first).to_contain_text("星辰")
    expect(inner.first).to_contain_text("7 not in")
    expect(inner.first).to_contain_text("Late: ")


def test_what_is_open_typed_and_scrolled_stays_while_the_page_refreshes_itself(
    visit: Visit,
) -> None:
    """After a minute, and not while nobody looks; what is typed is not lost for news."""
    visitor = visit(width=390)
    visitor.page.clock.install()
    page = visitor.opens("runs", dataset=ARTICLE_TOTAL.name)
    expect(page.locator("#read")).to_contain_text("Read at")
    page.get_by_role("button", name="By account").nth(1).click()
    expect(page.locator("tr.inner tbody tr").first).to_be_visible()
    page.mouse.wheel(0, 700)
    page.wait_for_function("scrollY > 600")
    top = page.evaluate("scrollY")
    asked: list[str] = []

    def later(route: Route) -> None:
        asked.append(route.request.url)
        found = route.fetch().json()
        found["runs"][-1]["run_type"] = "it is news"
        route.fulfill(json=found)

    page.route("**/api/runs*", later)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.fast_forward(61_000)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("tbody tr", has_text="it is news")).to_have_count(1)
    assert len(asked) == 1
    expect(page.locator("tr.inner tbody tr").first).to_be_visible()
    assert page.evaluate("scrollY") == top


def test_chosen_days_are_asked_for(visit: Visit, fab: FabServer) -> None:
    """Two accounts with two days each are one form; the run is Airflow's, by the reader's login."""
    page = visit().opens("coverage", dataset=ARTICLE_TOTAL.name)
    page.click("#choose")
    expect(page.locator("#choose")).to_have_attribute("aria-pressed", "true")
    rows = page.locator(".calendar tbody tr")
    first = rows.nth(2).locator("button.cell").nth(-9)
    first.click()
    rows.nth(3).locator("button.cell").nth(-8).click(modifiers=["Shift"])
    form = page.locator(".chooser .form")
    expect(form).to_have_count(1)
    form.get_by_label("Ask again for settled days").check()
    posted: list[dict[str, Any]] = []

    def of_a_configured_account(route: Route) -> None:
        posted.append(route.request.post_data_json["conf"])
        conf = posted[0] | {"accounts": [DEFAULT_ACCOUNT.appid]}
        route.continue_(post_data={"logical_date": None, "conf": conf})

    page.route("**/dagRuns", of_a_configured_account)
    form.get_by_role("button", name="Trigger this run").click()
    expect(form.locator(".said")).to_contain_text("The run is triggered.")

    (conf,) = posted
    assert conf.keys() == {"begin_date", "end_date", "accounts", "refetch"}
    assert len(conf["accounts"]) == 2
    run_id = (form.locator(".said a").get_attribute("href") or "").rpartition("/")[2]
    made = Rest(fab.port, PASSWORD)("GET", f"dags/{DAG}/dagRuns/{run_id}")
    assert made["conf"]["begin_date"] == conf["begin_date"]


def test_who_may_not_trigger_is_told_so(browser: Browser, origin: str) -> None:
    """A Viewer sees the form of a day; Airflow refuses the run."""
    with browser.new_context() as context:
        visitor = Visitor(context, origin, log_in(origin, "viewer"))
        page = visitor.opens("coverage", dataset=ARTICLE_TOTAL.name)
        page.locator("button.cell.failed").first.click()
        page.get_by_role("button", name="Trigger this run").click()
        expect(page.locator("dialog .said")).to_contain_text("You may not trigger this DAG")


def test_a_run_from_the_page_asks_for_the_chosen_days_and_goes_green(
    browser: Browser, stack: Stack
) -> None:
    """On the page of the Airflow that runs it: these days, and no others."""
    stack.collect(["weixin_default"])
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        visitor = Visitor(context, stack.rest.origin, stack.rest.headers)
        page = visitor.opens("coverage", dataset=ARTICLE_TOTAL.name, choose="1")
        days = page.locator(f".calendar button[data-appid={DEFAULT_ACCOUNT.appid}]")
        chosen = [days.nth(n).get_attribute("data-day") for n in (-30, -29)]
        days.nth(-30).click()
        days.nth(-29).click()
        form = page.locator(".chooser .form")
        form.get_by_role("button", name="Trigger this run").click()
        expect(form.locator(".said")).to_contain_text("The run is triggered.")
        run_id = unquote((form.locator(".said a").get_attribute("href") or "").rpartition("/")[2])
        run = stack.rest.ended(DAG, run_id)

        assert run["state"] == "success"
        assert [run["conf"]["begin_date"], run["conf"]["end_date"]] == chosen
        page = visitor.opens("runs", dataset=ARTICLE_TOTAL.name)
        shown = page.locator("tbody tr", has=page.locator(f"a[href$='{quote(run_id, safe='')}']"))
        expect(shown).to_contain_text("2 planned")
        expect(shown).to_contain_text("2 in")


def test_articles_grow_beside_what_is_usual(visit: Visit) -> None:
    """A chart, the same figures as a table, and the sources of the article that is chosen."""
    page = visit().opens("articles", dataset=ARTICLE_TOTAL.name, appid="wx0003")

    expect(page.locator(".chart .main-svg").first).to_be_visible()
    assert page.locator(".chart .scatterlayer .trace").count() == 15
    expect(page.locator("tbody tr").first).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.harmed") is None
    page.locator("tbody tr").nth(7).get_by_role("button").click()
    expect(page.locator("tr.selected")).to_contain_text("on day 7")
    expect(page.get_by_role("row", name="Past messages")).to_be_visible()

    later = page.get_by_role("region", name="Read after the window").locator("tbody tr")
    assert [row.split("\t")[2:] for row in later.all_inner_texts()] == [
        ["–", "2,000"],
        *([f"{day}", f"{1000 + day:,}"] for day in (13, 12, 11, 10, 9, 8)),
    ]
    expect(later.first).to_contain_text("1_1")

    page.get_by_label("Dataset").select_option(FOLLOWER_TOTAL.name)
    expect(page.get_by_role("link", name="Coverage")).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("link", name="Articles")).to_be_hidden()


def test_the_page_speaks_chinese_to_a_chinese_browser(visit: Visit) -> None:
    """All but names, which Airflow and WeChat have in English too."""
    visitor = visit(language="zh-CN")
    names = {*(it.endpoint for it in DATASETS.values()), "AppSecret", "AppID", "Airflow", "Base"}
    names |= {"weixin_article_total", "share_user", "password", "begin_date", "end_date", "refetch"}
    for view in VIEWS:
        page = visitor.opens(view, dataset=ARTICLE_TOTAL.name)

        assert page.locator("html").get_attribute("lang") == "zh-CN"
        expect(page.locator("h1")).to_have_text("公众号文章")
        shown = page.locator("body").inner_text().replace(HOSTILE, "")
        assert set(re.findall(r"[A-Za-z_]{4,}", shown)) <= names


def test_an_answer_that_fails_is_a_sentence_and_can_be_tried_again(visit: Visit) -> None:
    """Not an empty page."""
    page = visit().opens("problems")
    page.route("**/api/runs*", lambda route: route.abort())

    page.click("nav a[data-view=runs]")

    expect(page.get_by_role("alert")).to_contain_text("Airflow does not answer")
    page.unroute("**/api/runs*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody tr").first).to_be_visible()


def test_it_works_inside_airflow_as_entry_and_as_tab(browser: Browser, origin: str) -> None:
    """
    Logged in by Airflow's own form, in Airflow's theme and language.

    Who opens a message's link logged out comes to its problem after the login. A link leads out of
    Airflow's sandboxed frame to the run.
    """
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{origin}/weixin/#problem-1")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".card.marked")).to_be_in_viewport()
        page.goto(f"{origin}/")
        page.get_by_role("link", name="WeChat articles").click()
        inside(page).locator("a.airflow").first.click()
        # Airflow adds what the frame shows to its own address: the run must not be in the frame
        page.wait_for_url(re.compile(rf"^{origin}/dags/{DAG}/runs/"), wait_until="commit")

        page.goto(f"{origin}/dags/{DAG}_detail")
        links = page.get_by_role("link", name="WeChat articles")
        expect(links).to_have_count(2)  # the entry is there before the tab
        links.last.click()
        tab = inside(page)
        tab.locator("nav a[data-view=coverage]").click()
        expect(tab.get_by_label("Dataset")).to_have_value("article_total_detail")
        expect(tab.locator(".empty")).to_contain_text("Days appear after the first run")
        page.evaluate("localStorage.setItem('i18nextLng', 'zh-CN')")
        expect(tab.locator("h1")).to_have_text("公众号文章")


def inside(page: Page) -> FrameLocator:
    """The page in Airflow's frame."""
    return page.frame_locator("iframe[title='WeChat articles']")
