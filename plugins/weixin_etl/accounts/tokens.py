"""A platform's rows of `weixin.platform_token`: its own token and its accounts', encrypted."""

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
"""A renewal takes less; a worker that is gone, with its machine, holds a lock no longer."""


Renew = Callable[[str | None], tuple[Token, str]]
"""Given the stored refresh token, gives a new token and the refresh token that came with it."""


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """What one platform has in the table; may be used by several threads at once."""

    platform: Account
    warehouse: Engine
    keys: MultiFernet
    """The newest of them encrypts, all of them decrypt."""

    def authorize(self, accounts: Sequence[Authorization]) -> None:
        """Keep accounts that have authorised the platform for the first time, or anew."""
        rows = [
            {
                "appid": it.authorizer_appid,
                "refresh_token": self._encrypted(it.refresh_token, it.authorizer_appid),
                "auth_time": it.auth_time,
            }
            for it in accounts
        ]
        self._write_many("platform_token/authorize.sql", rows)

    def infos(self) -> dict[str, AccountInfo]:
        """What accounts are and are called, by AppID, where WeChat has said so."""
        with self.warehouse.connect() as connection:
            rows = connection.execute(statement("platform_token/of_platform.sql"), self._platform)
            return {row.appid: AccountInfo(row.name, row.is_official_account) for row in rows}

    def describe(self, said: Mapping[str, AccountInfo]) -> None:
        """Keep what accounts are and are called, by AppID."""
        rows = [
            {"appid": appid, "name": it.name, "is_official_account": it.is_official_account}
            for appid, it in said.items()
        ]
        self._write_many("platform_token/describe.sql", rows)

    def token(self, account: Account, refused: str, renew: Renew) -> Token:
        """
        The stored token; a renewed one if it ends soon, is `refused`, or can't be decrypted.

        `renew` is called under the lock of the row, and committed before anybody uses the token.
        """
        with self.warehouse.connect() as connection:
            if token := self._good(account, self._read(connection, account), refused):
                return token
        with self.warehouse.begin() as connection:
            connection.exec_driver_sql(_LOCK_LIMITS)
            self._lock(connection, account)
            row = self._read(connection, account)
            if token := self._good(account, row, refused):  # another worker renewed it meanwhile
                return token
            token, refresh_token = renew(self._decrypted(row and row.refresh_token, account))
            values = {
                "access_token": self._encrypted(token.value, account.appid),
                "refresh_token": self._encrypted(refresh_token, account.appid),
                "expires_in": token.expires_in_seconds,
            }
            renewed = statement("platform_token/renew.sql")
            connection.execute(renewed, {**self._row_of(account), **values})
        return token

    def _write_many(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write many accounts, one process after the other: so no two wait for each other."""
        if not rows:
            return
        with self.warehouse.begin() as connection:
            self._lock(connection, self.platform)
            accounts = msgspec.json.encode(rows).decode()
            connection.execute(statement(name), {**self._platform, "accounts": accounts})

    def _lock(self, connection: Connection, account: Account) -> None:
        for path in ("platform_token/add.sql", "platform_token/lock.sql"):
            connection.execute(statement(path), self._row_of(account))

    def _read(self, connection: Connection, account: Account) -> Row[Any] | None:
        read = statement("platform_token/read.sql")
        return connection.execute(read, self._row_of(account)).one_or_none()

    def _good(self, account: Account, row: Row[Any] | None, refused: str) -> Token | None:
        value = self._decrypted(row and row.access_token, account)
        if row is None or not value or value == refused:
            return None
        left = float(row.seconds_left)
        return Token(value, left) if left > RENEW_BEFORE_SECONDS else None

    def _encrypted(self, token: str | None, appid: str) -> str | None:
        """Together with whose it is: in another row it does not open."""
        whole = f"{self.platform.appid} {appid} {token}"
        return self.keys.encrypt(whole.encode()).decode() if token else None

    def _decrypted(self, stored: str | None, account: Account) -> str | None:
        with suppress(InvalidToken, ValueError):
            of_row, _, token = self.keys.decrypt(stored or "").decode().rpartition(" ")
            if of_row == f"{self.platform.appid} {account.appid}":
                return token
        if stored:
            log.warning(
                "%s: a token is encrypted with another key, or for another account, and is "
                "renewed; if this is said again, [core] fernet_key differs between machines",
                account,
            )
        return None

    @property
    def _platform(self) -> dict[str, str]:
        return {"component_appid": self.platform.appid}

    def _row_of(self, account: Account) -> dict[str, str]:
        return {**self._platform, "appid": account.appid}
