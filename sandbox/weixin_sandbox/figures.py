"""What an account published and how fast it was read: made up, and the same for the same seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from weixin_sandbox.titles import title

FIRST_MESSAGE_ID = 2_247_483_647
"""Message ids count up from here in every account, so two accounts share them."""

FIRST_PUBLICATION_DATE = date(2014, 12, 1)

_SILENT_DAYS = 2 / 7
_NOTIFIED = 4 / 5
_MOST_MESSAGES = 2
_MOST_ARTICLES = 8


@dataclass(frozen=True)
class Article:
    """One article: how many people it will reach in the end, and how fast it gets there."""

    seed: int
    appid: str
    publication_date: date
    message_id: int
    position: int
    title: str
    target_user: int
    readers: float
    decay: float

    @property
    def msgid(self) -> str:
        """`<message>_<index>`, unique inside its account only."""
        return f"{self.message_id}_{self.position}"

    @property
    def url(self) -> str:
        """The article's page; it leads nowhere."""
        sn = hashlib.sha256(f"{self.appid}|{self.msgid}".encode()).hexdigest()[:32]
        return (
            f"http://mp.weixin.qq.com/s?__biz={self.appid}&mid={self.message_id}"
            f"&idx={self.position}&sn={sn}#rd"
        )

    @property
    def is_notified(self) -> bool:
        """Whether followers were told of its message; about one of five goes out silently."""
        return _random(self.seed, self.appid, self.message_id, "notified").random() < _NOTIFIED

    def reached(self, stat_date: date) -> float:
        """The share of the final totals reached by 24:00 of a day, in (0, 1), rising with it."""
        age_days = (stat_date - self.publication_date).days
        return float(1 - self.decay ** (age_days + 1))

    def random(self, purpose: str) -> Random:
        """A generator of this article's own, one per purpose."""
        return _random(self.seed, self.appid, self.msgid, purpose)


def publications(seed: int, appid: str, publication_date: date) -> Iterator[Article]:
    """The articles an account published on a day: none on about two days of seven."""
    random = _random(seed, appid, publication_date)
    if random.random() < _SILENT_DAYS:
        return
    followers = followers_once(seed, appid)
    day_number = (publication_date - FIRST_PUBLICATION_DATE).days
    for message in range(random.randint(1, _MOST_MESSAGES)):
        target_user = int(followers * random.uniform(0.9, 1.1))
        for position in range(1, random.randint(1, _MOST_ARTICLES) + 1):
            appeal = random.uniform(0.03, 0.15) / position
            yield Article(
                seed=seed,
                appid=appid,
                publication_date=publication_date,
                message_id=FIRST_MESSAGE_ID + day_number * _MOST_MESSAGES + message,
                position=position,
                title=title(random),
                target_user=target_user,
                readers=target_user * appeal,
                decay=random.uniform(0.2, 0.5),
            )


def _random(*parts: object) -> Random:
    return Random("|".join(map(str, parts)))  # noqa: S311 - made-up figures, not keys


def followers_once(seed: int, appid: str) -> int:
    """About how many people follow an account."""
    return _random(seed, appid).randint(20_000, 300_000)


def random_of_day(seed: int, appid: str, day: date, purpose: str) -> Random:
    """A generator of an account's day, one per purpose."""
    return _random(seed, appid, day, purpose)
