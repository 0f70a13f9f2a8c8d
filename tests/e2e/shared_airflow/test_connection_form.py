"""A connection made and tested in Airflow's UI."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from weixin_local.home import admin_password
from weixin_sandbox import DEFAULT_ACCOUNT

from .running import BEARER, COMPONENT, Stack

PATIENCE_MILLISECONDS = 30_000


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in to Airflow's UI."""

    stack: Stack
    page: Page

    def connect(
        self,
        conn_id: str,
        appid: str = DEFAULT_ACCOUNT.appid,
        secret: str = DEFAULT_ACCOUNT.secret,
        **extra: str,
    ) -> None:
        """Fill in the form and save it."""
        self.page.goto(f"{self.stack.rest.origin}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.locator("input[name=connection_id]").fill(conn_id)
        form.get_by_role("combobox").click()
        self.page.keyboard.type("WeChat")
        self.page.keyboard.press("Enter")
        form.locator("input[name=host]").fill(self.stack.base_url)
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
        self.page.goto(f"{self.stack.rest.origin}/variables")
        self.page.get_by_role("button", name="Add Variable").click()
        form = self.page.get_by_role("dialog")
        form.locator("input[name=key]").fill(key)
        form.locator("textarea[name=value]").fill(value)
        form.get_by_role("button", name="Save").click()
        expect(form).to_be_hidden()

    def test(self, conn_id: str) -> str:
        """Press the button *Test* of the list; what the UI shows then."""
        self.page.goto(f"{self.stack.rest.origin}/connections")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.get_by_label("Test Connection").click()
        shown = self.page.get_by_text("Test Connection Successful").or_(
            self.page.get_by_text("Test Connection Failed")
        )
        shown.wait_for()
        return shown.locator("..").inner_text()


@pytest.fixture(scope="module")
def visitor(stack: Stack, browser: Browser) -> Iterator[Visitor]:
    """The user `admin`, in English."""
    with browser.new_context(locale="en-US") as context:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        page = context.new_page()
        page.goto(f"{stack.rest.origin}/connections")
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(admin_password(stack.home))
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Add Connection").wait_for()
        yield Visitor(stack, page)


def test_the_button_says_for_whom_wechat_gave_a_token(visitor: Visitor) -> None:
    """The list sends port 0, which no such connection has; a name may be there or not."""
    visitor.connect("weixin_spring", name="春风")
    visitor.connect("weixin_bare")

    assert visitor.test("weixin_spring").splitlines() == [
        "Test Connection Successful",
        f"WeChat gave a token for 春风 ({DEFAULT_ACCOUNT.appid})",
    ]
    assert visitor.test("weixin_bare").splitlines() == [
        "Test Connection Successful",
        f"WeChat gave a token for weixin_bare ({DEFAULT_ACCOUNT.appid})",
    ]


def test_the_button_says_what_to_change(visitor: Visitor) -> None:
    """By the name of the connection that the list shows."""
    visitor.connect("weixin_wrong", secret="wrong")

    shown = visitor.test("weixin_wrong")

    assert shown.startswith(
        f"Test Connection Failed\nweixin_wrong ({DEFAULT_ACCOUNT.appid}): correct the password in "
        "the connection weixin_wrong (the AppSecret is wrong"
    )


def test_the_button_tests_a_platform(visitor: Visitor) -> None:
    """Without a ticket it says where that belongs; with one, WeChat gives the platform a token."""
    visitor.connect(
        "weixin_agency", COMPONENT.appid, COMPONENT.secret, name="平台", mode="platform"
    )

    without = visitor.test("weixin_agency")
    visitor.create_variable("weixin_agency_ticket", visitor.stack.sandbox.component.push_ticket())
    with_one = visitor.test("weixin_agency")

    assert without.startswith("Test Connection Failed\n平台 (wxc0mp0nent): let your receiver write")
    assert "Variable weixin_agency_ticket" in without
    assert with_one.splitlines() == [
        "Test Connection Successful",
        "WeChat gave a token for 平台 (wxc0mp0nent)",
    ]


def test_the_button_asks_the_token_service(visitor: Visitor) -> None:
    """With the password as bearer token; WeChat is asked for none."""
    url = f"{visitor.stack.base_url}/token-service"
    visitor.connect("weixin_served", secret=BEARER, token_url=url)
    visitor.connect("weixin_stranger", secret="wrong", token_url=url)
    visitor.stack.sandbox.calls.clear()

    served, stranger = visitor.test("weixin_served"), visitor.test("weixin_stranger")

    assert served.splitlines() == [
        "Test Connection Successful",
        f"The token service gave a token for weixin_served ({DEFAULT_ACCOUNT.appid})",
    ]
    assert "login, password and token_url of the connection weixin_stranger" in stranger
    assert {call.path for call in visitor.stack.sandbox.calls} == {"/token-service"}
