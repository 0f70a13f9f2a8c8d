"""WeChat without HTTP: accounts, tokens, quota, figures and what was asked."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox.accounts import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account
from weixin_sandbox.answers import RefusedError
from weixin_sandbox.component import Component
from weixin_sandbox.endpoints import ENDPOINTS
from weixin_sandbox.scenarios import NOTHING, Effect, Scenario
from weixin_sandbox.tokens import Tokens


@dataclass(frozen=True)
class Call:
    """
    One call as it was answered.

    `appid` is the account's, or the platform's on its own calls. It, `publication_date` and
    `access_token` are None where the call did not say them, `errcode` where the answer has none
    that can be read; a success is 0. `caller` is an IP address.
    """

    path: str
    appid: str | None
    publication_date: date | None
    errcode: int | None
    access_token: str | None = field(repr=False)
    caller: str


class WeChat:
    """
    Everything that WeChat remembers. Calls are decided one at a time.

    Args:
        accounts: who may call; by default `DEFAULT_ACCOUNT` alone.
        seed: another seed gives other figures.
        today: the Beijing day, or None for the clock's.
        latency_seconds: how long every call takes.
        scenarios: what goes wrong, first match first.
        component: the third-party platform that accounts may authorise.
        token_service_bearer: what a caller of the token service must send, or None.

    Each may be changed at any time, as may `service_token`, which finds the token that the token
    service gives for an AppID. `before_delivery` is called with each call once it has been
    decided and remembered, before the first byte of its answer.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (DEFAULT_ACCOUNT,),
        seed: int = 1,
        today: date | None = None,
        latency_seconds: float = 0.0,
        scenarios: Iterable[Scenario] = (),
        *,
        component: Account = DEFAULT_COMPONENT,
        token_service_bearer: str | None = None,
    ) -> None:
        self.accounts = {account.appid: account for account in accounts}
        self.seed = seed
        self.today = today
        self.latency_seconds = latency_seconds
        self.scenarios = list(scenarios)
        self.calls: list[Call] = []
        self.counted: Counter[tuple[str, str, date]] = Counter()
        """The calls that were let through: by AppID, path and Beijing day."""
        self.tokens = Tokens()
        self.token_service_bearer = token_service_bearer
        self.service_token = self.tokens.stable
        self.component = Component(component, self.accounts, self.tokens)
        self.before_delivery: Callable[[Call], None] | None = None

    @property
    def beijing_today(self) -> date:
        """The day it lives in."""
        return self.today or clock.beijing_date(clock.now())

    @property
    def issued_tokens(self) -> set[str]:
        """Every token ever issued."""
        return self.tokens.issued()

    def effect(
        self, call: str, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> Effect:
        """What the first scenario does to a call that it hits; no other hits the same call."""
        hits = (it.effect for it in list(self.scenarios) if it.hits(call, appid, day, endpoint))
        effect = next(hits, NOTHING)
        if effect.errcode is not None:
            raise RefusedError(effect.errcode)
        return effect

    def remember(self, call: Call, body: bytes) -> None:  # noqa: ARG002 # for who keeps the bytes
        """Keep a call as it was answered, but not what the answer said: a subclass may."""
        self.calls.append(call)

    def expire_tokens(self) -> None:
        """Refuse every token now in force with 42001 from now on."""
        self.tokens.expire_all()

    def answer(
        self, appid: str, day: date, asked_on: date, endpoint: str = ARTICLE_TOTAL.endpoint
    ) -> bytes:
        """The exact body of a day, asked for on a later Beijing day, scenarios apart."""
        asked = ENDPOINTS[f"/datacube/{endpoint}"]
        return asked.body(asked.known(self.seed, self.accounts[appid].appid, day, asked_on))
