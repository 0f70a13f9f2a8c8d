"""Make sure that each account can get a token, before anything is asked for."""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from airflow.sdk import Variable

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import WeixinError
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration.hook import WeixinHook
from weixin_etl.orchestration.settings import Settings

log = logging.getLogger(__name__)

ACCOUNTS_VARIABLE = "weixin_accounts"


class CheckedAccount(msgspec.Struct, frozen=True):
    """An account of the run, and the sentence why it has no token, if so. Holds no secret."""

    conn_id: str
    appid: str | None
    """None when the connection can't be used."""
    name: str
    problem: str | None = None


def configured_conn_ids() -> list[str]:
    """
    The connections to collect: Airflow Variable `weixin_accounts`, a JSON list of their ids.

    Raises:
        ParameterError: it is no such list.

    """
    text = Variable.get(ACCOUNTS_VARIABLE, default='["weixin_default"]')
    try:
        conn_ids = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        conn_ids = []
    if not conn_ids:
        raise ParameterError(
            f"the Airflow Variable {ACCOUNTS_VARIABLE} is not a JSON list of connection ids; "
            f"write it like {json.dumps(['weixin_default'])}"
        )
    return list(dict.fromkeys(conn_ids))


def described_accounts(run: Run, settings: Settings) -> list[CheckedAccount]:
    """
    The run's accounts as their connections describe them; nobody is asked for a token.

    Raises:
        ParameterError: the run is limited to accounts nobody configured.

    """
    return [_described(client) for client in _clients(run, settings)]


def refresh_access_tokens(run: Run, settings: Settings) -> list[CheckedAccount]:
    """
    Ask for the token of each account of the run, a few at once.

    A refused account is reported, not raised: the others go on, and its days will fail one by one.

    Raises:
        ParameterError: the run is limited to accounts nobody configured.

    """
    with ThreadPoolExecutor(settings.concurrency) as pool:
        checked = list(pool.map(_checked, _clients(run, settings)))
    for account in checked:
        if account.problem:
            log.error("%s", account.problem)
        else:
            log.info("%s (%s) has a token", account.name, account.appid)
    return checked


def _clients(run: Run, settings: Settings) -> list[WeixinClient | CheckedAccount]:
    """A client per account of the run; for a connection that can't be used, the reason."""
    clients: list[WeixinClient | CheckedAccount] = []
    known: dict[str, str] = {}
    for conn_id in configured_conn_ids():
        try:
            client = WeixinHook(conn_id, settings.call_limits).get_conn()
        except WeixinError as error:
            clients.append(CheckedAccount(conn_id, None, conn_id, str(error)))
            continue
        twin = known.setdefault(client.account.appid, conn_id)
        if twin == conn_id:
            clients.append(client)
        else:
            log.warning("%s is the same account as %s and left out", conn_id, twin)
    return _limited(clients, run.accounts)


def _limited(
    clients: list[WeixinClient | CheckedAccount], wanted: Sequence[str]
) -> list[WeixinClient | CheckedAccount]:
    """The ones whose connection id or appid is wanted; all when nothing is."""
    names = [_names(client) for client in clients]
    unknown = set(wanted).difference(*names) if wanted else set()
    if unknown:
        raise ParameterError(
            f"accounts: {', '.join(sorted(unknown))} is no connection id or appid of the accounts "
            f"in {ACCOUNTS_VARIABLE}"
        )
    return [
        client
        for client, own in zip(clients, names, strict=True)
        if not wanted or own.intersection(wanted)
    ]


def _names(client: WeixinClient | CheckedAccount) -> set[str]:
    if isinstance(client, CheckedAccount):
        return {client.conn_id}
    return {client.account.conn_id, client.account.appid}


def _described(client: WeixinClient | CheckedAccount) -> CheckedAccount:
    if isinstance(client, CheckedAccount):
        return client
    account = client.account
    return CheckedAccount(account.conn_id, account.appid, account.name)


def _checked(client: WeixinClient | CheckedAccount) -> CheckedAccount:
    if isinstance(client, CheckedAccount):
        return client
    try:
        client.check_token()
    except WeixinError as error:
        return msgspec.structs.replace(_described(client), problem=str(error))
    return _described(client)
