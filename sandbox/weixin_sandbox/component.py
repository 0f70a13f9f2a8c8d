"""WeChat's side of a third-party platform: its tickets, its tokens and its authorisations."""

import itertools
import secrets
from dataclasses import dataclass, field, replace

from weixin_sandbox.accounts import Account
from weixin_sandbox.answers import RefusedError
from weixin_sandbox.tokens import EXPIRED, Token, Tokens


@dataclass(frozen=True)
class Authorization:
    """An account's authorisation of the platform, as WeChat lists it; times are Unix seconds."""

    authorizer_appid: str
    auth_time: int
    refresh_token: str = field(repr=False)


class Component:
    """
    One third-party platform as WeChat knows it. An account that authorises it joins `accounts`.

    `rotates_refresh_tokens` says whether each refresh replaces the refresh token and invalidates
    the old one at once. WeChat usually returns the same refresh token.
    """

    def __init__(self, known: Account, accounts: dict[str, Account], tokens: Tokens) -> None:
        self.appid = known.appid
        self.secret = known.secret
        self.rotates_refresh_tokens = False
        self.issued_secrets: set[str] = set()
        """All tickets and refresh tokens ever issued. Access tokens are in `Tokens.issued`."""
        self._accounts = accounts
        self._tokens = tokens
        self._tickets: list[str] = []
        self._expired_tickets: list[str] = []
        self._authorizations: dict[str, Authorization] = {}
        self._seconds = itertools.count(1_750_000_000)

    def push_ticket(self) -> str:
        """Issue a new ticket; earlier ones stay valid until `expire_tickets`."""
        self._tickets.append(self._new_secret("ticket"))
        return self._tickets[-1]

    def ticket(self) -> str:
        """Return the newest valid ticket, or a new one."""
        return self._tickets[-1] if self._tickets else self.push_ticket()

    def expire_tickets(self) -> None:
        """Refuse every ticket pushed so far with 61005 from now on."""
        self._expired_tickets += self._tickets
        self._tickets = []

    def expire_tokens(self) -> None:
        """Refuse the platform's own token from now on; it asks with it for tokens of accounts."""
        self._tokens.end(self.appid, EXPIRED, is_of_component=True)

    def authorize(self, account: Account) -> None:
        """Let an account authorise the platform, or renew it: both give a new refresh token."""
        self._accounts.setdefault(account.appid, account)
        self._authorizations.pop(account.appid, None)
        new = Authorization(account.appid, next(self._seconds), self._new_secret("refreshtoken"))
        self._authorizations[account.appid] = new

    def withdraw(self, appid: str) -> None:
        """Let an account withdraw its authorisation, which invalidates its tokens."""
        del self._authorizations[appid]
        self._tokens.end(appid, is_of_component=True)

    def issue_token(self, ticket: object) -> Token:
        """
        Issue the platform's own token for a ticket.

        Raises:
            RefusedError: 61005 for an expired ticket, 61006 for an unknown one.
        """
        if ticket in self._expired_tickets:
            raise RefusedError(61005)
        if ticket not in self._tickets:
            raise RefusedError(61006)
        return self._tokens.of_component(self.appid)

    def refresh(self, appid: str, refresh_token: object) -> tuple[Token, str]:
        """
        Issue a token for an account, and return it with the refresh token from now on.

        Raises:
            RefusedError: 61003 without an authorisation, 61023 for a wrong refresh token.
        """
        authorization = self.authorization(appid)
        if refresh_token != authorization.refresh_token:
            raise RefusedError(61023)
        if self.rotates_refresh_tokens:
            new = self._new_secret("refreshtoken")
            authorization = replace(authorization, refresh_token=new)
            self._authorizations[appid] = authorization
        return self._tokens.of_component(appid), authorization.refresh_token

    def authorization(self, appid: str) -> Authorization:
        """Return an account's authorisation; raise RefusedError 61003 if there is none."""
        if appid not in self._authorizations:
            raise RefusedError(61003)
        return self._authorizations[appid]

    def page(self, offset: int, count: int) -> tuple[int, list[Authorization]]:
        """Return the number of authorisations, and a page of them, the earliest first."""
        granted = [*self._authorizations.values()]
        return len(granted), granted[offset : offset + count]

    def _new_secret(self, kind: str) -> str:
        """Return a new ticket or refresh token, and remember it."""
        self.issued_secrets.add(secret := f"{kind}@@@{secrets.token_urlsafe(48)}")
        return secret
