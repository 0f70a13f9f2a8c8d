"""The warehouse of the Airflow connection `weixin_warehouse`."""

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import Engine

from weixin_etl.warehouse import CONN_ID, WarehouseError, engine, url


def open_warehouse() -> Engine:
    """
    The engine of the Airflow connection `weixin_warehouse`.

    Raises:
        WarehouseError: there is no such connection.

    """
    try:
        connection = BaseHook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        raise WarehouseError(
            f"there is no Airflow connection {CONN_ID}", "create it with type postgres"
        ) from None
    return engine(
        url(
            connection.host,
            connection.port,
            connection.login,
            connection.password,
            connection.schema,
            connection.extra_dejson,
        )
    )
