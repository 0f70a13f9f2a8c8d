"""What tests of a third-party platform's runs look at: its calls, accounts and trouble."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from dag_runs import PlatformDag
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.health import status
from weixin_etl.health.troubles import Trouble
from weixin_sandbox import Account, Sandbox

OF_PLATFORM = "/cgi-bin/component/"
OPEN_INCIDENTS = (
    "SELECT incident_id, kind FROM weixin.incident WHERE closed_at IS NULL ORDER BY incident_id"
)
ACTIVE = "SELECT conn_id FROM weixin.dim_account WHERE is_active ORDER BY conn_id"


def component_calls(sandbox: Sandbox) -> Counter[str]:
    """How often each of a platform's own calls was made."""
    return Counter(
        call.path.removeprefix(OF_PLATFORM)
        for call in sandbox.calls
        if call.path.startswith(OF_PLATFORM)
    )


def data_calls(sandbox: Sandbox, account: Account) -> list[int | None]:
    """The errcodes of an account's data calls, 0 for figures."""
    return [
        call.errcode
        for call in sandbox.calls
        if call.path.startswith("/datacube/") and call.appid == account.appid
    ]


def conn_ids(accounts: Sequence[Account]) -> list[tuple[str]]:
    """How a platform's accounts go in the warehouse."""
    return [(f"weixin_platform/{account.appid}",) for account in accounts]


def spoil(platform: PlatformDag, how: str, warehouse: Engine) -> None:
    """Let all tokens have ended by the next morning, and the ticket be good for none."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.platform_token SET expires_at = now()")
    if how == "missing":
        platform.dag.monkeypatch.delenv("AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET")
    else:
        platform.sandbox.component.expire_tickets()


def shown(warehouse: Engine, hours_later: int = 0) -> status.Status:
    """What the page and `weixin-etl status` show."""
    now = clock.now() + timedelta(hours=hours_later)
    with warehouse.connect() as connection:
        return status.read(connection, None, now=now)


def trouble(warehouse: Engine, hours_later: int = 0) -> list[Trouble]:
    """What is more than a warning."""
    return [it for it in shown(warehouse, hours_later).open if it.is_broken]
