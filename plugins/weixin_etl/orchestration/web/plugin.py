"""
What Airflow's servers get: the page "WeChat", a button *Test* that works, a listener.

Every process of Airflow imports this module, each task of other DAGs too: what only the web server
needs is imported by its calls.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from weixin_etl.orchestration.settings import PAGE
from weixin_etl.orchestration.web import listener

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TITLE = "WeChat"
"""The entry of the navigation: Airflow cuts a name that is wider than 56 pixels."""
_HREF = f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGE}/"
"""Airflow may be served below a path."""


async def page(scope: "Scope", receive: "Receive", send: "Send") -> None:
    from weixin_etl.orchestration.web.page.app import app

    await app(scope, receive, send)


def test_button(app: "ASGIApp") -> "ASGIApp":
    from weixin_etl.orchestration.web.test_button import mending

    return mending(app)


_APP = {"app": page, "url_prefix": PAGE, "name": TITLE}
_MIDDLEWARE = {"name": "weixin", "middleware": test_button}
_VIEW = {
    "name": TITLE,
    "href": _HREF,
    "url_route": "weixin",
    "destination": "nav",
    "icon": f"{_HREF}static/icon.svg",
    "icon_dark_mode": f"{_HREF}static/icon_dark.svg",
}


class WeixinPlugin(AirflowPlugin):
    """Airflow's entry point `airflow.plugins`."""

    name = "weixin"
    fastapi_apps: list[Any] = [_APP]  # noqa: RUF012 # as Airflow declares them
    fastapi_root_middlewares: list[Any] = [_MIDDLEWARE]  # noqa: RUF012
    external_views: list[Any] = [_VIEW]  # noqa: RUF012
    listeners: list[Any] = [listener]  # noqa: RUF012
