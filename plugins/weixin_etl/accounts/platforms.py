"""
A third-party platform: which accounts have authorised it, and their tokens.

WeChat gives each token once, to whoever renews it, and may give a new refresh token with it. So
they are kept in `weixin.platform_token`, encrypted, for all workers: a token is renewed by the one
that holds its row's lock, and the refresh token that came with it is committed before the token is
used. A refresh token that a killed process has lost is asked for: WeChat says which is in force.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from weixin_etl import clock
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.component import AccountInfo, Authorization, Component, Page, Renewed
from weixin_etl.api.errors import (
    ClockError,
    ConfigurationError,
    NotAuthorisedError,
    PlatformError,
    TokenRefusedError,
    UnreachableError,
    WeixinError,
    WithdrawnError,
)
from weixin_etl.api.http import CallLimits
from weixin_etl.api.outages import Outages
from weixin_etl.api.token import RENEW_BEFORE_SECONDS, Token
from weixin_etl.model import Account, accounts_are, few_names
from weixin_etl.problem import Problem
from weixin_etl.threads import thread_pool
from weixin_etl.warehouse import diagnose, statement

log = logging.getLogger(__name__)

INVALID_REFRESH_TOKEN = 61023
WITHDRAWN_IS_SAID = timedelta(days=30)
"""How long people are shown that an account has withdrawn its authorisation."""
_DESCRIBED_AT_ONCE = 500
"""Accounts whose names are kept together: a task that is ended has lost no more."""
_LISTINGS = 3
"""How often the list is read: accounts come and go between its pages, and may hide others."""
_ASK_AGAIN_SECONDS = 60
"""So long a list, or a refusal of the platform's token, stands for all: a batch has hundreds."""
_LOCK_LIMITS = """
SET LOCAL lock_timeout = '{seconds}s';
SET LOCAL idle_in_transaction_session_timeout = '{seconds}s';
"""
"""A worker that is gone, with its machine, holds a lock no longer than this."""
_MOMENT_SECONDS = 10
"""So long a list stands that has an account of which WeChat says otherwise."""
_CALLS_UNDER_LOCK = 3
_ONE_KEY = (
    "it is renewed; if this is said again, [core] fernet_key differs between machines, or somebody "
    "copies tokens between the rows of weixin.platform_token: find out who may write there"
)
T = TypeVar("T")


class _Sealed(msgspec.Struct):
    """What is encrypted: the token, with the row that it belongs to."""

    component_appid: str
    appid: str
    token: str


class Cipher:
    """
    What tokens are encrypted with: the first of the keys; all of them open what there is.

    A token is encrypted for one row of `weixin.platform_token`, by the AppIDs of its platform and
    its account, and opens in no other.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """
        Use these keys, newest first.

        Raises:
            ValueError: one is no Fernet key, or there is none.

        """
        fernets = [Fernet(key) for key in keys]
        self._all = MultiFernet(fernets)
        self._newest = fernets[0]

    def encrypt(self, token: str, component_appid: str, appid: str) -> str:
        """What may be stored in the row."""
        sealed = msgspec.json.encode(_Sealed(component_appid, appid, token))
        return self._newest.encrypt(sealed).decode()

    def decrypt(self, stored: str | None, component_appid: str, appid: str) -> str | None:
        """The row's token; None when it has none, no key opens it, or it is of another row."""
        return _opened(self._all, stored, component_appid, appid)

    def is_of_newest_key(self, stored: str, component_appid: str, appid: str) -> bool:
        """Whether the newest key opens it as the row's."""
        return _opened(self._newest, stored, component_appid, appid) is not None


def _opened(
    fernet: Fernet | MultiFernet, stored: str | None, component_appid: str, appid: str
) -> str | None:
    try:
        opened = msgspec.json.decode(fernet.decrypt(stored or ""), type=_Sealed)
    except (InvalidToken, ValueError):  # msgspec's are among these
        return None
    is_of_row = (opened.component_appid, opened.appid) == (component_appid, appid)
    return opened.token if is_of_row else None


@dataclass(frozen=True, slots=True)
class Discovery:
    """The accounts of a platform."""

    accounts: list[Account]
    """Those that authorise it; none while it has no token, since none can be asked."""
    withdrawn: dict[str, Problem | None]
    """Those that no longer do, by AppID; None once that is no news any more."""
    others: frozenset[str]
    """What authorises it but is no Official Account, by AppID: it has no articles."""
    problem: WeixinError | None = None
    """Why there may be others: then those that are known from before are among these."""


