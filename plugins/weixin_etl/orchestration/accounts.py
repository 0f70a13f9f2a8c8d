"""The accounts to collect: from the Airflow Variable and its connections to clients."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

import msgspec
from airflow.sdk import Variable
from sqlalchemy import Engine

from weixin_etl.accounts.platforms import Discovery, Platform
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ClockError, ConfigurationError, WeixinError
from weixin_etl.api.http import CallLimits
from weixin_etl.api.outages import Outages
from weixin_etl.datasets import Dataset
from weixin_etl.model import (
    Account,
    ConfiguredAccount,
    ParameterError,
    PlannedAccount,
    Run,
    SaidQuota,
    connection_of,
    few_names,
)
from weixin_etl.orchestration.connections import ignored_connection, nearest_first, variable_of
from weixin_etl.orchestration.hook import WeixinHook
from weixin_etl.orchestration.platforms import open_platform
from weixin_etl.orchestration.settings import Settings
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.problem import Problem, log_problem
from weixin_etl.threads import thread_pool

log = logging.getLogger(__name__)

ACCOUNTS_VARIABLE = "weixin_accounts"
_LEAVES_OUT = "-"
_NAMES_IN_LOG = 20
_REASONS_IN_LOG = 3


@dataclass(slots=True)
class _Entry:
    """An account with every connection that describes it, or a connection that can't be used."""

    conn_ids: list[str]
    clients: list[WeixinClient] = field(default_factory=list)
    problem: Problem | None = None
    """Why it can't be used, or why its first client gets no token."""
    is_wanted: bool = True
    is_withdrawn: bool = False
    """Whether it no longer authorises the platform it is listed with; its problem, while news."""
    trouble: WeixinError | None = None
    """Of a platform: why it may have other accounts than those that are known."""
    supposed: frozenset[str] = frozenset()
    """Of such a platform: what the form calls accounts that may be its."""
    tried: int = 0
    """How many of its clients have asked for a token."""
    chosen: WeixinClient | None = None
    """The client that got one."""
    quota: SaidQuota | None = None

    @property
    def names(self) -> set[str]:
        """What the form may call it: a platform's connection means all its accounts."""
        appids = (client.account.appid for client in self.clients)
        of_platforms = (it.removeprefix(f"{connection_of(it)}/") for it in self.conn_ids)
        connections = map(connection_of, self.conn_ids)
        return {*self.conn_ids, *connections, *of_platforms, *appids, *self.supposed}

    def __str__(self) -> str:
        """What people call it, and what the form may call it."""
        ids = [*self.conn_ids, *sorted({client.account.appid for client in self.clients})]
        name = self.clients[0].account.name if self.clients else ids[0]
        others = ", ".join(it for it in ids if it != name)
        return f"{name} ({others})" if others else name


@dataclass(frozen=True, slots=True)
class _Configured:
    """The Airflow Variable `weixin_accounts`, taken apart."""

    conn_ids: list[str]
    """Connections, and accounts of platforms."""
    left_out: frozenset[str]
    """Accounts of platforms that are not collected: its entries that begin with a minus."""


def configured_accounts() -> _Configured:
    """
    What to collect: Airflow Variable `weixin_accounts`, a JSON list of connection ids.

    Raises:
        ParameterError: it is no such list.

    """
    text = Variable.get(ACCOUNTS_VARIABLE, default='["weixin_default"]')
    try:
        entries: list[str] | None = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        entries = None
    left_out = frozenset(
        it.removeprefix(_LEAVES_OUT) for it in entries or () if it.startswith(_LEAVES_OUT)
    )
    if wrong := [it for it in left_out if connection_of(it) == it]:
        raise ParameterError(
            f"the Airflow Variable {ACCOUNTS_VARIABLE}: {_LEAVES_OUT}{min(wrong)} is no account of "
            f"a platform; write {_LEAVES_OUT}<connection id>/<appid>, or leave it away"
        )
    conn_ids = [
        it
        for it in dict.fromkeys(entries or ())
        if not it.startswith(_LEAVES_OUT) and it not in left_out
    ]
    if not conn_ids:
        said = "is not a JSON list of connection ids" if entries is None else "names no account"
        raise ParameterError(
            f"the Airflow Variable {ACCOUNTS_VARIABLE} {said}; "
            f"write it like {json.dumps(['weixin_default'])}"
        )
    return _Configured(conn_ids, left_out)


