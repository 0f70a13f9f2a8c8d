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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.accounts.tokens import Cipher, StoredAccount, StoredTokens
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.component import AccountInfo, Authorization, Component, Page, Renewed
from weixin_etl.api.http import CallLimits
from weixin_etl.api.outages import Outages
from weixin_etl.api.threads import thread_pool
from weixin_etl.api.token import Token
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind, WarehouseError, WeixinError
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import diagnosed

log = logging.getLogger(__name__)

INVALID_REFRESH_TOKEN = 61023
WITHDRAWN_IS_SAID = timedelta(days=30)
"""How long people are shown that an account has withdrawn its authorisation."""
_ASKED_ABOUT_AT_ONCE = 500
"""Accounts of which WeChat's answers are kept together: a task that is ended loses no more."""
_LISTINGS = 3
"""How often the list is read: accounts come and go between its pages, and may hide others."""
_REFUSAL_STANDS_SECONDS = 60
"""How long a refusal of the platform's token stands for all accounts: a batch has hundreds."""
_LIST_STANDS_SECONDS = 10
"""How long the list stands, once it was read, for all accounts that may have withdrawn."""
_CALLS_UNDER_LOCK = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Discovery:
    """The accounts of a platform."""

    accounts: Sequence[Account] = ()
    """Accounts that authorise it; none while it has no token, since none can be asked."""
    withdrawn: Mapping[str, Problem | None] = field(default_factory=dict)
    """Accounts that no longer do, by AppID; None once that is no news any more."""
    others: frozenset[str] = frozenset()
    """What authorises it but is no Official Account, by AppID: it has no articles."""
    problem: WeixinError | None = None
    """Why there may be others: then those that are known from before are among these."""


def _discovery(
    platform: Account, stored: Sequence[StoredAccount], problem: WeixinError | None, now: datetime
) -> Discovery:
    """What the stored accounts amount to."""
    accounts: list[Account] = []
    withdrawn: dict[str, Problem | None] = {}
    others = frozenset(it.appid for it in stored if it.is_official_account is False)
    for it in stored:
        if it.appid in others:
            continue
        account = _authorizer(platform, it.appid, it.name)
        if it.withdrawn_at is None:
            accounts.append(account)
        else:
            is_news = it.withdrawn_at > now - WITHDRAWN_IS_SAID
            withdrawn[it.appid] = (
                WeixinError(ProblemKind.WITHDRAWN).problem(account) if is_news else None
            )
    return Discovery(accounts, withdrawn, others, problem)


def _authorizer(platform: Account, appid: str, name: str) -> Account:
    """An account that has authorised the platform; without a name it goes by its AppID."""
    return replace(
        platform,
        conn_id=f"{platform.conn_id}/{appid}",
        appid=appid,
        secret="",
        name=name or appid,
        is_platform=False,
    )


def _new(listed: Sequence[Authorization], stored: Sequence[StoredAccount]) -> list[Authorization]:
    """The accounts of the list that have authorised the platform for the first time, or anew."""
    known = {it.appid: it for it in stored if not it.withdrawn_at}
    return [
        it
        for it in listed
        if (before := known.get(it.authorizer_appid)) is None
        or before.authorized_at < it.authorized_at
    ]


