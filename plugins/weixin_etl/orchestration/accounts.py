"""The accounts to collect: from the Airflow Variable and its connections to clients."""

import difflib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
from airflow.sdk import Variable

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ClockError, WeixinError
from weixin_etl.model import ConfiguredAccount, ParameterError, PlannedAccount, Run
from weixin_etl.orchestration.hook import WeixinHook
from weixin_etl.orchestration.settings import Settings

log = logging.getLogger(__name__)

ACCOUNTS_VARIABLE = "weixin_accounts"


@dataclass(slots=True)
class _Entry:
    """An account with every connection that describes it, or a connection that can't be used."""

    conn_ids: list[str]
    clients: list[WeixinClient] = field(default_factory=list)
    problem: str | None = None
    is_wanted: bool = True

    @property
    def names(self) -> set[str]:
        """What the form may call it."""
        return {*self.conn_ids, *(client.account.appid for client in self.clients)}


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


def described_accounts(run: Run, settings: Settings) -> list[ConfiguredAccount]:
    """
    Every configured account as its connection describes it; no token is requested.

    Raises:
        ParameterError: the run is limited to accounts that are not configured.

    """
    return [_described(entry, entry.clients[:1]) for entry in _entries(run, settings)]


def refresh_access_tokens(run: Run, settings: Settings) -> list[ConfiguredAccount]:
    """
    Ask for the token of each account of the run, a few at once.

    Of several connections of one account, the first that gets a token is used. A refused account is
    reported, not raised: the others go on, and its days will fail one by one.

    Raises:
        ParameterError: the run is limited to accounts that are not configured.
        ClockError: this machine's clock and WeChat's disagree, so that nothing may be asked.

    """
    with ThreadPoolExecutor(settings.pipeline.concurrency) as pool:
        accounts = list(pool.map(_checked, _entries(run, settings)))
    for account in accounts:
        if not account.is_wanted:
            continue
        if account.problem:
            log.error("%s", account.problem)
        else:
            log.info("%s (%s) has a token", account.name, account.appid)
    return accounts


def open_client(planned: PlannedAccount, settings: Settings) -> WeixinClient:
    """
    The client of a planned account's connection.

    Raises:
        WeixinError: the connection can't be used.

    """
    return WeixinHook(planned.conn_id, settings.call_limits).get_conn()


def _entries(run: Run, settings: Settings) -> list[_Entry]:
    """An entry per account, with the connections that share its AppID."""
    entries: list[_Entry] = []
    by_appid: dict[str, _Entry] = {}
    for conn_id in configured_conn_ids():
        try:
            client = WeixinHook(conn_id, settings.call_limits).get_conn()
        except WeixinError as error:
            entries.append(_Entry([conn_id], problem=str(error)))
            continue
        twin = by_appid.get(client.account.appid)
        if twin is None:
            by_appid[client.account.appid] = entry = _Entry([conn_id], [client])
            entries.append(entry)
        else:
            log.warning("%s is the same account as %s", conn_id, twin.conn_ids[0])
            twin.conn_ids.append(conn_id)
            twin.clients.append(client)
    _limit(entries, run.accounts)
    return entries


def _limit(entries: Sequence[_Entry], wanted: Sequence[str]) -> None:
    """Mark the ones whose connection id or appid is wanted; all when nothing is."""
    known = sorted({name for entry in entries for name in entry.names})
    for unknown in sorted(set(wanted).difference(known)):
        near = difflib.get_close_matches(unknown, known, cutoff=0)
        raise ParameterError(
            f"accounts: {unknown} is no connection id or appid of the accounts in "
            f"{ACCOUNTS_VARIABLE}; there are {', '.join(near)}"
        )
    for entry in entries:
        entry.is_wanted = not wanted or not entry.names.isdisjoint(wanted)


def _described(
    entry: _Entry, clients: Sequence[WeixinClient], problem: str | None = None
) -> ConfiguredAccount:
    if not clients:
        conn_id = entry.conn_ids[0]
        return ConfiguredAccount(conn_id, None, conn_id, entry.is_wanted, entry.problem)
    account = clients[0].account
    return ConfiguredAccount(account.conn_id, account.appid, account.name, entry.is_wanted, problem)


def _checked(entry: _Entry) -> ConfiguredAccount:
    if not entry.is_wanted:
        return _described(entry, entry.clients[:1])
    problems = []
    for client in entry.clients:
        try:
            client.check_token()
        except ClockError:
            raise
        except WeixinError as error:
            problems.append(str(error))
        else:
            return _described(entry, [client])
    return _described(entry, entry.clients[:1], problem=problems[0] if problems else None)