def described_accounts(run: Run, settings: Settings) -> list[ConfiguredAccount]:
    """
    Every configured account as its connection describes it; no token is requested.

    Raises:
        ParameterError: the run is limited to accounts that are not configured.

    """
    if_none = "trigger a run: it reads WeChat's list of those that do"
    configured = configured_accounts()
    lookup = _Lookup(settings, configured.left_out, Platform.known, if_none)
    entries = list(_entries(configured.conn_ids, lookup))
    _require_known(run, entries)
    return [_described(_limited(entry, run)) for entry in entries if not entry.is_withdrawn]


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
    Ask for the token of each account of the run, a few at once, while others are looked up.

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
    if_none = "have one authorised: the next run finds it"
    configured = configured_accounts()
    lookup = _Lookup(
        settings, configured.left_out, lambda platform: platform.discover(concurrency), if_none
    )
    found: Iterable[_Entry] = _entries(configured.conn_ids, lookup)
    if run.accounts:
        found = list(found)  # nobody is asked before all that is wanted is known
        _require_known(run, found)
        _require_authorised(run, found)
    quotas = _Quotas(run.dataset)
    with thread_pool(concurrency) as meanwhile, thread_pool(concurrency) as pool:

        def ask(entry: _Entry) -> _Entry:
            had_one = entry.chosen
            if _ask(entry).chosen and not had_one:
                asking.append(meanwhile.submit(quotas.ask, entry))
            return entry

        asking: list[Future[None]] = []
        # the entries are found in this thread, and each is asked for as soon as it is found
        asked = list(pool.map(ask, (_limited(entry, run) for entry in found)))
        list(pool.map(ask, asked))  # again, now that all connections of each are known
    for future in asking:
        future.result()
    quotas.log()
    accounts = [_described(entry) for entry in asked if not entry.is_withdrawn]
    _log_tokens([account for account in accounts if account.is_wanted])
    collected = {account.appid for account in accounts}
    gone = [entry.problem for entry in asked if entry.is_withdrawn and entry.problem]
    withdrawn = [it for it in gone if it.appid not in collected]  # by a connection of its own
    for problem in withdrawn:
        log_problem(log, problem)
    trouble = [entry.trouble for entry in asked if entry.is_wanted and entry.trouble]
    return Refreshed(accounts, withdrawn, trouble)


class Clients:
    """
    The clients of planned accounts, for one task; may be used by several threads at once.

    A platform's connection is looked up once, not once for each of its accounts.
    """

    def __init__(self, settings: Settings, warehouse: Engine) -> None:
        self._limits = settings.call_limits
        self._warehouse = warehouse
        self._platforms: dict[str, Platform] = {}
        self._opening = Lock()

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
            platform = self._platforms.get(conn_id)
            if platform is None:
                account = _platform_account(conn_id, self._limits)
                platform = open_platform(account, self._limits, self._warehouse)
                self._platforms[conn_id] = platform
        return platform.client(planned.appid, planned.name)


def _platform_account(conn_id: str, limits: CallLimits) -> Account:
    account = WeixinHook(conn_id, limits).account()
    if not account.is_platform:
        raise ConfigurationError(
            account=conn_id,
            cause="it is no third-party platform, so it has no accounts",
            cure=f"set mode to platform in the extra of {account.connection}, or correct "
            f"{ACCOUNTS_VARIABLE}",
        )
    return account


@dataclass(frozen=True, slots=True)
class _OfEntry:
    """What an entry of the list of accounts stands for."""

    accounts: list[WeixinClient]
    withdrawn: Mapping[str, Problem | None] = field(default_factory=dict)
    """Accounts that have withdrawn their authorisation of a platform: see `platforms.Discovery`."""
    others: frozenset[str] = frozenset()
    """What authorises a platform but is no Official Account, by AppID."""
    left_out: frozenset[str] = frozenset()
    """Accounts that authorise a platform and are not collected, by AppID."""
    problem: WeixinError | None = None
    """Of a platform: why there may be more."""

    @property
    def is_known(self) -> bool:
        """Whether it stands for anything, or may do so."""
        return bool(self.accounts or self.withdrawn or self.problem)


