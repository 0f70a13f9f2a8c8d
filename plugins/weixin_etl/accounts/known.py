"""The accounts that the warehouse knows."""

from sqlalchemy import Connection

from weixin_etl.model import ParameterError
from weixin_etl.text import few_names
from weixin_etl.warehouse import statement


def appid_of(connection: Connection, name: str) -> str:
    """
    The AppID of an account of the warehouse, by its AppID, its connection's id or its name.

    Raises:
        ParameterError: there is none, or several are called so.
    """
    found = connection.execute(statement("dim_account/named.sql"), {"name": name}).all()
    if len(found) == 1:
        return str(found[0].appid)
    if found:
        appids = ", ".join(row.appid for row in found)
        raise ParameterError(f"several accounts are called {name}; give one's AppID: {appids}")
    names = connection.exec_driver_sql("SELECT name FROM weixin.dim_account ORDER BY name")
    known = few_names(list(names.scalars())) or "none yet"
    raise ParameterError(f"no account of the warehouse is called {name}; there are: {known}")
