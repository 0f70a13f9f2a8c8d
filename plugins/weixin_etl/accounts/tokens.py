"""
The tokens of a platform and its accounts, encrypted in the table `weixin.platform_token`.

`accounts.platform` reads and renews tokens through `StoredTokens`. The table also keeps the name
and the kind of each account.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, Row

from weixin_etl.api.component import AccountInfo, Authorization
from weixin_etl.api.token import RENEW_BEFORE_SECONDS, Token
from weixin_etl.model import Account
from weixin_etl.warehouse import statement

log = logging.getLogger(__name__)

_LOCK_LIMITS = """
SET LOCAL lock_timeout = '20min';
SET LOCAL idle_in_transaction_session_timeout = '20min';
"""
"""A renewal takes less time. A lock of a worker whose machine is lost ends after this time."""


Renew = Callable[[str | None], tuple[Token, str]]
"""
Renews a token by the stored refresh token, or by None if there is none. Returns the new token, and
the refresh token for the next renewal.
"""


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The rows of one platform in the table; usable by several threads at once."""

    platform: Account
    warehouse: Engine
    keys: MultiFernet
    """The newest key encrypts; every key decrypts."""

    def authorize(self, accounts: Sequence[Authorization]) -> None:
        """
        Save the refresh tokens of accounts that are new, or authorised the platform again.

        The rows of other accounts stay as they are. Nothing is done for an empty list.
        """
        rows = [
            {
                "appid": account.authorizer_appid,
                "refresh_token": self._encrypt(account.refresh_token, account.authorizer_appid),
                "auth_time": account.auth_time,
            }
            for account in accounts
        ]
        self._write_many("platform_token/authorize.sql", rows)

    def infos(self) -> dict[str, AccountInfo]:
        """Return the stored names and kinds of the platform's accounts, by AppID."""
        with self.warehouse.connect() as connection:
            rows = connection.execute(statement("platform_token/of_platform.sql"), self._platform)
            return {row.appid: AccountInfo(row.name, row.is_official_account) for row in rows}

    def save_infos(self, infos: Mapping[str, AccountInfo]) -> None:
        """Save the names and kinds of accounts that have a row, by AppID."""
        rows = [
            {"appid": appid, "name": info.name, "is_official_account": info.is_official_account}
            for appid, info in infos.items()
        ]
        self._write_many("platform_token/describe.sql", rows)

    def token(self, account: Account, refused: str, renew: Renew) -> Token:
        """
        Return the stored token. Renew it first if it ends soon, is `refused` or can't be decrypted.

        A token in its last five minutes ends soon, by the clock of Postgres. `renew` is called
        while the account's row is locked, and gets the decrypted refresh token, or None if there is
        none that can be decrypted. Its result is encrypted and committed before the new token is
        returned. If another worker renewed the token during the wait for the lock, that token is
        returned.

        Raises:
            WeixinError: `renew` raised it. Nothing is written.
            sqlalchemy.exc.DBAPIError: Postgres can't be used, or the lock is held for 20 minutes.
        """
        with self.warehouse.connect() as connection:
            if token := self._usable_token(account, self._read(connection, account), refused):
                return token
        with self.warehouse.begin() as connection:
            connection.exec_driver_sql(_LOCK_LIMITS)
            self._lock(connection, account)
            row = self._read(connection, account)
            if token := self._usable_token(account, row, refused):  # another worker renewed it
                return token
            token, refresh_token = renew(self._decrypt(row and row.refresh_token, account))
            values = {
                "access_token": self._encrypt(token.value, account.appid),
                "refresh_token": self._encrypt(refresh_token, account.appid),
                "expires_in": token.expires_in_seconds,
            }
            renewal = statement("platform_token/renew.sql")
            connection.execute(renewal, {**self._row_key(account), **values})
        return token

    def _write_many(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """
        Execute a statement for many accounts in one transaction; do nothing for no rows.

        The rows are the statement's parameter `accounts`, as JSON. One process at a time does this
        for a platform, under the lock on the platform's own row, so no two deadlock.
        """
        if not rows:
            return
        with self.warehouse.begin() as connection:
            self._lock(connection, self.platform)
            accounts = msgspec.json.encode(rows).decode()
            connection.execute(statement(name), {**self._platform, "accounts": accounts})

    def _lock(self, connection: Connection, account: Account) -> None:
        """Lock the account's row until the transaction ends; insert the row first if missing."""
        for path in ("platform_token/add.sql", "platform_token/lock.sql"):
            connection.execute(statement(path), self._row_key(account))

    def _read(self, connection: Connection, account: Account) -> Row[Any] | None:
        """Return the account's encrypted tokens and the validity left, or None without a row."""
        read = statement("platform_token/read.sql")
        return connection.execute(read, self._row_key(account)).one_or_none()

    def _usable_token(self, account: Account, row: Row[Any] | None, refused: str) -> Token | None:
        """
        Return the row's decrypted token, with the seconds for which it is valid.

        Return None if there is no row or no token, or if the token is in its last five minutes, is
        `refused`, or can't be decrypted: with another key, or for another account.
        """
        value = self._decrypt(row and row.access_token, account)
        if row is None or not value or value == refused:
            return None
        validity = float(row.seconds_left)
        return Token(value, validity) if validity > RENEW_BEFORE_SECONDS else None

    def _encrypt(self, token: str | None, appid: str) -> str | None:
        """
        Return the token, encrypted together with the AppIDs of the platform and the account.

        So it can't be used from another account's row. Return None if there is no token.
        """
        text = f"{self.platform.appid} {appid} {token}"
        return self.keys.encrypt(text.encode()).decode() if token else None

    def _decrypt(self, stored: str | None, account: Account) -> str | None:
        """
        Return the decrypted token, or None if nothing is stored.

        A text whose key is missing, or that belongs to another account, is also None. Then a
        warning is logged.
        """
        with suppress(InvalidToken, ValueError):
            appids, _, token = self.keys.decrypt(stored or "").decode().rpartition(" ")
            if appids == f"{self.platform.appid} {account.appid}":
                return token
        if stored:
            log.warning(
                "%s: a token is encrypted with another key, or for another account, and is "
                "renewed. If this line appears again, [core] fernet_key differs between machines: "
                "set the same key on all.",
                account,
            )
        return None

    @property
    def _platform(self) -> dict[str, str]:
        """The parameter that selects the platform's rows."""
        return {"component_appid": self.platform.appid}

    def _row_key(self, account: Account) -> dict[str, str]:
        """Return the parameters that select the account's row."""
        return {**self._platform, "appid": account.appid}
