"""
The Airflow plugin: the page "WeChat", a corrected button *Test* and a listener for failed runs.

Every process of Airflow imports this module, tasks of other DAGs included. The functions therefore
import what only the web server needs.
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
"""The entry in Airflow's navigation. Airflow cuts names that are wider than 56 pixels."""
_HREF = f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGE}/"
"""The page's URL; it begins with a path if Airflow is served below one."""


async def page(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """
    Serve a request to the page as an ASGI application, importing the page at the first request.

    Args:
        scope: the request, as ASGI describes it.
        receive: returns the next part of the request.
        send: sends a part of the response.
    """
    from weixin_etl.orchestration.web.page.app import app

    await app(scope, receive, send)


def test_button(app: "ASGIApp") -> "ASGIApp":
    """Return Airflow's web app, wrapped so that the button *Test* of `weixin` connections works."""
    from weixin_etl.orchestration.web.test_button import with_readable_test

    return with_readable_test(app)


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
    """The plugin that Airflow finds by the entry point `airflow.plugins`."""

    name = "weixin"
    fastapi_apps: list[Any] = [_APP]  # noqa: RUF012 # as Airflow declares them
    fastapi_root_middlewares: list[Any] = [_MIDDLEWARE]  # noqa: RUF012
    external_views: list[Any] = [_VIEW]  # noqa: RUF012
    listeners: list[Any] = [listener]  # noqa: RUF012
