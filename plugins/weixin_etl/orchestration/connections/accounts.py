"""The accounts to collect: from the Airflow Variable and its connections to clients."""

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
    Ask for the token of each account of the run, a few at once.

    Of several connections of one account, the first that gets a token is used. A refused account is
    reported, not raised: the others go on, and its days will fail one by one.

    Raises:
        ParameterError: the run is limited to accounts that are not configured.
        WeixinError: of the kind CLOCK, nothing may be asked; or, but on the last try, a
            connection's accounts may be found by another one.
    """
    clients = Clients(settings.call_limits())
    every = discover(clients, concurrency)
    wanted = select_accounts(every, run.accounts)
    passing = [it.error for it in wanted if it.error and it.error.kind.is_retried]
    if passing and not is_last_try:
        raise passing[0]
    accounts = _asked(wanted, clients, concurrency)
    _log_tokens(accounts)
    return accounts + [it.configured(is_wanted=False) for it in every if it not in wanted]


def discover(clients: "Clients", concurrency: int) -> list[ListedAccount]:
    """
    What the list of accounts stands for now.

    Raises:
        ParameterError: the list can't be used.
        WeixinError: of the kind CLOCK.
    """
    entries = parse_entries(Variable.get(ACCOUNTS_VARIABLE, default=_IF_UNSET))
    conn_ids = dict.fromkeys(map(connection_id, entries))
    found = {conn_id: _accounts_of(clients, conn_id, concurrency) for conn_id in conn_ids}
    accounts = group_by_account(entries, found)
    for it in accounts:
        for conn_id in it.conn_ids[1:]:
            log.warning("%s is the same account as %s", conn_id, it.conn_ids[0])
    return accounts


def _accounts_of(
    clients: "Clients", conn_id: str, concurrency: int
) -> Sequence[Account] | WeixinError:
    """The accounts that a connection stands for, or why it can't be used."""
    try:
        return clients.accounts(conn_id, concurrency)
    except WeixinError as error:
        if error.kind is ProblemKind.CLOCK:
            raise
        return error


def _asked(
    wanted: Collection[ListedAccount], clients: "Clients", concurrency: int
) -> list[ConfiguredAccount]:
    """The accounts, each with what it was answered when it was asked for its token."""
    with thread_pool(concurrency) as pool:
        asked = list(pool.map(partial(_first_with_token, clients), wanted))
    return [
        group_by_account.configured(chosen=client.account if client else None, problem=problem)
        for group_by_account, (client, problem) in zip(wanted, asked, strict=True)
    ]


class Clients:
    """
    The clients of accounts, for one task; may be used by several threads at once.

    A connection that stands for many accounts is looked up once, not once for each of them.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._described = cache(lambda conn_id: WeixinHook(conn_id).account())
        self._platform = cache(self._open_platform)

    def accounts(self, conn_id: str, concurrency: int) -> Sequence[Account]:
        """
        The accounts that a connection stands for now: itself, or those that are listed.

        Raises:
            WeixinError: it can't be used, or there is no list.
            WarehouseError: it is a platform, and the warehouse does not answer.
        """
        account = self._described(conn_id)
        if account.is_platform:
            return self._platform(account).accounts(concurrency)
        return list_service_accounts(account, self._limits) if not account.appid else [account]

    def open(self, planned: PlannedAccount) -> WeixinClient:
        """
        The client of a planned account.

        Raises:
            WeixinError: its connection can't be used.
        """
        account = self._described(connection_id(planned.conn_id))
        is_one = not account.stands_for_many
        return self.of(account if is_one else account.member(planned.appid, planned.name))

    def of(self, account: Account) -> WeixinClient:
        """The client of an account."""
        described = self._described(connection_id(account.conn_id))
        if described.is_platform:
            return self._platform(described).client(account)
        return WeixinClient(account, self._limits)

    def _open_platform(self, account: Account) -> Platform:
        """The platform that a connection describes, with its tokens in the warehouse."""
        keys, warehouse = _keys(account), open_warehouse()
        require_migrated(warehouse)
        return Platform(account, warehouse, keys, partial(ticket, account), self._limits)


def _keys(account: Account) -> "MultiFernet":
    """Airflow's own keys, by which it encrypts its connections."""
    keys = get_fernet()
    if keys.is_encrypted:
        return cast("MultiFernet", keys)
    raise WeixinError(ProblemKind.CONFIGURATION, account=str(account), code="fernet_key_missing")


def _first_with_token(
    clients: Clients, listed: ListedAccount
) -> tuple[WeixinClient | None, Problem | None]:
    """The first client of an account that gets a token; else why the first gets none."""
    problem = None
    for account in listed.described:
        client = clients.of(account)
        try:
            client.check_token()
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            problem = problem or _problem_of(account, error)
        else:
            return client, None
    return None, problem


def _problem_of(account: Account, error: WeixinError) -> Problem:
    """The account's; the platform's, where that gets no token for any account."""
    if error.kind is ProblemKind.PLATFORM:
        return replace(error.problem, conn_id=account.airflow_connection)
    name, appid, conn_id = account.name, account.appid, account.conn_id
    its = replace(error.problem, account=name, appid=appid, conn_id=conn_id)
    return replace(its, subject=None, to_change="")


def _log_tokens(accounts: Sequence[ConfiguredAccount]) -> None:
    """A line per account without a token, and one for all others: there may be thousands."""
    fine = [account for account in accounts if not account.problem]
    for problem in dict.fromkeys(account.problem for account in accounts if account.problem):
        log_problem(log, problem)
    if fine:
        log.info("a token is there for %s", few_names([f"{it.name} ({it.appid})" for it in fine]))