class _Lookup:
    """
    Looks up what entries of the list stand for; a platform once, however many entries name it.

    Args:
        settings: how patiently.
        left_out: accounts of platforms that are not collected.
        discover: gives the accounts of a platform.
        if_none: what to do about a platform without any.

    """

    def __init__(
        self,
        settings: Settings,
        left_out: Collection[str],
        discover: Callable[[Platform], Discovery],
        if_none: str,
    ) -> None:
        self._limits = settings.call_limits
        self._left_out = left_out
        self._discover = discover
        self._if_none = if_none
        self._platforms: dict[str, _OfEntry] = {}

    def look_up(self, entry: str) -> _OfEntry:
        """
        The accounts of an entry: a connection's id, or a platform's with an AppID.

        Raises:
            WeixinError: it stands for no account that can be asked.

        """
        conn_id = connection_of(entry)
        if conn_id == entry:
            account = WeixinHook(entry, self._limits).account()
            if not account.is_platform:
                return _OfEntry([WeixinClient(account, self._limits)])
            of_platform = self._of_platform(entry)
            if of_platform.is_known:
                return of_platform
            if of_platform.left_out:
                raise ConfigurationError(
                    account=entry,
                    cause="all of its accounts are left out",
                    cure=f"leave fewer out in {ACCOUNTS_VARIABLE}",
                )
            raise ConfigurationError(
                account=entry,
                cause="no Official Account is known to authorise this platform",
                cure=self._if_none,
            )
        of_platform = self._of_platform(conn_id)
        appid = entry.removeprefix(f"{conn_id}/")
        if appid in of_platform.others:
            raise ConfigurationError(
                account=entry,
                cause="it is no Official Account",
                cure=f"take it out of {ACCOUNTS_VARIABLE}",
            )
        accounts = [it for it in of_platform.accounts if it.account.appid == appid]
        withdrawn = {it: of_platform.withdrawn[it] for it in of_platform.withdrawn if it == appid}
        found = _OfEntry(accounts, withdrawn, problem=of_platform.problem)
        if not found.is_known:
            raise ConfigurationError(
                account=entry,
                cause=f"it does not authorise {conn_id}",
                cure=f"have it authorised, or take it out of {ACCOUNTS_VARIABLE}",
            )
        return found

    def _of_platform(self, conn_id: str) -> _OfEntry:
        if conn_id not in self._platforms:
            try:
                self._platforms[conn_id] = self._discovered(conn_id)
            except ClockError:
                raise
            except WeixinError as error:
                self._platforms[conn_id] = _OfEntry([], problem=error)
        return self._platforms[conn_id]

    def _discovered(self, conn_id: str) -> _OfEntry:
        account = _platform_account(conn_id, self._limits)
        platform = open_platform(account, self._limits, open_warehouse())
        found = self._discover(platform)
        left_out = {it.rpartition("/")[2] for it in self._left_out if connection_of(it) == conn_id}
        appids = {it.appid for it in found.accounts}
        return _OfEntry(
            [
                platform.client(it.appid, it.name)
                for it in found.accounts
                if it.appid not in left_out
            ],
            {it: found.withdrawn[it] for it in found.withdrawn if it not in left_out},
            found.others,
            frozenset(appids & left_out),
            found.problem,
        )


