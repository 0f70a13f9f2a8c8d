"""Airflow's entry point `airflow.plugins`: what weixin-etl adds to the API server."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from weixin_etl.orchestration.middleware import ConnectionTest, KnownParameters


class WeixinPlugin(AirflowPlugin):
    """Two calls that Airflow answers in another way."""

    name = "weixin"
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012 # as the base class declares it
        {"name": "weixin connection test", "middleware": ConnectionTest},
        {"name": "weixin known parameters", "middleware": KnownParameters},
    ]
