"""WeChat without HTTP: accounts, tokens, quota, figures and what was asked."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import endpoints
from weixin_sandbox.accounts import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Component
from weixin_sandbox.component import RegisteredComponent
from weixin_sandbox.scenarios import Effect, Scenario
from weixin_sandbox.tokens import Tokens, TokenService


@dataclass(frozen=True)
class Call:
    """
    One call as it was answered.

    `appid` is the account's, or the platform's on its own calls. It, `publication_date` and
    `access_token` are None where the call did not say them, `errcode` where the answer has none
    that can be read; a success is 0.
    """

    path: str
    appid: str | None
    publication_date: date | None
    errcode: int | None
    access_token: str | None = field(repr=False)


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
        slow_seconds: how long the scenario `slow` holds an answer back.
        daily_limit: calls per endpoint, account and Beijing day.

    Each may be changed at any time. `before_delivery` is called with each call once it has been
    decided and remembered, before the first byte of its answer, in a thread of its own.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (DEFAULT_ACCOUNT,),
        seed: int = 1,
        today: date | None = None,
        latency_seconds: float = 0.0,
        scenarios: Iterable[Scenario] = (),
        *,
        component: Component = DEFAULT_COMPONENT,
        token_service_bearer: str | None = None,
        slow_seconds: float = 35.0,
        daily_limit: int = 1000,
    ) -> None:
        self.accounts = {account.appid: account for account in accounts}
        self.seed = seed
        self.today = today
        self.latency_seconds = latency_seconds
        self.scenarios = list(scenarios)
        self.slow_seconds = slow_seconds
        self.daily_limit = daily_limit
        self.calls: list[Call] = []
        self.counted: Counter[tuple[str, str, date]] = Counter()
        """The calls that were let through: by AppID, path and Beijing day."""
        self.tokens = Tokens()
        self.token_service = TokenService(self.tokens, token_service_bearer)
        self.component = RegisteredComponent(component, self.accounts, self.tokens, self._now)
        self.before_delivery: Callable[[Call], None] | None = None

    @property
    def beijing_today(self) -> date:
        """The day it lives in."""
        return self.today or clock.beijing_date(clock.now())

    @property
    def issued_tokens(self) -> set[str]:
        """Every token value of an account ever issued."""
        return self.tokens.issued()

    def effect(
        self, call: str, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> Effect | None:
        """What the first scenario does to a call that it hits; no other hits the same call."""
        hits = (it for it in list(self.scenarios) if it.hits(call, appid, day, endpoint))
        return next((scenario.effect for scenario in hits), None)

    def remember(self, call: Call, body: bytes) -> None:  # noqa: ARG002 # for who keeps the bytes
        """Keep a call as it was answered, but not what the answer said: a subclass may."""
        self.calls.append(call)

    def expire_tokens(self) -> None:
        """Refuse every token now in force with 42001 from now on."""
        self.tokens.expire_all()

    def replace_token(self, appid: str) -> None:
        """Do what another process's `force_refresh` does: the old token gets 40001 at once."""
        self.tokens.replace(self.accounts[appid].appid)

    def answer(
        self, appid: str, day: date, asked_on: date, endpoint: str = ARTICLE_TOTAL.endpoint
    ) -> bytes:
        """The exact body of a day, asked for on a later Beijing day, scenarios apart."""
        asked = endpoints.named(endpoint)
        if not asked.dataset.first_day <= day < asked_on:
            raise ValueError(f"{day} cannot be asked for on {asked_on}")
        return asked.body(asked.items(self.seed, self.accounts[appid].appid, day, asked_on))

    def _now(self) -> int:
        """The clock's time of day on the day it lives in."""
        time_of_day = clock.now().astimezone(clock.SHANGHAI).time()
        return int(datetime.combine(self.beijing_today, time_of_day, clock.SHANGHAI).timestamp())
