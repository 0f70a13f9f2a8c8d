"""WeChat's side of a third-party platform: tickets, its token, and who authorised it."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from weixin_sandbox.accounts import Account, Component
from weixin_sandbox.answers import RefusedError
from weixin_sandbox.tokens import Tokens


@dataclass(frozen=True)
class Authorization:
    """What an account granted, since when (Unix seconds)."""

    appid: str
    auth_time: int
    refresh_token: str = field(repr=False)


class RegisteredComponent:
    """
    One platform as WeChat knows it; who authorises it joins the accounts.

    `rotates_refresh_tokens` says whether each refresh replaces the refresh token and invalidates
    the old one at once. WeChat usually returns the same one.
    """

    def __init__(
        self,
        component: Component,
        accounts: dict[str, Account],
        tokens: Tokens,
        auth_time: Callable[[], int],
    ) -> None:
        self.appid = component.appid
        self.secret = component.secret
        self.rotates_refresh_tokens = False
        self.tokens = Tokens()
        """Its own; those with which it calls for accounts are among the accounts'."""
        self._accounts = accounts
        self._account_tokens = tokens
        self._auth_time = auth_time
        self._tickets: list[str] = []
        self._expired_tickets: list[str] = []
        self._authorizations: dict[str, Authorization] = {}
        self._issued: set[str] = set()

    @property
    def issued_secrets(self) -> set[str]:
        """Every ticket, component token, authorizer token and refresh token ever issued."""
        return set(self._issued)

    def push_ticket(self) -> str:
        """Make a new ticket; those before stay good until `expire_tickets`."""
        self._tickets.append(self._remembered(f"ticket@@@{secrets.token_urlsafe(64)}"))
        return self._tickets[-1]

    def ticket(self) -> str:
        """Return the newest ticket that is good, or a new one."""
        return self._tickets[-1] if self._tickets else self.push_ticket()

    def expire_tickets(self) -> None:
        """Refuse every ticket pushed so far with 61005 from now on."""
        self._expired_tickets += self._tickets
        self._tickets = []

    def expire_tokens(self) -> None:
        """Refuse every component token now in force with 42001 from now on."""
        self.tokens.expire_all()

    def authorize(self, account: Account | str) -> None:
        """Let an account, or a known appid's, authorise it, perhaps anew: a new refresh token."""
        new = Account(account) if isinstance(account, str) else account
        appid = self._accounts.setdefault(new.appid, new).appid
        self._authorizations[appid] = Authorization(
            appid, self._auth_time(), self._new_refresh_token()
        )

    def withdraw(self, appid: str) -> None:
        """Let an account withdraw its authorisation: its refresh token and tokens are invalid."""
        del self._authorizations[appid]
        self._account_tokens.end(appid, is_of_component=True)

    def issue_token(self, ticket: object) -> tuple[str, int]:
        """Issue a token for a ticket; 61005 for an expired, 61006 for an unknown one."""
        if ticket in self._expired_tickets:
            raise RefusedError(61005)
        if ticket not in self._tickets:
            raise RefusedError(61006)
        token, seconds = self.tokens.of_component(self.appid)
        return self._remembered(token), seconds

    def refresh(self, appid: str, refresh_token: object) -> tuple[str, int, str]:
        """Issue an account's token: its value, its seconds, and the refresh token from now on."""
        authorization = self.authorization(appid)
        if refresh_token != authorization.refresh_token:
            raise RefusedError(61023)
        if self.rotates_refresh_tokens:
            authorization = replace(authorization, refresh_token=self._new_refresh_token())
            self._authorizations[appid] = authorization
        token, seconds = self._account_tokens.of_component(appid)
        return self._remembered(token), seconds, authorization.refresh_token

    def authorization(self, appid: str) -> Authorization:
        """What an account granted; 61003 when it has not authorised the platform."""
        if appid not in self._authorizations:
            raise RefusedError(61003)
        return self._authorizations[appid]

    def page(self, offset: int, count: int) -> tuple[int, list[Authorization]]:
        """How many accounts have authorised it, and a page of them by (auth_time, appid)."""
        granted = sorted(self._authorizations.values(), key=lambda it: (it.auth_time, it.appid))
        return len(granted), granted[offset : offset + count]

    def _new_refresh_token(self) -> str:
        return self._remembered(f"refreshtoken@@@{secrets.token_urlsafe(32)}")

    def _remembered(self, secret: str) -> str:
        self._issued.add(secret)
        return secret
