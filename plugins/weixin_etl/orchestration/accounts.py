"""The accounts to collect: from the Airflow Variable and its connections to clients."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock

from airflow.configuration import conf
from airflow.sdk import Variable

from weixin_etl.accounts.entries import (
    ACCOUNTS_VARIABLE,
    AccountList,
    Listed,
    ListedAccount,
    accounts_of,
    no_platform,
)
from weixin_etl.accounts.platform import Discovery, Platform
from weixin_etl.accounts.tokens import Cipher
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ClockError, ConfigurationError, WeixinError
from weixin_etl.api.outages import Outages
from weixin_etl.datasets import Dataset
from weixin_etl.model import (
    Account,
    ConfiguredAccount,
    PlannedAccount,
    Run,
    SaidQuota,
    connection_of,
    few_names,
)
from weixin_etl.orchestration.connections import ignored_connection, variable_of
from weixin_etl.orchestration.hook import WeixinHook, ticket
from weixin_etl.orchestration.settings import Settings
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.problem import Problem, log_problem
from weixin_etl.threads import thread_pool
from weixin_etl.warehouse import require_migrated

log = logging.getLogger(__name__)

_NAMES_IN_LOG = 20
_REASONS_IN_LOG = 3


def described_accounts(settings: Settings) -> list[ConfiguredAccount]:
    """
    Every configured account as its connection describes it; no token is requested.

    Raises:
        ParameterError: the list of accounts can't be used.

    """
    if_none = "trigger a run: it reads WeChat's list of those that do"
    listed = _look_up(Clients(settings), Platform.known, if_none)
    return [it.configured() for it in [*listed.in_trouble, *listed.accounts]]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What `refresh_access_tokens` found."""

    accounts: list[ConfiguredAccount]
    withdrawn: list[Problem]
    """Accounts that are no longer asked, since they withdrew their authorisation of a platform."""
    trouble: list[WeixinError]
    """Of platforms that the run collects: why there may be other accounts."""


def refresh_access_tokens(run: Run, settings: Settings) -> Refreshed:
    """
    Ask for the token of each account of the run, a few at once.

    A platform's accounts are those that authorise it now, by WeChat's list.

    Meanwhile WeChat is asked for the quota of those that have one, a few at once as well: so that
    takes no longer. An account whose quota it does not say is no trouble: our calls are counted.

    Of several connections of one account, the first that gets a token is used. A refused account is
    reported, not raised: the others go on, and its days will fail one by one.

    Raises:
        ParameterError: the run is limited to accounts that are not configured, or have withdrawn.
        ClockError: this machine's clock and WeChat's disagree, so that nothing may be asked.

    """
    concurrency = settings.pipeline.concurrency
    clients = Clients(settings)
    listed = _look_up(
        clients,
        lambda platform: platform.discover(concurrency),
        "have one authorised: the next run finds it",
    )
    listed.require(run.accounts)
    wanted = [it for it in listed.accounts if listed.is_wanted(it, run.accounts)]
    in_trouble = [it for it in listed.in_trouble if listed.is_wanted(it, run.accounts)]
    accounts = [
        *_asked(wanted, clients, run.dataset, concurrency),
        *(it.configured() for it in in_trouble),
        *(
            it.configured(is_wanted=False)
            for it in [*listed.accounts, *listed.in_trouble]
            if not listed.is_wanted(it, run.accounts)
        ),
    ]
    _log_tokens([account for account in accounts if account.is_wanted])
    collected = {account.appid for account in accounts}  # maybe by a connection of its own
    withdrawn = [it for it in listed.withdrawn.values() if it and it.appid not in collected]
    for problem in withdrawn:
        log_problem(log, problem)
    return Refreshed(accounts, withdrawn, [listed.trouble[it.conn_ids[0]] for it in in_trouble])


def _asked(
    wanted: Sequence[ListedAccount], clients: "Clients", dataset: Dataset, concurrency: int
) -> list[ConfiguredAccount]:
    """The accounts, each with what it was answered when it was asked for token and quota."""
    quotas = _Quotas(dataset)
    asked: list[tuple[WeixinClient | None, Problem | None, Future[SaidQuota | None]]] = []
    with thread_pool(concurrency) as meanwhile, thread_pool(concurrency) as pool:
        for client, problem in pool.map(partial(_first_with_token, clients), wanted):
            asked.append((client, problem, meanwhile.submit(quotas.ask, client)))
    quotas.log()
    return [
        it.configured(
            chosen=client.account if client else None, problem=problem, quota=quota.result()
        )
        for it, (client, problem, quota) in zip(wanted, asked, strict=True)
    ]


