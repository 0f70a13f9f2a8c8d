"""
The accounts to collect: their list, their access tokens, and their clients.

The list is the Airflow Variable `weixin_accounts`; its entries name Airflow connections. The task
`refresh_access_token`, the task `ingest` and the command `probe` use this module.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from airflow.sdk import Variable
from airflow.sdk.crypto import get_fernet

from weixin_etl.accounts import entries
from weixin_etl.accounts.entries import ListedAccount
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

log = logging.getLogger(__name__)


def refresh_access_tokens(run: Run, *, is_last_try: bool) -> list[ConfiguredAccount]:
    """
    Request the token of each account of the run, a few at once, and return all accounts.

    An account with several connections gets the first token that one of them brings. The result has
    the accounts of the run first, each with the connection that got a token, or with the problem of
    its first connection: the run goes on for the other accounts. Then follow the configured
    accounts that the run leaves out (`is_wanted` is False), without a call. The log gets a line for
    each problem, and one line that names the accounts with a token.

    Args:
        run: the run. It collects only `run.accounts`, or all accounts if that is empty.
        is_last_try: whether an entry whose accounts can't be listed now becomes a problem in the
            result. Before the last try, its error is raised, because a retry may list them.

    Raises:
        ParameterError: `run.accounts` has a name that no configured account has, or the Variable
            `weixin_accounts` is invalid.
        WeixinError: the kind is CLOCK, so no account may be asked; or see `is_last_try`.
        WarehouseError: a connection is a platform's, and the warehouse can't be used.
    """
    clients = Clients(settings.call_limits(), settings.read().concurrency)
    listed = discover(clients)
    wanted = entries.select_accounts(listed, run.accounts)
    for account in wanted:
        if account.error and account.error.kind.is_retried and not is_last_try:
            raise account.error
    with thread_pool(clients.concurrency) as pool:
        accounts = list(pool.map(partial(_with_token, clients), wanted))
    _log_tokens(accounts)
    unselected = [account for account in listed if account not in wanted]
    return accounts + [account.configured(is_wanted=False) for account in unselected]


def discover(clients: "Clients") -> list[ListedAccount]:
    """
    Return the accounts that the Variable `weixin_accounts` lists; unset, it is `weixin_default`.

    Each connection of the list is looked up once; a platform or a token service is asked for its
    accounts. A connection that can't be used is in the result as an entry with its error. An
    account that the list names by several connections is in the result once; a warning is logged.

    Raises:
        ParameterError: the Variable is not a list of connection ids, or is an empty one.
        WeixinError: the kind is CLOCK, so nothing may be asked.
        WarehouseError: a connection is a platform's, and the warehouse can't be used.
    """
    names = Variable.get(entries.ACCOUNTS_VARIABLE, default='["weixin_default"]')
    listed = entries.parse_entries(names)
    conn_ids = dict.fromkeys(map(connection_id, listed))
    found = {conn_id: clients.accounts_or_error(conn_id) for conn_id in conn_ids}
    accounts = entries.group_by_account(listed, found)
    for account in accounts:
        for conn_id in account.conn_ids[1:]:
            log.warning("%s is the same account as %s", conn_id, account.conn_ids[0])
    return accounts


class Clients:
    """
    The API clients of accounts, for one task. Several threads may use them at once.

    Each connection is looked up once, also if it stands for many accounts.
    """

    def __init__(self, limits: CallLimits, concurrency: int = 1) -> None:
        """
        Make the clients; nothing is looked up or called yet.

        Args:
            limits: the limits of each call.
            concurrency: the number of calls at once by which a platform lists its accounts.
        """
        self.concurrency = concurrency
        self._limits = limits
        self._described = cache(lambda conn_id: WeixinHook(conn_id).account())
        self._platform = cache(self._open_platform)

    def accounts_or_error(self, conn_id: str) -> Sequence[Account] | WeixinError:
        """
        Return the accounts that a connection stands for, or the error if it can't be used.

        A third-party platform, or a token service without an AppID, is asked for its accounts.
        Every other connection is one account, and nothing is called.

        Raises:
            WeixinError: the kind is CLOCK, so nothing may be asked.
            WarehouseError: the connection is a platform's, and the warehouse can't be used.
        """
        try:
            account = self._described(conn_id)
            if account.is_platform:
                return self._platform(account).accounts(self.concurrency)
            return [account] if account.appid else list_service_accounts(account, self._limits)
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            return error

    def open(self, planned: PlannedAccount) -> WeixinClient:
        """
        Return the client of a planned account, by the connection that the plan names.

        A member of a platform or of a token service gets the credentials of that connection.

        Raises:
            WeixinError: the connection is missing or can't be used.
            WarehouseError: the connection is a platform's, and the warehouse can't be used.
        """
        account = self._described(connection_id(planned.conn_id))
        is_one = not account.stands_for_many
        return self.of(account if is_one else account.member(planned.appid, planned.name))

    def of(self, account: Account) -> WeixinClient:
        """
        Return the client of an account; a platform's member gets its tokens from the platform.

        The client makes its first call when it is used.

        Raises:
            WeixinError: the account's connection is missing or can't be used.
            WarehouseError: the connection is a platform's, and the warehouse can't be used.
        """
        described = self._described(connection_id(account.conn_id))
        if described.is_platform:
            return self._platform(described).client(account)
        return WeixinClient(account, self._limits)

    def _open_platform(self, account: Account) -> Platform:
        """
        Return the platform that a connection describes. It keeps its tokens in the warehouse.

        The tokens are encrypted by the keys by which Airflow encrypts its connections.

        Raises:
            WeixinError: Airflow has no such keys (`fernet_key` is empty).
            WarehouseError: the warehouse can't be used, or a migration is missing.
        """
        keys: Any = get_fernet()  # Airflow's own type hides that it is a MultiFernet
        if not keys.is_encrypted:
            code = "fernet_key_missing"
            raise WeixinError(ProblemKind.CONFIGURATION, account=str(account), code=code)
        warehouse = open_warehouse()
        require_migrated(warehouse)
        return Platform(account, warehouse, keys, partial(ticket, account), self._limits)


def _with_token(clients: Clients, listed: ListedAccount) -> ConfiguredAccount:
    """
    Request the account's token by one connection after another, until one gets it.

    Return the account with that connection. If none gets a token, return it with the problem of the
    first connection; an unusable entry is returned with its own problem, without a call.

    Raises:
        WeixinError: the kind is CLOCK, so nothing may be asked.
        WarehouseError: the account is a platform's, and the warehouse can't be used.
    """
    problem = None
    for account in listed.described:
        try:
            clients.of(account).check_token()
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            problem = problem or _account_problem(account, error)
        else:
            return listed.configured(chosen=account)
    return listed.configured(problem=problem)


def _account_problem(account: Account, error: WeixinError) -> Problem:
    """
    Return the error's problem as the account's: with its name, AppID and connection.

    The problem of a whole platform stays the platform's; only its connection is added.
    """
    if error.kind is ProblemKind.PLATFORM:
        return replace(error.problem, conn_id=account.airflow_connection)
    name, appid, conn_id = account.name, account.appid, account.conn_id
    problem = replace(error.problem, account=name, appid=appid, conn_id=conn_id)
    return replace(problem, subject=None, to_change="")


def _log_tokens(accounts: Sequence[ConfiguredAccount]) -> None:
    """Log each distinct problem, then one line with the first twenty accounts with a token."""
    for problem in dict.fromkeys(account.problem for account in accounts if account.problem):
        log_problem(log, problem)
    fine = [f"{account.name} ({account.appid})" for account in accounts if not account.problem]
    if fine:
        log.info("a token is there for %s", few_names(fine))
