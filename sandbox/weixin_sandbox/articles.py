"""
Made-up articles of an account: what it published on a day, and how fast people read it.

The same seed, account and day always give the same articles.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from weixin_sandbox.titles import title

_FIRST_MESSAGE_ID = 2_247_483_647
"""The first message id of every account; two accounts therefore share message ids."""
_FIRST_DAY = date(2014, 12, 1)
_SILENT_DAYS = 2 / 7
_NOTIFIED = 4 / 5
_MOST_MESSAGES = 2
_MOST_ARTICLES = 8


def random_of(*parts: object) -> Random:
    """Return a random generator that is seeded with the parts."""
    return Random("|".join(map(str, parts)))  # noqa: S311 - made-up figures, not keys


def followers_once(seed: int, appid: str) -> int:
    """Return the approximate number of an account's followers."""
    return random_of(seed, appid).randint(20_000, 300_000)


@dataclass(frozen=True)
class Article:
    """One article, with its final number of readers and the speed at which it gets them."""

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
        """The id `<message>_<index>`, which is unique inside its account only."""
        return f"{self.message_id}_{self.position}"

    @property
    def url(self) -> str:
        """The URL of the article's page, which does not exist."""
        sn = hashlib.sha256(f"{self.appid}|{self.msgid}".encode()).hexdigest()[:32]
        return (
            f"http://mp.weixin.qq.com/s?__biz={self.appid}&mid={self.message_id}"
            f"&idx={self.position}&sn={sn}#rd"
        )

    @property
    def is_notified(self) -> bool:
        """Whether followers were notified of the message, as of about four of five messages."""
        return random_of(self.seed, self.appid, self.message_id, "notified").random() < _NOTIFIED

    def reached(self, day: date) -> float:
        """Return the share of the final totals that is reached by 24:00 of a day, in (0, 1)."""
        return float(1 - self.decay ** ((day - self.publication_date).days + 1))

    def random(self, purpose: str) -> Random:
        """Return a random generator that is seeded with the article and a purpose."""
        return random_of(self.seed, self.appid, self.msgid, purpose)


def publications(seed: int, appid: str, day: date) -> Iterator[Article]:
    """Yield the articles that an account published on a day; none on about two days of seven."""
    random = random_of(seed, appid, day)
    if random.random() < _SILENT_DAYS:
        return
    followers = followers_once(seed, appid)
    first_message = _FIRST_MESSAGE_ID + (day - _FIRST_DAY).days * _MOST_MESSAGES
    for message_id in range(first_message, first_message + random.randint(1, _MOST_MESSAGES)):
        target_user = int(followers * random.uniform(0.9, 1.1))
        for position in range(1, random.randint(1, _MOST_ARTICLES) + 1):
            readers = target_user * (random.uniform(0.03, 0.15) / position)
            headline, decay = title(random), random.uniform(0.2, 0.5)
            yield Article(
                *(seed, appid, day, message_id, position, headline, target_user, readers, decay)
            )
