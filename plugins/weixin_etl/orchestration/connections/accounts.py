"""The accounts to collect: from the Airflow Variable and its connections to clients."""

import logging
from collections.abc import Collection, Sequence
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
from weixin_etl.api.threads import thread_pool
from weixin_etl.model import (
    Account,
    ConfiguredAccount,
    PlannedAccount,
    Run,
    connection_of,
)
from weixin_etl.orchestration.connections.hook import WeixinHook, ticket
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.orchestration.settings import TaskSettings
from weixin_etl.problem import Problem, ProblemKind, WeixinError, log_problem
from weixin_etl.text import few_names
from weixin_etl.warehouse import require_migrated

log = logging.getLogger(__name__)

_IF_UNSET = '["weixin_default"]'


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What `refresh_access_tokens` found."""

    accounts: list[ConfiguredAccount]
    withdrawn: list[Problem]
    """Accounts that are no longer asked, since they withdrew their authorisation of a platform."""
    errors: list[WeixinError]
    """Why platforms that the run collects may have further accounts."""


def refresh_access_tokens(run: Run, settings: TaskSettings) -> Refreshed:
    """
    Ask for the token of each account of the run, a few at once.

    A platform's accounts are those that authorise it now, by WeChat's list.

    Of several connections of one account, the first that gets a token is used. A refused account is
    reported, not raised: the others go on, and its days will fail one by one.

    Raises:
        ParameterError: the run is limited to accounts that are not configured, or have withdrawn.
        WeixinError: of the kind CLOCK: nothing may be asked.
    """
    concurrency = settings.pipeline.concurrency
    clients = Clients(settings)
    listed = discover(clients, concurrency, run.accounts)
    wanted: list[ListedAccount] = []
    others: list[ListedAccount] = []
    for it in listed.accounts:
        (wanted if listed.is_wanted(it, run.accounts) else others).append(it)
    accounts = [
        *_asked(wanted, clients, concurrency),
        *(it.configured(is_wanted=False) for it in others),
    ]
    _log_tokens([account for account in accounts if account.is_wanted])
    collected = {account.appid for account in accounts}  # maybe by a connection of its own
    withdrawn = [it for it in listed.withdrawn.values() if it and it.appid not in collected]
    for problem in withdrawn:
        log_problem(log, problem)
    errors = [it.error for it in wanted if it.error and it.may_have_more]
    return Refreshed(accounts, withdrawn, errors)


def discover(clients: "Clients", concurrency: int, wanted: Collection[str]) -> Listed:
    """
    What the list of accounts stands for now; of a platform, those that authorise it.

    Raises:
        ParameterError: one that is `wanted` is not among them; or the list can't be used.
        WeixinError: of the kind CLOCK.
    """
    listed = AccountList.read(Variable.get(ACCOUNTS_VARIABLE, default=_IF_UNSET))
    conn_ids = dict.fromkeys(map(connection_of, listed.entries))
    found = {conn_id: _described(clients, conn_id, concurrency) for conn_id in conn_ids}
    accounts = accounts_of(listed, found, "have one authorised: the next run finds it")
    for it in accounts.accounts:
        for conn_id in it.conn_ids[1:]:
            log.warning("%s is the same account as %s", conn_id, it.conn_ids[0])
    accounts.require(wanted)
    return accounts


def _described(
    clients: "Clients", conn_id: str, concurrency: int
) -> Account | Discovery | WeixinError:
    """The account of a connection; of a platform its accounts; or why it can't be used."""
    try:
        account = WeixinHook(conn_id).account()
    except WeixinError as error:
        return error
    if not account.is_platform:
        return account
    try:
        return clients.platform(account).discover(concurrency)
    except WeixinError as error:
        if error.kind is ProblemKind.CLOCK:
            raise
        return Discovery(problem=error)


def _asked(
    wanted: Sequence[ListedAccount], clients: "Clients", concurrency: int
) -> list[ConfiguredAccount]:
    """The accounts, each with what it was answered when it was asked for its token."""
    with thread_pool(concurrency) as pool:
        asked = list(pool.map(partial(_first_with_token, clients), wanted))
    return [
        listed.configured(chosen=client.account if client else None, problem=problem)
        for listed, (client, problem) in zip(wanted, asked, strict=True)
    ]


class Clients:
    """
    The clients of accounts, for one task; may be used by several threads at once.

    A platform's connection is looked up once, not once for each of its accounts.
    """

    def __init__(self, settings: TaskSettings) -> None:
        self._limits = settings.call_limits
        self._platforms: dict[str, Platform] = {}
        self._opening = Lock()

    def platform(self, account: Account) -> Platform:
        """
        The platform that a connection describes, with its tokens in the warehouse.

        Raises:
            WeixinError: it is none, or Airflow has no key to encrypt its tokens with.
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
            platform = self._platforms.get(conn_id) or self.platform(WeixinHook(conn_id).account())
        return platform.client(planned.appid, planned.name)

    def of(self, account: Account) -> WeixinClient:
        """The client of an account that has been looked up."""
        if platform := self._platforms.get(connection_of(account.conn_id)):
            return platform.client(account.appid, account.name)
        return WeixinClient(account, self._limits)


def _cipher(account: Account) -> Cipher:
    """The keys of Airflow's `[core] fernet_key`, newest first."""
    keys = [key.strip() for key in conf.get("core", "fernet_key", fallback="").split(",")]
    try:
        return Cipher([key for key in keys if key])
    except ValueError:
        raise WeixinError(
            ProblemKind.CONFIGURATION,
            account=str(account),
            cause="Airflow has no Fernet key, so its tokens can't be encrypted",
            cure="set [core] fernet_key, the same on every machine",
        ) from None


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
            problem = problem or error.problem(account)
        else:
            return client, None
    return None, problem


def _log_tokens(accounts: Sequence[ConfiguredAccount]) -> None:
    """A line per account without a token, and one for all others: there may be thousands."""
    fine = [account for account in accounts if not account.problem]
    for problem in dict.fromkeys(account.problem for account in accounts if account.problem):
        log_problem(log, problem)
    if fine:
        log.info("a token is there for %s", few_names([f"{it.name} ({it.appid})" for it in fine]))