class OwnToken:
    """The platform's own token, with which all other calls of it are made."""

    def __init__(
        self, component: Component, stored: StoredTokens, ticket: Callable[[], str]
    ) -> None:
        self._component = component
        self._stored = stored
        self._ticket = ticket
        self._asking = threading.Lock()
        self._refusal: tuple[WeixinError, float] | None = None
        """Why there is none, and until when it is not asked for again."""

    @property
    def is_refused(self) -> bool:
        """Whether there is none."""
        return self._refusal is not None

    def used_for(self, call: Callable[[str], T]) -> T:
        """
        Make a call with the token; once more with a new one if WeChat refuses it.

        Raises:
            WeixinError: the call's; or there is no token, which is the problem of the platform.
        """
        token = self._value()
        try:
            return call(token)
        except WeixinError as error:
            if error.kind is not ProblemKind.TOKEN_REFUSED:
                raise
            return call(self._value(refused=token))

    def _value(self, refused: str = "") -> str:
        platform = self._stored.platform
        with self._asking:  # the other threads wait for the same
            if self._refusal and time.monotonic() < self._refusal[1]:
                raise self._refusal[0].with_traceback(None)
            try:
                token = self._stored.token(platform, refused)
                if token is None:
                    self._stored.add_platform()
                    token = self._stored.renewed(platform, refused, self._renewed)
            except WeixinError as error:
                may_pass = error.kind.is_retried or error.kind is ProblemKind.CLOCK
                of_platform = error if may_pass else error.said_as(ProblemKind.PLATFORM)
                self._refusal = of_platform, time.monotonic() + _REFUSAL_STANDS_SECONDS
                raise of_platform from None
            self._refusal = None
            return token.value

    def _renewed(self, _: str | None) -> Renewed:
        return Renewed(self._component.component_token(self._ticket()), "")


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
        """`ticket` gives the newest `component_verify_ticket`, or raises `WeixinError`."""
        self.account = account
        self._limits = limits
        self._component = Component(account, limits)
        a_call = 2 * limits.total_seconds + limits.minute_quota_wait_seconds
        self._stored = StoredTokens(
            account, warehouse, cipher, int(_CALLS_UNDER_LOCK * a_call) + 60
        )
        self._own_token = OwnToken(self._component, self._stored, ticket)
        self._outages = Outages()
        """Failed renewals of accounts' tokens."""
        self._listing = threading.Lock()
        self._listed_lately: set[str] | None = None
        """The accounts of WeChat's list; None where it could not be read, or was not whole."""
        self._list_stands_until = 0.0

    def client(self, appid: str, name: str) -> WeixinClient:
        """The client of an account that has authorised the platform."""
        account = _authorizer(self.account, appid, name)
        return WeixinClient(account, self._limits, lambda refused: self.token(account, refused))

    # ------------------------------------------------------------------------------- accounts

    def known(self, problem: WeixinError | None = None) -> Discovery:
        """The accounts as far as they are known without asking WeChat."""
        with self._diagnosed(self.account):
            return _discovery(self.account, self._stored.accounts(), problem, clock.now())

    def discover(self, concurrency: int) -> Discovery:
        """
        Read the list of accounts from WeChat, and keep what is new.

        An account that the list lacks is withdrawn only if WeChat says so when asked for the
        account as well. What new accounts are and are called is asked for, `concurrency` at once.

        Raises:
            WeixinError: of the kind CLOCK.
            WarehouseError: the warehouse does not work.
        """
        with self._diagnosed(self.account):
            try:
                listed, total = self._own_token.used_for(self._list)
            except WeixinError as error:
                if error.kind is ProblemKind.CLOCK:
                    raise
                found = self.known(error)
                return replace(found, accounts=[]) if self._own_token.is_refused else found
            new = _new(listed, self._stored.accounts())
            self._stored.authorize(new)
            if new:
                appids = few_names([it.authorizer_appid for it in new])
                log.info(
                    "%s: authorised by %s: %s",
                    self.account,
                    counted(len(new), "new account"),
                    appids,
                )
            with thread_pool(concurrency) as pool:
                self._ask_about_doubtful({it.authorizer_appid for it in listed}, pool)
            not_whole = WeixinError(
                ProblemKind.UNREACHABLE,
                f"it has {len(listed)} of {total} accounts",
                account=str(self.account),
                cause="WeChat's list of its accounts is not whole",
                cure="clear refresh_access_token, which reads it again",
            )
            found = self.known(not_whole if len(listed) != total else None)
        if found.others:
            log.info(
                "%s: %s are no Official Accounts, and are not asked for articles",
                self.account,
                few_names(sorted(found.others)),
            )
        return found

    def _list(self, component_token: str) -> tuple[list[Authorization], int]:
        """
        The list, and how many accounts WeChat says it has.

        Read again when it changed meanwhile, since that may hide accounts.
        """
        for _ in range(_LISTINGS):
            pages = list(self._pages(component_token))
            found = {it.authorizer_appid: it for page in pages for it in page.authorizations}
            if {page.total for page in pages} == {len(found)}:
                break
        return list(found.values()), pages[-1].total

    def _pages(self, component_token: str) -> Iterator[Page]:
        offset = 0
        seen: set[str] = set()
        while True:
            page = self._component.authorizations(component_token, offset)
            yield page
            appids = {it.authorizer_appid for it in page.authorizations}
            offset += page.entries
            if appids <= seen or offset >= page.total:  # without news, it would have no end
                return
            seen |= appids

    def _ask_about_doubtful(self, listed: set[str], pool: ThreadPoolExecutor) -> None:
        """
        Ask WeChat about each account that the list lacks, or whose name or kind is not known.

        An account that the list lacks has withdrawn if WeChat confirms it; the rest are still
        collected.
        """
        doubtful = [
            it
            for it in self._stored.accounts()
            if not it.withdrawn_at and it.is_official_account is not False
            if it.appid not in listed or not it.name or it.is_official_account is None
        ]
        random.shuffle(doubtful)  # else five that never answer would stand before the same others
        nameless = {it.appid for it in doubtful if not it.name or it.is_official_account is None}
        outages = Outages()
        lacking: list[str] = []
        untold: list[WeixinError] = []
        for first in range(0, len(doubtful), _ASKED_ABOUT_AT_ONCE):
            some = doubtful[first : first + _ASKED_ABOUT_AT_ONCE]
            accounts = [_authorizer(self.account, it.appid, it.name) for it in some]
            answers = [*pool.map(lambda it: self._info(it, outages), accounts)]
            said: dict[str, AccountInfo] = {}
            for account, answer in zip(accounts, answers, strict=True):
                if account.appid not in listed:
                    if not isinstance(answer, AccountInfo) and (
                        answer.kind is ProblemKind.NOT_AUTHORISED
                    ):
                        self._stored.withdraw(account)
                        continue
                    lacking.append(str(account))
                if account.appid in nameless:
                    if isinstance(answer, AccountInfo):
                        said[account.appid] = answer
                    else:
                        untold.append(answer)
            self._stored.describe(said)
        if lacking:
            log.warning(
                "%s asked, although the list of %s lacks them: %s",
                counted(len(lacking), "account"),
                self.account,
                few_names(lacking),
            )
        if untold:
            log.info(
                "%s: what %s of its accounts are called is not known: %s",
                self.account,
                len(untold),
                untold[-1].happened,
            )

    def _info(self, account: Account, outages: Outages) -> AccountInfo | WeixinError:
        """What WeChat says of an account, or why it does not."""
        try:
            with outages.counted():
                return self._own_token.used_for(lambda token: self._component.info(token, account))
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            return error

    # --------------------------------------------------------------------------------- tokens

    def token(self, account: Account, refused: str = "") -> Token:
        """
        The token of an account that all workers share; renewed when it ends soon or is `refused`.

        Raises:
            WeixinError: WITHDRAWN: the account no longer authorises the platform.
            WeixinError: WeChat gives no token; says why.
            WarehouseError: the warehouse does not work.
        """
        with self._diagnosed(account):
            if token := self._stored.token(account, refused):
                return token
            try:
                with self._outages.counted():
                    return self._own_token.used_for(
                        lambda component_token: self._stored.renewed(
                            account,
                            refused,
                            lambda stored: self._renewed(account, stored, component_token),
                        )
                    )
            except WeixinError as error:
                if error.kind is not ProblemKind.NOT_AUTHORISED or self._may_be_listed(account):
                    raise
                self._stored.withdraw(account)
                raise error.said_as(ProblemKind.WITHDRAWN) from None

    def _renewed(self, account: Account, stored: str | None, component_token: str) -> Renewed:
        """By the stored refresh token, else by the one that WeChat says is in force."""
        refusal = WeixinError(
            ProblemKind.CONFIGURATION,
            account=str(account),
            cause="its refresh token is lost",
            cure="have the account authorised again",
        )
        if stored:
            try:
                return self._component.renewed(component_token, account, stored)
            except WeixinError as error:
                if error.errcode != INVALID_REFRESH_TOKEN:
                    raise
                refusal = error
        in_force = self._component.info(component_token, account).refresh_token
        if not in_force or in_force == stored:
            raise refusal
        return self._component.renewed(component_token, account, in_force)

    def _may_be_listed(self, account: Account) -> bool:
        """Whether WeChat's list, as it was a moment ago, has the account; or may have it."""
        with self._listing:  # the other threads wait for the same
            if time.monotonic() >= self._list_stands_until:
                self._listed_lately = None  # unless it can be read, and is whole
                with suppress(WeixinError):
                    listed, total = self._own_token.used_for(self._list)
                    if len(listed) == total:
                        self._listed_lately = {it.authorizer_appid for it in listed}
                self._list_stands_until = time.monotonic() + _LIST_STANDS_SECONDS
            return self._listed_lately is None or account.appid in self._listed_lately

    @contextmanager
    def _diagnosed(self, account: Account) -> Iterator[None]:
        """Say what is wrong with the warehouse; with one row, it is the account's problem."""
        try:
            with diagnosed(self._stored.warehouse):
                yield
        except WarehouseError as error:
            if not error.kind.is_of_one_statement:
                raise
            raise WeixinError(
                ProblemKind.UNREACHABLE, account=str(account), cause=error.cause, cure=error.cure
            ) from None