class Clients:
    """
    The clients of accounts, for one task; may be used by several threads at once.

    A platform's connection is looked up once, not once for each of its accounts.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.call_limits
        self._platforms: dict[str, Platform] = {}
        self._opening = Lock()

    def account(self, conn_id: str) -> Account:
        """
        What a connection describes: an account, or a platform.

        Raises:
            WeixinError: it can't be used.

        """
        return WeixinHook(conn_id, self._limits).account()

    def platform(self, account: Account) -> Platform:
        """
        The platform that a connection describes, with its tokens in the warehouse.

        Raises:
            ConfigurationError: it is none, or Airflow has no key to encrypt its tokens with.
            WarehouseError: the warehouse does not answer, or is not migrated.

        """
        if not account.is_platform:
            raise no_platform(account)
        cipher = _cipher(account)
        warehouse = open_warehouse()
        require_migrated(warehouse)
        platform = Platform(account, warehouse, cipher, partial(ticket, account), self._limits)
        self._platforms[account.conn_id] = platform
        return platform

    def open(self, planned: PlannedAccount) -> WeixinClient:
        """
        The client of a planned account.

        Raises:
            WeixinError: its connection can't be used.

        """
        conn_id = connection_of(planned.conn_id)
        if conn_id == planned.conn_id:
            return WeixinHook(conn_id, self._limits).get_conn()
        with self._opening:
            platform = self._platforms.get(conn_id) or self.platform(self.account(conn_id))
        return platform.client(planned.appid, planned.name)

    def of(self, account: Account) -> WeixinClient:
        """The client of an account that has been looked up."""
        if platform := self._platforms.get(connection_of(account.conn_id)):
            return platform.client(account.appid, account.name)
        return WeixinClient(account, self._limits)


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


def _look_up(clients: Clients, discover: Callable[[Platform], Discovery], if_none: str) -> Listed:
    """What the Variable's entries stand for; `discover` gives the accounts of a platform."""
    listed = AccountList.read(Variable.get(ACCOUNTS_VARIABLE, default='["weixin_default"]'))
    found: dict[str, Account | Discovery | WeixinError] = {}
    for conn_id in listed.connections:
        try:
            account = clients.account(conn_id)
        except WeixinError as error:
            found[conn_id] = error
            continue
        found[conn_id] = account
        if account.is_platform:
            try:
                found[conn_id] = discover(clients.platform(account))
            except ClockError:
                raise
            except WeixinError as error:
                found[conn_id] = Discovery(problem=error)
    accounts = accounts_of(listed, found, if_none)
    for it in accounts.accounts:
        for conn_id in it.conn_ids[1:]:
            log.warning("%s is the same account as %s", conn_id, it.conn_ids[0])
    return accounts


def _first_with_token(
    clients: Clients, listed: ListedAccount
) -> tuple[WeixinClient | None, Problem | None]:
    """The first client of an account that gets a token; else why the first gets none."""
    problem = None
    for account in listed.described:
        client = clients.of(account)
        try:
            client.check_token()
        except ClockError:
            raise
        except WeixinError as error:
            problem = problem or error.problem(account)
        else:
            return client, None
    return None, problem


class _Quotas:
    """Asks WeChat for the quotas of a run's accounts; not any more once that is in vain."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._outages = Outages()
        self._unsaid: list[str] = []
        """Why it does not say some."""

    def ask(self, client: WeixinClient | None) -> SaidQuota | None:
        """The quota of an account that has a token, if WeChat says it."""
        if client is None or self._outages.are_enough:
            return None
        try:
            with self._outages.counted():
                return client.quota(self._dataset)
        except WeixinError as error:
            errcode = "" if error.errcode is None else f" (errcode {error.errcode})"
            self._unsaid.append(f"{error.account}: {error.happened}{errcode}")
            return None

    def log(self) -> None:
        """One line, if there is something to say: there may be thousands of accounts."""
        if self._outages.are_enough:
            log.info("WeChat was not asked for further quotas: our calls are counted")
        if self._unsaid:
            log.info(
                "WeChat does not say the quota of %s accounts, so our calls are counted: %s",
                len(self._unsaid),
                "; ".join(self._unsaid[:_REASONS_IN_LOG]),
            )


def _log_tokens(accounts: Sequence[ConfiguredAccount]) -> None:
    """A line per account without a token, and one for all others: there may be thousands."""
    refused = [account for account in accounts if account.problem]
    fine = [account for account in accounts if not account.problem]
    for problem in dict.fromkeys(account.problem for account in accounts if account.problem):
        log_problem(log, problem)
    if fine:
        log.info("a token is there for %s", few_names([_with_source(account) for account in fine]))
    some = [connection_of(account.conn_id) for account in [*refused, *fine][:_NAMES_IN_LOG]]
    for conn_id in dict.fromkeys(some):  # each costs a call of Airflow's API
        if warning := ignored_connection(conn_id):
            log.warning("%s", warning)


def _with_source(account: ConfiguredAccount) -> str:
    """The account, and where its connection is if Airflow's UI does not show it."""
    variable = variable_of(connection_of(account.conn_id))
    source = f", from the environment variable {variable}" if variable else ""
    return f"{account.name} ({account.appid}{source})"
