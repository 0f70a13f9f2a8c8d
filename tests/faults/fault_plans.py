"""What goes wrong on some mornings, drawn by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from trial import accounts

from weixin_etl.datasets import Dataset
from weixin_sandbox import Account, Scenario

FIRST_MORNING = date(2026, 12, 10)
MORNINGS = 3
MANY_DAYS = 10
"""A window from which on two accounts are calls enough."""
SHORT_TROUBLE = [
    "busy",
    "http-500",
    "cut-answer",
    "slow",
    "bad-json",
    "token-expired",
    "minute-quota",
    "token-call:busy",
    "token-call:cut-answer",
]
REFUSALS = [
    "daily-quota",
    "unauthorized",
    "secret-frozen",
    "clock-skew",
    "not-ready",
    "not-ready-code",
]
ONLY_OF = {"article_total": ["offline"], "article_total_detail": ["delayed-text"]}
ODD_ROWS = ["falling-total", "repeated-article", "odd-row"]
LIES = ["fewer-articles", "empty"]
"""Lists without some of the articles, and no word of it."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a morning; those of one morning begin together."""

    begin_date: date | None
    """First day of a manual run up to yesterday; None for the scheduled one."""
    killed_at: int
    """The statement at which its first try is killed; 0 for none."""


@dataclass(frozen=True)
class Morning:
    """What is asked for on a morning, and what goes wrong."""

    today: date
    hour: int
    """Before ten, an answer without yesterday's rows is not ready."""
    scenarios: list[Scenario]
    runs: list[PlannedRun]
    tokens_die_after_seconds: float | None
    late: list[tuple[str, date]]
    """Accounts and days whose answer of the day before arrives only now."""


@dataclass(frozen=True)
class FaultPlan:
    """Mornings in trouble, between one before and one after without any."""

    accounts: list[Account]
    mornings: list[Morning]
    first_day: date
    """The first publication day anybody asks for."""

    @property
    def last_morning(self) -> date:
        """The one without trouble."""
        return self.mornings[-1].today + timedelta(days=1)


def drawn(dataset: Dataset, seed: int) -> FaultPlan:
    """The plan of a seed."""
    random = Random(f"{dataset.name} {seed}")
    involved = accounts(random.randint(1, 6 if dataset.window < MANY_DAYS else 2))
    lying = random.randint(1, MORNINGS)
    mornings = [
        _morning(
            dataset,
            random,
            involved,
            FIRST_MORNING + timedelta(days=number),
            may_lie=number == lying,
        )
        for number in range(1, MORNINGS + 1)
    ]
    return FaultPlan(involved, mornings, FIRST_MORNING - timedelta(days=dataset.window + 3))


def _morning(
    dataset: Dataset, random: Random, involved: Sequence[Account], today: date, *, may_lie: bool
) -> Morning:
    window = [today - timedelta(days=age) for age in range(1, dataset.window + 1)]
    return Morning(
        today,
        random.choice([8, 10]),
        [
            _scenario(dataset, random, involved, window, may_lie=may_lie)
            for _ in range(random.randint(1, 6))
        ],
        [PlannedRun(None, _kill(random))]
        + [
            PlannedRun(today - timedelta(days=random.randint(1, dataset.window + 3)), _kill(random))
            for _ in range(random.randint(0, 2))
        ],
        random.choice([None, random.uniform(0, 0.5)]),
        [(random.choice(involved).appid, day) for day in random.sample(window[1:], 2)],
    )


def _kill(random: Random) -> int:
    return random.choice([0, 0, random.randint(1, 40)])


def _scenario(
    dataset: Dataset,
    random: Random,
    involved: Sequence[Account],
    window: Sequence[date],
    *,
    may_lie: bool,
) -> Scenario:
    """
    Something that later answers make good.

    So no row of an answer that may make a day final is odd: it would be WeChat's last word. A list
    may lie of any day, but on one morning of a plan: two that agree are believed.
    """
    refusals = REFUSALS + ONLY_OF[dataset.name]
    name = random.choice(
        random.choice([SHORT_TROUBLE, refusals, ODD_ROWS, *([LIES] if may_lie else [])])
    )
    account = random.choice([None, random.choice(involved).appid])
    times = random.randint(1, 2 if name == "slow" else 8)
    if name in LIES:
        older = [window[-1] - timedelta(days=age) for age in range(1, 4)]
        return Scenario(name, account, random.choice([*window, *older]), times)
    if name in ODD_ROWS:
        return Scenario(name, account, random.choice(window[:-1]), times)
    is_of_a_day = Scenario(name).call == "data" and random.random() < 0.5
    return Scenario(name, account, random.choice(window) if is_of_a_day else None, times)
