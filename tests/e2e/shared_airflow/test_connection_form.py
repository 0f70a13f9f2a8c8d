"""A connection made and tested in Airflow's UI, and a run of its account, seen while it works."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from people import Person
from playwright.sync_api import Browser, Page, expect
from rest import Rest

from weixin_local import machine
from weixin_local.environment import admin_password
from weixin_sandbox import DEFAULT_ACCOUNT, Component, Sandbox

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"
COMPONENT = Component("wxc0mp0nent", "5ecret-of-the-component")
BEARER = "b3arer-of-the-service"
WINDOW = 7
ENDED = {"success", "failed", "upstream_failed", "skipped"}
PATIENCE_MILLISECONDS = 30_000


@dataclass(frozen=True)
class Stack:
    """A running Airflow, somebody who is logged in to its UI, and a WeChat to connect to."""

    rest: Rest
    page: Page
    sandbox: Sandbox
    base_url: str

    def connect(
        self,
        conn_id: str,
        appid: str = DEFAULT_ACCOUNT.appid,
        secret: str = DEFAULT_ACCOUNT.secret,
        **extra: str,
    ) -> None:
        """Fill in the form and save it."""
        self.page.goto(f"{self.rest.origin}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.locator("input[name=connection_id]").fill(conn_id)
        form.get_by_role("combobox").click()
        self.page.keyboard.type("WeChat")
        self.page.keyboard.press("Enter")
        form.locator("input[name=host]").fill(self.base_url)
        form.locator("input[name=login]").fill(appid)
        form.locator("input[name=password]").fill(secret)
        if extra:
            form.get_by_role("button", name="Extra Fields", exact=True).click()
        for field, value in extra.items():
            form.locator(f"input[name=element_{field}]").fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form).to_be_hidden()

    def create_variable(self, key: str, value: str) -> None:
        """Fill in the form of a Variable and save it."""
        self.page.goto(f"{self.rest.origin}/variables")
        self.page.get_by_role("button", name="Add Variable").click()
        form = self.page.get_by_role("dialog")
        form.locator("input[name=key]").fill(key)
        form.locator("textarea[name=value]").fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form).to_be_hidden()

    def test(self, conn_id: str) -> str:
        """Press the button *Test* of the list; what the UI shows then."""
        self.page.goto(f"{self.rest.origin}/connections")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.get_by_label("Test Connection").click()
        shown = self.page.get_by_text("Test Connection Successful").or_(
            self.page.get_by_text("Test Connection Failed")
        )
        shown.wait_for()
        return shown.locator("..").inner_text()


@pytest.fixture(scope="module")
def stack(person: Person, browser: Browser) -> Iterator[Stack]:
    """The stack of `make up`, entered with the browser."""
    port = machine.choose_port()
    said = person.weixin("up", "--port", str(port))
    assert said.returncode == 0, said.stderr
    password = admin_password(person.home)
    rest = Rest(port, password)
    sandbox = Sandbox(component=COMPONENT, token_service_bearer=BEARER)
    with browser.new_context(locale="en-US") as context, sandbox.serve() as base_url:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        page = context.new_page()
        page.goto(f"{rest.origin}/connections")
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(password)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Add Connection").wait_for()
        yield Stack(rest, page, sandbox, base_url)


def test_the_button_says_for_whom_wechat_gave_a_token(stack: Stack) -> None:
    """The list sends port 0, which no such connection has; a name may be there or not."""
    stack.connect("weixin_spring", name="春风")
    stack.connect("weixin_bare")

    assert stack.test("weixin_spring").splitlines() == [
        "Test Connection Successful",
        f"WeChat gave a token for 春风 ({DEFAULT_ACCOUNT.appid})",
    ]
    assert stack.test("weixin_bare").splitlines() == [
        "Test Connection Successful",
        f"WeChat gave a token for weixin_bare ({DEFAULT_ACCOUNT.appid})",
    ]


def test_the_button_says_what_to_change(stack: Stack) -> None:
    """By the name of the connection that the list shows."""
    stack.connect("weixin_wrong", secret="wrong")

    shown = stack.test("weixin_wrong")

    assert shown.startswith(
        f"Test Connection Failed\nweixin_wrong ({DEFAULT_ACCOUNT.appid}): correct the password in "
        "the connection weixin_wrong (the AppSecret is wrong"
    )


def test_the_button_tests_a_platform(stack: Stack) -> None:
    """Without a ticket it says where that belongs; with one, WeChat gives the platform a token."""
    stack.connect("weixin_agency", COMPONENT.appid, COMPONENT.secret, name="平台", mode="platform")

    without = stack.test("weixin_agency")
    stack.create_variable("weixin_agency_ticket", stack.sandbox.component.push_ticket())
    with_one = stack.test("weixin_agency")

    assert without.startswith("Test Connection Failed\n平台 (wxc0mp0nent): let your receiver write")
    assert "Variable weixin_agency_ticket" in without
    assert with_one.splitlines() == [
        "Test Connection Successful",
        "WeChat gave a token for 平台 (wxc0mp0nent)",
    ]


def test_the_button_asks_the_token_service(stack: Stack) -> None:
    """With the password as bearer token; WeChat is asked for none."""
    url = f"{stack.base_url}/token-service"
    stack.connect("weixin_served", secret=BEARER, token_url=url)
    stack.connect("weixin_stranger", secret="wrong", token_url=url)
    stack.sandbox.calls.clear()

    served, stranger = stack.test("weixin_served"), stack.test("weixin_stranger")

    assert served.splitlines() == [
        "Test Connection Successful",
        f"The token service gave a token for weixin_served ({DEFAULT_ACCOUNT.appid})",
    ]
    assert "correct the password in the connection weixin_stranger" in stranger
    assert {call.path for call in stack.sandbox.calls} == {"/token-service"}


def test_a_mapped_task_carries_its_accounts_name_while_it_works(stack: Stack) -> None:
    """A number would say nothing to whoever watches it."""
    stack.connect("weixin_slow", name="慢风")
    stack.rest(
        "POST", "variables", {"key": "weixin_accounts", "value": json.dumps(["weixin_slow"])}
    )
    stack.sandbox.latency_seconds = 3

    run_id = stack.rest("POST", f"dags/{DAG}/dagRuns", {"logical_date": None})["dag_run_id"]
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=100"
    seen: set[tuple[str, str, bool]] = set()
    while not {state for _, state, _ in seen} & ENDED:
        ingests = [
            it for it in stack.rest("GET", path)["task_instances"] if it["task_id"] == "ingest"
        ]
        is_asking = len([it for it in stack.sandbox.calls if it.publication_date]) < WINDOW
        seen |= {(it["rendered_map_index"], it["state"], is_asking) for it in ingests}
        time.sleep(0.2)

    assert ("慢风", "running", True) in seen