def _entries(conn_ids: Sequence[str], lookup: _Lookup) -> Iterator[_Entry]:
    """
    An entry per account as it is found; later connections of its AppID are added to it.

    And one per platform whose accounts are not all known, however many of them are listed.
    """
    by_appid: dict[str, _Entry] = {}
    in_trouble: set[str] = set()
    withdrawn: set[tuple[str, str]] = set()
    for conn_id in conn_ids:
        try:
            found = lookup.look_up(conn_id)
        except ClockError:
            raise
        except WeixinError as error:
            yield _Entry([conn_id], problem=error.of_connection(conn_id))
            continue
        platform = connection_of(conn_id)
        if found.problem and platform not in in_trouble:
            in_trouble.add(platform)
            trouble = found.problem.of_connection(platform)
            yield _Entry([platform], problem=trouble, trouble=found.problem)
        for appid, problem in found.withdrawn.items():
            if (platform, appid) not in withdrawn:
                withdrawn.add((platform, appid))
                yield _Entry([f"{platform}/{appid}"], problem=problem, is_withdrawn=True)
        for client in found.accounts:
            account = client.account
            twin = by_appid.get(account.appid)
            if twin is None:
                by_appid[account.appid] = entry = _Entry([account.conn_id], [client])
                yield entry
            elif account.conn_id not in twin.conn_ids:
                log.warning("%s is the same account as %s", account.conn_id, twin.conn_ids[0])
                twin.conn_ids.append(account.conn_id)
                twin.clients.append(client)


def _require_known(run: Run, entries: Sequence[_Entry]) -> None:
    """Make sure that every account the run is limited to is configured, as far as is known."""
    unknown = set(run.accounts).difference(*(entry.names for entry in entries))
    for entry in entries:
        if entry.trouble:
            entry.supposed = frozenset(
                it for it in unknown if it.startswith("wx") or connection_of(it) in entry.conn_ids
            )
    unknown = unknown.difference(*(entry.supposed for entry in entries))
    if not unknown:
        return
    first = min(unknown)
    names = {str(it): [*it.names, *(c.account.name for c in it.clients)] for it in entries}
    raise ParameterError(
        f"accounts: {ACCOUNTS_VARIABLE} has no connection id or appid {first}; there are "
        f"{', '.join(nearest_first(first, names))}"
    )


def _require_authorised(run: Run, entries: Sequence[_Entry]) -> None:
    """Make sure that no account the run is limited to by its own name has withdrawn."""
    collected = set().union(*(entry.names for entry in entries if not entry.is_withdrawn))
    for entry in entries:
        own = entry.names - {connection_of(it) for it in entry.conn_ids}
        if entry.is_withdrawn and (named := own.intersection(run.accounts) - collected):
            raise ParameterError(
                f"accounts: {min(named)} no longer authorises {connection_of(entry.conn_ids[0])}; "
                "have it authorised again, or leave it out"
            )


def _limited(entry: _Entry, run: Run) -> _Entry:
    """The entry, marked whether the run collects it: all are when it is limited to none."""
    entry.is_wanted = not run.accounts or not entry.names.isdisjoint(run.accounts)
    return entry


def _described(entry: _Entry) -> ConfiguredAccount:
    conn_id, appid, name = entry.conn_ids[0], None, entry.conn_ids[0]
    if entry.clients:
        account = (entry.chosen or entry.clients[0]).account
        conn_id, appid, name = account.conn_id, account.appid, account.name
    return ConfiguredAccount(conn_id, appid, name, entry.is_wanted, entry.problem, entry.quota)


def _ask(entry: _Entry) -> _Entry:
    """Ask for a token with the clients not yet tried, until one gets it."""
    while entry.is_wanted and not entry.chosen and entry.tried < len(entry.clients):
        client = entry.clients[entry.tried]
        entry.tried += 1
        try:
            client.check_token()
        except ClockError:
            raise
        except WeixinError as error:
            entry.problem = entry.problem or error.problem(client.account)
        else:
            entry.chosen, entry.problem = client, None
            break
    return entry


class _Quotas:
    """Asks WeChat for the quotas of a run's accounts; not any more once that is in vain."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._outages = Outages()
        self._unsaid: list[str] = []
        """Why it does not say some."""

    def ask(self, entry: _Entry) -> None:
        """Ask for the quota of an account that has a token."""
        if entry.chosen is None or self._outages.are_enough:
            return
        try:
            with self._outages.counted():
                entry.quota = entry.chosen.quota(self._dataset)
        except WeixinError as error:
            errcode = "" if error.errcode is None else f" (errcode {error.errcode})"
            self._unsaid.append(f"{error.account}: {error.happened}{errcode}")

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
