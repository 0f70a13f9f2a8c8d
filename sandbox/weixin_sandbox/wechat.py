"""The state of the simulated WeChat: accounts, tokens, quota, figures and past calls."""

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
    One call and its result.

    Attributes:
        path: the path of the URL.
        appid: the AppID of the account, or of the platform on its own calls; None if not given.
        publication_date: the requested day; None if not given.
        errcode: the errcode of the answer: 0 for a success, None if none is readable.
        access_token: the token of the call; None if not given.
        caller: the caller's IP address.
    """

    path: str
    appid: str | None
    publication_date: date | None
    errcode: int | None
    access_token: str | None = field(repr=False)
    caller: str


class WeChat:
    """
    The state of the simulated WeChat. Calls are decided one at a time.

    Args:
        accounts: the accounts that may call; by default `DEFAULT_ACCOUNT` alone.
        seed: the seed of the figures.
        today: the current Beijing day; None for the day of the project's clock.
        latency_seconds: the duration of every call.
        scenarios: the failures; the first that matches a call applies.
        component: the third-party platform that accounts may authorise.
        token_service_bearer: the bearer token that the token service requires; None for none.

    All of these are attributes that may change at any time. So is `service_token`, the function
    that returns the token service's token for an AppID. `before_delivery` is called with each call
    after it was decided and remembered, before the first byte of its answer.
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
        """The number of accepted calls, by AppID, path and Beijing day."""
        self.tokens = Tokens()
        self.token_service_bearer = token_service_bearer
        self.service_token = self.tokens.stable
        self.component = Component(component, self.accounts, self.tokens)
        self.before_delivery: Callable[[Call], None] | None = None

    @property
    def beijing_today(self) -> date:
        """The current day in Beijing."""
        return self.today or clock.beijing_date(clock.now())

    @property
    def issued_tokens(self) -> set[str]:
        """The values of all tokens ever issued."""
        return self.tokens.issued()

    def effect(
        self, call: str, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> Effect:
        """
        Return the effect of the first scenario that hits a call.

        Raises:
            RefusedError: the effect refuses the call.
        """
        scenarios = list(self.scenarios)  # a test may change them meanwhile
        effects = (found.effect for found in scenarios if found.hits(call, appid, day, endpoint))
        effect = next(effects, NOTHING)
        if effect.errcode is not None:
            raise RefusedError(effect.errcode)
        return effect

    def remember(self, call: Call, body: bytes) -> None:  # noqa: ARG002 # subclasses keep the bytes
        """Remember a call and its result. A subclass may keep the body as well."""
        self.calls.append(call)

    def expire_tokens(self) -> None:
        """Refuse every valid token with 42001 from now on."""
        self.tokens.expire_all()

    def answer(
        self, appid: str, day: date, asked_on: date, endpoint: str = ARTICLE_TOTAL.endpoint
    ) -> bytes:
        """Return the exact body for a day that is requested on `asked_on`, without scenarios."""
        data = ENDPOINTS[f"/datacube/{endpoint}"]
        return data.body(data.known(self.seed, self.accounts[appid].appid, day, asked_on))
