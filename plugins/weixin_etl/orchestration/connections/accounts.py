"""
The accounts to collect: their list, their access tokens, and their clients.

The list is the Airflow Variable `weixin_accounts`; its entries name Airflow connections. The task
`refresh_access_token`, the task `ingest` and the command `probe` use this module.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, cast

from airflow.sdk import Variable
from airflow.sdk.crypto import get_fernet

from weixin_etl.accounts.entries import (
    ACCOUNTS_VARIABLE,
    ListedAccount,
    group_by_account,
    parse_entries,
    select_accounts,
)
from weixin_etl.accounts.platform import Platform
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.api.threads import thread_pool
from weixin_etl.api.token import list_service_accounts
from weixin_etl.model import Account, ConfiguredAccount, PlannedAccount, Run, connection_id
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.hook import WeixinHook, ticket
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.problem import Problem, ProblemKind, WeixinError, log_problem
from weixin_etl.text import few_names
from weixin_etl.warehouse import require_migrated

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

log = logging.getLogger(__name__)

_IF_UNSET = '["weixin_default"]'


def refresh_access_tokens(
    run: Run, concurrency: int, *, is_last_try: bool
) -> list[ConfiguredAccount]:
    """
    Request the token of each account of the run, a few at once, and return all accounts.

    If an account has several connections, the first that gets a token is used. A refused account
    has its problem in the result: the run goes on for the other accounts.

    Args:
        run: the run, which may be limited to some accounts.
        concurrency: the number of calls at once.
        is_last_try: whether an unusable connection is accepted instead of raised for a retry.

    Raises:
        ParameterError: the run is limited to accounts that are not configured.
        WeixinError: the kind is CLOCK, so nothing may be asked; or a connection's accounts can't be
            listed now, and a retry may list them.
    """
    clients = Clients(settings.call_limits())
    listed = discover(clients, concurrency)
    wanted = select_accounts(listed, run.accounts)
    errors = [account.error for account in wanted if account.error]
    passing = [error for error in errors if error.kind.is_retried]
    if passing and not is_last_try:
        raise passing[0]
    accounts = _with_tokens(wanted, clients, concurrency)
    _log_tokens(accounts)
    unselected = [account for account in listed if account not in wanted]
    return accounts + [account.configured(is_wanted=False) for account in unselected]


def discover(clients: "Clients", concurrency: int) -> list[ListedAccount]:
    """
    Return the accounts that the Variable `weixin_accounts` lists, by asking its connections.

    Raises:
        ParameterError: the Variable is not a list of connection ids.
        WeixinError: the kind is CLOCK, so nothing may be asked.
    """
    entries = parse_entries(Variable.get(ACCOUNTS_VARIABLE, default=_IF_UNSET))
    conn_ids = dict.fromkeys(map(connection_id, entries))
    found = {conn_id: _accounts_of(clients, conn_id, concurrency) for conn_id in conn_ids}
    accounts = group_by_account(entries, found)
    for account in accounts:
        for conn_id in account.conn_ids[1:]:
            log.warning("%s is the same account as %s", conn_id, account.conn_ids[0])
    return accounts


def _accounts_of(
    clients: "Clients", conn_id: str, concurrency: int
) -> Sequence[Account] | WeixinError:
    """Return the accounts of a connection, or the error if it can't be used."""
    try:
        return clients.accounts(conn_id, concurrency)
    except WeixinError as error:
        if error.kind is ProblemKind.CLOCK:
            raise
        return error


def _with_tokens(
    wanted: Collection[ListedAccount], clients: "Clients", concurrency: int
) -> list[ConfiguredAccount]:
    """Return the accounts, each with the connection that got a token, or with its problem."""
    with thread_pool(concurrency) as pool:
        results = list(pool.map(partial(_first_with_token, clients), wanted))
    return [
        listed.configured(chosen=client.account if client else None, problem=problem)
        for listed, (client, problem) in zip(wanted, results, strict=True)
    ]


class Clients:
    """
    The API clients of accounts, for one task. Several threads may use them at once.

    Each connection is looked up once, also if it stands for many accounts.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._described = cache(lambda conn_id: WeixinHook(conn_id).account())
        self._platform = cache(self._open_platform)

    def accounts(self, conn_id: str, concurrency: int) -> Sequence[Account]:
        """
        Return the accounts that a connection stands for.

        A third-party platform, or a token service without an AppID, lists its accounts. Every other
        connection is one account. A platform is asked with `concurrency` calls at once.

        Raises:
            WeixinError: the connection can't be used, or its accounts can't be listed.
            WarehouseError: the connection is a platform, and the warehouse does not answer.
        """
        account = self._described(conn_id)
        if account.is_platform:
            return self._platform(account).accounts(concurrency)
        return list_service_accounts(account, self._limits) if not account.appid else [account]

    def open(self, planned: PlannedAccount) -> WeixinClient:
        """
        Return the client of a planned account.

        Raises:
            WeixinError: the account's connection can't be used.
        """
        account = self._described(connection_id(planned.conn_id))
        is_one = not account.stands_for_many
        return self.of(account if is_one else account.member(planned.appid, planned.name))

    def of(self, account: Account) -> WeixinClient:
        """Return the client of an account, by its platform's token if it belongs to one."""
        described = self._described(connection_id(account.conn_id))
        if described.is_platform:
            return self._platform(described).client(account)
        return WeixinClient(account, self._limits)

    def _open_platform(self, account: Account) -> Platform:
        """Return the platform that a connection describes; its tokens are in the warehouse."""
        keys, warehouse = _keys(account), open_warehouse()
        require_migrated(warehouse)
        return Platform(account, warehouse, keys, partial(ticket, account), self._limits)


def _keys(account: Account) -> "MultiFernet":
    """Return the keys by which Airflow encrypts its connections."""
    keys = get_fernet()
    if keys.is_encrypted:
        return cast("MultiFernet", keys)
    raise WeixinError(ProblemKind.CONFIGURATION, account=str(account), code="fernet_key_missing")


def _first_with_token(
    clients: Clients, listed: ListedAccount
) -> tuple[WeixinClient | None, Problem | None]:
    """Return the account's first client that gets a token, or the problem of the first one."""
    problem = None
    for account in listed.described:
        client = clients.of(account)
        try:
            client.check_token()
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            problem = problem or _account_problem(account, error)
        else:
            return client, None
    return None, problem


def _account_problem(account: Account, error: WeixinError) -> Problem:
    """Return the error's problem with the account's names; a platform's problem keeps its own."""
    if error.kind is ProblemKind.PLATFORM:
        return replace(error.problem, conn_id=account.airflow_connection)
    name, appid, conn_id = account.name, account.appid, account.conn_id
    problem = replace(error.problem, account=name, appid=appid, conn_id=conn_id)
    return replace(problem, subject=None, to_change="")


def _log_tokens(accounts: Sequence[ConfiguredAccount]) -> None:
    """Log a line per account without a token, and one line for the others, which may be many."""
    fine = [account for account in accounts if not account.problem]
    for problem in dict.fromkeys(account.problem for account in accounts if account.problem):
        log_problem(log, problem)
    if fine:
        names = few_names([f"{account.name} ({account.appid})" for account in fine])
        log.info("a token is there for %s", names)
