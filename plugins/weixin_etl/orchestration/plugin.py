"""What Airflow's web server gets from the installed distribution: two calls it answers better."""

from airflow.plugins_manager import AirflowPlugin

from weixin_etl.orchestration import middleware


class WeixinPlugin(AirflowPlugin):
    """Airflow's entry point `airflow.plugins`."""

    name = "weixin"
    fastapi_root_middlewares = middleware.ROOT_MIDDLEWARES