@dataclass(frozen=True, slots=True)
class _StoredAccount:
    """An account that has once authorised the platform."""

    appid: str
    name: str
    refresh_token: str | None = field(repr=False)
    """Encrypted."""
    authorized_at: datetime
    withdrawn_at: datetime | None
    is_official_account: bool | None
    """None while WeChat has not said."""


class Platform:
    """A platform's accounts and their tokens; may be used by several threads at once."""

    def __init__(
        self,
        account: Account,
        warehouse: Engine,
        cipher: Cipher,
        ticket: Callable[[], str],
        limits: CallLimits,
    ) -> None:
        """
        Make no call yet.

        Args:
            account: the platform itself, as its connection describes it.
            warehouse: where the tokens are kept.
            cipher: what they are encrypted with.
            ticket: gives the newest `component_verify_ticket`; raises `WeixinError` where there is
                none.
            limits: how patient it is.

        """
        self.account = account
        self._warehouse = warehouse
        self._cipher = cipher
        self._ticket = ticket
        self._limits = limits
        self._component = Component(account, limits)
        a_call = 2 * limits.total_seconds + limits.minute_quota_wait_seconds
        self._lock_limits = _LOCK_LIMITS.format(seconds=int(_CALLS_UNDER_LOCK * a_call) + 60)
        self._asking = threading.Lock()
        self._has_warned = False
        self._refused: tuple[WeixinError, float] | None = None
        """Why the platform got no token, and until when it is not asked for again."""
        self._outages = Outages()
        """Of renewals of accounts' tokens."""
        self._listing = threading.Lock()
        self._listed_lately: tuple[set[str] | None, float] | None = None
        """What WeChat's list has, None where it could not be read; and when it was read."""

    # ------------------------------------------------------------------------------- accounts

    def client(self, appid: str, name: str) -> WeixinClient:
        """The client of an account that has authorised the platform."""
        account = self._authorizer(appid, name)
        return WeixinClient(account, self._limits, lambda refused: self.token(account, refused))

    def known(self, problem: WeixinError | None = None) -> Discovery:
        """The accounts as far as they are known without asking WeChat."""
        said_since = clock.now() - WITHDRAWN_IS_SAID
        accounts: list[Account] = []
        withdrawn: dict[str, Problem | None] = {}
        with self._warehouse_trouble(self.account):
            known = self._stored_accounts()
        for it in known:
            if it.is_official_account is False:
                continue
            account = self._authorizer(it.appid, it.name)
            if it.withdrawn_at is None:
                accounts.append(account)
            else:
                is_news = it.withdrawn_at > said_since
                withdrawn[it.appid] = WithdrawnError().problem(account) if is_news else None
        others = frozenset(it.appid for it in known if it.is_official_account is False)
        return Discovery(accounts, withdrawn, others, problem)

    def discover(self, concurrency: int) -> Discovery:
        """
        Read the list of accounts from WeChat, and keep what is new.

        An account that the list lacks is withdrawn only if WeChat says that of the account itself,
        too. What new accounts are and are called is asked for, `concurrency` at once.

        Raises:
            ClockError: this machine's clock and WeChat's disagree.
            WarehouseError: the warehouse is in trouble.

        """
        with self._warehouse_trouble(self.account):
            try:
                listed, total = self._with_component_token(self._component_token(), self._listed)
            except ClockError:
                raise
            except WeixinError as error:
                found = self.known(error)
                return replace(found, accounts=[]) if self._refused else found
            self._keep(listed)
            with thread_pool(concurrency) as pool:
                self._withdraw_missing(pool, {it.appid for it in listed})
                self._describe(pool)
            is_whole = len(listed) == total
            found = self.known(None if is_whole else self._incomplete(len(listed), total))
        if found.others:
            log.info(
                "%s: %s are no Official Accounts, and are not asked for articles",
                self.account,
                few_names(sorted(found.others)),
            )
        return found

    def _incomplete(self, found: int, total: int) -> WeixinError:
        return UnreachableError(
            f"it has {found} of {total} accounts",
            account=str(self.account),
            cause="WeChat's list of its accounts is not whole",
            cure="clear refresh_access_token, which reads it again",
        )

    def _authorizer(self, appid: str, name: str) -> Account:
        return replace(
            self.account,
            conn_id=f"{self.account.conn_id}/{appid}",
            appid=appid,
            secret="",
            name=name or appid,
            is_platform=False,
        )

    def _stored_accounts(self) -> list[_StoredAccount]:
        keys = {"component_appid": self.account.appid}
        with self._warehouse.connect() as connection:
            rows = connection.execute(statement("platform_token/of_platform.sql"), keys).all()
        return [
            _StoredAccount(
                it.appid,
                it.name or "",
                it.refresh_token,
                it.authorized_at,
                it.withdrawn_at,
                it.is_official_account,
            )
            for it in rows
        ]

    def _listed(self, component_token: str) -> tuple[list[Authorization], int]:
        """
        The list, and how many accounts WeChat says it has.

        Read again when it changed meanwhile, since that may hide accounts.
        """
        for _ in range(_LISTINGS):
            pages = list(self._pages(component_token))
            found = {it.appid: it for page in pages for it in page.authorizations}
            if {page.total for page in pages} == {len(found)}:
                break
        return list(found.values()), pages[-1].total

    def _pages(self, component_token: str) -> Iterator[Page]:
        offset = 0
        seen: set[str] = set()
        while True:
            page = self._component.authorizations(component_token, offset)
            yield page
            appids = {it.appid for it in page.authorizations}
            offset += page.entries
            if appids <= seen or offset >= page.total:  # without news, it would have no end
                return
            seen |= appids

    def _keep(self, listed: Iterable[Authorization]) -> None:
        """Write down what is new in the list, and what is not encrypted with the newest key."""
        known = {it.appid: it for it in self._stored_accounts()}
        new: list[dict[str, Any]] = []
        again: list[dict[str, Any]] = []
        for it in listed:
            before = known.get(it.appid)
            if before is None or before.authorized_at < it.authorized_at or before.withdrawn_at:
                encrypted = self._cipher.encrypt(it.refresh_token, *self._row_of(it.appid))
                new.append(
                    {
                        "appid": it.appid,
                        "refresh_token": encrypted,
                        "authorized_at": it.authorized_at,
                    }
                )
            elif before.refresh_token and not self._cipher.is_of_newest_key(
                before.refresh_token, *self._row_of(it.appid)
            ):
                stored = self._cipher.decrypt(before.refresh_token, *self._row_of(it.appid))
                opened = stored or it.refresh_token
                again.append(
                    {
                        "appid": it.appid,
                        "encrypted_before": before.refresh_token,
                        "encrypted": self._cipher.encrypt(opened, *self._row_of(it.appid)),
                    }
                )
        keys = {"component_appid": self.account.appid}
        with self._writing_many() as connection:
            if new:
                connection.execute(
                    statement("platform_token/authorize.sql"),
                    {**keys, "authorizations": _json(new), "seen_at": clock.now()},
                )
            if again:
                connection.execute(
                    statement("platform_token/encrypt_again.sql"),
                    {**keys, "refresh_tokens": _json(again)},
                )
        if new:
            appids = few_names([it["appid"] for it in new])
            log.info("%s: %s accounts have authorised it: %s", self.account, len(new), appids)

    @contextmanager
    def _writing_many(self) -> Iterator[Connection]:
        """Write many accounts, one process after the other: so no two wait for each other."""
        with self._warehouse.begin() as connection:
            self._lock(connection, self.account)
            yield connection

    def _withdraw_missing(self, pool: ThreadPoolExecutor, listed: set[str]) -> None:
        """Write down which of the accounts that the list lacks have withdrawn."""
        missing = [it for it in self.known().accounts if it.appid not in listed]
        outages = Outages()
        answers = pool.map(lambda it: self._is_disowned(it, outages), missing)
        asked: list[str] = []
        for account, is_disowned in zip(missing, answers, strict=True):
            if is_disowned:
                self._withdraw(account)
            else:
                asked.append(str(account))
        if asked:
            log.warning(
                "%s asked, although the list of %s lacks them: %s",
                accounts_are(len(asked)),
                self.account,
                few_names(asked),
            )

    def _withdraw(self, account: Account) -> None:
        with self._warehouse.begin() as connection:
            connection.execute(
                statement("platform_token/withdraw.sql"),
                {**self._keys(account), "withdrawn_at": clock.now()},
            )

    def _is_disowned(self, account: Account, outages: Outages) -> bool:
        """Whether WeChat says of the account itself that it does not authorise the platform."""
        try:
            self._info(account, outages)
        except NotAuthorisedError:
            return True
        except ClockError:
            raise
        except WeixinError:
            return False
        return False

    def _describe(self, pool: ThreadPoolExecutor) -> None:
        """
        Ask what accounts are, and are called, of which that is not known yet.

        Without a name it is the AppID; what may be an Official Account is asked for figures.
        """
        stored = [it for it in self._stored_accounts() if it.withdrawn_at is None]
        unknown = [it for it in stored if not it.name or it.is_official_account is None]
        accounts = [self._authorizer(it.appid, it.name) for it in unknown]
        random.shuffle(accounts)  # else five that never answer would stand before the same others
        outages = Outages()
        untold: list[WeixinError] = []
        for first in range(0, len(accounts), _DESCRIBED_AT_ONCE):
            some = accounts[first : first + _DESCRIBED_AT_ONCE]
            answers = [*pool.map(lambda it: self._described(it, outages), some)]
            untold += [it for it in answers if isinstance(it, WeixinError)]
            said = [
                {
                    "appid": account.appid,
                    "name": it.name,
                    "is_official_account": it.is_official_account,
                }
                for account, it in zip(some, answers, strict=True)
                if isinstance(it, AccountInfo)
            ]
            if said:
                with self._writing_many() as connection:
                    connection.execute(
                        statement("platform_token/describe.sql"),
                        {"component_appid": self.account.appid, "accounts": _json(said)},
                    )
        if untold:
            log.info(
                "%s: what %s of its accounts are called is not known: %s",
                self.account,
                len(untold),
                untold[-1].happened,
            )

    def _described(self, account: Account, outages: Outages) -> AccountInfo | WeixinError:
        """What WeChat says of an account, or why it does not."""
        try:
            return self._info(account, outages)
        except ClockError:
            raise
        except WeixinError as error:
            return error

    def _info(self, account: Account, outages: Outages) -> AccountInfo:
        with outages.counted():
            return self._with_component_token(
                self._component_token(), lambda token: self._component.info(token, account)
            )

    # --------------------------------------------------------------------------------- tokens

    def token(self, account: Account, refused: str = "") -> Token:
        """
        The token of an account that all workers share; renewed when it ends soon or is `refused`.

        Raises:
            WithdrawnError: the account no longer authorises the platform.
            WeixinError: WeChat gives no token; says why.
            WarehouseError: the warehouse is in trouble.

        """
        with self._warehouse_trouble(account):
            if token := self._stored(account, refused):
                return token
            try:
                with self._outages.counted():
                    return self._with_component_token(
                        self._component_token(),
                        lambda component_token: self._shared(
                            account,
                            refused,
                            lambda row: self._refreshed(
                                account, self._opened(row.refresh_token, account), component_token
                            ),
                        ),
                    )
            except NotAuthorisedError as error:
                if self._may_be_listed(account):
                    raise
                self._withdraw(account)
                raise WithdrawnError(
                    error.detail, account=error.account, errcode=error.errcode, rid=error.rid
                ) from None

    def _may_be_listed(self, account: Account) -> bool:
        """Whether WeChat's list, as it was lately, has the account; or may have it."""
        with self._listing:  # the other threads wait for the same
            if self._is_list_old(account):
                self._listed_lately = self._listed_appids(), time.monotonic()
            appids, _ = self._listed_lately or (None, 0)
            return appids is None or account.appid in appids

    def _is_list_old(self, account: Account) -> bool:
        """One that has the account may be from before it withdrew, a moment ago."""
        if self._listed_lately is None:
            return True
        appids, read_at = self._listed_lately
        has_it = appids is not None and account.appid in appids
        return time.monotonic() - read_at > (_MOMENT_SECONDS if has_it else _ASK_AGAIN_SECONDS)

    def _listed_appids(self) -> set[str] | None:
        """The accounts of WeChat's list; None when it cannot be read, or is not whole."""
        try:
            listed, total = self._with_component_token(self._component_token(), self._listed)
        except WeixinError:
            return None
        return {it.appid for it in listed} if len(listed) == total else None

    @contextmanager
    def _warehouse_trouble(self, account: Account) -> Iterator[None]:
        """Say what is wrong with the warehouse; with one row, it is the account's trouble."""
        try:
            yield
        except DBAPIError as error:
            passing = diagnose(error, self._warehouse)
            if passing is None:
                raise
            if passing.is_of_one_statement:
                raise UnreachableError(
                    account=str(account), cause=passing.cause, cure=passing.cure
                ) from None
            raise passing from None

    def _refreshed(self, account: Account, stored: str | None, component_token: str) -> Renewed:
        """By the stored refresh token, else by the one that WeChat says is in force."""
        if stored:
            try:
                return self._component.renewed(component_token, account, stored)
            except ConfigurationError as error:
                if error.errcode != INVALID_REFRESH_TOKEN:
                    raise
                refusal = error
        in_force = self._component.info(component_token, account).refresh_token
        if in_force and in_force != stored:
            return self._component.renewed(component_token, account, in_force)
        if stored:
            raise refusal
        raise ConfigurationError(
            account=str(account),
            cause="its refresh token is lost",
            cure="have the account authorised again",
        )

    def _component_token(self, refused: str = "") -> str:
        """The platform's own token."""
        with self._asking:  # the other threads wait for the same
            if self._refused and time.monotonic() < self._refused[1]:
                raise self._refused[0].with_traceback(None)
            try:
                token = self._stored(self.account, refused) or self._new_component_token(refused)
            except WeixinError as error:
                of_platform = error if _may_pass(error) else _of_platform(error)
                self._refused = of_platform, time.monotonic() + _ASK_AGAIN_SECONDS
                raise of_platform from None
            return token.value

    def _new_component_token(self, refused: str) -> Token:
        with self._warehouse.begin() as connection:
            connection.execute(
                statement("platform_token/add_platform.sql"),
                {"component_appid": self.account.appid, "seen_at": clock.now()},
            )

        def renew(_: Row[Any]) -> Renewed:
            return Renewed(self._component.component_token(self._ticket()), "")

        return self._shared(self.account, refused, renew)

    def _with_component_token(self, token: str, call: Callable[[str], T]) -> T:
        """Make a call; once more with another token of the platform when WeChat refuses it."""
        try:
            return call(token)
        except TokenRefusedError:
            return call(self._component_token(refused=token))

    def _stored(self, account: Account, refused: str) -> Token | None:
        with self._warehouse.connect() as connection:
            return self._good(account, self._row(connection, account), refused)

    def _shared(
        self, account: Account, refused: str, renew: Callable[[Row[Any]], Renewed]
    ) -> Token:
        """The stored token if another worker has renewed it meanwhile, else the renewed one."""
        with self._warehouse.begin() as connection:
            connection.exec_driver_sql(self._lock_limits)
            self._lock(connection, account)
            row = self._row(connection, account)
            if row is None:
                raise ConfigurationError(
                    account=str(account),
                    cause=f"it has not authorised {self.account.name}",
                    cure="have it authorised; the next run finds it",
                )
            if token := self._good(account, row, refused):
                return token
            renewed = renew(row)
            self._save(connection, account, renewed)
        return renewed.token

    def _lock(self, connection: Connection, account: Account) -> None:
        connection.execute(statement("platform_token/lock.sql"), self._keys(account))

    def _row(self, connection: Connection, account: Account) -> Row[Any] | None:
        read = statement("platform_token/read.sql")
        return connection.execute(read, self._keys(account)).one_or_none()

    def _save(self, connection: Connection, account: Account, renewed: Renewed) -> None:
        row = self._row_of(account.appid)
        refresh_token = renewed.refresh_token and self._cipher.encrypt(renewed.refresh_token, *row)
        connection.execute(
            statement("platform_token/renew.sql"),
            {
                **self._keys(account),
                "access_token": self._cipher.encrypt(renewed.token.value, *row),
                "refresh_token": refresh_token or None,
                "expires_in": renewed.token.expires_in_seconds,
            },
        )

    def _good(self, account: Account, row: Row[Any] | None, refused: str) -> Token | None:
        """The row's token, if it can be opened, is not the refused one, and does not end soon."""
        value = self._opened(row.access_token, account) if row else None
        if row is None or not value or value == refused:
            return None
        left = float(row.seconds_left)
        return Token(value, left) if left > RENEW_BEFORE_SECONDS else None

    def _opened(self, stored: str | None, account: Account) -> str | None:
        """A token of the account's row; None when there is none, or it can't be opened as such."""
        value = self._cipher.decrypt(stored, *self._row_of(account.appid))
        if stored and not value and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s: a token is encrypted with another key, or for another account: %s",
                account,
                _ONE_KEY,
            )
        return value

    def _row_of(self, appid: str) -> tuple[str, str]:
        """What tells the account's row from all others."""
        return self.account.appid, appid

    def _keys(self, account: Account) -> dict[str, str]:
        return {"component_appid": self.account.appid, "appid": account.appid}


def _may_pass(error: WeixinError) -> bool:
    return error.is_retryable or isinstance(error, ClockError)


def _of_platform(error: WeixinError) -> PlatformError:
    """The same trouble, said of the platform whoever of its accounts meets it."""
    return PlatformError(
        error.detail,
        account=error.account,
        errcode=error.errcode,
        rid=error.rid,
        cause=error.cause,
        cure=error.cure,
    )


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
