"""A client of the sandbox that is as plain as a client can be."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox

TODAY = date(2026, 11, 24)
DATA_PATH = "/datacube/getarticletotal"
DETAIL_PATH = "/datacube/getarticletotaldetail"


@dataclass
class Seconds:
    """A monotonic clock that a test turns by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Caller:
    """Calls one served sandbox for one account."""

    sandbox: Sandbox
    url: str
    account: Account = DEFAULT_ACCOUNT
    read_timeout: float = 10.0
    data_path: str = DATA_PATH
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST a JSON body."""
        content = {} if body is None else {"json": body}
        return self.session.post(self.url + path, timeout=self.read_timeout, **content, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET a path."""
        return self.session.get(self.url + path, timeout=self.read_timeout, **options)

    def stable(self, **fields: object) -> requests.Response:
        """Fetch a stable token, with fields that replace the right ones."""
        body = {
            "grant_type": "client_credential",
            "appid": self.account.appid,
            "secret": self.account.secret,
        }
        return self.post("/cgi-bin/stable_token", {**body, **fields})

    def token(self, **fields: object) -> str:
        """A stable token's value."""
        return str(self.stable(**fields).json()["access_token"])

    def classic(self) -> str:
        """A classic token's value."""
        query = {
            "grant_type": "client_credential",
            "appid": self.account.appid,
            "secret": self.account.secret,
        }
        return str(self.get("/cgi-bin/token", params=query).json()["access_token"])

    def ask(self, day: date, token: str | None = None) -> requests.Response:
        """The answer for one publication day."""
        dates = {"begin_date": day.isoformat(), "end_date": day.isoformat()}
        query = {"access_token": self.token() if token is None else token}
        return self.post(self.data_path, dates, params=query)

    def items(self, day: date) -> list[dict[str, Any]]:
        """The articles of one publication day."""
        return list(json.loads(self.ask(day).content)["list"])

    def errcode(self, day: date, token: str | None = None) -> int:
        """How one publication day is answered; 0 is a success."""
        return int(json.loads(self.ask(day, token).content).get("errcode", 0))
