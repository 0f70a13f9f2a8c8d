"""
What Airflow's servers get: the page "WeChat articles", a button *Test* that works, a listener.

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

TITLE = "WeChat articles"
_HREF = f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGE}/"
"""Airflow may be served below a path."""


async def page(scope: "Scope", receive: "Receive", send: "Send") -> None:
    from weixin_etl.orchestration.web.page.app import app

    await app(scope, receive, send)


def test_button(app: "ASGIApp") -> "ASGIApp":
    from weixin_etl.orchestration.web.test_button import TestButton

    return TestButton(app)


_APPS: list[dict[str, Any]] = [{"app": page, "url_prefix": PAGE, "name": TITLE}]
_MIDDLEWARES: list[dict[str, Any]] = [{"name": "weixin", "middleware": test_button}]
_VIEWS: list[dict[str, Any]] = [
    {
        "name": TITLE,
        "href": _HREF,
        "url_route": "weixin",
        "destination": "nav",
        "icon": f"{_HREF}static/icon.svg",
        "icon_dark_mode": f"{_HREF}static/icon_dark.svg",
    },
    {
        "name": TITLE,
        "href": f"{_HREF}?dag_id={{DAG_ID}}",
        "url_route": "weixin_dag",
        "destination": "dag",
    },
]


class WeixinPlugin(AirflowPlugin):
    """Airflow's entry point `airflow.plugins`."""

    name = "weixin"
    fastapi_apps = _APPS
    fastapi_root_middlewares = _MIDDLEWARES
    external_views = _VIEWS
    listeners = [listener]  # noqa: RUF012 # as Airflow declares it
