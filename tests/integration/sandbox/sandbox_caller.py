"""A client of the sandbox that is as plain as a client can be."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox

TODAY = date(2026, 11, 24)
YESTERDAY = date(2026, 11, 23)
TOTAL, DETAIL = "getarticletotal", "getarticletotaldetail"
TOKEN_PATH = "/cgi-bin/stable_token"


def data_path(endpoint: str) -> str:
    """Where an endpoint is called."""
    return f"/datacube/{endpoint}"


@dataclass
class Caller:
    """Calls one served sandbox for one account."""

    sandbox: Sandbox
    url: str
    account: Account = DEFAULT_ACCOUNT
    read_timeout: float = 10.0
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST a JSON body."""
        content = {} if body is None else {"json": body}
        return self.session.post(self.url + path, timeout=self.read_timeout, **content, **options)

    def credentials(self, **fields: object) -> dict[str, object]:
        """What a token call sends, with fields that replace the right ones."""
        right = {"appid": self.account.appid, "secret": self.account.secret}
        return {"grant_type": "client_credential", **right, **fields}

    def token(self, **fields: object) -> str:
        """A stable token's value."""
        return str(self.post(TOKEN_PATH, self.credentials(**fields)).json()["access_token"])

    def ask(
        self, day: date, token: str | None = None, endpoint: str = TOTAL, **options: Any
    ) -> requests.Response:
        """The answer for one publication day."""
        dates = {"begin_date": day.isoformat(), "end_date": day.isoformat()}
        query = {"access_token": self.token() if token is None else token}
        return self.post(data_path(endpoint), dates, params=query, **options)

    def errcode(self, day: date, token: str | None = None, endpoint: str = TOTAL) -> int:
        """How one publication day is answered; 0 is a success."""
        return int(self.ask(day, token, endpoint).json().get("errcode", 0))
