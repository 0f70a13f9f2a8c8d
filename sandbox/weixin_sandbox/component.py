"""WeChat's side of a third-party platform: tickets, its token, and who authorised it."""

import itertools
import secrets
from dataclasses import dataclass, field, replace

from weixin_sandbox.accounts import Account
from weixin_sandbox.answers import RefusedError
from weixin_sandbox.tokens import EXPIRED, Token, Tokens


@dataclass(frozen=True)
class Authorization:
    """Which account authorises it, since when (Unix seconds): as WeChat lists it."""

    authorizer_appid: str
    auth_time: int
    refresh_token: str = field(repr=False)


class Component:
    """
    One platform as WeChat knows it; who authorises it joins the accounts.

    `rotates_refresh_tokens` says whether each refresh replaces the refresh token and invalidates
    the old one at once. WeChat usually returns the same one.
    """

    def __init__(self, known: Account, accounts: dict[str, Account], tokens: Tokens) -> None:
        self.appid = known.appid
        self.secret = known.secret
        self.rotates_refresh_tokens = False
        self.issued_secrets: set[str] = set()
        """Every ticket and refresh token ever issued; its tokens are among the accounts'."""
        self._accounts = accounts
        self._tokens = tokens
        self._tickets: list[str] = []
        self._expired_tickets: list[str] = []
        self._authorizations: dict[str, Authorization] = {}
        self._seconds = itertools.count(1_750_000_000)

    def push_ticket(self) -> str:
        """Make a new ticket; those before stay good until `expire_tickets`."""
        self._tickets.append(self._new_secret("ticket"))
        return self._tickets[-1]

    def ticket(self) -> str:
        """Return the newest ticket that is good, or a new one."""
        return self._tickets[-1] if self._tickets else self.push_ticket()

    def expire_tickets(self) -> None:
        """Refuse every ticket pushed so far with 61005 from now on."""
        self._expired_tickets += self._tickets
        self._tickets = []

    def expire_tokens(self) -> None:
        """Refuse its own token, with which it asks for those of accounts, from now on."""
        self._tokens.end(self.appid, EXPIRED, is_of_component=True)

    def authorize(self, account: Account) -> None:
        """Let an account authorise it, perhaps anew: a new refresh token."""
        self._accounts.setdefault(account.appid, account)
        self._authorizations.pop(account.appid, None)
        new = Authorization(account.appid, next(self._seconds), self._new_secret("refreshtoken"))
        self._authorizations[account.appid] = new

    def withdraw(self, appid: str) -> None:
        """Let an account withdraw its authorisation: its refresh token and tokens are invalid."""
        del self._authorizations[appid]
        self._tokens.end(appid, is_of_component=True)

    def issue_token(self, ticket: object) -> Token:
        """Issue its own token for a ticket; 61005 for an expired, 61006 for an unknown one."""
        if ticket in self._expired_tickets:
            raise RefusedError(61005)
        if ticket not in self._tickets:
            raise RefusedError(61006)
        return self._tokens.of_component(self.appid)

    def refresh(self, appid: str, refresh_token: object) -> tuple[Token, str]:
        """Issue an account's token; with it the refresh token from now on."""
        authorization = self.authorization(appid)
        if refresh_token != authorization.refresh_token:
            raise RefusedError(61023)
        if self.rotates_refresh_tokens:
            new = self._new_secret("refreshtoken")
            authorization = replace(authorization, refresh_token=new)
            self._authorizations[appid] = authorization
        return self._tokens.of_component(appid), authorization.refresh_token

    def authorization(self, appid: str) -> Authorization:
        """What an account granted; 61003 when it has not authorised the platform."""
        if appid not in self._authorizations:
            raise RefusedError(61003)
        return self._authorizations[appid]

    def page(self, offset: int, count: int) -> tuple[int, list[Authorization]]:
        """How many accounts have authorised it, and a page of them, the earliest first."""
        granted = [*self._authorizations.values()]
        return len(granted), granted[offset : offset + count]

    def _new_secret(self, kind: str) -> str:
        self.issued_secrets.add(secret := f"{kind}@@@{secrets.token_urlsafe(48)}")
        return secret
