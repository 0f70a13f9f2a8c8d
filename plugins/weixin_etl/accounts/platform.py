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
from dataclasses import dataclass, replace
from functools import partial

from cryptography.fernet import MultiFernet
from sqlalchemy import Engine

from weixin_etl.accounts.tokens import StoredTokens
from weixin_etl.api.calls import OutageStreak
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.component import AccountInfo, Component
from weixin_etl.api.http import CallLimits
from weixin_etl.api.threads import thread_pool
from weixin_etl.api.token import Token, call_with_token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WarehouseError, WeixinError
from weixin_etl.warehouse import diagnosed

log = logging.getLogger(__name__)

INVALID_REFRESH_TOKEN = 61023
"""WeChat's errcode for a refresh token that is not the valid one."""


@dataclass(eq=False)
class Platform:
    """
    A platform's accounts and their tokens; usable by several threads at once.

    Attributes:
        account: The platform itself, with its AppID and secret.
        warehouse: The warehouse, which keeps the tokens.
        keys: The keys that encrypt the tokens.
        ticket: Returns the newest `component_verify_ticket`, or raises `WeixinError`.
        limits: The limits of each call.
    """

    account: Account
    warehouse: Engine
    keys: MultiFernet
    ticket: Callable[[], str]
    limits: CallLimits

    def __post_init__(self) -> None:
        """Make the API client, the store of tokens and an outage streak. No call is made yet."""
        self._component = Component(self.account, self.limits)
        self._stored = StoredTokens(self.account, self.warehouse, self.keys)
        self._outages = OutageStreak()
        """The outages while accounts' tokens are renewed."""

    def client(self, account: Account) -> WeixinClient:
        """
        Return the client of an account that has authorised the platform.

        The client calls `token` when it needs a token, and makes no call before.
        """
        return WeixinClient(account, self.limits, partial(self.token, account))

    def accounts(self, concurrency: int) -> list[Account]:
        """
        Return the Official Accounts that authorise the platform now, by WeChat's list.

        Their refresh tokens are stored in the table. The name and kind of a new account are fetched
        and stored once, by `concurrency` calls at a time. An account of which WeChat does not give
        them counts as an Official Account, and its AppID is its name. Mini programs and video
        accounts are left out.

        Raises:
            WeixinError: The list could not be fetched or is incomplete, or this machine's clock is
                wrong, or the platform's row is locked.
            WarehouseError: The warehouse is unusable.
        """
        with self._diagnosed(self.account):
            listed = call_with_token(self._own_token, self._component.list_authorizations)
            self._stored.authorize(listed)
            appids = [authorization.authorizer_appid for authorization in listed]
            known = self._account_infos(appids, concurrency)
        unnamed = AccountInfo("", is_official_account=True)
        infos = {appid: known.get(appid, unnamed) for appid in appids}
        names = {appid: info.name for appid, info in infos.items() if info.is_official_account}
        return [self.account.member(appid, name) for appid, name in names.items()]

    def _account_infos(self, appids: Collection[str], concurrency: int) -> dict[str, AccountInfo]:
        """
        Return all stored properties of the platform's accounts by AppID, also of other accounts.

        Those of `appids` that are not stored yet are fetched in a pool of `concurrency` threads and
        stored. An account of which WeChat gives none is left out. An exception stores none.
        """
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

        The outcome is recorded in `outages`. If that streak is at its limit no call is made, and
        the result is None. The next run tries again.

        Raises:
            WeixinError: This machine's clock is wrong (`CLOCK`).
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

        The token is renewed first, and the new one stored, if it ends within five minutes, is the
        `refused` one or can't be decrypted.

        Raises:
            WeixinError: WeChat gives no token, or the account's row is locked for too long.
            WarehouseError: The warehouse is unusable.
        """
        with self._diagnosed(account):
            return self._stored.token(account, refused, partial(self._renew_token, account))

    def _renew_token(self, account: Account, stored: str | None) -> tuple[Token, str]:
        """
        Renew an account's token by the stored refresh token, and store nothing.

        If there is none, or WeChat refuses it as invalid, ask WeChat for the valid one.

        Returns:
            The new token, and the refresh token for the next renewal.

        Raises:
            WeixinError: WeChat gives no token. After too many renewals in a row that were outages,
                the last outage is raised without a call.
        """

        def renew_by(refresh_token: str) -> tuple[Token, str]:
            return call_with_token(
                self._own_token,
                lambda token: self._component.renew_token(token, account, refresh_token),
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
        """
        Fetch an account's properties and its valid refresh token, which may be empty.

        Raises:
            WeixinError: The call failed, or the platform has no token.
        """
        return call_with_token(
            self._own_token, lambda token: self._component.account_info(token, account)
        )

    def _own_token(self, refused: str = "") -> str:
        """
        Return the platform's own token. It is renewed first if it ends soon or is `refused`.

        Raises:
            WeixinError: There is no ticket or no token. The kind is `PLATFORM`, unless another try
                may succeed (`is_retried`) or this machine's clock is wrong (`CLOCK`).
        """
        try:
            return self._stored.token(
                self.account,
                refused,
                lambda _: (self._component.component_token(self.ticket()), ""),
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

        Other exceptions of the block are raised unchanged.

        Raises:
            WarehouseError: The warehouse is unusable.
            WeixinError: Only this statement failed, for instance because the account's row is
                locked for too long (`UNREACHABLE`). It has the cause and cure of Postgres's error.
        """
        try:
            with diagnosed(self._stored.warehouse):
                yield
        except WarehouseError as error:
            if not error.kind.is_of_one_statement:
                raise
            problem = error.problem
            raise WeixinError(
                ProblemKind.UNREACHABLE,
                account=str(account),
                cause=problem.cause,
                cure=problem.cure,
            ) from None
