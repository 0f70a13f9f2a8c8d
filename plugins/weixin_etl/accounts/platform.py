"""
A third-party platform: the accounts that authorise it, and their access tokens.

`Platform` is opened for an Airflow connection that describes a platform. It returns the accounts,
their clients and their tokens.

WeChat gives each new token once, to the caller that renews it, and may replace the refresh token
with it. So all workers share the tokens through the table `weixin.platform_token`, where they are
encrypted. Only the worker that holds the lock on a token's row renews it. It commits the new
refresh token before anybody uses the token. If a killed process has lost a refresh token, WeChat is
asked for the valid one.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
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
"""WeChat's errcode for a refresh token that is not the valid one."""
T = TypeVar("T")


class Platform:
    """A platform's accounts and their tokens; usable by several threads at once."""

    def __init__(
        self,
        account: Account,
        warehouse: Engine,
        keys: MultiFernet,
        ticket: Callable[[], str],
        limits: CallLimits,
    ) -> None:
        """
        Make the platform; no call is made yet.

        Args:
            account: The platform itself, with its AppID and secret.
            warehouse: The warehouse, which keeps the tokens.
            keys: The keys that encrypt the tokens.
            ticket: Returns the newest `component_verify_ticket`, or raises `WeixinError`.
            limits: The limits of each call.
        """
        self.account = account
        self._limits = limits
        self._component = Component(account, limits)
        self._ticket = ticket
        self._stored = StoredTokens(account, warehouse, keys)
        self._outages = OutageStreak()
        """The outages while accounts' tokens are renewed."""

    def client(self, account: Account) -> WeixinClient:
        """Return the client of an account that has authorised the platform."""
        return WeixinClient(account, self._limits, lambda refused: self.token(account, refused))

    def accounts(self, concurrency: int) -> list[Account]:
        """
        Return the Official Accounts that authorise the platform now, by WeChat's list.

        The name and kind of a new account are fetched once, for `concurrency` accounts at a time.

        Raises:
            WeixinError: The list could not be fetched, or is incomplete.
            WarehouseError: The warehouse is unusable.
        """
        with self._diagnosed(self.account):
            listed = self._with_own_token(self._component.list_authorizations)
            self._stored.authorize(listed)
            appids = [authorization.authorizer_appid for authorization in listed]
            known = self._account_infos(appids, concurrency)
        unnamed = AccountInfo("", is_official_account=True)
        infos = [(appid, known.get(appid, unnamed)) for appid in appids]
        return [
            self.account.member(appid, info.name)
            for appid, info in infos
            if info.is_official_account
        ]

    def _account_infos(self, appids: Collection[str], concurrency: int) -> dict[str, AccountInfo]:
        """Return the known properties of accounts by AppID; fetch and store those of new ones."""
        known = self._stored.infos()
        new = [self.account.member(appid, "") for appid in appids if appid not in known]
        outages = OutageStreak()
        with thread_pool(concurrency) as pool:
            fetched = [*pool.map(lambda account: self._account_info(account, outages), new)]
        infos = {account.appid: info for account, info in zip(new, fetched, strict=True) if info}
        self._stored.save_infos(infos)
        return known | infos

    def _account_info(self, account: Account, outages: OutageStreak) -> AccountInfo | None:
        """
        Fetch an account's properties. Return None, and log why, if WeChat gives none.

        After too many outages in a row no call is made, and the result is None. The next run tries
        again.

        Raises:
            WeixinError: this machine's clock is wrong.
        """
        try:
            with outages.recorded():
                return self._fetch_info(account)[0]
        except WeixinError as error:
            if error.kind is ProblemKind.CLOCK:
                raise
            cause = error.problem.cause
            log.info("%s: WeChat gave no name, the next run asks again: %s", account, cause)
            return None

    # --------------------------------------------------------------------------------- tokens

    def token(self, account: Account, refused: str = "") -> Token:
        """
        Return the token of an account that all workers share.

        The token is renewed first if it ends soon or is the `refused` one.

        Raises:
            WeixinError: WeChat gives no token.
            WarehouseError: The warehouse is unusable.
        """
        with self._diagnosed(account):
            return self._stored.token(account, refused, partial(self._renew_token, account))

    def _renew_token(self, account: Account, stored: str | None) -> tuple[Token, str]:
        """
        Renew an account's token by the stored refresh token.

        If there is none, or WeChat refuses it as invalid, ask WeChat for the valid one.

        Returns:
            The new token, and the refresh token for the next renewal.
        """

        def renew_by(refresh_token: str) -> tuple[Token, str]:
            return self._with_own_token(
                lambda token: self._component.renew_token(token, account, refresh_token)
            )

        with self._outages.recorded():
            if stored:
                try:
                    return renew_by(stored)
                except WeixinError as error:
                    if error.problem.errcode != INVALID_REFRESH_TOKEN:
                        raise
            return renew_by(self._fetch_info(account)[1])

    def _fetch_info(self, account: Account) -> tuple[AccountInfo, str]:
        """Fetch an account's properties and its valid refresh token."""
        return self._with_own_token(lambda token: self._component.account_info(token, account))

    def _with_own_token(self, call: Callable[[str], T]) -> T:
        """
        Make a call with the platform's own token. If WeChat refuses it, call again with a new one.

        Raises:
            WeixinError: The call failed, or the platform has no token (`ProblemKind.PLATFORM`).
        """
        token = self._own_token()
        try:
            return call(token)
        except WeixinError as error:
            if error.kind is not ProblemKind.TOKEN_REFUSED:
                raise
        return call(self._own_token(token))

    def _own_token(self, refused: str = "") -> str:
        """Return the platform's own token, renewed if it ends soon or is the `refused` one."""
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
        """
        Raise database errors of the block as the warehouse's, or as the account's, problem.

        Raises:
            WarehouseError: The warehouse is unusable.
            WeixinError: Only the account's row is unusable, for instance locked for too long.
        """
        try:
            with diagnosed(self._stored.warehouse):
                yield
        except WarehouseError as error:
            if not error.kind.is_of_one_statement:
                raise
            cause, cure = error.problem.cause, error.problem.cure
            raise WeixinError(
                ProblemKind.UNREACHABLE, account=str(account), cause=cause, cure=cure
            ) from None
