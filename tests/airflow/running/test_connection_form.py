"""Connections made in the form of Airflow's UI, and tested by the button of its list."""

from playwright.sync_api import Browser, Page, expect

from weixin_local.home import admin_password
from weixin_sandbox import DEFAULT_ACCOUNT

from .stack import BEARER, COMPONENT, Stack

OURS, SECRET = DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret
CONNECTIONS = (
    ("spring", OURS, SECRET, {"name": "春风"}, f"WeChat gave a token for 春风 ({OURS})"),
    ("wrong", OURS, "x", {}, f"wrong ({OURS}): correct the password in the connection wrong"),
    ("agency", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "agency_ticket"),
    ("two", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "WeChat gave a token for two"),
    ("served", OURS, BEARER, {"token_url": "/token-service"}, "The token service gave a token"),
    ("stranger", OURS, "x", {"token_url": "/token-service"}, "connection stranger"),
)
"""Login, password, extra fields, and what the button says."""


def connect(page: Page, conn_id: str, fields: dict[str, str], extra: dict[str, str]) -> None:
    """Fill in the form and save it."""
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type("WeChat")
    page.keyboard.press("Enter")
    for field, value in {"connection_id": conn_id, **fields}.items():
        form.locator(f"input[name={field}]").fill(value)
    if extra:
        form.get_by_role("button", name="Extra Fields", exact=True).click()
    for field, value in extra.items():
        form.locator(f"input[name=element_{field}]").fill(value)
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()


def test_the_button_says_for_whom_there_is_a_token_or_what_to_change(
    stack: Stack, browser: Browser
) -> None:
    """The list sends port 0, which no such connection has; a platform has a ticket, or none."""
    ticket = {"key": "two_ticket", "value": stack.sandbox.component.push_ticket()}
    stack.rest("POST", "variables", ticket)
    with browser.new_context(locale="en-US", base_url=stack.rest.origin) as context:
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto("/connections")
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(admin_password(stack.home))
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Add Connection").wait_for()
        for conn_id, login, password, extra, said in CONNECTIONS:
            url = {"token_url": f"{stack.base_url}/token-service"} if "token_url" in extra else {}
            fields = {"host": stack.base_url, "login": login, "password": password}
            connect(page, conn_id, fields, {**extra, **url})
            page.goto("/connections")
            row = page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))
            row.get_by_label("Test Connection").click()
            ending = "Successful" if "gave" in said else "Failed"
            shown = page.get_by_text(f"Test Connection {ending}").locator("..")
            expect(shown).to_contain_text(said, timeout=30_000)
