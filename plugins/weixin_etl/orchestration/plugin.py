"""
What Airflow's web server gets from the installed distribution.

The page "WeChat articles", and two calls that it answers better.
"""

from airflow.plugins_manager import AirflowPlugin

from weixin_etl.orchestration import middleware, page


class WeixinPlugin(AirflowPlugin):
    """Airflow's entry point `airflow.plugins`."""

    name = "weixin"
    fastapi_apps = page.FASTAPI_APPS
    external_views = page.EXTERNAL_VIEWS
    fastapi_root_middlewares = middleware.ROOT_MIDDLEWARES
