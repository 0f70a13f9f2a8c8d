"""
A third-party platform: which accounts authorise it now, and their tokens.

WeChat gives each token once, to whoever renews it, and may give a new refresh token with it. So
they are kept in `weixin.platform_token`, encrypted, for all workers: a token is renewed by the one
that holds its row's lock, and the refresh token that came with it is committed before the token is
used. A refresh token that a killed process has lost is asked for: WeChat says which is in force.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from cryptography.fernet import MultiFernet
from sqlalchemy import Engine

from weixin_etl.accounts.tokens import StoredTokens
from weixin_etl.api.calls import OutageStreak
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.component import AccountInfo, Component
from weixin_etl.api.http import CallLimits
from weixin_etl.api.threads import thread_pool
from weixin_etl.api.token import Token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WarehouseError, WeixinError
from weixin_etl.warehouse import diagnosed

log = logging.getLogger(__name__)

INVALID_REFRESH_TOKEN = 61023
T = TypeVar("T")


class Platform:
    """A platform's accounts and their tokens; may be used by several threads at once."""

    def __init__(
        self,
        account: Account,
        warehouse: Engine,
        keys: MultiFernet,
        ticket: Callable[[], str],
        limits: CallLimits,
    ) -> None:
        """`ticket` gives the newest `component_verify_ticket`, or raises `WeixinError`."""
        self.account = account
        self._limits = limits
        self._component = Component(account, limits)
        self._ticket = ticket
        self._stored = StoredTokens(account, warehouse, keys)
        self._outages = OutageStreak()
        """Failed renewals of accounts' tokens."""

    def client(self, account: Account) -> WeixinClient:
        """The client of an account that has authorised the platform."""
        return WeixinClient(account, self._limits, lambda refused: self.token(account, refused))

    def accounts(self, concurrency: int) -> list[Account]:
        """
        The Official Accounts that authorise the platform now, by WeChat's list.

        What new accounts are and are called is asked for once, `concurrency` at once.

        Raises:
            WeixinError: there is no list, or it lacks accounts.
            WarehouseError: the warehouse does not work.
        """
        with self._diagnosed(self.account):
            listed = self._with_own_token(self._component.list_authorizations)
            self._stored.authorize(listed)
            appids = [it.authorizer_appid for it in listed]
            known = self._what_they_are(appids, concurrency)
        unnamed = AccountInfo("", is_official_account=True)
        infos = [(appid, known.get(appid, unnamed)) for appid in appids]
        return [
            self.account.member(it, info.name) for it, info in infos if info.is_official_account
        ]

    def _what_they_are(self, appids: Collection[str], concurrency: int) -> dict[str, AccountInfo]:
        known = self._stored.infos()
        new = [self.account.member(it, "") for it in appids if it not in known]
        outages = OutageStreak()
        with thread_pool(concurrency) as pool:
            said = [*pool.map(lambda it: self._info(it, outages), new)]
        infos = {it.appid: info for it, info in zip(new, said, strict=True) if info}
        self._stored.describe(infos)
        return known | infos

    def _info(self, account: Account, outages: OutageStreak) -> AccountInfo | None:
        """What WeChat says of an account; if it does not, the next run asks again."""
        try:
            with outages.recorded():
                return self._with_own_token(
                    lambda own: self._component.account_info(own, account)[0]
                )
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            log.info("%s: what it is called is not known: %s", account, error.problem.cause)
            return None

    # --------------------------------------------------------------------------------- tokens

    def token(self, account: Account, refused: str = "") -> Token:
        """
        The token of an account that all workers share; renewed when it ends soon or is `refused`.

        Raises:
            WeixinError: WeChat gives no token; says why.
            WarehouseError: the warehouse does not work.
        """
        with self._diagnosed(account):
            return self._stored.token(account, refused, lambda it: self._renewed(account, it))

    def _renewed(self, account: Account, stored: str | None) -> tuple[Token, str]:
        """By the stored refresh token, else by the one that WeChat says is in force."""

        def by(refresh_token: str) -> tuple[Token, str]:
            return self._with_own_token(
                lambda own: self._component.renew_token(own, account, refresh_token)
            )

        with self._outages.recorded():
            if stored:
                try:
                    return by(stored)
                except WeixinError as error:
                    if error.problem.errcode != INVALID_REFRESH_TOKEN:
                        raise
            return by(
                self._with_own_token(lambda own: self._component.account_info(own, account)[1])
            )

    def _with_own_token(self, call: Callable[[str], T]) -> T:
        """
        Make a call with the platform's own token; once more with a new one if WeChat refuses it.

        Raises:
            WeixinError: the call's; or there is no token, which is the problem of the platform.
        """
        token = self._own_token()
        try:
            return call(token)
        except WeixinError as error:
            if error.kind is not ProblemKind.TOKEN_REFUSED:
                raise
        return call(self._own_token(token))

    def _own_token(self, refused: str = "") -> str:
        try:
            return self._stored.token(
                self.account,
                refused,
                lambda _: (self._component.component_token(self._ticket()), ""),
            ).value
        except WeixinError as error:
            if error.kind.is_retried or error.kind is ProblemKind.CLOCK:
                raise
            error.problem = replace(error.problem, kind=ProblemKind.PLATFORM)
            raise

    @contextmanager
    def _diagnosed(self, account: Account) -> Iterator[None]:
        """Say what is wrong with the warehouse; with one row, it is the account's problem."""
        try:
            with diagnosed(self._stored.warehouse):
                yield
        except WarehouseError as error:
            if not error.kind.is_of_one_statement:
                raise
            said = error.problem
            raise WeixinError(
                ProblemKind.UNREACHABLE, account=str(account), cause=said.cause, cure=said.cure
            ) from None
