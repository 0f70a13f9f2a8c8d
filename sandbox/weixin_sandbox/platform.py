"""WeChat's side without HTTP: accounts, tokens, quota, figures and what was asked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import endpoints
from weixin_sandbox.accounts import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Component
from weixin_sandbox.component import RegisteredComponent
from weixin_sandbox.quota import Quota
from weixin_sandbox.scenarios import Effect, Scenario
from weixin_sandbox.tokens import Tokens, TokenService


@dataclass(frozen=True)
class Call:
    """
    One call as it was answered.

    `appid` is the account's, or the component's on its own calls. It and `publication_date` are
    None where the call did not say them, `access_token` (on a component's calls the component's)
    where it came without one, and `errcode` where the answer has none that can be read; a success
    is 0.
    """

    path: str
    appid: str | None
    publication_date: date | None
    errcode: int | None
    access_token: str | None

    def __repr__(self) -> str:
        """The call without its token."""
        return (
            f"Call(path={self.path!r}, appid={self.appid!r}, "
            f"publication_date={self.publication_date}, errcode={self.errcode})"
        )


class Platform:
    """
    Everything a WeChat API remembers. Calls are decided one at a time.

    Args:
        accounts: who may call; by default `DEFAULT_ACCOUNT` alone.
        seed: another seed gives other figures.
        today: the Beijing day, or None for the clock's. May be changed at any time.
        latency_seconds: how long every call takes.
        scenarios: what goes wrong, first match first. May be changed at any time.
        component: the third-party platform that accounts may authorise.
        token_service_bearer: what a caller of the token service must send, or None.
        slow_seconds: how long the scenario `slow` holds an answer back.
        daily_limit: calls per endpoint, account and Beijing day.

    Attributes:
        before_delivery: called with each call once it has been decided and remembered, before
            the first byte of its answer is sent. It runs in a thread of its own, so it may block
            or kill the client while other calls are served. May be changed at any time.
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
        self.slow_seconds = slow_seconds
        self.calls: list[Call] = []
        self.quota = Quota(daily_limit)
        self.tokens = Tokens()
        self.token_service = TokenService(self.tokens, token_service_bearer)
        self.component = RegisteredComponent(
            component,
            self.accounts,
            self.tokens,
            auth_time=lambda: int(self.beijing_now.timestamp()),
        )
        self.before_delivery: Callable[[Call], None] | None = None
        self.scenarios = list(scenarios)

    @property
    def beijing_today(self) -> date:
        """The day the platform lives in."""
        return self.today or clock.beijing_date(clock.now())

    @property
    def beijing_now(self) -> datetime:
        """The clock's time of day on the day the platform lives in."""
        time_of_day = clock.now().astimezone(clock.SHANGHAI).time()
        return datetime.combine(self.beijing_today, time_of_day, clock.SHANGHAI)

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
        self,
        appid: str,
        publication_date: date,
        asked_on: date,
        endpoint: str = ARTICLE_TOTAL.endpoint,
    ) -> bytes:
        """
        The exact body of a publication day on a Beijing day, scenarios apart.

        Raises:
            KeyError: the platform does not know the account.
            ValueError: there is no such endpoint, or on that day the publication day could not be
                asked for.
        """
        account = self.accounts[appid]
        asked = endpoints.named(endpoint)
        if not asked.dataset.first_day <= publication_date < asked_on:
            raise ValueError(f"{publication_date} cannot be asked for on {asked_on}")
        return asked.body(asked.items(self.seed, account.appid, publication_date, asked_on))
