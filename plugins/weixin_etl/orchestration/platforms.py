"""Third-party platforms: from an Airflow connection to its accounts, with Airflow's own keys."""

from functools import partial

from airflow.configuration import conf
from airflow.sdk import Variable
from airflow.sdk.log import mask_secret
from sqlalchemy import Engine

from weixin_etl.accounts.platforms import Cipher, Platform
from weixin_etl.api.errors import ConfigurationError
from weixin_etl.api.http import CallLimits
from weixin_etl.model import Account
from weixin_etl.warehouse import require_migrated


def open_platform(account: Account, limits: CallLimits, warehouse: Engine) -> Platform:
    """
    The platform that a connection describes, with its tokens in the warehouse.

    Raises:
        ConfigurationError: Airflow has no key to encrypt its tokens with.
        WarehouseError: the warehouse does not answer, or is not migrated.

    """
    cipher = _cipher(account)
    require_migrated(warehouse)
    return Platform(account, warehouse, cipher, partial(ticket, account), limits)


def ticket(account: Account) -> str:
    """
    The platform's newest `component_verify_ticket`, from its Airflow Variable.

    Raises:
        ConfigurationError: there is none.

    """
    text = (Variable.get(account.ticket_variable, default="") or "").strip()
    if not text:
        raise ConfigurationError(
            account=str(account),
            cause="WeChat's component_verify_ticket is missing",
            cure=f"let your receiver write it into the Airflow Variable {account.ticket_variable}",
        )
    mask_secret(text)
    return text


def _cipher(account: Account) -> Cipher:
    """Of Airflow's `[core] fernet_key`: the keys, newest first."""
    keys = [key.strip() for key in conf.get("core", "fernet_key", fallback="").split(",")]
    try:
        return Cipher([key for key in keys if key])
    except ValueError:
        raise ConfigurationError(
            account=str(account),
            cause="Airflow has no Fernet key, so its tokens can't be encrypted",
            cure="set [core] fernet_key, the same on every machine",
        ) from None
