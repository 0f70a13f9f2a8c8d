"""A platform's rows of `weixin.platform_token`: its own token and its accounts', encrypted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock
from weixin_etl.api.component import AccountInfo, Authorization, Renewed
from weixin_etl.api.token import RENEW_BEFORE_SECONDS, Token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.warehouse import statement

log = logging.getLogger(__name__)

_LOCK_LIMITS = """
SET LOCAL lock_timeout = '{seconds}s';
SET LOCAL idle_in_transaction_session_timeout = '{seconds}s';
"""
"""A worker that is gone, with its machine, holds a lock no longer than this."""
_ONE_KEY = (
    "it is renewed; if this is said again, [core] fernet_key differs between machines, or somebody "
    "copies tokens between the rows of weixin.platform_token: find out who may write there"
)


class _Sealed(msgspec.Struct):
    """What is encrypted: the token, with the row that it belongs to."""

    component_appid: str
    appid: str
    token: str


_sealed_decoder = msgspec.json.Decoder(_Sealed)


class Cipher:
    """
    What tokens are encrypted with: the newest of the keys encrypts, all of them decrypt.

    A token is encrypted for one row, by the AppIDs of its platform and its account, and can't be
    decrypted as another row's.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """
        The newest first.

        Raises:
            ValueError: one is no Fernet key, or there is none.
        """
        if not keys:
            raise ValueError("there is no key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, token: str, component_appid: str, appid: str) -> str:
        """What may be stored in the row."""
        sealed = msgspec.json.encode(_Sealed(component_appid, appid, token))
        return self._fernet.encrypt(sealed).decode()

    def decrypt(self, stored: str | None, component_appid: str, appid: str) -> str | None:
        """The row's token; None if there is none, no key decrypts it, or it is another row's."""
        try:
            opened = _sealed_decoder.decode(self._fernet.decrypt(stored or ""))
        except (InvalidToken, ValueError):  # msgspec's are among these
            return None
        is_of_row = (opened.component_appid, opened.appid) == (component_appid, appid)
        return opened.token if is_of_row else None


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account that has once authorised the platform."""

    appid: str
    name: str
    authorized_at: datetime
    withdrawn_at: datetime | None
    is_official_account: bool | None
    """None while WeChat has not said."""


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """What one platform has in the table; may be used by several threads at once."""

    platform: Account
    warehouse: Engine
    cipher: Cipher
    lock_seconds: int
    """How long a renewal may hold the lock of its row, or wait for it."""
    _warned: set[str] = field(default_factory=set)

    def accounts(self) -> list[StoredAccount]:
        """The accounts that have ever authorised the platform."""
        with self.warehouse.connect() as connection:
            rows = connection.execute(statement("platform_token/of_platform.sql"), self._platform)
            return [StoredAccount(*row) for row in rows]

    def authorize(self, accounts: Sequence[Authorization]) -> None:
        """Keep accounts that have authorised the platform for the first time, or anew."""
        rows = [
            {
                "appid": it.authorizer_appid,
                "refresh_token": self._encrypted(it.refresh_token, it.authorizer_appid),
                "authorized_at": it.authorized_at.isoformat(),
            }
            for it in accounts
        ]
        self._write_many("platform_token/authorize.sql", rows, seen_at=clock.now())

    def describe(self, said: Mapping[str, AccountInfo]) -> None:
        """Keep what accounts are and are called, by AppID."""
        rows = [
            {"appid": appid, "name": it.name, "is_official_account": it.is_official_account}
            for appid, it in said.items()
        ]
        self._write_many("platform_token/describe.sql", rows)

    def withdraw(self, account: Account) -> None:
        """Keep that an account has withdrawn its authorisation; its token is forgotten."""
        with self.warehouse.begin() as connection:
            connection.execute(
                statement("platform_token/withdraw.sql"),
                {**self._row_of(account), "withdrawn_at": clock.now()},
            )

    def token(self, account: Account, refused: str) -> Token | None:
        """The stored token, unless it ends soon, is the `refused` one or can't be decrypted."""
        with self.warehouse.connect() as connection:
            return self._good(account, self._read(connection, account), refused)

    def renewed(
        self, account: Account, refused: str, renew: Callable[[str | None], Renewed]
    ) -> Token:
        """
        The stored token if another worker has renewed it meanwhile, else a renewed one.

        `renew` is given the stored refresh token. It is called under the lock of the row, and what
        it gives is committed before anybody uses it.
        """
        with self.warehouse.begin() as connection:
            connection.exec_driver_sql(_LOCK_LIMITS.format(seconds=self.lock_seconds))
            self._lock(connection, account)
            row = self._read(connection, account)
            if row is None:
                raise WeixinError(
                    ProblemKind.CONFIGURATION,
                    account=str(account),
                    cause=f"it has not authorised {self.platform.name}",
                    cure="have it authorised; the next run finds it",
                )
            if token := self._good(account, row, refused):
                return token
            new = renew(self._decrypted(row.refresh_token, account))
            connection.execute(
                statement("platform_token/renew.sql"),
                {
                    **self._row_of(account),
                    "access_token": self._encrypted(new.token.value, account.appid),
                    "refresh_token": self._encrypted(new.refresh_token, account.appid),
                    "expires_in": new.token.expires_in_seconds,
                },
            )
        return new.token

    def add_platform(self) -> None:
        """Make the row of the platform's own token, if there is none yet."""
        with self.warehouse.begin() as connection:
            connection.execute(
                statement("platform_token/add_platform.sql"),
                {**self._platform, "seen_at": clock.now()},
            )

    def _write_many(self, name: str, rows: Sequence[dict[str, Any]], **values: object) -> None:
        """Write many accounts, one process after the other: so no two wait for each other."""
        if not rows:
            return
        with self.warehouse.begin() as connection:
            self._lock(connection, self.platform)
            connection.execute(
                statement(name),
                {**self._platform, **values, "accounts": msgspec.json.encode(rows).decode()},
            )

    def _lock(self, connection: Connection, account: Account) -> None:
        connection.execute(statement("platform_token/lock.sql"), self._row_of(account))

    def _read(self, connection: Connection, account: Account) -> Row[Any] | None:
        read = statement("platform_token/read.sql")
        return connection.execute(read, self._row_of(account)).one_or_none()

    def _good(self, account: Account, row: Row[Any] | None, refused: str) -> Token | None:
        value = self._decrypted(row.access_token, account) if row else None
        if row is None or not value or value == refused:
            return None
        left = float(row.seconds_left)
        return Token(value, left) if left > RENEW_BEFORE_SECONDS else None

    def _encrypted(self, token: str | None, appid: str) -> str | None:
        return self.cipher.encrypt(token, self.platform.appid, appid) if token else None

    def _decrypted(self, stored: str | None, account: Account) -> str | None:
        value = self.cipher.decrypt(stored, self.platform.appid, account.appid)
        if stored and not value and not self._warned:
            self._warned.add(account.appid)
            log.warning(
                "%s: a token is encrypted with another key, or for another account: %s",
                account,
                _ONE_KEY,
            )
        return value

    @property
    def _platform(self) -> dict[str, str]:
        return {"component_appid": self.platform.appid}

    def _row_of(self, account: Account) -> dict[str, str]:
        return {**self._platform, "appid": account.appid}
